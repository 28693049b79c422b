"""Queues: the list, and one queue with its progress, reviewers, rules and items."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from annotations.models import AnnotationQueue, QueueItem, Review, RubricItem
from annotations.quality import gold
from annotations.question_kinds import kind_of
from annotations.queues import access, item_subjects, queue_cards, queue_items, queue_progress
from annotations.queues.blindness import answers_visible_to
from annotations.routing import rules
from datasets_app.harvest import held_back
from datasets_app.models import HarvestedItem
from observatory.web.http import WebRequest, can, fingerprint, render_page, require, unchanged
from observatory.web.titles import titles_of_items
from observatory.web.workbench import pairs, subject
from observatory.web.workbench.forms import identifier
from observatory.workspaces.roles import Permission


def queue_or_404(request: WebRequest, queue_uuid: UUID) -> AnnotationQueue:
    """Return the queue if the member may open it; otherwise raise 404."""
    queue = access.visible_to(request.workspace, request.user).filter(uuid=queue_uuid).first()
    if queue is None:
        raise Http404("no such queue")
    queue.workspace = request.workspace  # saves a query later
    return queue


def item_or_404(queue: AnnotationQueue, item_uuid: UUID) -> QueueItem:
    item = QueueItem.objects.filter(queue=queue, uuid=item_uuid).first()
    if item is None:
        raise Http404("no such item")
    item.queue = queue
    return item


@require_GET
@require(Permission.VIEW)
def queue_list(request: WebRequest) -> HttpResponse:
    """List the queues, those with work for the user first; polls get 204 if unchanged."""
    cards = queue_cards.queue_cards(request.workspace, request.user, timezone.now())
    cards.sort(key=lambda card: (not card.n_for_me or card.queue.is_paused, card.queue.name))
    version = fingerprint(
        [
            (card.queue.pk, card.queue.is_paused, card.n_for_me, card.n_open, card.n_completed)
            for card in cards
        ]
    )
    if request.htmx and request.GET.get("seen") == version:
        return unchanged()
    context = {
        "workspace": request.workspace,
        "cards": cards,
        "version": version,
        "can_manage": can(request, Permission.MANAGE_QUEUES),
        "can_review": can(request, Permission.REVIEW),
    }
    return render_page(
        request,
        "annotations/queue_list.html",
        "annotations/_queue_rows.html",
        context,
        section="queues",
    )


STATES = [("", "All"), ("open", "Open"), ("completed", "Completed"), ("removed", "Removed")]


@require_GET
@require(Permission.VIEW)
def queue_detail(request: WebRequest, queue_uuid: UUID) -> HttpResponse:
    """Show a queue's progress, reviewers and rules, and its items with the reasons."""
    queue = queue_or_404(request, queue_uuid)
    state = request.GET.get("state", "")
    items = Paginator(queue_items.items_of(queue, state), per_page=30)
    page = items.get_page(request.GET.get("page"))
    progress = queue_progress.progress(queue, request.user)
    is_reviewer = _is_reviewer(queue, request)
    context: dict[str, Any] = {
        "workspace": request.workspace,
        "queue": queue,
        "page": page,
        "state": state,
        "states": STATES,
        "progress": progress,
        "bars": _bars(progress, is_reviewer=is_reviewer),
        "removed": _removed_now(request, queue),
        "people": queue_progress.reviewers_of(queue),
        "rules": rules.rules_of(queue),
        "rubric": queue.rubric_items.all(),
        "now": timezone.now(),
        "can_manage": can(request, Permission.MANAGE_QUEUES),
        "can_review": is_reviewer and _is_running(queue),
        "names": titles_of_items(request.workspace, page),
        "harvest": getattr(queue, "harvest", None),
        "n_held_back": held_back(queue=queue),
    }
    return render_page(
        request,
        "annotations/queue_detail.html",
        "annotations/_queue_items.html",
        context,
        section="queues",
    )


def _is_reviewer(queue: AnnotationQueue, request: WebRequest) -> bool:
    return access.is_reviewer(queue, request.user, request.membership.role)


def _is_running(queue: AnnotationQueue) -> bool:
    return queue.archived_at is None and not queue.is_paused


def _removed_now(request: WebRequest, queue: AnnotationQueue) -> QueueItem | None:
    """Return the item that was just removed, to offer an undo."""
    item_uuid = identifier(request.GET.get("removed"))
    if item_uuid is None or not can(request, Permission.MANAGE_QUEUES):
        return None
    return QueueItem.objects.filter(
        queue=queue, uuid=item_uuid, state=QueueItem.State.REMOVED
    ).first()


def _bars(progress: queue_progress.Progress, *, is_reviewer: bool) -> list[dict[str, Any]]:
    """Return the stacked bar: each part with its words, its fill, and x and width in percent.

    For users who do not review here nothing waits: what is left is open.
    """
    parts = [("completed", progress.completed, "ok")]
    if is_reviewer:
        parts += [
            ("waiting for others", progress.needs_others, "accent"),
            ("waiting for me", progress.needs_mine, "muted"),
            ("skipped by me", progress.skipped, "warn"),
        ]
    else:
        parts.append(("open", progress.open, "muted"))
    total = max(1, progress.total)
    bars, left = [], 0.0
    for words, count, fill in parts:
        width = 100 * count / total
        bars.append(
            {"words": words, "n": count, "fill": fill, "x": f"{left:.2f}", "width": f"{width:.2f}"}
        )
        left += width
    return bars


