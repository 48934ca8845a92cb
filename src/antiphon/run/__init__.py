"""Building a run: stages in order, more items for it, and what is in it."""
