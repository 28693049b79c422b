"""The sections of a queue for one member: needs their review, needs others', completed.

Items are in the order of the workbench: by priority, then oldest first, requeued ones last. An item
the member skipped needs others. Each open item is in one section.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    DateTimeField,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce

from annotations.models import AnnotationQueue, Deferral, QueueItem
from annotations.queues.needs_review import (
    needs_review_by,
    requeued_by,
    reviewed_by,
    skipped_by,
)
from observatory.runs.models import Run
from observatory.workspaces.models import User

MINE, OTHERS, DONE = "needs_my_review", "needs_others_review", "completed"


@dataclass(frozen=True)
class Place:
    """The position of an item in a section: phase and key there. `is_inside`: it comes next."""

    phase: int
    key: Any
    item_id: int
    is_inside: bool = False


@dataclass(frozen=True)
class Section:
    """Items in order, in consecutive phases; each is one index scan per page.

    `by_state` are the parts of the only phase, where it spans states: an index has each in order.
    """

    phases: Sequence[QuerySet[QueueItem]]
    by_state: Sequence[QuerySet[QueueItem]] = ()

    def count(self) -> int:
        return sum(phase.count() for phase in self.phases)

    def page(self, start: int, stop: int) -> list[QueueItem]:
        """Return the items from `start` to before `stop`, counted from 0."""
        if self.by_state:
            first, *others = (_ordered(part)[:stop] for part in self.by_state)
            heads = first.union(*others, all=True)
            return list(heads.order_by("-priority", "id")[start:stop])
        items: list[QueueItem] = []
        skip, n_items = start, stop - start
        for phase in self.phases:
            rows = list(_ordered(phase)[skip : skip + n_items - len(items)])
            items += rows
            if len(items) >= n_items:
                break
            skip = skip - phase.count() if skip and not rows else 0
        return items

    def after(self, place: Place | None, n: int) -> list[QueueItem]:
        """Return at most `n` items after `place`, from the front for None."""
        items: list[QueueItem] = []
        for number, phase in enumerate(self.phases):
            if place is not None and number < place.phase:
                continue
            is_here = place is not None and number == place.phase
            rows = phase.filter(_beyond(place)) if is_here and place else phase
            items += _ordered(rows)[: n - len(items)]
            if len(items) >= n:
                break
        return items

    def before(self, place: Place, n: int) -> list[QueueItem]:
        """Return the `n` items before `place`, in order."""
        items: list[QueueItem] = []
        for number in range(place.phase, -1, -1):
            rows = self.phases[number]
            if number == place.phase:
                rows = rows.filter(_short_of(place))
            rows = _ordered(rows).reverse()
            items += rows[: n - len(items)]
            if len(items) >= n:
                break
        return items[::-1]

    def position(self, place: Place) -> int:
        """Return the number of items before `place`."""
        earlier = sum(phase.count() for phase in self.phases[: place.phase])
        return earlier + self.phases[place.phase].filter(_short_of(place)).count()


# `requeued_at` orders the second phase; the first has none, and goes by priority.


def _ordered(phase: QuerySet[Any]) -> QuerySet[QueueItem]:
    if "requeued_at" in phase.query.annotations:
        return phase.order_by("requeued_at", "pk")
    return phase.order_by("-priority", "pk")


def _beyond(place: Place) -> Q:
    ahead = Q(pk__gte=place.item_id) if place.is_inside else Q(pk__gt=place.item_id)
    if place.phase:
        return Q(requeued_at__gt=place.key) | Q(requeued_at=place.key) & ahead
    return Q(priority__lt=place.key) | Q(priority=place.key) & ahead


def _short_of(place: Place) -> Q:
    behind = Q(pk__lt=place.item_id)
    if place.phase:
        return Q(requeued_at__lt=place.key) | Q(requeued_at=place.key) & behind
    return Q(priority__gt=place.key) | Q(priority=place.key) & behind


def place_of(item: QueueItem, *, is_inside: bool = False) -> Place:
    """Return the place of `item`, read from a section, in it."""
    requeued_at: datetime | None = getattr(item, "requeued_at", None)
    if requeued_at is not None:
        return Place(1, requeued_at, item.pk, is_inside)
    return Place(0, item.priority, item.pk, is_inside)


def section(
    queue: AnnotationQueue,
    name: str | None,
    person: User | None,
    condition: Q | None = None,
) -> Section:
    """Return a part of `queue` as `person` sees it; None: all items that were not removed.

    Without a person (None) every open item needs review. `condition` narrows it further.
    """
    items = QueueItem.objects.filter(queue=queue)
    if condition is not None:
        items = with_start(items, queue).filter(condition)
    if name is None:
        states = QueueItem.State.OPEN, QueueItem.State.COMPLETED, QueueItem.State.GOLD
        return Section(
            [items.exclude(state=QueueItem.State.REMOVED)],
            [items.filter(state=state) for state in states],
        )
    if name == DONE:
        return Section([items.filter(state=QueueItem.State.COMPLETED)])
    open_items = items.filter(state=QueueItem.State.OPEN)
    if person is None:
        return Section([open_items if name == MINE else items.none()])
    if name == OTHERS:
        return Section([open_items.filter(Q(reviewed_by(person)) | Q(skipped_by(person)))])
    mine = items.filter(needs_review_by(person))
    requeues = Deferral.objects.filter(reviewer=person, kind=Deferral.Kind.REQUEUE)
    put_at = requeues.filter(item=OuterRef("pk")).values("created_at")[:1]
    requeued = mine.filter(pk__in=requeues.filter(item__queue=queue).values("item_id"))
    return Section(
        [mine.filter(~requeued_by(person)), requeued.annotate(requeued_at=Subquery(put_at))]
    )


def whereabouts(
    queue: AnnotationQueue, item: QueueItem, person: User | None
) -> tuple[str, QueueItem] | None:
    """Return the section of `item` and the item as read from it; None if removed.

    A gold item is where an open one would be, so that no section sets it apart.
    """
    if item.state == QueueItem.State.GOLD:
        is_theirs = person is not None and (
            QueueItem.objects.filter(Q(reviewed_by(person)) | Q(skipped_by(person)), pk=item.pk)
        )
        return (OTHERS if is_theirs else MINE), item
    for name in (MINE, OTHERS, DONE):
        for phase in section(queue, name, person).phases:
            if (located := phase.filter(pk=item.pk).first()) is not None:
                return name, located
    return None


def with_start(items: QuerySet[QueueItem], queue: AnnotationQueue) -> QuerySet[QueueItem]:
    """Return items with `started_at`: their run's start, else the one they were added with."""
    run = Run.objects.filter(workspace=queue.workspace_id, id=OuterRef("run_id"))
    start_time = Cast(KeyTextTransform("start_time", F("extra")), DateTimeField())
    return items.annotate(
        started_at=Coalesce(Subquery(run.values("start_time")[:1]), start_time, Value(None))
    )


def started(items: QuerySet[Any], queue: AnnotationQueue) -> QuerySet[Any, tuple[int, Any]]:
    """Return (item, its start) of each item."""
    rows: QuerySet[Any] = with_start(items, queue)
    return rows.values_list("pk", "started_at")
