"""The workbench's data: an item as its reviewer sees it, and what they typed, read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

from django.http import QueryDict
from django.urls import reverse

from annotations.models import Deferral, QueueItem, RubricItem
from annotations.queues import question_conditions
from annotations.reviewing import corrections, drafts
from annotations.reviewing.reviews import Submission
from annotations.reviewing.workbench import Frame, Opened, Recent
from observatory import exact
from observatory.runs import listing
from observatory.runs.models import Run
from observatory.web import rendering, shapes, subjects
from observatory.web.http import WebRequest
from observatory.web.titles import NOT_RECEIVED, title_of

EDITOR_CHARS = 200_000
"""A longer answer is not put into an editor: the page would not stay usable."""
NUMBER_KEYS = 9
_NOBODY = "00000000-0000-0000-0000-000000000000"
REASONS = list(zip(range(1, 10), Deferral.Reason.choices, strict=False))


@dataclass
class Typed:
    """What stands in the form. `scores` are answers by feedback key, as `rubrics` reads them.

    `correction` is the text of the editor, or None: never touched.
    """

    scores: dict[str, Any] = field(default_factory=dict)
    correction: str | None = None
    note: str = ""

    def as_draft(self) -> dict[str, Any]:
        return {"scores": self.scores, "correction_text": self.correction, "note": self.note}


def typed_of(post: QueryDict, questions: list[RubricItem]) -> Typed:
    """Read the form. An answer that was not given has no entry."""
    scores: dict[str, Any] = {}
    for question in questions:
        answer: dict[str, Any] = {}
        sent = post.get(f"answer-{question.pk}", "").strip()
        comment = post.get(f"comment-{question.pk}", "").strip()
        if post.get(f"cant-{question.pk}"):
            answer["cant_judge"] = True
        elif sent:
            answer["value" if question.kind == RubricItem.Kind.FREEFORM else "score"] = sent
        if comment:
            answer["comment"] = comment
        if answer:
            scores[question.feedback_key] = answer
    correction = post.get("correction")
    if correction is not None:
        correction = correction.replace("\r\n", "\n")
    return Typed(scores, correction, post.get("note", ""))


def typed_in(content: Mapping[str, Any]) -> Typed:
    """Read a stored draft: one that was typed, or the answers of a review taken back."""
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
    """Return whether the form holds anything that a person would miss."""
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
    """Return {"outputs": ...} if the editor's text says something else than the run's outputs.

    `document` is their JSON text. Raises corrections.InvalidCorrection when the whole document
    is edited and is no JSON.
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
    """Return what the form submits; a form without a submission id gets one of its own."""
    return Submission(
        submission_id=identifier(post.get("submission_id")) or uuid4(),
        scores=typed.scores,
        correction=correction_of(typed, document),
        note=typed.note,
        dwell_ms=whole_number(post.get("dwell_ms"), 86_400_000),
        lease=identifier(post.get("lease")),
        rubric_version=whole_number(post.get("rubric_version"), 2_000_000_000),
    )


