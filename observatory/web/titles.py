"""What an item is called in a list: the question that was asked, or the run's name.

All runs of an application share a name, so a list of names would tell nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from annotations import overview
from observatory.web import shapes
from observatory.workspaces.models import Workspace

OPENING_CHARS = 8_000
TITLE_CHARS = 160
NOT_RECEIVED = "run not received yet"


def titles_of(workspace: Workspace, run_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return one line for each of `run_ids`, in one query; long inputs fall back to the name."""
    wanted = list(run_ids)
    titles = dict.fromkeys(wanted, NOT_RECEIVED)
    found = overview.openings_of(workspace, wanted, OPENING_CHARS)
    return titles | {run_id: title_of(*parts) for run_id, parts in found.items()}


def title_of(name: str | None, opening: str | None) -> str:
    """Return one line for a stored run, of its name and the first OPENING_CHARS of its inputs."""
    line = ""
    if opening is not None and len(opening) < OPENING_CHARS:
        question = shapes.line_of(shapes.load(opening), shapes.QUESTION_KEYS)
        line = " ".join((question or "").split())[:TITLE_CHARS]
    return line or name or "(no name)"
