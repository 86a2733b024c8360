"""The static site: a self-contained folder of pages. Imports no torch."""
