"""/annotation-queues/{id}/export: completed items as CSV, with the answers reviewers gave.

Only completed items are in it, so that no answer is told before its time (promise C4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet
from django.http import StreamingHttpResponse
from rest_framework.request import Request

from annotations.models import AnnotationQueue, QueueItem, Review
from annotations.queues import item_subjects
from annotations.reviewing import disputes
from observatory import csv_lines, exact
from observatory.api.kit.base import WorkspaceView
from observatory.api.kit.endpoint import Binary, endpoint
from observatory.api.kit.errors import Unprocessable
from observatory.api.queues import schemas as shapes
from observatory.api.queues.queues import find
from observatory.api.queues.rubric import MISSING
from observatory.feedback import judgement
from observatory.feedback.judgement import InvalidFeedback
from observatory.runs import sizes
from observatory.runs.models import Run
from observatory.runs.paging import chunks
from observatory.workspaces.models import User

BATCH = 200  # items read at once
FIXED = ("queue_run_id", "run_id", "name", "start_time", "inputs", "outputs")
STANDING = ("added_at", "completed_at", "n_reviews", "differ")


class AnnotationQueueExport(WorkspaceView):
    """POST .../export: the items completed between two times, one line each.

    A column per rubric key holds the answers, joined by " | " in the order they came, one more
    their comments; keys that
    were answered and are no longer in the rubric follow. With `include_annotator_detail` each
    reviewer has columns of their own instead.
    """

    @endpoint(body=shapes.QueueExport, answer=Binary, gives="text/csv")
    def post(self, request: Request, queue_id: str) -> StreamingHttpResponse:
        queue = find(self.workspace, queue_id)
        body = request.data if isinstance(request.data, dict) else {}
        items = QueueItem.objects.filter(queue=queue, state=QueueItem.State.COMPLETED)
        try:
            for name, lookup in (("start_time", "gte"), ("end_time", "lte")):
                sent = None if body.get(name) == MISSING else body.get(name)
                if (bound := judgement.parse_time(name, sent)) is not None:
                    items = items.filter(Q(**{f"completed_at__{lookup}": bound}))
        except InvalidFeedback as error:
            raise Unprocessable(str(error)) from None
        is_detailed = body.get("include_annotator_detail") is True
        is_guarded = body.get("spreadsheet") is not False  # nothing reads this file back
        lines = csv_lines.written(_lines(queue, items, is_detailed), is_guarded=is_guarded)
        answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="queue-{queue.uuid}.csv"'
        return answer


def _lines(
    queue: AnnotationQueue, items: QuerySet[QueueItem], is_detailed: bool
) -> Iterator[list[Any]]:
    keys = _keys(queue)
    people = list(_reviewers(items)) if is_detailed else []
    yield _head(keys, people, is_detailed)
    ids = list(items.order_by("completed_at", "pk").values_list("pk", flat=True))
    for batch in _batches(ids):
        yield from _rows(queue, batch, keys, people, is_detailed)


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


_ANSWERED = """
SELECT DISTINCT jsonb_object_keys(scores) FROM annotations_review
WHERE queue_id = %s AND retracted_at IS NULL AND jsonb_typeof(scores) = 'object' ORDER BY 1
"""


def _keys(queue: AnnotationQueue) -> list[str]:
    """Return the keys of the rubric in its order, then those that only older reviews answer."""
    keys = list(queue.rubric_items.values_list("feedback_key", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(_ANSWERED, [queue.pk])
        return list(dict.fromkeys([*keys, *(key for (key,) in cursor.fetchall())]))


def _reviewers(items: QuerySet[QueueItem]) -> QuerySet[User]:
    """Return whose standing reviews are on the items, by name."""
    reviews = Review.objects.filter(item__in=items, retracted_at=None)
    return User.objects.filter(pk__in=reviews.values("reviewer_id")).order_by("username", "pk")


def _head(keys: Sequence[str], people: Sequence[User], is_detailed: bool) -> list[str]:
    head = [*FIXED, *STANDING]
    if not is_detailed:
        told = [name for key in keys for name in (key, f"{key} comment")]
        return [*head, *told, "note", "correction"]
    for person in people:
        told = [name for key in keys for name in (key, f"{key} comment")]
        head += [
            f"{person.username}: {name}"
            for name in (*told, "note", "correction", "reviewed_at", "is_counted")
        ]
    return head


def _rows(
    queue: AnnotationQueue,
    ids: Sequence[int],
    keys: Sequence[str],
    people: Sequence[User],
    is_detailed: bool,
) -> Iterator[list[Any]]:
    items = list(QueueItem.objects.filter(pk__in=ids).order_by("completed_at", "pk"))
    shown = item_subjects.shown_runs(queue.workspace_id, items)
    sized = dict.fromkeys(ids, 0)
    run_ids = [run_id for found in shown.values() for run_id in found]
    of_runs = dict(sizes.of_runs(queue.workspace_id, run_ids, ("inputs", "outputs")))
    for pk, found in shown.items():
        sized[pk] += sum(of_runs[run_id] for run_id in found)
    standing = Review.objects.filter(item__in=ids, retracted_at=None)
    for pk, size in sizes.sized(standing, ("scores", "correction", "note"), key="item_id"):
        sized[pk] += size
    for chunk in chunks((item, sized[item.pk]) for item in items):
        yield from _cells(queue, chunk, shown, keys, people, is_detailed)


def _cells(
    queue: AnnotationQueue,
    items: Sequence[QueueItem],
    shown: Mapping[int, list[UUID]],
    keys: Sequence[str],
    people: Sequence[User],
    is_detailed: bool,
) -> Iterator[list[Any]]:
    """Yield the cells of `items`, whose runs are `shown`."""
    run_ids = [run_id for item in items for run_id in shown.get(item.pk, [])]
    found = Run.objects.filter(workspace=queue.workspace, id__in=run_ids)
    runs = {run.id: run for run in found.only("id", "name", "start_time", "inputs", "outputs")}
    given: dict[int, list[Review]] = {}
    for review in Review.objects.filter(item__in=items, retracted_at=None).order_by(
        "submitted_at", "pk"
    ):
        given.setdefault(review.item_id, []).append(review)
    for item in items:
        of_item = given.get(item.pk, [])
        about = _about(item, [runs[one] for one in shown.get(item.pk, []) if one in runs])
        differing = disputes.differing(review for review in of_item if review.is_counted)
        standing = [exact.timestamp(item.added_at), None, len(of_item), ", ".join(differing)]
        if item.completed_at is not None:
            standing[1] = exact.timestamp(item.completed_at)
        yield [
            *about,
            *standing,
            *(_by_person(of_item, keys, people) if is_detailed else _together(of_item, keys)),
        ]


def _about(item: QueueItem, runs: Sequence[Run]) -> list[Any]:
    """Return the fixed cells of an item; of a pair the runs' ids, names and outputs, A then B."""
    ids = [str(run.id) for run in runs] or [str(one) for one in item.judged_runs]
    started = [exact.timestamp(run.start_time) for run in runs[:1] if run.start_time]
    return [
        str(item.uuid),
        " | ".join(ids),
        " | ".join(run.name or "" for run in runs),
        started[0] if started else None,
        " | ".join(dict.fromkeys(run.inputs or "" for run in runs)) if runs else None,
        " | ".join(run.outputs or "" for run in runs) if runs else None,
    ]


