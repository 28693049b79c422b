"""Prompts, their commits and likes.

It reads no run.
"""
