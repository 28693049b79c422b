"""Annotation queues, their rubrics, items and exports.

A view here calls a verb of `annotations`; it holds no rule of reviewing.
"""
