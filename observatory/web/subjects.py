"""What an item shows beside its form: a run in tabs, a thread turn by turn, or a pair as A and B.

A pair is shown in the order that was drawn for it, without the names of runs or experiments.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from annotations.models import QueueItem
from annotations.queues import item_subjects
from observatory.runs import listing
from observatory.runs.models import Run
from observatory.web import shapes
from observatory.web.context import context_tab
from observatory.web.http import WebRequest
from observatory.web.runs import payload_context
from observatory.web.titles import (
    NOT_RECEIVED,
    OPENING_CHARS,
    TITLE_CHARS,
    title_of,
    titles_of,
)
from observatory.workspaces.models import Workspace

TURNS = 30  # of a thread: the newest
LETTERS = ("A", "B")
SIDES = ("first", "second")


def is_pair(item: QueueItem) -> bool:
    return item.item_type == QueueItem.ItemType.PAIR


def run_of(workspace: Workspace, item: QueueItem) -> Run | None:
    """Return the run an item shows: itself, or a thread's newest; none for a pair."""
    if item.item_type == QueueItem.ItemType.RUN:
        return listing.stored(workspace, item.run_id)
    if is_pair(item):
        return None
    newest = item_subjects.shown_runs(workspace.pk, [item]).get(item.pk)
    return listing.stored(workspace, newest[0]) if newest else None


def subject_context(
    request: WebRequest, item: QueueItem, run: Run | None, tab: str, chosen: UUID | None = None
) -> dict[str, Any]:
    """Return what the context pane draws of an item; `run` is what `run_of` gave."""
    if is_pair(item):
        pair = _pair(request, item)
        question = shapes.line_of(pair["inputs"], shapes.QUESTION_KEYS)
        words = " ".join((question or "").split())[:TITLE_CHARS]
        return {"pair": pair, "item_title": f"Which is better? {words}".strip()}
    found = context_tab(request, item, run, tab, chosen)
    found["item_title"] = "Run not received yet"
    if run is not None:
        found["item_title"] = title_of(run.name, (run.inputs or "")[:OPENING_CHARS] or None)
    if item.item_type != QueueItem.ItemType.THREAD:
        return found
    turns = item_subjects.turns_of(request.workspace, item, TURNS)
    found["item_title"] = f"Thread {item.thread_id}"
    if found.get("tab") == "conversation":
        found["thread"] = [
            {"run": turn, **payload_context(request, turn, "conversation")} for turn in turns
        ]
    return found


def _pair(request: WebRequest, item: QueueItem) -> dict[str, Any]:
    """Return the question both runs answer, and each one's answer under its letter."""
    shown = item_subjects.shown_runs(request.workspace.pk, [item])[item.pk]
    runs = [listing.stored(request.workspace, run_id) for run_id in shown]
    asked = next((run for run in runs if run is not None), None)
    inputs = shapes.load(asked.inputs) if asked else None
    sides = []
    for letter, run in zip(LETTERS, runs, strict=True):
        outputs = shapes.load(run.outputs) if run else None
        sides.append(
            {
                "letter": letter,
                "is_here": run is not None,
                "error": run.error if run else None,
                "turns": shapes.answer_turns(outputs),
            }
        )
    return {"turns": shapes.question_turns(inputs), "inputs": inputs, "sides": sides}


def pair_choices(item: QueueItem) -> list[tuple[str, str, str, str]]:
    """Return (key, number as sent, label, note) of A, B and a tie, as the item is shown."""
    a, b = item_subjects.in_order(item, "1", "0")
    return [("a", a, "A is better", ""), ("b", b, "B is better", ""), ("t", "0.5", "Tie", "")]


def letter_of(item: QueueItem, side: str) -> str:
    """Return "A" or "B" for the `first` or `second` run of a pair; other words stay."""
    if side not in SIDES:
        return side
    first, second = item_subjects.in_order(item, *LETTERS)
    return first if side == "first" else second


def titles_of_items(workspace: Workspace, items: Iterable[QueueItem]) -> dict[UUID, str]:
    """Return one line for each item by its `run_id`, in one query."""
    wanted = list(items)
    asked = {item.run_id: item.first_run_id or item.run_id for item in wanted}
    titles = titles_of(workspace, asked.values())
    found = {}
    for item in wanted:
        title = titles[asked[item.run_id]]
        if item.thread_id is not None:
            title = f"Thread {item.thread_id}"
        elif is_pair(item):
            title = "Pair" if title == NOT_RECEIVED else f"Pair: {title}"
        found[item.run_id] = title
    return found
