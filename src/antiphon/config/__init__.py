"""antiphon.toml as typed values."""
