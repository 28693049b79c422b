"""Adaline's log API, so that its feedback attributes arrive here.

It shares no body with the LangSmith wire.
"""
