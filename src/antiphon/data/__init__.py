"""The checked catalog, who is held out, and vectors."""
