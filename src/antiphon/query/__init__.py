"""What a person can ask: a request, filters over typed columns, and the hits that answer it."""
