"""Checks of the installation: `doctor` and `verify`."""
