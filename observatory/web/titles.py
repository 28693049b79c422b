"""Titles of items in lists: the question in the inputs, or the run's name.

All runs of an application share a name, so a list of names would be useless.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import TextField
from django.db.models.functions import Cast, Left

from annotations.models import QueueItem
from observatory.runs.models import Run
from observatory.web import shapes
from observatory.workspaces.models import Workspace

OPENING_CHARS = 8_000
TITLE_CHARS = 160
NOT_RECEIVED = "run not received yet"


def titles_of(workspace: Workspace, run_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return one line for each of `run_ids`, in one query; long inputs fall back to the name."""
    ids = list(run_ids)
    stored = Run.objects.filter(workspace=workspace, id__in=ids).annotate(
        opening=Left(Cast("inputs", TextField()), OPENING_CHARS)
    )
    return dict.fromkeys(ids, NOT_RECEIVED) | {
        run_id: title_of(name, opening)
        for run_id, name, opening in stored.values_list("id", "name", "opening")
    }


def title_of(name: str | None, opening: str | None) -> str:
    """Return one line for a stored run, from its name and the first OPENING_CHARS of its inputs."""
    line = ""
    if opening is not None and len(opening) < OPENING_CHARS:
        question = shapes.line_of(shapes.load(opening), shapes.QUESTION_KEYS)
        line = " ".join((question or "").split())[:TITLE_CHARS]
    return line or name or "(no name)"


def titles_of_items(workspace: Workspace, items: Iterable[QueueItem]) -> dict[UUID, str]:
    """Return one line for each item by its `run_id`, in one query."""
    listed = list(items)
    run_ids = {item.run_id: item.first_run_id or item.run_id for item in listed}
    titles = titles_of(workspace, run_ids.values())
    by_item = {}
    for item in listed:
        title = titles[run_ids[item.run_id]]
        if item.thread_id is not None:
            title = f"Thread {item.thread_id}"
        elif item.is_pair:
            title = "Pair" if title == NOT_RECEIVED else f"Pair: {title}"
        by_item[item.run_id] = title
    return by_item
