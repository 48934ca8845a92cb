"""What is published and loaded, and answers."""
