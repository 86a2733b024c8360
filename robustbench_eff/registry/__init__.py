"""One table per kind of component; the only room in which a name becomes an object."""
