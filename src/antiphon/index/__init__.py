"""Indexes: vectors and filters behind one protocol, one file a store."""
