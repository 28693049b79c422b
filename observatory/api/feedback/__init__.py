"""Feedback on runs, the declared scales of its keys, presigned tokens.

It shows no run.
"""
