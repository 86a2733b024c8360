"""From a name and perhaps a weights file to a classifier."""