def _words(answer: dict[str, Any] | None) -> str:
    """Return an answer as one text: its label or text, else its number; "" for none."""
    if not answer:
        return ""
    if "cant_judge" in answer:
        reason = answer["cant_judge"]
        return f"can't judge: {reason}" if isinstance(reason, str) and reason else "can't judge"
    value, score = answer.get("value"), answer.get("score")
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if value not in (None, ""):
        return str(value)
    return "" if score is None else exact.digits_of(score)


def _together(reviews: Sequence[Review], keys: Sequence[str]) -> list[Any]:
    told: list[Any] = []
    for key in keys:
        answers = [review.scores.get(key) or {} for review in reviews]
        told.append(" | ".join(filter(None, map(_words, answers))))
        told.append(" | ".join(one["comment"] for one in answers if one.get("comment")))
    corrected = [review.correction["outputs"] for review in reviews if review.correction]
    distinct = [
        one
        for place, one in enumerate(corrected)
        if not any(one == earlier for earlier in corrected[:place])
    ]
    notes = " | ".join(review.note for review in reviews if review.note)
    return [*told, notes, distinct if len(distinct) > 1 else next(iter(distinct), None)]


def _by_person(reviews: Sequence[Review], keys: Sequence[str], people: Sequence[User]) -> list[Any]:
    by_reviewer = {review.reviewer_id: review for review in reviews}
    told: list[Any] = []
    for person in people:
        review = by_reviewer.get(person.pk)
        if review is None:
            told += [None] * (2 * len(keys) + 4)
            continue
        for key in keys:
            answer = review.scores.get(key)
            told += [_words(answer), (answer or {}).get("comment")]
        told += [
            review.note,
            review.correction["outputs"] if review.correction else None,
            exact.timestamp(review.submitted_at),
            "yes" if review.is_counted else "no",
        ]
    return told
