"""/datasets and /examples as the SDKs' JSON calls use them."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from datasets_app import examples
from datasets_app.examples import ExampleChange, ExampleInput
from tests.conftest import NOON
from tests.factories import DatasetFactory, ProjectFactory


@pytest.fixture
def dataset(acme):
    return DatasetFactory(workspace=acme, name="golden")


def made(api, **body) -> dict:
    answer = api.post("/datasets", {"name": "golden", **body})
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_dataset_is_created_with_the_clients_id_and_found_by_name(api) -> None:
    uuid = str(uuid4())
    sent = made(
        api,
        id=uuid,
        description="d",
        transformations=None,
        extra={"metadata": {"team": "a"}, "source": "sdk"},
        inputs_schema_definition={"type": "object"},
    )
    assert sent["id"] == uuid
    assert sent["metadata"] == {"team": "a"}
    assert sent["data_type"] == "kv"
    [found] = api.get("/datasets", name="golden", limit=1).json()
    assert found == sent
    assert api.get(f"/api/v1/datasets/{uuid}/").json() == sent
    assert api.get("/datasets", metadata='{"team": "a"}').json() == [sent]
    assert api.get("/datasets", metadata='{"team": "b"}').json() == []


def test_an_unknown_name_is_an_empty_list_and_a_double_one_a_conflict(api, rival_api) -> None:
    assert api.get("/datasets", name="golden").json() == []
    made(api)
    again = api.post("/datasets", {"name": "golden"})
    assert again.status_code == 409
    assert "already exists" in again.json()["detail"]
    made(rival_api)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": 3},
        {"name": "x", "data_type": "csv"},
        {"name": "x", "id": "no"},
        {"name": "x", "extra": []},
        [1],
    ],
)
def test_an_invalid_dataset_is_refused(api, body) -> None:
    assert api.post("/datasets", body).status_code == 422


def test_a_patch_keeps_what_is_absent_or_missing_and_a_null_takes_away(api) -> None:
    schema = {"type": "object"}
    uuid = made(api, description="kept", metadata={"a": 1}, outputs_schema_definition=schema)["id"]
    answer = api.patch(
        f"/datasets/{uuid}",
        {
            "name": "silver",
            "outputs_schema_definition": None,
            "metadata": {"__missing__": "__missing__"},
        },
    )
    assert answer.status_code == 200
    assert answer.json()["outputs_schema_definition"] is None
    assert (answer.json()["name"], answer.json()["description"]) == ("silver", "kept")
    assert answer.json()["metadata"] == {"a": 1}
    made(api, name="other")
    assert api.patch(f"/datasets/{uuid}", {"name": "other"}).status_code == 409


def test_a_deleted_dataset_is_gone(api, dataset) -> None:
    examples.create(dataset, [ExampleInput()], now=NOON)
    assert api.delete(f"/datasets/{dataset.uuid}").status_code == 200
    assert api.get(f"/datasets/{dataset.uuid}").status_code == 404


def test_counts_come_with_the_list_in_a_flat_number_of_queries(
    api, acme, django_assert_max_num_queries
) -> None:
    for number in range(12):
        dataset = DatasetFactory(workspace=acme)
        examples.create(dataset, [ExampleInput() for _ in range(number)], now=NOON)
        ProjectFactory(workspace=acme, reference_dataset_id=dataset.uuid, start_time=NOON)
    with django_assert_max_num_queries(3):
        found = api.get("/datasets", limit=100, sort_by="example_count").json()
    assert [row["example_count"] for row in found] == list(range(11, -1, -1))
    assert {row["session_count"] for row in found} == {1}
    assert found[0]["last_session_start_time"].startswith("2026-11-20T12:00:00")


def test_an_example_is_read_back_as_it_was_sent(api, dataset) -> None:
    uuid, run_id = str(uuid4()), str(uuid4())
    answer = api.send(
        "POST",
        "/examples",
        {
            "id": uuid,
            "dataset_id": str(dataset.uuid),
            "inputs": {"n": 123456789012345678901234567890},
            "outputs": {"a": None},
            "metadata": {"m": 1},
            "split": "train",
            "source_run_id": run_id,
        },
    )
    assert answer.status_code == 200, answer.content
    sent = answer.json()
    assert sent["id"] == uuid
    assert sent["inputs"] == {"n": 123456789012345678901234567890}
    assert sent["metadata"] == {"m": 1, "dataset_split": ["train"]}
    assert sent["source_run_id"] == run_id
    assert sent["name"] == f"#{uuid[:4]} @ golden"
    assert sent["modified_at"] == sent["created_at"]
    assert api.get(f"/examples/{uuid}").json() == sent
    assert api.get("/examples", dataset=dataset.uuid).json() == [sent]


def test_stored_documents_go_out_byte_for_byte(api, dataset) -> None:
    text = '{"b":1.10,  "a":[ ]}'
    examples.create(dataset, [ExampleInput(inputs=text)], now=NOON)
    assert text.encode() in api.get("/examples", dataset=dataset.uuid).content


def test_pages_are_filled_exactly_and_do_not_overlap(api, dataset) -> None:
    examples.create(dataset, [ExampleInput() for _ in range(25)], now=NOON)
    seen = []
    for offset in (0, 10, 20):
        page = api.get("/examples", dataset=dataset.uuid, limit=10, offset=offset).json()
        seen += [row["id"] for row in page]
        assert len(page) == (5 if offset == 20 else 10)
    assert len(set(seen)) == 25
    assert api.get("/examples/count", dataset=dataset.uuid).json() == 25


def test_a_page_of_examples_costs_four_queries(api, dataset, django_assert_max_num_queries) -> None:
    api.get("/datasets")  # the first call of a key also notes that it was used
    examples.create(dataset, [ExampleInput() for _ in range(50)], now=NOON)
    with django_assert_max_num_queries(4):
        assert len(api.get("/examples", dataset=dataset.uuid).json()) == 50


def test_the_greatest_modified_at_reads_back_that_very_version(api, dataset) -> None:
    [uuid] = examples.create(dataset, [ExampleInput(inputs='{"v": 1}')], now=NOON).example_ids
    before = api.get("/examples", dataset=dataset.uuid).json()[0]["modified_at"]
    examples.update(
        dataset, [ExampleChange(uuid, inputs='{"v": 2}')], now=NOON + timedelta(microseconds=1)
    )
    after = api.get("/examples", dataset=dataset.uuid).json()[0]["modified_at"]
    for as_of, value in ((before, 1), (after, 2), ("latest", 2)):
        [row] = api.get("/examples", dataset=dataset.uuid, as_of=as_of).json()
        assert row["inputs"] == {"v": value}
        assert api.get(f"/examples/{uuid}", as_of=as_of).json()["inputs"] == {"v": value}
    assert api.get("/examples", dataset=dataset.uuid, as_of="no-such-tag").status_code == 404


def test_examples_are_chosen_by_split_metadata_id_and_text(api, dataset) -> None:
    one, two, three = examples.create(
        dataset,
        [
            ExampleInput(splits=["train"], metadata={"tier": "gold"}, inputs='{"q": "Refund"}'),
            ExampleInput(splits=["test", "hard"], metadata={"tier": "gold", "n": 2}),
            ExampleInput(outputs='{"a": "refunded"}'),
        ],
        now=NOON,
    ).example_ids

    def ids(**query) -> set:
        return {row["id"] for row in api.get("/examples", dataset=dataset.uuid, **query).json()}

    assert ids(splits=["train", "hard"]) == {str(one), str(two)}
    assert ids(splits="base") == {str(three)}
    assert ids(metadata='{"tier": "gold", "n": 2}') == {str(two)}
    assert ids(id=[str(one), str(three)]) == {str(one), str(three)}
    assert ids(full_text_contains="refund") == {str(one), str(three)}
    assert len(ids(order="random", random_seed="1")) == 3
    assert api.get("/examples", id=str(one)).json()[0]["id"] == str(one)
    assert api.get("/examples", metadata="[1]").status_code == 422
    assert api.get("/examples", order="best").status_code == 422


def test_bulk_writes_are_all_or_nothing_and_keep_the_order(api, dataset) -> None:
    ids = [str(uuid4()) for _ in range(3)]
    sent = [
        {"id": uuid, "dataset_id": str(dataset.uuid), "inputs": {"n": n}}
        for n, uuid in enumerate(ids)
    ]
    assert [row["id"] for row in api.post("/examples/bulk", sent).json()] == ids
    bad = [
        {"dataset_id": str(dataset.uuid), "inputs": {}},
        {"dataset_id": str(dataset.uuid), "inputs": 3},
    ]
    assert api.post("/examples/bulk", bad).status_code == 422
    assert api.get("/examples/count").json() == 3
    changed = [{"id": uuid, "outputs": {"a": 1}} for uuid in ids]
    assert api.patch("/examples/bulk", changed).json()["count"] == 3
    assert {str(row["outputs"]) for row in api.get("/examples").json()} == {"{'a': 1}"}


def test_examples_are_changed_and_deleted(api, dataset) -> None:
    one, two = examples.create(
        dataset, [ExampleInput(inputs='{"q": 1}'), ExampleInput()], now=NOON
    ).example_ids
    changed = api.patch(f"/examples/{one}", {"outputs": {"a": 1}, "split": ["test"]}).json()
    assert (changed["inputs"], changed["outputs"]) == ({"q": 1}, {"a": 1})
    assert changed["metadata"]["dataset_split"] == ["test"]
    assert api.delete(f"/examples/{one}").status_code == 200
    assert api.get(f"/examples/{one}").status_code == 404
    assert api.send("DELETE", f"/examples?example_ids={two}").status_code == 200
    assert api.get("/examples").json() == []
    assert len(api.get("/examples", dataset=dataset.uuid, as_of=NOON.isoformat()).json()) == 2
    erased = api.post(
        "/v1/platform/datasets/examples/delete", {"example_ids": [str(one)], "hard_delete": True}
    )
    assert erased.status_code == 200
    assert len(api.get("/examples", dataset=dataset.uuid, as_of=NOON.isoformat()).json()) == 1


def test_versions_tags_and_the_difference(api, dataset) -> None:
    path = f"/datasets/{dataset.uuid}"
    assert api.get(f"{path}/version", tag="latest").status_code == 404
    first = examples.create(dataset, [ExampleInput()], now=NOON)
    second = examples.create(dataset, [ExampleInput()], now=NOON + timedelta(hours=1))
    assert api.put(f"{path}/tags", {"as_of": NOON.isoformat(), "tag": "prod"}).status_code == 200
    listed = api.get(f"{path}/versions").json()
    assert [row["tags"] for row in listed] == [["latest"], ["prod"]]
    assert [datetime.fromisoformat(row["as_of"]) for row in listed] == [second.as_of, first.as_of]
    assert api.get(f"{path}/versions", search="pro").json() == listed[1:]
    assert api.get(f"{path}/version", as_of="2026-11-20 12:00:01+00:00").json() == listed[1]
    assert api.get(f"{path}/version", tag="latest").json() == listed[0]
    assert api.get(f"{path}/version", tag="nope").status_code == 404
    difference = api.get(f"{path}/versions/diff", from_version="prod", to_version="latest").json()
    assert difference == {
        "examples_added": [str(second.example_ids[0])],
        "examples_modified": [],
        "examples_removed": [],
    }


def test_splits_are_listed_and_set(api, dataset) -> None:
    [uuid] = examples.create(dataset, [ExampleInput()], now=NOON).example_ids
    path = f"/datasets/{dataset.uuid}/splits"
    assert api.get(path).json() == ["base"]
    body = {"split_name": "train", "examples": [str(uuid)], "remove": False}
    assert api.put(path, body).status_code == 200
    assert api.get(path).json() == ["train"]
    assert api.get(path, as_of=NOON.isoformat()).json() == ["base"]


def test_another_workspaces_rows_look_unknown(api, rival_api, dataset) -> None:
    [uuid] = examples.create(dataset, [ExampleInput(inputs='{"canary": 1}')], now=NOON).example_ids
    unknown = uuid4()
    for method, path, body in (
        ("GET", "/datasets/{d}", None),
        ("PATCH", "/datasets/{d}", {"name": "x"}),
        ("DELETE", "/datasets/{d}", None),
        ("GET", "/datasets/{d}/versions", None),
        ("GET", "/datasets/{d}/version?tag=latest", None),
        ("GET", "/datasets/{d}/versions/diff?from_version=latest&to_version=latest", None),
        ("PUT", "/datasets/{d}/tags", {"as_of": "latest", "tag": "t"}),
        ("GET", "/datasets/{d}/splits", None),
        ("PUT", "/datasets/{d}/splits", {"split_name": "s", "examples": ["{e}"]}),
        ("GET", "/examples?dataset={d}", None),
        ("POST", "/examples", {"dataset_id": "{d}", "inputs": {}}),
        ("GET", "/examples/{e}", None),
        ("GET", "/examples/{e}?as_of=latest", None),
        ("PATCH", "/examples/{e}", {"inputs": {}}),
        ("DELETE", "/examples/{e}", None),
        ("DELETE", "/examples?example_ids={e}", None),
    ):
        answers = []
        for d, e in ((dataset.uuid, uuid), (unknown, unknown)):
            sent = {
                k: v.format(d=d, e=e) if isinstance(v, str) else v for k, v in (body or {}).items()
            }
            if "examples" in sent:
                sent["examples"] = [str(e)]
            answer = rival_api.send(method, path.format(d=d, e=e), sent or None)
            answers.append((answer.status_code, answer.content))
        assert answers[0] == answers[1], path
        assert answers[0][0] == 404, path
    rival_api.post(
        "/v1/platform/datasets/examples/delete", {"example_ids": [str(uuid)], "hard_delete": True}
    )
    assert rival_api.get("/examples").json() == []
    assert rival_api.get("/examples", id=str(uuid)).json() == []
    assert api.get(f"/examples/{uuid}").json()["inputs"] == {"canary": 1}


def test_examples_are_filtered_by_metadata(api, dataset) -> None:
    given = [
        ExampleInput(inputs='{"n":1}', metadata={"foo": "bar", "tenant_id": 1}),
        ExampleInput(inputs='{"n":2}', metadata={"tenant_id": 2}),
        ExampleInput(inputs='{"n":3}'),
    ]
    ids = examples.create(dataset, given, now=NOON).example_ids

    def found(text: str) -> list[int]:
        listed = api.get("/examples", dataset=str(dataset.uuid), filter=text).json()
        counted = api.get("/examples/count", dataset=str(dataset.uuid), filter=text).json()
        assert counted == len(listed)
        return sorted(example["inputs"]["n"] for example in listed)

    # The example of the SDK's own documentation
    text = """and(not(has(metadata, '{"foo": "bar"}')), exists(metadata, "tenant_id"))"""
    assert found(text) == [2]
    assert found("""not(has(metadata, '{"foo": "bar"}'))""") == [2, 3]
    assert found("""has(metadata, '{"tenant_id": 1}')""") == [1]
    assert found(f'or(eq(id, "{ids[2]}"), exists(metadata, "foo"))') == [1, 3]
    assert found(f'neq(id, "{ids[0]}")') == [2, 3]
    for wrong in ('gt(latency, "5s")', "has(metadata, '[1]')", "eq("):
        answer = api.get("/examples", dataset=str(dataset.uuid), filter=wrong)
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("filter: ")