def item_context(
    request: WebRequest,
    frame: Frame,
    opened: Opened,
    *,
    now: datetime,
    typed: Typed | None = None,
    complaints: Mapping[str, str] | None = None,
    tab: str = "conversation",
) -> dict[str, Any]:
    """Return everything annotations/_bench_item.html draws of one item."""
    item, run, draft = opened.item, opened.run, opened.draft
    has_one_answer = item.item_type == QueueItem.ItemType.RUN
    if not has_one_answer:
        run = subjects.run_of(request.workspace, item)
    elif tab == "metadata":  # it shows the whole run
        run = listing.stored(request.workspace, item.run_id)
    if typed is None:
        typed = typed_in(draft.content) if draft else Typed()
    complaints = complaints or {}
    names = {question.feedback_key: str(question) for question in frame.questions}
    return {
        "item": item,
        "to": item_links(request.workspace.slug, item.queue.uuid, item.uuid),
        "queue": item.queue,
        "run": run,
        "seat": opened.seat,
        "now_at": now.isoformat(),
        "expires_at": _iso(opened.seat.expires_at if opened.seat else None),
        "decisions": opened.decisions,
        "questions": [
            _question(question, item, typed, complaints, number, names)
            for number, question in enumerate(frame.questions, start=1)
        ],
        # The questions as they are drawn depend on nothing else: see the template.
        "questions_key": repr(
            (frame.rubric, item.item_type, item.is_swapped, typed.scores, complaints)
        ),
        "complaints": complaints,
        "correction_error": complaints.get("correction", ""),
        "note_error": complaints.get("note", ""),
        "editor": _editor(run, typed) if has_one_answer else None,
        "typed": typed,
        "draft": draft,
        "draft_version": draft.version if draft else 0,
        "submission_id": uuid4(),
        "rubric_version": item.queue.rubric_version,
        "reasons": REASONS,
        "instructions": item.queue.instructions,
        **subjects.subject_context(request, item, run, tab),
    }


