"""Contexts of the workbench: links, forms, questions, the subject of an item, the screen.

Uses what `annotations.reviewing.workbench` returned. Must not respond to requests (web/review.py
does).
"""
