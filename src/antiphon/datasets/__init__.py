"""Data sets: one file each, which says where it comes from, under which licence, and how it becomes a project."""
