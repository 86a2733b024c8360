"""One file per model source, each with one object that implements `ModelSource`."""
