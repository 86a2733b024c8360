"""Writing images to disk: corrupted copies of a benchmark, and cue-conflict images."""
