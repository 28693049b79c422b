"""Queues, the rules that fill them, reviews, and agreement between reviewers.

Knows feedback, runs and workspaces below it. Must not know HTTP, datasets or pages.
"""
