"""One file per family of benchmarks: classes, splits, licences and where to get the images."""
