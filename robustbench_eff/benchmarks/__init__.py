"""Labelled image sets and their protocols."""
