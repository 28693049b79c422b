"""Signals of this room, sent after commit with ids only."""

from django.dispatch import Signal

runs_settled = Signal()  # workspace_id: int. Run rows changed; a Change row names them.
