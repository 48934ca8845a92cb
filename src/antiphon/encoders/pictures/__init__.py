"""Pictures as vectors."""
