"""Queues: settings, rubric, items, progress, and who may see what.

The lowest wing of `annotations`. Must not import reviewing, agreement or routing.
"""
