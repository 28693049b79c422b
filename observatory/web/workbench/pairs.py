"""The two sides of a pair, as A and B in the order drawn for the item."""

from __future__ import annotations

from annotations.models import QueueItem
from annotations.queues import item_subjects

LETTERS = ("A", "B")
SIDES = ("first", "second")


def choices(item: QueueItem) -> list[tuple[str, str, str, str]]:
    """Return (key, number as sent, label, note) of A, B and a tie, as the item is shown."""
    a, b = item_subjects.in_order(item, "1", "0")
    return [("a", a, "A is better", ""), ("b", b, "B is better", ""), ("t", "0.5", "Tie", "")]


def letter_of(item: QueueItem, side: str) -> str:
    """Return "A" or "B" for the `first` or `second` run of a pair; other words stay."""
    if side not in SIDES:
        return side
    first, second = item_subjects.in_order(item, *LETTERS)
    return first if side == "first" else second
