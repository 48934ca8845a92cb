"""Encoders: one file a kind, found by name through the entry point group `antiphon.encoders`."""
