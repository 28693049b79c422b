"""Home: the user's open work, most urgent first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from annotations.models import ReviewDraft
from annotations.queues import queue_cards
from annotations.reviewing import reservations
from annotations.reviewing.drafts import drafts_of
from observatory.runs.models import Run
from observatory.web.first_steps import first_steps
from observatory.web.http import WebRequest, can, fingerprint, render_page, require, unchanged
from observatory.workspaces.models import User
from observatory.workspaces.roles import Permission


@dataclass(frozen=True, slots=True)
class Card:
    """One piece of open work, with its one action."""

    icon: str
    title: str
    figure: str
    unit: str
    name: str
    note: str
    moment: datetime | None
    action: str
    href: str


@require_GET
@require(Permission.VIEW)
def workspace_home(request: WebRequest) -> HttpResponse:
    """Show the user's drafts, reservations and waiting queues; polls get 204 if unchanged."""
    now = timezone.now()
    queues = queue_cards.queue_cards(request.workspace, request.user, now)
    cards = []
    if can(request, Permission.REVIEW):
        cards = _drafts(request) + _held(request, now) + _waiting(request, queues)
    has_runs = Run.objects.filter(workspace=request.workspace).exists()
    version = fingerprint(
        has_runs, [(card.title, card.figure, card.name) for card in cards], request.membership.role
    )
    if request.htmx and request.GET.get("seen") == version:
        return unchanged()
    context = {
        "workspace": request.workspace,
        "cards": cards,
        "version": version,
        "greeting": _greeting(request.user),
        "has_runs": has_runs,
        **first_steps(request),
    }
    return render_page(request, "home.html", "_home_cards.html", context, section="home")


def _greeting(user: User) -> str:
    return f"Hello, {user.first_name or user.username}"


def _drafts(request: WebRequest) -> list[Card]:
    by_queue: dict[int, list[ReviewDraft]] = {}
    for draft in drafts_of(request.workspace, request.user)[:200]:
        by_queue.setdefault(draft.item.queue_id, []).append(draft)
    cards = []
    for drafts in by_queue.values():
        newest = drafts[0]
        address = reverse("review", args=[request.workspace.slug, newest.item.queue.uuid])
        cards.append(
            Card(
                icon="pencil-line",
                title="Drafts you left",
                figure=str(len(drafts)),
                unit="draft" if len(drafts) == 1 else "drafts",
                name=newest.item.queue.name,
                note="Last typed",
                moment=newest.saved_at,
                action="Continue",
                href=f"{address}?item={newest.item.uuid}",
            )
        )
    return cards


def _held(request: WebRequest, now: datetime) -> list[Card]:
    cards = []
    for seat in reservations.held_by(request.workspace, request.user, now)[:3]:
        minutes = (
            max(1, round((seat.expires_at - now).total_seconds() / 60)) if seat.expires_at else 0
        )
        address = reverse("review", args=[request.workspace.slug, seat.item.queue.uuid])
        cards.append(
            Card(
                icon="clock",
                title="Reserved for you",
                figure=str(minutes),
                unit="min left",
                name=seat.item.queue.name,
                note="No other reviewer can take this item until then.",
                moment=None,
                action="Open",
                href=f"{address}?item={seat.item.uuid}",
            )
        )
    return cards[:1]


def _waiting(request: WebRequest, queues: list[queue_cards.QueueCard]) -> list[Card]:
    waiting = [card for card in queues if card.n_for_me and not card.queue.is_paused]
    waiting.sort(key=lambda card: card.oldest_at or timezone.now())
    return [
        Card(
            icon="list-checks",
            title="Waiting for review",
            figure=f"{card.n_for_me:,}",
            unit="item" if card.n_for_me == 1 else "items",
            name=card.queue.name,
            note="Oldest",
            moment=card.oldest_at,
            action="Review",
            href=reverse("review", args=[request.workspace.slug, card.queue.uuid]),
        )
        for card in waiting
    ]
