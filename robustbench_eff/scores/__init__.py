"""Metrics, each with its interval, n and protocol: pure functions of stored outcomes, never of a model."""
