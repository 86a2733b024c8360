"""Entries of models, published results as data, and the tables made of both. Imports no torch."""
