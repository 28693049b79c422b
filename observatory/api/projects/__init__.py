"""Projects of a workspace; an experiment is one with a reference dataset.

Queues and datasets are not its business.
"""
