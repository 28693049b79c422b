"""Promise C4 on the pages of runs: others' answers stay hidden until mine is in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from annotations.models import Review
from annotations.reviews import hidden_from
from annotations.subjects import threads_of
from observatory.feedback.models import Feedback
from observatory.runs.filters.compile import EVER, Judged
from observatory.runs.filters.grammar import Node
from observatory.runs.filters.pairing import speaks_of
from observatory.workspaces.models import User, Workspace


def hidden_runs(workspace: Workspace, user: User, run_ids: Iterable[UUID]) -> dict[UUID, set[str]]:
    """Return the runs with reviews that `user` may not read now, and those reviews' uuids."""
    wanted = list(run_ids)
    hidden = hidden_from(user, workspace.pk, wanted)
    found: dict[UUID, set[str]] = {}
    if hidden:
        threads = threads_of(workspace.pk, wanted)
        rows = Review.objects.filter(workspace=workspace, uuid__in=hidden).select_related("item")
        for review in rows:
            item = review.item
            for run_id in [*threads.get(item.run_id, []), *item.judged_runs]:
                found.setdefault(run_id, set()).add(str(review.uuid))
    return found


def seen_by(workspace: Workspace, user: User, *filters: Node | None) -> Judged:
    """Return the feedback that filters of `user` may find runs by: none of a hidden review.

    Else a filter of a key tells who was judged so, run by run. Asks nothing when no filter
    speaks of feedback.
    """
    if not any(node is not None and speaks_of(node, "feedback") for node in filters):
        return EVER
    return Judged(unseen=tuple(sorted(map(str, hidden_from(user, workspace.pk)))))


def may_read(feedback: Feedback, hidden: set[str]) -> bool:
    """Return whether `feedback` is not from one of the `hidden` reviews."""
    extra = feedback.extra if isinstance(feedback.extra, dict) else {}
    return extra.get("review") not in hidden


def without_reviews(stats: dict[str, Any]) -> dict[str, Any]:
    """Return the feedback figures of a run without the keys that reviewers judged.

    For a run with hidden reviews: their share cannot be taken out of a mean, so it goes whole.
    """
    return {key: figures for key, figures in stats.items() if "app" not in figures["sources"]}
