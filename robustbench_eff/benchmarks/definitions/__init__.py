"""Definitions of benchmarks, one file per family: classes, splits, licences and where to get the images."""
