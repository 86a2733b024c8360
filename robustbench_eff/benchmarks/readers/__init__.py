"""One file per file format of labelled images."""
