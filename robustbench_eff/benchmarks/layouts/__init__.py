"""Layouts of published corrupted sets and image sequences on disk."""
