"""Items as text: the descriptions that the text encoder reads."""
