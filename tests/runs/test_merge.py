"""A2: the merge rule, and PostgreSQL held against it."""

from __future__ import annotations

import itertools
import json
import random
import threading
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import orjson
import pytest
from django.db import OperationalError, connection, transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from observatory import exact
from observatory.runs import adoption, ingest, merge, projects
from observatory.runs.models import Change, Run
from observatory.runs.ops import RunOp, parse_op
from tests.factories import WorkspaceFactory

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = [
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.000001Z",
    "2026-01-02 00:00:00",
    1_767_225_600_000,
]
RUNS = [UUID(int=number) for number in (1, 2)]

texts = st.sampled_from(["", "a", "B", "ä", "z\u0301", "\U0001f600", "\u0000"])
numbers = st.sampled_from([0, 1, -2, 1.50, 10**25, 1e-7, 1e20])
leaves = st.none() | st.booleans() | numbers | texts
members = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
objects = st.dictionaries(texts, members, max_size=2)
usage = st.fixed_dictionaries(
    {},
    optional={
        "input_tokens": st.integers(0, 2),
        "total_cost": st.sampled_from([0.1, "0.25", 3]),
        "input_token_details": st.dictionaries(
            st.sampled_from("ab"), st.integers(0, 2), max_size=2
        ),
    },
)


def _dump(value: object) -> bytes:
    return json.dumps(value).encode()  # not orjson: integers of any size


@st.composite
def ops(draw) -> RunOp:
    """A create or a patch of one of two runs, saying little, so that ops often disagree."""
    said: dict[str, object] = {"id": str(draw(st.sampled_from(RUNS)))}
    for name, strategy in {
        "name": texts,
        "run_type": st.sampled_from(["llm", "chain"]),
        "start_time": st.sampled_from(TIMES),
        "end_time": st.sampled_from(TIMES),
        "error": texts,
        "inputs": objects,
        "outputs": objects | st.fixed_dictionaries({"usage_metadata": usage}),
        "events": st.just([{"name": "new_token", "time": "2026-01-01T00:00:00Z"}]),
        "serialized": objects,
        "extra": st.fixed_dictionaries({"metadata": st.dictionaries(texts, members, max_size=3)}, optional={"runtime": members}),
        "tags": st.lists(texts, max_size=3),
        "session_name": st.sampled_from(["one", "two"]),
        "trace_id": st.sampled_from([*RUNS, UUID(int=9)]).map(str),
        "reference_example_id": st.sampled_from(RUNS).map(str),
    }.items():  # fmt: skip
        if draw(st.booleans()) and draw(st.booleans()):
            said[name] = draw(st.none() | strategy)
    return parse_op(draw(st.sampled_from(["create", "patch"])), _dump(said))


lists_of_ops = st.lists(ops(), min_size=1, max_size=5)


def _fold(these: list[RunOp]) -> merge.Row:
    return merge.fold([(op, None) for op in these])


@given(lists_of_ops, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_a2_merging_is_commutative_associative_and_idempotent(these, rng) -> None:
    same = [op for op in these if op.id == these[0].id]
    expected = _fold(same)
    shuffled = same + rng.choices(same, k=3)
    rng.shuffle(shuffled)
    cut = rng.randrange(len(shuffled) + 1)
    assert _canonical(_fold(shuffled)) == _canonical(expected)
    halves = merge.merge(_fold(shuffled[:cut]), _fold(shuffled[cut:]))
    assert _canonical(halves) == _canonical(expected)


def _canonical(row: merge.Row) -> object:
    values = {name: merge.ordering(merge.FIELDS[name], value) for name, value in row.values.items()}
    metadata = {key: merge.jsonb_text(value) for key, value in row.metadata.items()}
    return values, metadata, row.clock, row.is_sanitized


def _stored(workspace) -> dict[UUID, object]:
    """Return each run as PostgreSQL holds it, in the terms of `merge`."""
    names = [name for name in merge.FIELDS if name != "project_id"]
    columns = [
        f"r.{name}::text"
        if merge.FIELDS[name] in {merge.Order.JSON, merge.Order.JSONB}
        else f"r.{name}"
        for name in names
    ]
    found = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT r.id, p.name, is_sanitized, clock::text, {', '.join(columns)},"
            " (SELECT jsonb_object_agg(key, value::text) FROM jsonb_each(r.metadata))::text"
            " FROM runs_run r LEFT JOIN runs_project p ON p.id = r.project_id"
            " WHERE r.workspace_id = %s",
            [workspace.pk],
        )
        for run_id, project, is_sanitized, clock, *values, metadata in cursor.fetchall():
            row = dict(zip(names, values, strict=True))
            if row["trace_id"] == run_id:
                row["trace_id"] = None
            for name, value in row.items():
                if value is not None and merge.FIELDS[name] is merge.Order.TEXTS:
                    row[name] = [text.encode() for text in value]
                elif isinstance(value, str):
                    row[name] = value.encode()
            found[run_id] = (
                project,
                {name: value for name, value in row.items() if value is not None},
                {k: v.encode() for k, v in orjson.loads(metadata or "{}").items()},
                {k: v for k, v in orjson.loads(clock or "{}").items() if k != "project_id"},
                is_sanitized,
            )
    return found


