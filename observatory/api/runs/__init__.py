"""Runs, threads and their files: in, read, queried, counted, shared.

It reads feedback's wing for what a shared run shows; projects, queues and datasets are above it.
"""
