"""Examples as revisions, and the versions they make."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets_app import examples, splits, versions
from datasets_app.examples import ExampleChange, ExampleInput
from datasets_app.models import DatasetVersion, Example, ExampleRevision
from tests.conftest import NOON
from tests.factories import DatasetFactory

TICK = timedelta(microseconds=1)


@pytest.fixture
def dataset(acme):
    return DatasetFactory(workspace=acme)


def state(dataset, as_of=None) -> dict:
    return {
        revision.example.uuid: revision.inputs
        for revision in ExampleRevision.objects.at(as_of)
        .filter(dataset=dataset)
        .select_related("example")
    }


def test_each_write_is_one_version_and_versions_strictly_increase(dataset) -> None:
    first = examples.create(dataset, [ExampleInput(inputs="{}") for _ in range(3)], now=NOON)
    second = examples.create(dataset, [ExampleInput(inputs="{}")], now=NOON)
    third = examples.create(dataset, [ExampleInput(inputs="{}")], now=NOON - timedelta(hours=1))
    assert [first.as_of, second.as_of, third.as_of] == [NOON, NOON + TICK, NOON + 2 * TICK]
    assert len(state(dataset, NOON)) == 3
    assert len(state(dataset, NOON - TICK)) == 0
    assert len(state(dataset)) == 5


def test_a_document_comes_back_as_the_bytes_that_were_sent(dataset) -> None:
    text = '{"b": 1.10, "a": 123456789012345678901234567890, "n": "\\u0000"}'
    [uuid] = examples.create(dataset, [ExampleInput(inputs=text)], now=NOON).example_ids
    assert state(dataset)[uuid] == text


def test_the_client_chooses_the_id_and_twice_is_once(dataset) -> None:
    uuid = uuid4()
    given = [ExampleInput(id=uuid, inputs='{"q": 1}')]
    once = examples.create(dataset, given, now=NOON)
    again = examples.create(dataset, given, now=NOON + timedelta(minutes=1))
    assert once == again
    assert once.example_ids == [uuid]
    assert DatasetVersion.objects.filter(dataset=dataset).count() == 1


def test_a_known_id_with_other_content_gets_a_revision(dataset) -> None:
    uuid = uuid4()
    examples.create(dataset, [ExampleInput(id=uuid, inputs='{"q": 1}')], now=NOON)
    later = examples.create(dataset, [ExampleInput(id=uuid, inputs='{"q": 2}')], now=NOON + TICK)
    assert state(dataset, NOON) == {uuid: '{"q": 1}'}
    assert state(dataset, later.as_of) == {uuid: '{"q": 2}'}


def test_ids_come_back_in_the_order_given_and_the_last_of_a_double_wins(dataset) -> None:
    one, two = uuid4(), uuid4()
    written = examples.create(
        dataset,
        [
            ExampleInput(id=one, inputs='{"q": 1}'),
            ExampleInput(id=two, inputs="{}"),
            ExampleInput(id=one, inputs='{"q": 3}'),
        ],
        now=NOON,
    )
    assert written.example_ids == [one, two, one]
    assert state(dataset)[one] == '{"q": 3}'


def test_an_id_of_another_dataset_is_refused_and_nothing_is_stored(dataset, acme) -> None:
    other = DatasetFactory(workspace=acme)
    uuid = uuid4()
    examples.create(other, [ExampleInput(id=uuid)], now=NOON)
    with pytest.raises(examples.IdTaken):
        examples.create(dataset, [ExampleInput(), ExampleInput(id=uuid)], now=NOON)
    assert Example.objects.filter(dataset=dataset).count() == 0


def test_another_workspace_may_use_the_same_id_and_is_never_touched(dataset, rival) -> None:
    uuid = uuid4()
    theirs = DatasetFactory(workspace=rival)
    examples.create(theirs, [ExampleInput(id=uuid, inputs='{"canary": 1}')], now=NOON)
    with pytest.raises(examples.UnknownExample):
        examples.update(dataset, [ExampleChange(uuid, inputs="{}")], now=NOON)
    with pytest.raises(examples.UnknownExample):
        examples.delete(dataset.workspace, [uuid], now=NOON)
    assert examples.erase(dataset.workspace, [uuid]) == 0
    examples.create(dataset, [ExampleInput(id=uuid, inputs="{}")], now=NOON)
    assert state(theirs) == {uuid: '{"canary": 1}'}


def test_an_update_keeps_what_it_does_not_name(dataset) -> None:
    [uuid] = examples.create(
        dataset,
        [ExampleInput(inputs='{"q": 1}', outputs='{"a": 1}', metadata={"m": 1}, splits=["train"])],
        now=NOON,
    ).example_ids
    examples.update(dataset, [ExampleChange(uuid, outputs='{"a": 2}')], now=NOON + TICK)
    now = ExampleRevision.objects.at(None).get(dataset=dataset)
    assert (now.inputs, now.outputs, now.metadata, now.splits) == (
        '{"q": 1}',
        '{"a": 2}',
        {"m": 1},
        ["train"],
    )
    examples.update(dataset, [ExampleChange(uuid, metadata={"dataset_split": ["test"]})], now=NOON)
    now = ExampleRevision.objects.at(None).get(dataset=dataset)
    assert (now.metadata, now.splits) == (None, ["test"])


def test_a_deleted_example_stays_in_older_versions_until_it_is_erased(dataset) -> None:
    uuid = uuid4()
    examples.create(dataset, [ExampleInput(id=uuid)], now=NOON)
    examples.delete(dataset.workspace, [uuid], now=NOON + TICK)
    examples.delete(dataset.workspace, [uuid], now=NOON + 5 * TICK)
    assert DatasetVersion.objects.filter(dataset=dataset).count() == 2
    assert state(dataset) == {}
    assert list(state(dataset, NOON)) == [uuid]
    examples.create(dataset, [ExampleInput(id=uuid, inputs='{"again": 1}')], now=NOON + 9 * TICK)
    assert state(dataset) == {uuid: '{"again": 1}'}
    assert examples.erase(dataset.workspace, [uuid]) == 1
    assert state(dataset, NOON) == {}


def test_one_unknown_id_stops_the_whole_deletion(dataset) -> None:
    [uuid] = examples.create(dataset, [ExampleInput()], now=NOON).example_ids
    with pytest.raises(examples.UnknownExample):
        examples.delete(dataset.workspace, [uuid, uuid4()], now=NOON + TICK)
    assert list(state(dataset)) == [uuid]


def test_the_database_refuses_to_edit_what_is_stored(dataset) -> None:
    examples.create(dataset, [ExampleInput(inputs="{}")], now=NOON)
    for table, change in (
        ("datasets_examplerevision", "inputs = '{\"a\": 2}'"),
        ("datasets_examplerevision", "valid_from = now()"),
        ("datasets_datasetversion", "as_of = now()"),
    ):
        with (
            pytest.raises(IntegrityError, match="never edited"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"UPDATE {table} SET {change}")


def test_versions_are_found_by_time_tag_and_latest(dataset) -> None:
    one = examples.create(dataset, [ExampleInput()], now=NOON).as_of
    two = examples.create(dataset, [ExampleInput()], now=NOON + timedelta(hours=1)).as_of
    versions.tag(dataset, one.isoformat(), "prod")
    assert versions.instant(dataset, "prod") == one
    assert versions.instant(dataset, "latest") is None
    assert versions.at(dataset, "latest").as_of == two
    assert versions.at(dataset, (two - TICK).isoformat()).as_of == one
    assert versions.at(dataset, two.isoformat(" ").replace("+", " ")).as_of == two
    versions.tag(dataset, "latest", "prod")
    assert versions.instant(dataset, "prod") == two
    for unknown in ("nope", (one - TICK).isoformat()):
        with pytest.raises(versions.UnknownVersion):
            versions.at(dataset, unknown)
    with pytest.raises(ValueError):
        versions.tag(dataset, None, "latest")


def test_a_diff_names_what_was_added_changed_and_removed(dataset) -> None:
    gone, kept, changed = examples.create(
        dataset, [ExampleInput(inputs="{}") for _ in range(3)], now=NOON
    ).example_ids
    examples.delete(dataset.workspace, [gone], now=NOON + TICK)
    examples.update(dataset, [ExampleChange(changed, inputs='{"q": 1}')], now=NOON + 2 * TICK)
    [added] = examples.create(dataset, [ExampleInput()], now=NOON + 3 * TICK).example_ids
    found = versions.diff(dataset, NOON.isoformat(), "latest")
    assert (found.added, found.modified, found.removed) == ([added], [changed], [gone])
    assert kept not in found.added + found.modified + found.removed
    assert versions.listed(dataset, example=changed).count() == 2
    assert versions.listed(dataset).count() == 4


def test_a_split_is_set_and_taken_away_as_a_version(dataset) -> None:
    one, two = examples.create(dataset, [ExampleInput(), ExampleInput()], now=NOON).example_ids
    examples.set_split(dataset, "train", [one], is_removed=False, now=NOON + TICK)
    held = dict(ExampleRevision.objects.at(None).values_list("example__uuid", "splits"))
    assert held == {one: ["train"], two: ["base"]}
    examples.set_split(dataset, "train", [one], is_removed=True, now=NOON + TICK)
    held = dict(ExampleRevision.objects.at(None).values_list("example__uuid", "splits"))
    assert held[one] == ["base"]


@given(st.lists(st.sampled_from(["a", "b", "base", ""])), st.sampled_from("ab"))
def test_splits_are_never_empty_and_adding_then_removing_leaves_none_behind(names, name) -> None:
    held = splits.normalised(names)
    assert held
    added = splits.changed(held, name, is_removed=False)
    assert name in added
    assert name not in splits.changed(added, name, is_removed=True)


@pytest.mark.django_db(transaction=True)
def test_writers_at_once_make_versions_one_at_a_time(acme) -> None:
    dataset = DatasetFactory(workspace=acme)
    shared = uuid4()

    def write(number: int) -> None:
        try:
            for turn in range(4):
                examples.create(
                    dataset,
                    [
                        ExampleInput(),
                        ExampleInput(id=shared, inputs=f'{{"n": {number * 10 + turn}}}'),
                    ],
                    now=NOON,
                )
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stamps = list(DatasetVersion.objects.filter(dataset=dataset).values_list("as_of", flat=True))
    assert len(stamps) == len(set(stamps)) == 24
    assert len(state(dataset)) == 25
    for stamp in stamps:
        assert list(state(dataset, stamp)).count(shared) == 1


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["create", "update", "delete"]), st.integers(0, 3), st.integers(0, 2)
        ),
        max_size=10,
    )
)
def test_every_old_version_reads_as_it_was_written(dataset, ops) -> None:
    ids = [uuid4() for _ in range(4)]
    model: dict = {}
    seen = []
    for step, (op, which, value) in enumerate(ops):
        uuid, text, now = ids[which], f'{{"v": {value}}}', NOON + step * TICK
        try:
            if op == "create":
                examples.create(dataset, [ExampleInput(id=uuid, inputs=text)], now=now)
                model[uuid] = text
            elif op == "update":
                examples.update(dataset, [ExampleChange(uuid, inputs=text)], now=now)
                assert uuid in model
                model[uuid] = text
            else:
                examples.delete(dataset.workspace, [uuid], now=now)
                model.pop(uuid, None)
        except examples.UnknownExample:
            assert uuid not in model
        seen.append((versions.newest_of(dataset), dict(model)))
    for as_of, expected in seen:
        if as_of is not None:
            here = {k: v for k, v in state(dataset, as_of).items() if k in ids}
            assert here == expected