ACTIONS = {
    "release": "The reservations were released.",
    "requeue": "The item is offered to every reviewer again.",
    "restore": "The item is back in the queue.",
}


@require_POST
@require(Permission.MANAGE_QUEUES)
def item_action(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> HttpResponse:
    """Release an item's reservations, reopen it to all reviewers, remove it, or undo that."""
    queue = queue_or_404(request, queue_uuid)
    item = item_or_404(queue, item_uuid)
    action = request.POST.get("action", "")
    now = timezone.now()
    if action == "release":
        queue_items.release(item)
    elif action == "requeue":
        queue_items.requeue_for_all(item, now)
    elif action == "restore":
        queue_items.restore(item, now)
    elif action == "remove":
        queue_items.remove(item, now)
        address = reverse("queue-detail", args=[request.workspace.slug, queue.uuid])
        return redirect(f"{address}?removed={item.uuid}")
    else:
        raise Http404("no such action")
    messages.success(request, ACTIONS[action])
    return redirect("queue-detail", request.workspace.slug, queue.uuid)


@require_GET
@require(Permission.VIEW)
def item_detail(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> HttpResponse:
    """Show one item: its reasons, the model's answer, and the reviewers' answers side by side.

    In a blind queue others' answers appear once the user's is in or the item is completed.
    """
    queue = queue_or_404(request, queue_uuid)
    item = item_or_404(queue, item_uuid)
    about = item_subjects.shown_of(request.workspace, item)
    reviews = list(
        Review.objects.filter(item=item, retracted_at=None)
        .select_related("reviewer")
        .order_by("submitted_at")
    )
    readable = set(answers_visible_to(request.user, item).values_list("pk", flat=True))
    shown = [review for review in reviews if review.pk in readable]
    context: dict[str, Any] = {
        "workspace": request.workspace,
        "queue": queue,
        "item": item,
        "run": about.run,
        "decisions": item.decisions.order_by("pk"),
        "reviews": shown,
        "n_hidden": _n_hidden(item, len(reviews) - len(shown)),
        "answers": _answers(item, shown),
        "tab": "conversation",
        "can_review": _is_running(queue) and _is_reviewer(queue, request),
        "is_mine_in": any(review.reviewer_id == request.user.pk for review in reviews),
        "can_manage": can(request, Permission.MANAGE_QUEUES),
        "gold_answer": _gold_answer(request, item),
        "is_held_back": item.state == QueueItem.State.COMPLETED
        and HarvestedItem.objects.filter(
            item=item, outcome=HarvestedItem.Outcome.DISPUTED
        ).exists(),
    }
    context |= subject.drawn(request, item, about, "conversation")
    return render_page(
        request,
        "annotations/item_detail.html",
        "annotations/_item_answers.html",
        context,
        section="queues",
    )


def _n_hidden(item: QueueItem, n: int) -> int:
    """Return how many answers are said to be hidden: of a gold item as many as of an open one."""
    is_gold = item.state == QueueItem.State.GOLD
    return min(n, item.queue.reviewers_per_item - 1) if is_gold else n


def _gold_answer(request: WebRequest, item: QueueItem) -> dict[str, Any] | None:
    """Return the version of a gold item's expected answers and their words, for managers only."""
    newest = gold.newest_answer(item) if can(request, Permission.MANAGE_QUEUES) else None
    if newest is None:
        return None
    questions = [q for q in item.queue.rubric_items.all() if q.feedback_key in newest.answers]
    words = [(q, answer_words(newest.answers[q.feedback_key], q)) for q in questions]
    return {"version": newest.version, "words": words, "reason": newest.reason}


def _answers(item: QueueItem, reviews: list[Review]) -> list[dict[str, Any]]:
    """Return a row per question with each reviewer's answer in words.

    The rubric first, then answers under keys that it no longer has.
    """
    rows = []
    questions = list(item.queue.rubric_items.all())
    known = {question.feedback_key for question in questions}
    answered = dict.fromkeys(key for review in reviews for key in review.scores)
    past = [
        RubricItem(feedback_key=key, title=f"{key} (no longer asked)")
        for key in answered
        if key not in known
    ]
    for question in (*questions, *past):
        answers = [review.scores.get(question.feedback_key) for review in reviews]
        words = [answer_words(answer, question) for answer in answers]
        if item.is_pair:
            words = [pairs.letter_of(item, word) for word in words]
        rows.append({"question": question, "words": words, "differ": len(set(words)) > 1})
    return rows


def answer_words(answer: dict[str, Any] | None, question: RubricItem) -> str:
    """Return an answer {score, value, comment} in words; "-" for none."""
    if not answer:
        return "-"
    words = kind_of(question).in_words(answer.get("score"), answer.get("value"))
    if answer.get("cant_judge"):
        words = "can't judge"
    comment = answer.get("comment")
    return f"{words} ({comment})" if comment else words
