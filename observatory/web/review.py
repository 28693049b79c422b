"""The workbench: review an item, correct it, continue. Every step works without scripts.

A script sends `X-Obs-Fetch` and gets parts of the page, each with an id it replaces; a plain form
gets a redirect or the page again with its input.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from annotations.models import AnnotationQueue, QueueItem, Review, Seat
from annotations.queues import item_subjects, queue_cards
from annotations.reviewing import corrections, drafts, reservations, reviews, workbench
from annotations.reviewing.reviewer_sessions import Reason, Unavailable
from annotations.reviewing.workbench import Form, Frame, Opened
from observatory.web.http import WebRequest, is_ours, privately, render_page, require
from observatory.web.queues import item_or_404, queue_or_404
from observatory.web.titles import OPENING_CHARS
from observatory.web.workbench import forms, screen, subject
from observatory.web.workbench.links import item_links
from observatory.workspaces.roles import Permission

PAGE = "annotations/review.html"
WHY_NOT = {
    Reason.REVIEWED: "You have already reviewed this item.",
    Reason.CLOSED: "This item is completed or was removed.",
    Reason.ALL_RESERVED: "Another reviewer holds this item at the moment.",
    Reason.NO_ACCESS: "You are not a reviewer of this queue.",
    Reason.PAUSED: "The queue is paused.",
    Reason.ARCHIVED: "The queue is archived.",
    Reason.LOST: "The reservation has ended.",
}
CLASHES = {
    reviews.Clash.REVIEWED: "You have already reviewed this item, in another tab. "
    "What you typed now is kept as a draft.",
    reviews.Clash.RUBRIC_CHANGED: "The rubric was changed meanwhile. Your answers are kept: "
    "check them against the new rubric and submit again.",
    reviews.Clash.OTHER_FORM: "This form belongs to another item. Open the item again.",
}


@never_cache
@require_GET
@require(Permission.REVIEW)
def review(request: WebRequest, queue_uuid: UUID) -> HttpResponse:
    """Show the next item, or the one `?item=` names, reserved."""
    frame = _frame(request, queue_uuid)
    now = timezone.now()
    item_id = forms.identifier(request.GET.get("item"))
    if item_id is None:
        return _page(request, frame, workbench.open_next(frame.queue, request.user, now))
    item = item_or_404(frame.queue, item_id)
    try:
        seat = reservations.reserve(item, request.user, now)
    except Unavailable as refusal:
        messages.warning(request, WHY_NOT[refusal.reason])
        return redirect("item-detail", request.workspace.slug, queue_uuid, item.uuid)
    return _page(request, frame, workbench.open_item(item, request.user, seat))


def _frame(request: WebRequest, queue_uuid: UUID, showing: UUID | None = None) -> Frame:
    frame = workbench.frame_of(
        request.membership, queue_uuid, timezone.now(), showing=showing, n_chars=OPENING_CHARS
    )
    if frame is None:
        raise Http404("no such queue")
    return frame


def _form(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> Form:
    form = workbench.form_of(request.membership, queue_uuid, item_uuid)
    if form is None:
        raise Http404("no such item")
    return form


def _page(
    request: WebRequest,
    frame: Frame,
    opened: Opened | None,
    *,
    status: int = 200,
    **typed: Any,
) -> HttpResponse:
    """Render the whole workbench with the open item, or with the reason why there is none."""
    now = timezone.now()
    diff = typed.pop("diff", None)
    if opened is not None:
        tab = typed.pop("tab", request.GET.get("tab", "conversation"))
        shown = workbench.shown(opened, is_whole=tab == "metadata")
        context = screen.context(request, frame, opened, shown, now=now, tab=tab, **typed)
        context["diff"] = diff
    else:
        context = screen.frame_context(request, frame) | _nothing(request, frame.queue, now)
    context |= {"is_workbench": True, "workbench_keys": True}
    return render_page(
        request, PAGE, "annotations/_workbench.html", context, section="queues", status=status
    )


def _same_page(request: WebRequest, item: QueueItem, **typed: Any) -> HttpResponse:
    """Render the workbench with `item` and the submitted input."""
    seat = Seat.objects.filter(item=item, reviewer=request.user, is_taken=False).first()
    frame = _frame(request, item.queue.uuid)
    return _page(request, frame, workbench.open_item(item, request.user, seat), **typed)


def _nothing(request: WebRequest, queue: AnnotationQueue, now: datetime) -> dict[str, Any]:
    return {
        "nothing": reservations.why_nothing(queue, request.user, now),
        "others": _other_queues(request, queue),
    }


def _other_queues(request: WebRequest, queue: AnnotationQueue) -> list[queue_cards.QueueCard]:
    cards = queue_cards.queue_cards(request.workspace, request.user, timezone.now())
    return [
        card
        for card in cards
        if card.n_for_me and card.queue.pk != queue.pk and not card.queue.is_paused
    ][:5]


@require_GET
@require(Permission.REVIEW)
def review_context(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> HttpResponse:
    """Return a tab of the context pane; without a script, the workbench opened at that tab."""
    queue = queue_or_404(request, queue_uuid)
    item = item_or_404(queue, item_uuid)
    tab = request.GET.get("tab", "")
    if not request.htmx:
        address = reverse("review", args=[request.workspace.slug, queue.uuid])
        return redirect(
            f"{address}?item={item.uuid}&tab={tab if tab in dict(subject.TABS) else ''}"
        )
    shown = item_subjects.shown_of(request.workspace, item)
    chosen = forms.identifier(request.GET.get("run"))
    context = {
        "item": item,
        "queue": queue,
        "run": shown.run,
        "to": item_links(request.workspace.slug, queue.uuid, item.uuid),
        **subject.drawn(request, item, shown, tab, chosen),
    }
    return privately(render(request, "annotations/_context.html", context))


# The next item -----------------------------------------------------------------------------------


def _parts(request: WebRequest, queue_uuid: UUID) -> HttpResponse:
    """Respond to a script: progress, rail, and the item after the current one, in a template.

    Read first, then drawn: docs/adr/0004.
    """
    now = timezone.now()
    showing = forms.identifier(request.POST.get("showing") or request.GET.get("showing"))
    frame = _frame(request, queue_uuid, showing)
    opened = workbench.open_after(frame, request.user, now)
    if opened is not None:
        context = screen.context(request, frame, opened, workbench.shown(opened), now=now)
    else:
        context = screen.frame_context(request, frame)
        if frame.shown_id is None:
            context |= _nothing(request, frame.queue, now)
    return privately(render(request, "annotations/_workbench_parts.html", context))


@require_GET
@require(Permission.REVIEW)
def review_next(request: WebRequest, queue_uuid: UUID) -> HttpResponse:
    """Return the item after `?showing=`, reserved, for the page to swap in without waiting."""
    return _parts(request, queue_uuid)


@require_POST
@require(Permission.REVIEW)
def review_submit(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> HttpResponse:
    """Store a review, once for repeated submissions; a rejected one is kept as a draft."""
    form = _form(request, queue_uuid, item_uuid)
    item = form.item
    typed = forms.submitted_answers(request.POST, form.questions)
    try:
        submission = forms.submission_of(request.POST, typed, form.outputs)
        outcome = reviews.submit(item, request.user, submission, timezone.now())
    except corrections.InvalidCorrection as error:
        where = f" (line {error.line}, column {error.column})"
        return _refused(request, item, typed, {"correction": f"{error.reason}{where}"})
    except reviews.InvalidReview as error:
        return _refused(request, item, typed, error.complaints)
    except reviews.Conflict as conflict:
        return _clashed(request, item, typed, conflict)
    except Unavailable as refusal:
        return _refused(request, item, typed, {"": WHY_NOT[refusal.reason]}, status=409)
    if not (outcome.review.is_counted or outcome.review.is_gold or outcome.is_repeat):
        words = "Kept, but not counted: others had already filled this item."
    else:
        words = "Saved."
    if is_ours(request):
        return _parts(request, queue_uuid)
    messages.success(request, words)
    return redirect("review", request.workspace.slug, queue_uuid)


def _keep(item: QueueItem, request: WebRequest, typed: forms.Typed) -> None:
    """Store the submitted input as the draft, so that opening the item again shows it."""
    writer = forms.writer_of(request.POST)
    drafts.keep(item, request.user, typed.as_draft(), timezone.now(), writer=writer)


def _refused(
    request: WebRequest,
    item: QueueItem,
    typed: forms.Typed,
    complaints: dict[str, str],
    *,
    status: int = 422,
) -> HttpResponse:
    """Respond to a form that cannot be stored, without losing input."""
    _keep(item, request, typed)
    if is_ours(request):
        names = {row.feedback_key: str(row) for row in item.queue.rubric_items.all()}
        words = " ".join(
            f"{names.get(key, key.capitalize())}: {text}" if key else text
            for key, text in complaints.items()
        )
        return privately(HttpResponse(words, status=status, content_type="text/plain"))
    return _same_page(request, item, status=status, typed=typed, complaints=complaints)


def _clashed(
    request: WebRequest, item: QueueItem, typed: forms.Typed, conflict: reviews.Conflict
) -> HttpResponse:
    words = CLASHES[conflict.clash]
    if conflict.clash is reviews.Clash.RUBRIC_CHANGED:
        item.queue.refresh_from_db()
        return _refused(request, item, typed, {"": words}, status=409)
    if conflict.clash is reviews.Clash.REVIEWED:
        _keep(item, request, typed)
    if is_ours(request):
        return privately(HttpResponse(words, status=409, content_type="text/plain"))
    messages.warning(request, words)
    return redirect("item-detail", request.workspace.slug, item.queue.uuid, item.uuid)


# Skip, requeue and undo ---------------------------------------------------------------------------


def _deferred(request: WebRequest, item: QueueItem, words: str) -> HttpResponse:
    if is_ours(request):
        return _parts(request, item.queue.uuid)
    messages.success(request, words)
    return redirect("review", request.workspace.slug, item.queue.uuid)


def _not_deferred(request: WebRequest, item: QueueItem, reason: Reason) -> HttpResponse:
    if is_ours(request):
        return privately(HttpResponse(WHY_NOT[reason], status=409, content_type="text/plain"))
    messages.warning(request, WHY_NOT[reason])
    return redirect("review", request.workspace.slug, item.queue.uuid)


def _form_left(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> QueueItem:
    """Return the skipped item after saving the input of its form as a draft."""
    form = _form(request, queue_uuid, item_uuid)
    if "submission_id" in request.POST:
        typed = forms.submitted_answers(request.POST, form.questions)
        if forms.is_typed(typed, form.outputs):
            _keep(form.item, request, typed)
    return form.item


@require_POST
@require(Permission.REVIEW)
def review_skip(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> HttpResponse:
    """Skip the item for good, with a reason."""
    item = _form_left(request, queue_uuid, item_uuid)
    try:
        reviews.skip(item, request.user, request.POST.get("reason", ""), timezone.now())
    except Unavailable as refusal:
        return _not_deferred(request, item, refusal.reason)
    except ValueError as error:
        return privately(HttpResponse(str(error), status=422, content_type="text/plain"))
    return _deferred(request, item, "Skipped.")


@require_POST
@require(Permission.REVIEW)
def review_requeue(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> HttpResponse:
    """Move the item to the end of the reviewer's own order."""
    item = _form_left(request, queue_uuid, item_uuid)
    try:
        reviews.requeue(item, request.user, timezone.now())
    except Unavailable as refusal:
        return _not_deferred(request, item, refusal.reason)
    return _deferred(request, item, "Put at the end of your order.")


