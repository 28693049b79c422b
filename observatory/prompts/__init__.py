"""Prompts, their commits, tags and likes.

On the same floor as `runs`, which it must not import. Must not run a prompt.
"""
