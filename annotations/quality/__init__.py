"""Quality of reviewers: gold items, whose answer is known, and what they say.

Must not change how items are handed out: that is `reviewing`, which knows a gold item by its state.
"""
