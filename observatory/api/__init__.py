"""LangSmith's wire and its neighbours: one wing per resource, each with its views and bodies.

A face: it owns no table and calls verbs of the rooms. Must not import `web`, nor hold a rule that
a page or a command would have to repeat.
"""
