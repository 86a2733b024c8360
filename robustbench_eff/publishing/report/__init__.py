"""The report of a store: one self-contained HTML page, from a sentence in plain words to every number.

`content` reads the store; `sentences`, `numbers`, `class_accuracy`, `heat`, `plots`, `pictures`, `checks` and `runs`
make the parts of the page, and `page` puts them together.
"""
