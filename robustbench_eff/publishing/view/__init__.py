"""Browsing the samples of a store: one page for each choice of models, perturbation, class and outcome.

`choice` reads what a request asks for, `rows` what the store holds of it, `clean_images` opens the data set, and `page`
writes the page.
"""
