"""The quality page of a queue, for those who manage it: gold items and reviewers' accuracy."""

from __future__ import annotations

import math
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from annotations.models import AnnotationQueue, DriftAlarm, QueueItem
from annotations.quality import drift_watch, gold, gold_accuracy
from annotations.quality.gold_accuracy import GoldItem, ReviewerAccuracy
from annotations.quality.proportions import Proportion
from annotations.queues.blindness import answers_visible_to
from observatory.web.http import WebRequest, render_page, require
from observatory.web.queues import answer_words, item_or_404, queue_or_404
from observatory.web.titles import titles_of_items
from observatory.web.workbench.forms import identifier
from observatory.workspaces.roles import Permission


@require_http_methods(["GET", "POST"])
@require(Permission.MANAGE_QUEUES)
def quality_page(request: WebRequest, queue_uuid: UUID) -> HttpResponse:
    """Show accuracy, changes and gold items; a POST sets the rate or notes a change."""
    queue = queue_or_404(request, queue_uuid)
    if request.method == "POST":
        return _note(request, queue) if "alarm" in request.POST else _set_rate(request, queue)
    found = gold_accuracy.report(queue)
    items = QueueItem.objects.filter(pk__in=[item.item_id for item in found.items])
    context: dict[str, Any] = {
        "workspace": request.workspace,
        "queue": queue,
        "percent": f"{100 * queue.gold_rate:g}",
        "items": _items(queue, found.items),
        "titles": titles_of_items(request.workspace, items),
        "reviewers": [_reviewer(row, found.by_key) for row in found.reviewers],
        "n_questionable": sum(item.is_questionable for item in found.items),
        "alarms": [_alarm(alarm) for alarm in drift_watch.alarms_of(queue, timezone.now())],
        "checked_at": queue.drift_checked_at,
        "target": f"{gold_accuracy.TARGET:.0%}",
        "least": gold_accuracy.MIN_ITEMS,
    }
    page = "annotations/quality.html"
    return render_page(request, page, "annotations/_quality.html", context, section="queues")


def _set_rate(request: WebRequest, queue: AnnotationQueue) -> HttpResponse:
    try:
        percent = float(request.POST.get("percent", ""))
    except ValueError:
        percent = math.nan
    if 0 <= percent <= 100:
        gold.set_rate(queue, percent / 100)
        messages.success(request, "The share of gold items is saved.")
    else:
        messages.error(request, "The share of gold items is a number from 0 to 100 percent.")
    return redirect("quality", request.workspace.slug, queue.uuid)


def _note(request: WebRequest, queue: AnnotationQueue) -> HttpResponse:
    number = request.POST["alarm"]
    if number.isascii() and number.isdigit() and len(number) < 19:
        drift_watch.note(queue, int(number), request.user, timezone.now())
    messages.success(request, "The change is noted.")
    return redirect("quality", request.workspace.slug, queue.uuid)


def _alarm(alarm: DriftAlarm) -> dict[str, Any]:
    """Return an alarm with its change in words."""
    before, after = alarm.before, alarm.after
    if before is None or after is None:
        words = "gives other answers than before, and the others do not"
    elif alarm.kind == DriftAlarm.Kind.PACE:
        words = f"is faster: a median of {after:.0f} s per review, {before:.0f} s before"
    else:
        words = f"agrees less with the others: {after:.0%}, {before:.0%} before"
    return {"alarm": alarm, "words": words, "question": alarm.rubric_item or "every question"}


def _items(queue: AnnotationQueue, items: list[GoldItem]) -> list[dict[str, Any]]:
    questions = list(queue.rubric_items.all())
    return [
        {
            "gold": item,
            "share": _share(item.right),
            "answers": [
                (question, answer_words(item.answers[question.feedback_key], question))
                for question in questions
                if question.feedback_key in item.answers
            ],
        }
        for item in items
    ]


def _reviewer(row: ReviewerAccuracy, by_key: list[ReviewerAccuracy]) -> dict[str, Any]:
    parts = [part for part in by_key if part.reviewer_id == row.reviewer_id]
    return {
        "name": row.username,
        "is_flagged": row.is_flagged,
        "right": row.right,
        "share": _share(row.right),
        "interval": _interval(row.right),
        "parts": [
            {
                "key": part.key,
                "share": _share(part.right),
                "right": part.right,
                "is_flagged": part.is_flagged,
            }
            for part in parts
        ],
    }


def _share(right: Proportion) -> str:
    return f"{right.share:.0%}" if right.n else "-"


def _interval(right: Proportion) -> str:
    return f"{right.low:.0%} to {right.high:.0%}"


@require_POST
@require(Permission.MANAGE_QUEUES)
def item_gold(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> HttpResponse:
    """Make an item gold with the answers of a review that the manager may read, or undo that."""
    queue = queue_or_404(request, queue_uuid)
    item = item_or_404(queue, item_uuid)
    if request.POST.get("action") == "unset":
        gold.unset_gold(item, timezone.now())
        messages.success(request, "The item is an ordinary item again.")
        return redirect("item-detail", request.workspace.slug, queue.uuid, item.uuid)
    review_uuid = identifier(request.POST.get("review"))
    readable = answers_visible_to(request.user, item)
    review = readable.filter(uuid=review_uuid).first() if review_uuid else None
    try:
        if review is None:
            raise gold.InvalidGold("", "Choose whose answers are expected")
        reason = request.POST.get("reason", "").strip()
        answers = gold.answers_of(review)
        gold.set_gold(item, answers, request.user, timezone.now(), reason=reason)
    except gold.InvalidGold as error:
        messages.error(request, f"Not made a gold item: {error}.")
    else:
        messages.success(request, "It is a gold item now: each reviewer is given it once.")
    return redirect("item-detail", request.workspace.slug, queue.uuid, item.uuid)
