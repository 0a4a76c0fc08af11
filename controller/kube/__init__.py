"""The API server, and nothing else of the outside."""
