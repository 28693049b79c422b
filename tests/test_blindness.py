"""C4: no reader reads, counts or infers a blind answer before the item is settled.

Generated from the whole URL table. One reviewer has answered a run, a thread and a pair, by the
pages and by an API key. All other readers request everything twice: once when the answer was the
worst, with a canary in every text, and once when it was the best, without a text. No answer may
hold the canary, and both must be the same, byte for byte but for ids and times: so that no
counter, mean, order, reason or move to another queue tells one from the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from django.db import transaction

from observatory.feedback.models import Feedback
from observatory.workspaces.models import User
from tests import blindfold
from tests.blindfold import RIGHT, WRONG, Answer, Request, Told, World

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(1_200)]


@pytest.fixture
def world(acme, grace, ada) -> World:
    world = blindfold.build(acme, grace, ada)
    world.readers = blindfold.readers(world)
    return world


def walk(
    world: World,
    answer: Answer,
    batches: Callable[[World, str], Iterable[list[Request]]],
    face: str,
    *only: str,
) -> dict[tuple[str, str], Told]:
    """Return the answers of all requests by all readers after `answer` was given; undo it all."""
    told: dict[tuple[str, str], Told] = {}
    with transaction.atomic():
        world.answer(answer)
        for batch in batches(world, face):
            for name, client in world.readers.items():
                if (not only or name in only) and blindfold.is_theirs(name, batch[0]):
                    for request, answered in blindfold.answers(client, batch):
                        told[name, request.label] = answered
        transaction.set_rollback(True)
    return told


def compare(worst: dict[tuple[str, str], Told], best: dict[tuple[str, str], Told]) -> None:
    seen = [place for place, told in worst.items() if told.has_canary]
    assert seen == [], f"{len(seen)} answers hold the canary: {seen[:20]}"
    common = worst.keys() & best.keys()
    differ = sorted(
        place
        for place in common
        if (worst[place].status, worst[place].body) != (best[place].status, best[place].body)
    )
    assert differ == [], (
        f"{len(differ)} answers tell one answer from the other: {differ[:20]};"
        f" {[blindfold.first_difference(worst[one].body, best[one].body) for one in differ[::20]]}"
    )
    broken = [place for place in common if worst[place].status >= 500]
    assert broken == []
    statuses = Counter(told.status // 100 for told in worst.values())
    paths = {label for _, label in worst}
    print(f"{len(paths)} requests, {len(worst)} answers, {dict(statuses)}, canaries seen: 0")
    assert len(paths) > 30
    assert statuses[2] + statuses[3] > 30


FACES = pytest.mark.parametrize("face", list(blindfold.FACES))


@FACES
def test_no_reader_can_read_or_infer_a_blind_answer(world, face) -> None:
    some = ("nobody", "key of alan", "key of nobody") if face == "api" else ()
    compare(
        walk(world, WRONG, blindfold.reads, face, *some),
        walk(world, RIGHT, blindfold.reads, face, *some),
    )


@FACES
def test_no_write_reveals_a_blind_answer(world, face) -> None:
    some = ("nobody", "alan", "key of alan") if face != "admin" else ("mona",)
    compare(
        walk(world, WRONG, blindfold.writes, face, *some),
        walk(world, RIGHT, blindfold.writes, face, *some),
    )


def test_a_settled_answer_is_read_where_it_belongs(world, ada) -> None:
    """The walk above hides nothing for good: the canary shows once all reviewers have answered."""
    world.answer(WRONG)
    assert Feedback.objects.filter(is_sealed=True).exists()
    world.complete(ada, User.objects.get(username="alan"))
    assert not Feedback.objects.filter(is_sealed=True, review_uuid__isnull=False).exists()
    places = {
        (name, request.label)
        for face in ("pages", "api")
        for batch in blindfold.reads(world, face)
        for name, client in world.readers.items()
        if blindfold.is_theirs(name, batch[0])
        for request, told in blindfold.answers(client, batch)
        if told.has_canary
    }
    by_reader = Counter(name for name, _ in places)
    print(by_reader)
    for name in ("alan", "vera", "mona", "key of alan", "key of nobody", "nobody"):
        assert by_reader[name] > 0, f"{name} never sees a settled answer"
