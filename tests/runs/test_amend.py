"""Amending a run: what an op cannot do, take something away."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from observatory.runs import ingest
from observatory.runs.amend import Amendment, amend
from observatory.runs.models import Change, Run
from observatory.runs.ops import parse_op
from tests.conftest import NOON

RUN = UUID(int=7)


@pytest.fixture
def run(acme) -> Run:
    ingest.store(acme, [parse_op("create", CREATE)], now=NOON)
    Change.objects.all().delete()
    return Run.objects.get(workspace=acme)


CREATE = {
    "id": str(RUN),
    "name": "answer",
    "start_time": NOON.isoformat(),
    "session_name": "default",
    "tags": ["beta", "pending"],
    "extra": {"metadata": {"tier": "free", "attempt": 12345678901234567890}, "sdk": "x"},
}


def test_members_and_tags_are_set_and_taken_away_and_the_rest_stays(acme, run) -> None:
    wish = Amendment(
        metadata={"user_feedback": "negative"},
        metadata_gone=frozenset({"tier"}),
        tags=("thumbs-down", "beta"),
        tags_gone=frozenset({"pending"}),
    )
    assert amend(acme, RUN, wish, now=NOON)
    run.refresh_from_db()
    assert run.metadata == {"attempt": 12345678901234567890, "user_feedback": "negative"}
    assert run.tags == ["beta", "thumbs-down"]
    assert run.extra == {"sdk": "x"}
    assert Change.objects.get().run_ids == [RUN]


def test_a_run_fails_and_is_mended(acme, run) -> None:
    end = NOON + timedelta(seconds=2)
    amend(acme, RUN, Amendment(error="failure", end_time=end), now=NOON)
    run.refresh_from_db()
    assert (run.status, run.latency_s) == ("error", 2.0)
    amend(acme, RUN, Amendment(error=""), now=NOON)
    run.refresh_from_db()
    assert (run.status, run.end_time) == ("success", end)


def test_a_repeated_create_and_an_earlier_patch_do_not_undo_it(acme, run) -> None:
    amend(acme, RUN, Amendment(metadata={"tier": "gold"}, tags=("vip",)), now=NOON)
    patch = {"id": str(RUN), "end_time": (NOON - timedelta(1)).isoformat()}
    ingest.store(
        acme,
        [
            parse_op("create", CREATE),
            parse_op("patch", patch | {"extra": {"metadata": {"tier": "lead"}}, "tags": ["zz"]}),
        ],
        now=NOON,
    )
    run.refresh_from_db()
    assert run.metadata["tier"] == "gold"
    assert run.tags == ["beta", "pending", "vip"]


def test_an_unknown_run_and_another_workspaces_are_not_amended(acme, rival, run) -> None:
    assert not amend(rival, RUN, Amendment(tags=("x",)), now=NOON)
    assert not amend(acme, UUID(int=8), Amendment(tags=("x",)), now=NOON)
    assert not Change.objects.exists()