def _modelled(these: list[RunOp]) -> dict[UUID, object]:
    """Return what `merge` says each run must be. The projects rank as their ids do: by name."""
    ranks = {"default": 0, "one": 1, "two": 2}
    names = {number: name for name, number in ranks.items()}
    found = {}
    for run_id in {op.id for op in these}:
        row = merge.fold(
            [
                (op, ranks[op.session_name or "default"] if op.session_name or op.kind == "create" else None)
                for op in these
                if op.id == run_id
            ]
        )  # fmt: skip
        values, metadata, clock, is_sanitized = _canonical(row)
        clock.pop("project_id", None)
        project = names.get(values.pop("project_id", None))
        found[run_id] = (project, values, metadata, clock, is_sanitized)
    return found


def _workspace():
    workspace = WorkspaceFactory(slug=f"w{uuid4().hex[:12]}")
    for name in ("default", "one", "two"):
        projects.resolve(workspace, {name})
    return workspace


AN_EXPONENT = {"id": str(UUID(int=1)), "extra": {"metadata": {"n": 1e20}}}


@pytest.mark.django_db(transaction=True)
@given(lists_of_ops, st.randoms(use_true_random=False))
@example([parse_op("create", json.dumps(AN_EXPONENT).encode())], random.Random(1))
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a2_any_order_batching_and_repetition_equals_the_model(transactional_db, these, rng) -> None:  # fmt: skip
    workspace = _workspace()
    sent = these + rng.choices(these, k=rng.randrange(4))
    rng.shuffle(sent)
    expected = _modelled(these)
    with _Alone():
        while sent:
            n = rng.randrange(len(sent)) + 1
            now_sent, sent = sent[:n], sent[n:]
            mode = rng.choice([None, ingest.Mode.STAGED, ingest.Mode.ONE_BY_ONE])
            if mode is None:
                ingest.store(workspace, now_sent, now=NOW)
            else:
                with transaction.atomic():
                    ingest.store(workspace, now_sent, now=NOW, mode=mode)
    assert _stored(workspace) == expected


class _Alone:
    """Leave out what a run takes over from others: the model looks at one run alone."""

    def __enter__(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(adoption, "adopt", lambda *_: [])

    def __exit__(self, *_: object) -> None:
        self.patch.undo()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(3))
def test_a2_eight_threads_sending_the_same_ops_in_their_own_order_converge(transactional_db, seed) -> None:  # fmt: skip
    rng = random.Random(seed)
    workspace = _workspace()
    run_ids = [UUID(int=rng.getrandbits(128)) for _ in range(12)]
    these = []
    for run_id in run_ids:
        for number in range(3):
            said = {"id": str(run_id), "session_name": rng.choice(["one", "two"]), "name": f"n{number}",
                    "inputs": {"n": number}, "extra": {"metadata": {"k": number, f"k{number}": 1}}}  # fmt: skip
            these.append(parse_op("create", said))
            said |= {"end_time": rng.choice(TIMES), "outputs": {"n": rng.random()}}
            these.append(parse_op("patch", said))
    failures: list[BaseException] = []

    def send(own: random.Random) -> None:
        mine = list(these)
        own.shuffle(mine)
        try:
            while mine:
                n = own.randrange(1, 12)
                try:
                    ingest.store(workspace, mine[:n], now=NOW)
                except OperationalError:  # a crowded machine: 503, and the SDK sends it again
                    continue
                mine = mine[n:]
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [
        threading.Thread(target=send, args=(random.Random(seed * 100 + n),)) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert _stored(workspace) == _modelled(these)
    assert Run.objects.filter(workspace=workspace).count() == len(run_ids)
    assert {run_id for change in Change.objects.filter(workspace=workspace) for run_id in change.run_ids} == set(run_ids)  # fmt: skip


@pytest.mark.django_db
@given(members | objects)
@example({"a number with an exponent": 1e20})
@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a2_jsonb_text_equals_postgresqls(db, value) -> None:
    document = _dump(value).replace(b"\\u0000", b"x")
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb::text", [exact.for_jsonb(document).decode()])
        assert merge.jsonb_text(document).decode() == cursor.fetchone()[0]


def test_a_later_patch_outranks_an_earlier_one_and_any_create() -> None:
    run_id = uuid4()

    def op(kind, **said):
        return parse_op(kind, {"id": run_id, **said})

    create = op("create", name="z", end_time="2027-01-01")
    early = op("patch", name="y", end_time="2026-01-01")
    late = op("patch", name="a", end_time="2026-01-02")
    silent = op("patch", end_time="2026-01-03", name=None)
    for order in itertools.permutations([create, early, late, silent]):
        row = _fold(list(order))
        assert row.values["name"] == "a"
        assert row.values["end_time"] == datetime(2026, 1, 3, tzinfo=UTC)


def test_costs_compare_as_amounts() -> None:
    assert merge.ordering(merge.Order.NATURAL, Decimal("9")) < merge.ordering(
        merge.Order.NATURAL, Decimal("10")
    )
