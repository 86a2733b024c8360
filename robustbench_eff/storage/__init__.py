"""Where outcomes are kept: the store, its schema, local and remote files, and the write lease."""
