"""Reviewing against a small model (promises C1 and C2): any sequence of steps agrees with it.

The model knows no seats and no bookmarks: an item offers `quota` places, each a counted review,
a live hold, or free. The order of offers is computed from scratch at every step.
"""

# ruff: noqa: PT017 - the model says beforehand whether a step is refused
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from annotations.models import AnnotationQueue, QueueItem, Rating, Review, Seat
from annotations.queues import reviewer_count
from annotations.reviewing import reservations, reviews
from annotations.reviewing.reviewer_sessions import Reason, Unavailable
from annotations.reviewing.reviews import Conflict, Submission
from observatory.feedback.models import Feedback
from observatory.workspaces.models import Membership
from tests.conftest import NOON
from tests.factories import (
    AnnotationQueueFactory,
    QueueItemFactory,
    RubricItemFactory,
    UserFactory,
    WorkspaceFactory,
)

LENGTH = timedelta(minutes=10)
people = st.integers(0, 3)
places = st.integers(0, 5)


@dataclass
class Hold:
    reserved_at: object
    expires_at: object
    seat: Seat


@dataclass
class Model:
    quota: int
    members: set[int]
    priority: list[int] = field(default_factory=list)
    is_open: list[bool] = field(default_factory=list)
    counted: list[set[int]] = field(default_factory=list)
    holds: dict[tuple[int, int], Hold] = field(default_factory=dict)  # (item, person)
    standing: dict[tuple[int, int], Review] = field(default_factory=dict)
    deferred: dict[tuple[int, int], tuple[str, object]] = field(default_factory=dict)

    def n_free(self, item: int, now, person: int) -> int:
        others = sum(
            1
            for (held, who), hold in self.holds.items()
            if held == item and who != person and hold.expires_at > now
        )
        return self.quota - len(self.counted[item]) - others if self.is_open[item] else 0

    def mine(self, person: int, now) -> list[int]:
        live = [(h.reserved_at, i) for (i, p), h in self.holds.items()
                if p == person and h.expires_at > now]  # fmt: skip
        return [item for _, item in sorted(live)]

    def offers(self, person: int, now) -> list[int]:
        """What `person` should be given, best first."""
        fit = [i for i in range(len(self.priority))
               if self.n_free(i, now, person) > 0 and (i, person) not in self.standing]  # fmt: skip
        fresh = [i for i in fit if (i, person) not in self.deferred]
        last = [i for i in fit if self.deferred.get((i, person), ("", 0))[0] == "requeue"]
        return sorted(fresh, key=lambda i: (-self.priority[i], i)) + sorted(
            last, key=lambda i: (self.deferred[i, person][1], i)
        )


