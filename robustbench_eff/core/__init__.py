"""All that any room may import: types, errors, threat models, random streams, and the text form of components."""
