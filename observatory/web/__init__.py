"""Pages: views, their contexts, HTMX fragments, scripts and styles.

A face: it owns no table and calls verbs of the rooms. Must not import `api`, nor send HTML that
`rendering` has not made safe.
"""
