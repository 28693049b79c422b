"""Storing batches of run ops in real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from observatory.runs import ingest
from observatory.runs.models import Change, Project, Rejected, Run
from observatory.runs.ops import parse_op

pytestmark = pytest.mark.django_db


def create(**said):
    said.setdefault("id", str(uuid4()))
    return parse_op("create", said)


def patch(**said):
    return parse_op("patch", said)


def test_a_create_and_its_patch_make_one_finished_run_in_a_new_project(acme, now) -> None:
    run_id = uuid4()
    stored = ingest.store(
        acme,
        [
            create(id=run_id, name="answer", run_type="chain", session_name="bot",
                   start_time="2026-01-01T00:00:00", inputs={"q": 1},
                   extra={"metadata": {"tier": "pro"}, "runtime": {"sdk": "py"}}),
            patch(id=run_id, end_time="2026-01-01T00:00:02", outputs={"a": 2},
                  extra={"metadata": {"tier": "free", "more": [1]}}),
        ],
        now=now,
    )  # fmt: skip
    assert stored.run_ids == [run_id]
    run = Run.objects.get(workspace=acme, id=run_id)
    assert (run.name, run.status, run.latency_s) == ("answer", "success", 2.0)
    assert (run.inputs, run.outputs) == ('{"q":1}', '{"a":2}')
    assert run.metadata == {"tier": "free", "more": [1]}
    assert run.extra == {"runtime": {"sdk": "py"}}
    assert run.project == Project.objects.get(workspace=acme, name="bot")
    assert run.trace_id == run_id
    assert Change.objects.get().run_ids == [run_id]


def test_a_project_made_by_ingestion_starts_no_later_than_its_first_run(acme, now) -> None:
    def project(name: str) -> Project:
        return Project.objects.get(workspace=acme, name=name)

    ingest.store(
        acme,
        [
            create(session_name="old", start_time="2020-01-02T00:00:00"),
            create(session_name="old", start_time="2020-01-01T00:00:00"),
            create(session_name="new", start_time="9999-01-01T00:00:00"),
            create(session_name="silent"),
            create(session_name="staged", start_time="2020-01-01T00:00:00"),
            patch(id=uuid4(), session_name="staged", end_time="2020-01-01T00:00:01"),
        ],
        now=now,
    )
    assert project("old").start_time.isoformat() == "2020-01-01T00:00:00+00:00"
    assert project("staged").start_time == project("old").start_time
    for name in ("new", "silent"):
        assert abs(project(name).start_time - project(name).created_at) < timedelta(minutes=1)


def test_a_patch_that_names_no_project_stays_in_the_project_of_its_run(acme, now) -> None:
    run_id = uuid4()
    ingest.store(acme, [create(id=run_id, session_name="bot")], now=now)
    ingest.store(acme, [patch(id=run_id, error="broke")], now=now)
    run = Run.objects.get(id=run_id)
    assert (run.project.name, run.status) == ("bot", "error")
    assert not Project.objects.filter(name="default").exists()


@pytest.mark.parametrize("change", ["deleted", "renamed", "replaced"])
def test_a_project_that_another_process_changed_is_not_taken_from_memory(acme, now, change) -> None:
    ingest.store(acme, [create(session_name="bot")], now=now)
    old = Project.objects.get(workspace=acme, name="bot")
    if change == "deleted":
        Run.objects.all().delete()
        old.delete()
    else:
        Project.objects.filter(pk=old.pk).update(name="older bot")
    if change == "replaced":
        Project.objects.create(workspace=acme, name="bot")
    run_id = uuid4()
    ingest.store(acme, [create(id=run_id, session_name="bot"), create(session_name="x")], now=now)
    run = Run.objects.get(workspace=acme, id=run_id)
    assert (run.project.name, run.project_id == old.pk) == ("bot", False)
    assert Project.objects.filter(workspace=acme, name="bot").count() == 1
    assert Run.objects.filter(project=old.pk).count() == (0 if change == "deleted" else 1)


def test_a_batch_of_creates_for_a_known_project_costs_its_copy_and_one_statement(acme, now) -> None:
    ingest.store(acme, [create(session_name="bot")], now=now)
    batch = [create(session_name="bot") for _ in range(100)]
    with CaptureQueriesContext(connection) as asked:
        ingest.store(acme, batch, now=now)
    # The savepoint and its release, the copy, and the change that answers every question.
    assert len(asked.captured_queries) == 4
    assert Run.objects.filter(workspace=acme).count() == 101


def test_a_patch_before_its_post_takes_the_project_of_its_trace(acme, now) -> None:
    root, child = uuid4(), uuid4()
    ingest.store(acme, [patch(id=child, trace_id=root, outputs={})], now=now)
    assert Run.objects.get(id=child).project is None
    ingest.store(acme, [create(id=root, session_name="bot")], now=now)
    assert Run.objects.get(id=child).project.name == "bot"
    ingest.store(acme, [create(id=child, trace_id=root, session_name="other")], now=now)
    assert Run.objects.get(id=child).project.name == "other", "a named project beats an adopted one"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (1, 0, 2)])
def test_a_child_without_a_trace_finds_it_through_its_parents_in_any_order(
    acme, now, order
) -> None:
    root, child, grandchild = uuid4(), uuid4(), uuid4()
    ops = [
        create(id=root),
        create(id=child, parent_run_id=root),
        create(id=grandchild, parent_run_id=child),
    ]
    for number in order:
        ingest.store(acme, [ops[number]], now=now)
    assert set(Run.objects.values_list("trace_id", flat=True)) == {root}


def test_a_create_that_names_no_project_goes_to_the_default_one(acme, now) -> None:
    ingest.store(acme, [create()], now=now)
    assert Run.objects.get().project.name == "default"


def test_a3_an_unknown_session_id_costs_only_its_own_run(acme, rival, now) -> None:
    theirs = Project.objects.create(workspace=rival, name="theirs")
    good, bad = create(session_name="bot"), create(session_id=theirs.uuid)
    stored = ingest.store(acme, [good, bad], now=now)
    assert stored.run_ids == [good.id]
    rejected = Rejected.objects.get(workspace=acme)
    assert (rejected.code, UUID(rejected.item_id)) == ("unknown_session", bad.id)


def test_a3_a_run_that_postgresql_refuses_costs_only_itself(acme, now) -> None:
    ops = [create() for _ in range(10)]
    ops[4].inputs = b'{"not": json}'  # as if every check before had a hole
    stored = ingest.store(acme, ops, now=now)
    assert len(stored.run_ids) == 9
    assert Rejected.objects.get().code == "refused"
    assert Run.objects.count() == 9
    assert Change.objects.count() == 1


def test_costs_are_stored_to_twelve_decimals(acme, now) -> None:
    amounts = ["0", "0.1", "12.5", "0.000000000001", "99999.000100002", "10000", "1e-13", "3e7"]
    ops = [
        create(outputs={"usage_metadata": {"total_cost": amount, "input_tokens": 3}})
        for amount in amounts
    ]
    ingest.store(acme, ops, now=now)
    for op, amount in zip(ops, amounts, strict=True):
        run = Run.objects.get(id=op.id)
        assert float(run.total_cost) == pytest.approx(float(amount), abs=1e-12)
        assert run.prompt_tokens == run.total_tokens == 3


def test_a_workspace_never_touches_the_runs_of_another(acme, rival, now) -> None:
    run_id = uuid4()
    ingest.store(acme, [create(id=run_id, name="ours")], now=now)
    ingest.store(rival, [create(id=run_id, name="theirs")], now=now)
    assert Run.objects.get(workspace=acme, id=run_id).name == "ours"
    assert Run.objects.get(workspace=rival, id=run_id).name == "theirs"
