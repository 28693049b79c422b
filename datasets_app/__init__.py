"""What was learned: datasets, versions, examples, experiments, and the harvest of reviews.

The highest room. Must not change a version that exists, nor know HTTP.
"""
