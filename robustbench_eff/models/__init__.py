"""From a model's name, module or weights file to a classifier in pixel space."""
