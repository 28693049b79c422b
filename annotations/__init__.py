"""People review runs: queues, rules that fill them, reviews, agreement.

Knows feedback, runs and workspaces below it. Must not know HTTP, datasets or pages.
"""
