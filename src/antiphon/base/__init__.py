"""Tools that know nothing of catalogs: files, threads, progress, plugins, names on disk."""