class Reviewing(RuleBasedStateMachine):
    @initialize(
        quota=st.integers(1, 3), priorities=st.lists(st.integers(0, 1), min_size=3, max_size=4)
    )
    def begin(self, quota: int, priorities: list[int]) -> None:
        self.now = NOON
        workspace = WorkspaceFactory()
        self.people = UserFactory.create_batch(4)
        for person in self.people:
            Membership.objects.create(workspace=workspace, user=person, role="reviewer")
        self.queue = AnnotationQueueFactory(workspace=workspace, reviewers_per_item=quota)
        RubricItemFactory(queue=self.queue, feedback_key="ok", kind="boolean")
        self.model = Model(quota, {0, 1, 2, 3})
        self.items: list[QueueItem] = []
        self.sent: list[tuple[int, int, Submission]] = []
        for priority in priorities:
            self.add(priority)

    @rule(priority=st.integers(0, 1))
    @precondition(lambda self: len(self.items) < 6)
    def add(self, priority: int) -> None:
        self.items.append(
            QueueItemFactory(
                queue=self.queue, priority=priority, added_at=self.now - timedelta(days=1)
            )
        )
        self.model.priority.append(priority)
        self.model.is_open.append(True)
        self.model.counted.append(set())

    @rule(minutes=st.integers(1, 12))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    # Reservations ---------------------------------------------------------------------------

    @rule(who=people, passed=st.sets(places, max_size=2))
    def claim(self, who: int, passed: set[int]) -> None:
        seat = reservations.reserve_next(
            self.queue,
            self.people[who],
            self.now,
            exclude=[self.items[i].pk for i in passed if i < len(self.items)],
        )
        if who not in self.model.members:
            assert seat is None
            return
        held = [i for i in self.model.mine(who, self.now) if i not in passed]
        if held:
            assert seat.item_id == self.items[held[0]].pk
            hold = self.model.holds[held[0], who]
            longest = min(self.now + LENGTH, hold.reserved_at + 3 * LENGTH)
            hold.expires_at = max(hold.expires_at, longest)
            assert (seat.expires_at, seat.lease) == (hold.expires_at, hold.seat.lease)
            return
        offers = [i for i in self.model.offers(who, self.now) if i not in passed]
        assert (seat and seat.item_id) == (self.items[offers[0]].pk if offers else None)
        if offers:
            self.hold(offers[0], who, seat)

    @rule(who=people, where=places)
    def reserve(self, who: int, where: int) -> None:
        if where >= len(self.items):
            return
        try:
            seat = reservations.reserve(self.items[where], self.people[who], self.now)
        except Unavailable as refusal:
            assert refusal.reason == self.why_not(who, where)
            return
        assert self.why_not(who, where) is None
        self.hold(where, who, seat)
        self.model.deferred.pop((where, who), None)

    def why_not(self, who: int, where: int) -> Reason | None:
        if who not in self.model.members:
            return Reason.NO_ACCESS
        if (where, who) in self.model.standing:
            return Reason.REVIEWED
        if not self.model.is_open[where]:
            return Reason.CLOSED
        return None if self.model.n_free(where, self.now, who) else Reason.ALL_RESERVED

    def hold(self, where: int, who: int, seat: Seat) -> None:
        self.model.holds[where, who] = Hold(self.now, self.now + LENGTH, seat)

    @rule(who=people)
    @precondition(lambda self: self.model.holds)
    def extend(self, who: int) -> None:
        for (where, person), hold in self.model.holds.items():
            if person != who:
                continue
            try:
                seat = reservations.extend(hold.seat, self.people[who], hold.seat.lease, self.now)
            except Unavailable:
                assert hold.expires_at <= self.now, where
                continue
            assert hold.expires_at > self.now
            longest = min(self.now + LENGTH, hold.reserved_at + 3 * LENGTH)
            hold.expires_at = max(hold.expires_at, longest)
            assert seat.expires_at == hold.expires_at

    @rule(who=people, where=places)
    def release(self, who: int, where: int) -> None:
        hold = self.model.holds.get((where, who))
        if hold is not None and hold.expires_at > self.now:
            assert reservations.release(hold.seat, self.people[who], hold.seat.lease)
            del self.model.holds[where, who]

    # Reviews --------------------------------------------------------------------------------

    @rule(who=people, where=places, is_edit=st.booleans())
    def submit(self, who: int, where: int, is_edit: bool) -> None:
        if where >= len(self.items):
            return
        model, key = self.model, (where, who)
        standing = model.standing.get(key)
        sent = Submission(
            submission_id=uuid4(),
            scores={"ok": True},
            replaces=standing.uuid if standing and is_edit else None,
        )
        try:
            outcome = reviews.submit(self.items[where], self.people[who], sent, self.now)
        except Unavailable as refusal:
            assert (refusal.reason, who in model.members) == (Reason.NO_ACCESS, False)
            return
        except Conflict as conflict:
            assert (conflict.standing, conflict.submission) == (standing, sent)
            assert not is_edit
            return
        assert who in model.members
        if standing:
            assert is_edit
            self.withdraw(where, who)
        counts = model.n_free(where, self.now, who) > 0
        assert (outcome.review.is_counted, outcome.is_repeat) == (counts, False)
        if counts:
            model.counted[where].add(who)
            model.holds.pop(key, None)
            model.is_open[where] = len(model.counted[where]) < model.quota
        model.standing[key] = outcome.review
        model.deferred.pop(key, None)
        self.sent.append((where, who, sent))

    def withdraw(self, where: int, who: int) -> None:
        model = self.model
        review = model.standing.pop((where, who))
        if review.is_counted:
            model.counted[where].discard(who)
            if len(model.counted[where]) < model.quota:
                model.is_open[where] = True

    @rule(data=st.data())
    @precondition(lambda self: self.sent)
    def submit_again(self, data) -> None:
        where, who, sent = data.draw(st.sampled_from(self.sent))
        outcome = reviews.submit(self.items[where], self.people[who], sent, self.now)
        assert outcome.is_repeat
        assert outcome.review.submission_id == sent.submission_id

    @rule(who=people, where=places)
    def undo(self, who: int, where: int) -> None:
        review = self.model.standing.get((where, who))
        if review is None:
            return
        back = reviews.retract(review, self.people[who], self.now)
        self.withdraw(where, who)
        assert back.draft.content["scores"] == {"ok": {"score": 1.0}}
        gets_it = who in self.model.members and self.model.n_free(where, self.now, who) > 0
        assert (back.seat is not None) == gets_it
        if gets_it:
            self.hold(where, who, back.seat)

    @rule(who=people, where=places, verb=st.sampled_from(["skip", "requeue"]))
    def defer(self, who: int, where: int, verb: str) -> None:
        if where >= len(self.items):
            return
        self.now += timedelta(microseconds=1)  # two requeues are never at the same moment
        extra = ["unclear"] if verb == "skip" else []
        try:
            getattr(reviews, verb)(self.items[where], self.people[who], *extra, self.now)
        except Unavailable as refusal:
            is_member = who in self.model.members
            assert refusal.reason == (Reason.REVIEWED if is_member else Reason.NO_ACCESS)
            assert not is_member or (where, who) in self.model.standing
            return
        self.model.deferred[where, who] = (verb, self.now)
        self.model.holds.pop((where, who), None)

    # The lead's steps -----------------------------------------------------------------------

    @rule(who=people)
    def join_or_leave(self, who: int) -> None:
        is_member = who in self.model.members
        Membership.objects.filter(user=self.people[who]).update(
            role="viewer" if is_member else "reviewer"
        )
        self.model.members ^= {who}

    @rule(quota=st.integers(1, 4))
    def change_quota(self, quota: int) -> None:
        reviewer_count.set_reviewers_per_item(self.queue, quota, self.now)
        model = self.model
        model.quota = quota
        for where in range(len(self.items)):
            if model.is_open[where] and len(model.counted[where]) >= quota:
                model.is_open[where] = False
            live = sorted(
                (hold.reserved_at, hold.seat.number, key)
                for key, hold in model.holds.items()
                if key[0] == where and hold.expires_at > self.now
            )
            left = quota - len(model.counted[where]) if model.is_open[where] else 0
            if len(live) > left:
                kept = set(
                    Seat.objects.filter(
                        item=self.items[where], expires_at__gt=self.now
                    ).values_list("reviewer_id", flat=True)
                )
                assert len(kept) == left
                for _, _, key in live:
                    if self.people[key[1]].pk not in kept:
                        del model.holds[key]

    # What holds at every moment -------------------------------------------------------------

    @invariant()
    def the_tables_agree_with_the_model(self) -> None:
        if not hasattr(self, "items"):
            return
        person_of = {person.pk: n for n, person in enumerate(self.people)}
        found = {item.pk: item for item in QueueItem.objects.filter(queue=self.queue)}
        rows = list(Seat.objects.filter(queue=self.queue))
        assert AnnotationQueue.objects.get(pk=self.queue.pk).reviewers_per_item == self.model.quota
        for where, item in enumerate(self.items):
            of_item = [seat for seat in rows if seat.item_id == item.pk]
            taken = [person_of[seat.reviewer_id] for seat in of_item if seat.is_taken]
            live = {
                person_of[seat.reviewer_id]: seat.expires_at
                for seat in of_item
                if seat.expires_at is not None and seat.expires_at > self.now
            }
            counted = self.model.counted[where]
            is_open = self.model.is_open[where]
            assert (sorted(taken), found[item.pk].n_reviews) == (sorted(counted), len(counted))
            assert (found[item.pk].state == "open") == is_open
            assert (found[item.pk].completed_at is None) == is_open
            assert len(of_item) == (self.model.quota if is_open else len(counted))
            assert live == {
                person: hold.expires_at
                for (place, person), hold in self.model.holds.items()
                if place == where and hold.expires_at > self.now
            }
        standing = self.model.standing
        assert Review.objects.filter(queue=self.queue, retracted_at=None).count() == len(standing)
        assert Feedback.objects.filter(workspace=self.queue.workspace).count() == len(standing)
        n_counted = sum(len(counted) for counted in self.model.counted)
        assert Rating.objects.filter(queue=self.queue).count() == n_counted


@pytest.mark.django_db
def test_any_sequence_of_steps_agrees_with_the_model() -> None:
    run_state_machine_as_test(
        Reviewing,
        settings=settings(
            max_examples=30,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
