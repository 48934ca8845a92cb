"""The paper's table and the studies beside it."""
