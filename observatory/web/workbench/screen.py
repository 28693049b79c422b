"""The workbench's screen: the frame around an item, and the item.

Makes no query except for a tab of the context pane.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from annotations.models import Deferral, QueueItem
from annotations.queues.item_subjects import Shown
from annotations.reviewing.workbench import Frame, Opened, Recent
from observatory.web.http import WebRequest
from observatory.web.titles import NOT_RECEIVED, title_of
from observatory.web.workbench import forms, questions, subject
from observatory.web.workbench.forms import Typed
from observatory.web.workbench.links import PLACEHOLDER_ITEM, item_links, links_of

REASONS = list(zip(range(1, 10), Deferral.Reason.choices, strict=False))


def context(
    request: WebRequest,
    frame: Frame,
    opened: Opened,
    shown: Shown,
    *,
    now: datetime,
    typed: Typed | None = None,
    complaints: Mapping[str, str] | None = None,
    tab: str = "conversation",
) -> dict[str, Any]:
    """Return the context of annotations/_workbench.html or _workbench_parts.html: frame and item.

    `typed` is the input of a rejected form; without it the form shows the draft.
    """
    item, seat, draft = opened.item, opened.seat, opened.draft
    if typed is None:
        typed = forms.draft_answers(draft.content) if draft else Typed()
    complaints = complaints or {}
    has_one_answer = item.item_type == QueueItem.ItemType.RUN
    return {
        **frame_context(request, frame),
        "item": item,
        "to": item_links(request.workspace.slug, item.queue.uuid, item.uuid),
        "run": shown.run,
        "seat": seat,
        "now_at": now.isoformat(),
        "expires_at": seat.expires_at.isoformat() if seat and seat.expires_at else "",
        "decisions": opened.decisions,
        "questions": questions.drawn(frame.questions, item, typed, complaints),
        # The drawn questions depend on nothing else: see the template.
        "questions_key": repr(
            (frame.rubric, item.item_type, item.is_swapped, typed.scores, complaints)
        ),
        "complaints": complaints,
        "correction_error": complaints.get("correction", ""),
        "note_error": complaints.get("note", ""),
        "editor": forms.editor(shown.run, typed) if has_one_answer else None,
        "typed": typed,
        "draft": draft,
        "draft_version": draft.version if draft else 0,
        "submission_id": uuid4(),
        "rubric_version": item.queue.rubric_version,
        "reasons": REASONS,
        "instructions": item.queue.instructions,
        **subject.drawn(request, item, shown, tab),
    }


def frame_context(request: WebRequest, frame: Frame) -> dict[str, Any]:
    """Return the frame around an item: the reviewer's progress and last steps."""
    total = frame.n_done + frame.n_left
    links = links_of(request.workspace.slug, frame.queue.uuid)
    return {
        "workspace": request.workspace,
        "queue": frame.queue,
        "links": links,
        "n_done": frame.n_done,
        "n_left": frame.n_left,
        "n_total": total,
        "share_done": f"{100 * frame.n_done / total if total else 0:.1f}",
        "recent": [_recent(recent, links) for recent in frame.recent],
    }


def _recent(recent: Recent, links: Mapping[str, str]) -> dict[str, Any]:
    is_stored = recent.is_stored
    undo = links["undo"].replace(PLACEHOLDER_ITEM, str(recent.uuid))
    back = links["back"].replace(PLACEHOLDER_ITEM, str(recent.item_uuid))
    return {
        "kind": recent.kind,
        "is_corrected": recent.is_corrected,
        "name": title_of(recent.name, recent.opening) if is_stored else NOT_RECEIVED,
        "href": links["item"].replace(PLACEHOLDER_ITEM, str(recent.item_uuid)),
        "undo_href": undo if recent.kind == "review" else back,
    }
