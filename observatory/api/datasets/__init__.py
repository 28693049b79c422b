"""Datasets, versions, examples, files, experiments and comparisons.

A view here calls a verb of `datasets_app`.
"""
