"""Reviewers' verbs: reserve an item, draft, submit, skip, undo.

Builds on `queues`. Must not import agreement or routing, nor decide which runs enter a queue.
"""
