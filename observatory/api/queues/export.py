"""/annotation-queues/{id}/export: completed items as CSV, with the reviewers' answers.

Only completed items are in it: in a blind review, answers of others stay hidden until then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from rest_framework.request import Request

from annotations.models import AnnotationQueue, QueueItem, Review
from annotations.queues import item_subjects
from annotations.reviewing import disputes
from observatory import csv_lines, exact
from observatory.api.kit.endpoint import Binary, endpoint
from observatory.api.queues import schemas as shapes
from observatory.api.queues.base import QueueView
from observatory.runs import sizes
from observatory.runs.models import Run
from observatory.runs.paging import chunks
from observatory.workspaces.models import User

BATCH = 200  # items read at once
FIXED = ("queue_run_id", "run_id", "name", "start_time", "inputs", "outputs")
STANDING = ("added_at", "completed_at", "n_reviews", "differ")


class AnnotationQueueExport(QueueView):
    """POST .../export: the items completed between two times, one line each.

    A column per rubric key holds the answers, joined by " | " in the order they came, and one
    more their comments; keys that were answered and are no longer in the rubric follow. With
    `include_annotator_detail` each reviewer has columns of their own instead.
    """

    @endpoint(body=shapes.QueueExport, answer=Binary, gives="text/csv")
    def post(
        self, request: Request, queue_id: str, body: shapes.QueueExport
    ) -> StreamingHttpResponse:
        items = QueueItem.objects.filter(queue=self.queue, state=QueueItem.State.COMPLETED)
        if body.start_time is not None:
            items = items.filter(completed_at__gte=body.start_time)
        if body.end_time is not None:
            items = items.filter(completed_at__lte=body.end_time)
        is_detailed = body.include_annotator_detail is True
        is_guarded = body.spreadsheet is not False  # nothing reads this file back
        lines = csv_lines.written(_lines(self.queue, items, is_detailed), is_guarded=is_guarded)
        answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = f'attachment; filename="queue-{self.queue.uuid}.csv"'
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
        return [*head, *_answer_columns(keys), "note", "correction"]
    for person in people:
        head += [
            f"{person.username}: {name}"
            for name in (*_answer_columns(keys), "note", "correction", "reviewed_at", "is_counted")
        ]
    return head


def _answer_columns(keys: Sequence[str]) -> list[str]:
    return [name for key in keys for name in (key, f"{key} comment")]


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
    run_ids = [run_id for item_runs in shown.values() for run_id in item_runs]
    of_runs = dict(sizes.of_runs(queue.workspace_id, run_ids, ("inputs", "outputs")))
    for pk, item_runs in shown.items():
        sized[pk] += sum(of_runs[run_id] for run_id in item_runs)
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
    stored_runs = Run.objects.filter(workspace=queue.workspace, id__in=run_ids).only(
        "id", "name", "start_time", "inputs", "outputs"
    )
    runs = {run.id: run for run in stored_runs}
    reviews: dict[int, list[Review]] = {}
    for review in Review.objects.filter(item__in=items, retracted_at=None).order_by(
        "submitted_at", "pk"
    ):
        reviews.setdefault(review.item_id, []).append(review)
    for item in items:
        of_item = reviews.get(item.pk, [])
        item_runs = [runs[run_id] for run_id in shown.get(item.pk, []) if run_id in runs]
        differing = disputes.differing(review for review in of_item if review.is_counted)
        standing = [exact.timestamp(item.added_at), None, len(of_item), ", ".join(differing)]
        if item.completed_at is not None:
            standing[1] = exact.timestamp(item.completed_at)
        yield [
            *_about(item, item_runs),
            *standing,
            *(_by_person(of_item, keys, people) if is_detailed else _together(of_item, keys)),
        ]


def _about(item: QueueItem, runs: Sequence[Run]) -> list[Any]:
    """Return the fixed cells of an item; of a pair the runs' ids, names and outputs, A then B."""
    ids = [str(run.id) for run in runs] or [str(run_id) for run_id in item.judged_runs]
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
        return ", ".join(map(str, value))
    if value not in (None, ""):
        return str(value)
    return "" if score is None else exact.digits_of(score)


def _together(reviews: Sequence[Review], keys: Sequence[str]) -> list[Any]:
    cells: list[Any] = []
    for key in keys:
        answers = [review.scores.get(key) or {} for review in reviews]
        cells.append(" | ".join(filter(None, map(_words, answers))))
        cells.append(" | ".join(answer["comment"] for answer in answers if answer.get("comment")))
    corrected = [review.correction["outputs"] for review in reviews if review.correction]
    distinct = [
        outputs
        for place, outputs in enumerate(corrected)
        if not any(outputs == earlier for earlier in corrected[:place])
    ]
    notes = " | ".join(review.note for review in reviews if review.note)
    return [*cells, notes, distinct if len(distinct) > 1 else next(iter(distinct), None)]


def _by_person(reviews: Sequence[Review], keys: Sequence[str], people: Sequence[User]) -> list[Any]:
    by_reviewer = {review.reviewer_id: review for review in reviews}
    cells: list[Any] = []
    for person in people:
        review = by_reviewer.get(person.pk)
        if review is None:
            cells += [None] * (2 * len(keys) + 4)
            continue
        for key in keys:
            answer = review.scores.get(key)
            cells += [_words(answer), (answer or {}).get("comment")]
        cells += [
            review.note,
            review.correction["outputs"] if review.correction else None,
            exact.timestamp(review.submitted_at),
            "yes" if review.is_counted else "no",
        ]
    return cells
