"""A request out of words, one sentence after another."""