def _iso(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat()


def _editor(run: Run | None, typed: Typed) -> dict[str, Any]:
    document = run.outputs if run else None
    if _is_too_long(document):
        return {"is_too_long": True}
    part = corrections.editable(shapes.load(document))
    return {
        "shape": part.shape.value,
        "original": part.text,
        "text": part.text if typed.correction is None else typed.correction,
    }


def _question(
    question: RubricItem,
    item: QueueItem,
    typed: Typed,
    complaints: Mapping[str, str],
    number: int,
    names: Mapping[str, str],
) -> dict[str, Any]:
    """Return a rubric question with its choices and what is typed in it."""
    answer = typed.scores.get(question.feedback_key)
    given: Mapping[str, Any] = answer if isinstance(answer, dict) else {}
    score, value = given.get("score"), given.get("value")
    choices = []
    for key, worth, label, note in _choices(question, item):
        choices.append(
            {
                "key": key,
                "value": worth,
                "label": label,
                "note": note,
                "is_chosen": _same(score, worth) or (score is None and value == label),
            }
        )
    return {
        "row": question,
        "number": number,
        "name": f"answer-{question.pk}",
        "choices": choices,
        "has_notes": any(choice["note"] for choice in choices),
        "text": value if value is not None else "" if score is None else score,
        "score": exact.digits_of(score) if isinstance(score, int | float) else score or "",
        "comment": given.get("comment") or "",
        "cant_judge": "cant_judge" in given,
        "error": complaints.get(question.feedback_key, ""),
        **_conditions(question, names),
    }


_JOINED = {"all": " and ", "any": " or "}
_SAID = {"is_empty": "is not answered", "is_not_empty": "is answered"}


def _conditions(question: RubricItem, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the question's conditions as the script reads them, and in words, and its pattern."""
    found: dict[str, Any] = {"pattern": question.extra.get("regex_validator") or ""}
    for name in question_conditions.FIELDS:
        condition = question.extra.get(name)
        found[name] = exact.dumps(condition).decode() if condition else ""
        found[f"{name}_words"] = _words(condition, names) if condition else ""
    return found


def _words(condition: Mapping[str, Any], names: Mapping[str, str]) -> str:
    parts = []
    for rule in condition["rules"]:
        values = " or ".join(exact.digits_of(value) for value in rule.get("values", ()))
        said = _SAID.get(rule["op"]) or f"is {values}"
        parts.append(f"{names.get(rule['key'], rule['key'])} {said}")
    return _JOINED[condition["join"]].join(parts)


def _choices(question: RubricItem, item: QueueItem) -> list[tuple[str, str, str, str]]:
    """Return (key, number sent, label, description) of each choice; none for a number or text."""
    if subjects.is_pair(item) and question.kind == RubricItem.Kind.CATEGORICAL:
        return subjects.pair_choices(item)
    return [
        (str(place) if place <= NUMBER_KEYS else "", *choice)
        for place, choice in enumerate(_scale(question), start=1)
    ]


def _scale(question: RubricItem) -> list[tuple[str, str, str]]:
    if question.kind == RubricItem.Kind.BOOLEAN:
        named = {
            str(category.get("value")): category
            for category in question.categories
            if isinstance(category, dict)
        }
        yes, no = named.get("1", {}), named.get("0", {})
        return [
            ("1", yes.get("label") or "Yes", yes.get("description") or ""),
            ("0", no.get("label") or "No", no.get("description") or ""),
        ]
    if question.kind != RubricItem.Kind.CATEGORICAL:
        return []
    found = []
    for place, category in enumerate(question.categories):
        number = category.get("value")
        worth = exact.digits_of(float(place if number is None else number))
        found.append(
            (worth, str(category.get("label") or worth), str(category.get("description") or ""))
        )
    return found


def _same(score: Any, worth: str) -> bool:
    if score is None or score == "":
        return False
    try:
        return float(score) == float(worth)
    except (TypeError, ValueError):
        return False


def bench_context(request: WebRequest, frame: Frame) -> dict[str, Any]:
    """Return the frame around an item: my progress in the queue and what I did last."""
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
    undo = links["undo"].replace(_NOBODY, str(recent.uuid))
    back = links["back"].replace(_NOBODY, str(recent.item_uuid))
    return {
        "kind": recent.kind,
        "is_corrected": recent.is_corrected,
        "name": title_of(recent.name, recent.opening) if is_stored else NOT_RECEIVED,
        "href": links["item"].replace(_NOBODY, str(recent.item_uuid)),
        "undo_href": undo if recent.kind == "review" else back,
    }


_OF_QUEUE = {"next": "review-next", "review": "review", "queue": "queue-detail"}
_OF_ITEM = ("context", "draft", "heartbeat", "release", "skip", "requeue", "submit", "diff", "back")


@lru_cache(maxsize=1024)
def links_of(slug: str, queue_uuid: UUID) -> Mapping[str, str]:
    """Return the addresses of a queue's workbench by name; those of an item are of _NOBODY's.

    The resolver takes longer to make the ten of a page than the page's parts take to render.
    """
    found = {name: reverse(view, args=[slug, queue_uuid]) for name, view in _OF_QUEUE.items()}
    found["item"] = reverse("item-detail", args=[slug, queue_uuid, _NOBODY])
    found["undo"] = reverse("review-undo", args=[slug, queue_uuid, _NOBODY])
    for name in _OF_ITEM:
        found[name] = reverse(f"review-{name}", args=[slug, queue_uuid, _NOBODY])
    return MappingProxyType(found)


def item_links(slug: str, queue_uuid: UUID, item_uuid: UUID) -> dict[str, str]:
    """Return the addresses of what can be done with an item, by name."""
    links, mine = links_of(slug, queue_uuid), str(item_uuid)
    found = {name: links[name].replace(_NOBODY, mine) for name in _OF_ITEM}
    found["open"] = f"{links['review']}?item={mine}"
    return found


def shown_diff(typed: Typed, document: str | None) -> dict[str, Any] | None:
    """Return the difference between the run's answer and the editor's text, drawn by the server."""
    if typed.correction is None or _is_too_long(document):
        return None
    original = corrections.editable_text(shapes.load(document))
    found = corrections.diff(original, typed.correction)
    return {
        "html": rendering.diff_html([(span.kind, span.text) for span in found.spans]),
        "n_inserted": found.n_inserted,
        "n_deleted": found.n_deleted,
        "similarity": found.similarity,
        "is_same": original == typed.correction,
    }


def draft_version(post: QueryDict) -> int:
    return whole_number(post.get("draft_version"), 2_000_000_000) or 0
