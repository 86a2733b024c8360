"""Leaderboard entries made of stores, files and published results."""
