"""Sounds as vectors."""
