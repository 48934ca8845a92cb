"""What goes beyond the paper: words, facets and taste, each with its training beside it (docs/beyond.md)."""
