"""Datasets, versions, examples, experiments, and the harvest of reviews.

The highest room. Must not change an existing version, nor know HTTP.
"""
