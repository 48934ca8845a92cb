"""Where the vectors of a space are searched when they are not in memory: one contract, one file a store."""
