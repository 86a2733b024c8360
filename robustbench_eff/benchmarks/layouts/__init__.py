"""How published corrupted sets and image sequences lie on disk."""
