"""Signals of this room, sent after commit with ids only."""

from django.dispatch import Signal

feedback_recorded = Signal()  # workspace_id: int. A Change row names the judged runs.
