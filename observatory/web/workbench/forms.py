"""The workbench's form: a reviewer's input, read from a request or a draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from django.http import QueryDict

from annotations.models import RubricItem
from annotations.question_kinds import kind_of
from annotations.reviewing import corrections, drafts
from annotations.reviewing.reviews import Submission
from observatory.runs.models import Run
from observatory.web import rendering, shapes

EDITOR_CHARS = 200_000
"""A longer answer is not put into an editor: the page would not stay usable."""


@dataclass
class Typed:
    """The input in the form. `scores` are answers by feedback key, as `rubrics` reads them.

    `correction` is the text of the editor, or None: never touched.
    """

    scores: dict[str, Any] = field(default_factory=dict)
    correction: str | None = None
    note: str = ""

    def as_draft(self) -> dict[str, Any]:
        return {"scores": self.scores, "correction_text": self.correction, "note": self.note}


def submitted_answers(post: QueryDict, questions: list[RubricItem]) -> Typed:
    """Read a submitted form. A question without an answer has no entry."""
    scores: dict[str, Any] = {}
    for question in questions:
        answer: dict[str, Any] = {}
        raw = post.get(f"answer-{question.pk}", "").strip()
        comment = post.get(f"comment-{question.pk}", "").strip()
        if post.get(f"cant-{question.pk}"):
            answer["cant_judge"] = True
        elif raw:
            answer["value" if kind_of(question).is_text else "score"] = raw
        if comment:
            answer["comment"] = comment
        if answer:
            scores[question.feedback_key] = answer
    correction = post.get("correction")
    if correction is not None:
        correction = correction.replace("\r\n", "\n")
    return Typed(scores, correction, post.get("note", ""))


def draft_answers(content: Mapping[str, Any]) -> Typed:
    """Read a stored draft: a reviewer's input, or the answers of an undone review."""
    scores = content.get("scores") or {}
    text = content.get("correction_text")
    corrected = content.get("correction")
    if text is None and isinstance(corrected, dict) and "outputs" in corrected:
        text = corrections.editable_text(corrected["outputs"])
    return Typed(dict(scores), text, content.get("note") or "")


def writer_of(post: QueryDict) -> drafts.Writer | None:
    """Return which tab sends the form; None without a script."""
    tab, typed_at = post.get("tab", ""), whole_number(post.get("typed_at"), 2**53)
    if not tab or len(tab) > 64 or typed_at is None:
        return None
    return drafts.Writer(tab, typed_at)


def is_typed(typed: Typed, document: str | None) -> bool:
    """Return whether the form holds any input that would be missed."""
    if typed.scores or typed.note.strip():
        return True
    if typed.correction is None or _is_too_long(document):
        return False
    return typed.correction.rstrip() != corrections.editable_text(shapes.load(document)).rstrip()


def identifier(text: str | None) -> UUID | None:
    """Return `text` as a UUID, or None when it is not one."""
    try:
        return UUID(text or "")
    except ValueError:
        return None


def whole_number(text: str | None, most: int) -> int | None:
    """Return `text` as a number from 0 to `most`, or None."""
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 16:
        return None
    return min(int(text), most)


def correction_of(typed: Typed, document: str | None) -> dict[str, Any] | None:
    """Return {"outputs": ...} if the editor's text differs from the run's outputs.

    `document` is their JSON text. Raises corrections.InvalidCorrection when the whole document is
    edited and is not JSON.
    """
    if typed.correction is None or _is_too_long(document):
        return None
    outputs = shapes.load(document)
    original = corrections.editable_text(outputs)
    if typed.correction.rstrip() == original.replace("\r\n", "\n").rstrip():
        return None
    corrected = corrections.apply(outputs, typed.correction)
    return {"outputs": corrected} if corrections.differs(outputs, corrected) else None


def _is_too_long(document: str | None) -> bool:
    return len(document or "") > EDITOR_CHARS


def submission_of(post: QueryDict, typed: Typed, document: str | None) -> Submission:
    """Return the form's submission; a form without a submission id gets a new one."""
    return Submission(
        submission_id=identifier(post.get("submission_id")) or uuid4(),
        scores=typed.scores,
        correction=correction_of(typed, document),
        note=typed.note,
        dwell_ms=whole_number(post.get("dwell_ms"), 86_400_000),
        lease=identifier(post.get("lease")),
        rubric_version=whole_number(post.get("rubric_version"), 2_000_000_000),
    )


def editor(run: Run | None, typed: Typed) -> dict[str, Any]:
    """Return the context of annotations/_correction.html: the answer's editable text."""
    document = run.outputs if run else None
    if _is_too_long(document):
        return {"is_too_long": True}
    part = corrections.editable(shapes.load(document))
    return {
        "shape": part.shape.value,
        "original": part.text,
        "text": part.text if typed.correction is None else typed.correction,
    }


def shown_diff(typed: Typed, document: str | None) -> dict[str, Any] | None:
    """Return the difference between the run's answer and the editor's text, drawn by the server."""
    if typed.correction is None or _is_too_long(document):
        return None
    original = corrections.editable_text(shapes.load(document))
    parts = corrections.diff(original, typed.correction)
    return {
        "html": rendering.diff_html([(span.kind, span.text) for span in parts.spans]),
        "n_inserted": parts.n_inserted,
        "n_deleted": parts.n_deleted,
        "similarity": parts.similarity,
        "is_same": original == typed.correction,
    }


def draft_version(post: QueryDict) -> int:
    """Return the version of the draft that the form was opened with, 0 for none."""
    return whole_number(post.get("draft_version"), 2_000_000_000) or 0
