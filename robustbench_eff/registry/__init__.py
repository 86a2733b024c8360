"""One table for each kind of component; only this package turns names into objects."""
