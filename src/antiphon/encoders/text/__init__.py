"""Descriptions and requests as vectors of a sentence encoder."""