@require_POST
@require(Permission.REVIEW)
def review_back(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> HttpResponse:
    """Undo a skip or requeue of an item, and open it with its draft."""
    item = item_or_404(queue_or_404(request, queue_uuid), item_uuid)
    try:
        seat = reservations.reserve(item, request.user, timezone.now())
    except Unavailable as refusal:
        if refusal.reason is Reason.ALL_RESERVED:
            reviews.want_again(item, request.user)  # it is offered again once a seat is free
        return _not_deferred(request, item, refusal.reason)
    return _opened_again(request, item, seat, "The item is here again.")


@require_POST
@require(Permission.REVIEW)
def review_undo(request: WebRequest, queue_uuid: UUID, review_uuid: UUID) -> HttpResponse:
    """Undo a review and open the item with its answers."""
    queue = queue_or_404(request, queue_uuid)
    review = (
        Review.objects.select_related("item", "queue")
        .filter(queue=queue, uuid=review_uuid, reviewer=request.user)
        .first()
    )
    if review is None:
        raise Http404("no such review")
    back = reviews.retract(review, request.user, timezone.now())
    back.item.queue = queue
    words = "Review reopened. Your answers are here again."
    return _opened_again(request, back.item, back.seat, words)


def _opened_again(
    request: WebRequest, item: QueueItem, seat: Seat | None, words: str
) -> HttpResponse:
    """Respond to an undo: the item, reserved again, comes next."""
    if not is_ours(request) or seat is None:
        messages.success(request, words)
        address = reverse("review", args=[request.workspace.slug, item.queue.uuid])
        return redirect(f"{address}?item={item.uuid}")
    frame = _frame(request, item.queue.uuid)
    opened = workbench.open_item(item, request.user, seat)
    context = screen.context(request, frame, opened, workbench.shown(opened), now=timezone.now())
    return privately(
        render(request, "annotations/_workbench_parts.html", {**context, "is_undo": True})
    )


# Drafts and reservations -------------------------------------------------------------------------


@require_POST
@require(Permission.REVIEW)
def review_draft(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> HttpResponse:
    """Save a draft; 409 when another tab has saved meanwhile or the review is submitted."""
    form = _form(request, queue_uuid, item_uuid)
    item = form.item
    typed = forms.submitted_answers(request.POST, form.questions)
    try:
        draft = drafts.save(
            item,
            request.user,
            typed.as_draft(),
            forms.draft_version(request.POST),
            timezone.now(),
            writer=forms.writer_of(request.POST),
        )
    except drafts.DraftConflict as conflict:
        response = HttpResponse("changed in another tab", status=409, content_type="text/plain")
        response["X-Draft-Version"] = str(conflict.current.version if conflict.current else 0)
        return privately(response)
    except Unavailable as refusal:
        words = WHY_NOT[refusal.reason]
        return privately(HttpResponse(words, status=410, content_type="text/plain"))
    except ValueError as error:
        return privately(HttpResponse(str(error), status=422, content_type="text/plain"))
    response = HttpResponse(status=204)
    response["X-Draft-Version"] = str(draft.version)
    return privately(response)


def _held(
    request: WebRequest, queue_uuid: UUID, item_uuid: UUID
) -> tuple[Seat | None, UUID | None]:
    item = item_or_404(queue_or_404(request, queue_uuid), item_uuid)
    seat = Seat.objects.select_related("queue").filter(item=item, reviewer=request.user).first()
    return seat, forms.identifier(request.POST.get("lease"))


@require_POST
@require(Permission.REVIEW)
def review_heartbeat(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> HttpResponse:
    """Extend the reservation; 409 when it is over."""
    seat, lease = _held(request, queue_uuid, item_uuid)
    now = timezone.now()
    try:
        if seat is None:
            raise Unavailable(Reason.LOST)
        seat = reservations.extend(seat, request.user, lease, now)
    except Unavailable as refusal:
        return privately(
            HttpResponse(WHY_NOT[refusal.reason], status=409, content_type="text/plain")
        )
    expires = seat.expires_at.isoformat() if seat.expires_at else None
    return privately(JsonResponse({"expires_at": expires, "now": now.isoformat()}))


@require_POST
@require(Permission.REVIEW)
def review_release(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> HttpResponse:
    """Release the item when the page is left; an older lease changes nothing."""
    seat, lease = _held(request, queue_uuid, item_uuid)
    if seat is not None:
        reservations.release(seat, request.user, lease)
    return privately(HttpResponse(status=204))


@require_POST
@require(Permission.REVIEW)
def review_diff(request: WebRequest, queue_uuid: UUID, item_uuid: UUID) -> HttpResponse:
    """Diff the editor's text and the answer on the server, without a script or for long texts."""
    form = _form(request, queue_uuid, item_uuid)
    typed = forms.submitted_answers(request.POST, form.questions)
    diff = forms.shown_diff(typed, form.outputs)
    if is_ours(request):
        return privately(render(request, "annotations/_diff.html", {"diff": diff}))
    return _same_page(request, form.item, typed=typed, diff=diff)
