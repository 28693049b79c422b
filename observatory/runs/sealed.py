"""Which feedback may be read: all of it but the answers that blind reviewing still hides.

A row of `feedback_feedback` is sealed while it answers an item of a blind queue that other
reviewers have yet to judge. `annotations.blindness` decides that, and opens it once the item is
settled. Everything that reads feedback for somebody else than its author takes this condition:
lists, filters, figures, orders, rules, shares and exports (promise C4).
"""

from __future__ import annotations


def readable(alias: str = "feedback_feedback") -> str:
    """Return the condition, in SQL, that a row of feedback under `alias` may be read."""
    return f"NOT {alias}.is_sealed"
