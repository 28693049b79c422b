"""Signals of this room, sent after commit with ids only."""

from django.dispatch import Signal

item_completed = Signal()  # item_ids: list[int]
item_reopened = Signal()  # item_ids: list[int]. A counted review was undone.
