"""Encoders: one file per kind, found by name through the entry point group `antiphon.encoders`."""
