"""/api/v2/datasets and /api/v2/sessions: pages by cursor, types of projects, nulls that take away."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from datasets_app import catalogue
from tests.conftest import NOON

pytestmark = pytest.mark.django_db
DATASETS, SESSIONS = "/api/v2/datasets", "/api/v2/sessions"


@pytest.fixture
def datasets(acme) -> list[str]:
    made = [
        catalogue.create(acme, now=NOON + timedelta(seconds=n), name=f"dataset {n}")
        for n in range(5)
    ]
    return [str(one.uuid) for one in made]


def walked(api, path: str, asked: dict, between=lambda: None) -> list[list[str]]:
    pages, cursor = [], None
    while True:
        answer = api.get(path, **asked, **({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.content
        pages.append([one["name"] for one in answer.json()["items"]])
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return pages
        between()


def project(api, **fields) -> dict:
    answer = api.post(SESSIONS, {"type": "PROJECT", **fields})
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_datasets_come_in_exact_pages_even_if_some_are_made_meanwhile(
    api, rival_api, acme, datasets
) -> None:
    def another() -> None:
        catalogue.create(acme, now=NOON + timedelta(days=1), name=f"late {uuid4()}")

    pages = walked(api, DATASETS, {"page_size": 2}, another)
    assert pages == [["dataset 4", "dataset 3"], ["dataset 2", "dataset 1"], ["dataset 0"]]
    ascending = {"page_size": 5, "sort_by": "name", "sort_order": "asc", "name_contains": "SET"}
    assert walked(api, DATASETS, ascending) == [[f"dataset {n}" for n in range(5)]]
    assert walked(rival_api, DATASETS, {"id": datasets}) == [[]]


def test_datasets_without_a_value_come_last_in_both_orders(api, datasets) -> None:
    experiment = {"type": "EXPERIMENT", "name": "e", "reference_dataset_id": datasets[2]}
    assert api.post(SESSIONS, experiment).status_code == 200
    for order in ("asc", "desc"):
        asked = {"sort_by": "last_session_start_time", "sort_order": order}
        [names] = walked(api, DATASETS, asked)
        assert names[0] == "dataset 2"
        assert len(names) == 5


def test_datasets_are_chosen_and_their_counts_left_out(api, datasets) -> None:
    [one] = api.get(DATASETS, name="dataset 1", exclude="example_count").json()["items"]
    assert (one["id"], one["example_count"]) == (datasets[1], None)
    assert walked(api, DATASETS, {"data_type": "chat"}) == [[]]
    assert walked(api, DATASETS, {"tag_value_id": str(uuid4())}) == [[]]
    for wrong, name in (
        ({"sort_by": "colour"}, "sort_by"),
        ({"sort_order": "up"}, "sort_order"),
        ({"cursor": "WzEsIC0xXQ=="}, "cursor"),
        ({"cursor": "nonsense"}, "cursor"),
    ):
        answer = api.get(DATASETS, **wrong)
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith(name)


def test_projects_have_a_type_and_come_in_exact_pages(api, rival_api, datasets) -> None:
    for n in range(3):
        made = project(api, name=f"p{n}")
        assert (made["type"], made["trace_tier"]) == ("PROJECT", None)
    asked = {"type": "EXPERIMENT", "name": "e0", "reference_dataset_id": datasets[0]}
    told = api.post(SESSIONS, asked | {"num_examples": 2, "trace_tier": "SHORT_LIVED"}).json()
    assert (told["type"], told["trace_tier"]) == ("EXPERIMENT", "SHORT_LIVED")
    assert told["experiment_progress"]["expected_run_count"] == 2
    assert api.get(f"/sessions/{told['id']}").json()["trace_tier"] == "shortlived"

    by_name = {"sort_by": "NAME", "sort_order": "asc", "page_size": 2}
    assert walked(api, SESSIONS, by_name | {"type": ["PROJECT", "AGENT"]}) == [["p0", "p1"], ["p2"]]
    assert walked(api, SESSIONS, by_name | {"type": "EXPERIMENT"}) == [["e0"]]
    assert walked(api, SESSIONS, {"type": "AGENT"}) == [[]]
    assert walked(api, SESSIONS, {"reference_dataset_id": datasets[0]}) == [["e0"]]
    by_figure = {"sort_by": "LATENCY_P50", "page_size": 3, "include_stats": True}
    assert sorted(name for page in walked(api, SESSIONS, by_figure) for name in page) == [
        "e0",
        "p0",
        "p1",
        "p2",
    ]
    assert walked(rival_api, SESSIONS, {"id": told["id"]}) == [[]]


def test_a_project_is_made_once_changed_and_emptied(api, rival_api) -> None:
    made = project(api, name="p", description="d", extra={"metadata": {"a": 1}})
    assert api.post(SESSIONS, {"type": "PROJECT", "name": "p"}).status_code == 409
    again = api.post(f"{SESSIONS}?upsert=true", {"type": "PROJECT", "name": "p"})
    assert again.json()["id"] == made["id"]
    path = f"{SESSIONS}/{made['id']}"
    changed = api.patch(path, {"name": "q", "description": None, "extra": None}).json()
    assert (changed["name"], changed["description"], changed["extra"]) == ("q", None, {})
    read = api.get(path, include_stats=True).json()
    assert (read["name"], read["run_count"], read["feedback_stats"]) == ("q", 0, {})
    assert "run_count" not in api.get(path).json()
    assert project(api)["name"].startswith("project-")
    assert rival_api.get(path).status_code == rival_api.patch(path, {}).status_code == 404
    for wrong, name in (
        ({}, "type"),
        ({"type": "AGENT"}, "type"),
        ({"type": "EXPERIMENT"}, "reference_dataset_id"),
        ({"type": "PROJECT", "reference_dataset_id": str(uuid4())}, "reference_dataset_id"),
        ({"type": "PROJECT", "trace_tier": "longlived"}, "trace_tier"),
        ({"type": "PROJECT", "tag_value_ids": [str(uuid4())]}, "tag_value_ids"),
    ):
        answer = api.post(SESSIONS, wrong)
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(name)


def test_projects_are_sorted_by_feedback_of_runs_or_of_themselves(api) -> None:
    low, high = project(api, name="low"), project(api, name="high")
    for one, score in ((low, 0.1), (high, 0.9)):
        given = {"key": "liked", "score": score, "session_id": one["id"]}
        assert api.post("/feedback", given).status_code in (200, 201)
    asked = {"sort_by": "FEEDBACK", "sort_by_feedback_key": "liked", "include_stats": True}
    answer = api.get(SESSIONS, **asked, sort_by_feedback_source="SESSION").json()
    assert [one["name"] for one in answer["items"]] == ["high", "low"]
    stats = answer["items"][0]["session_feedback_stats"]["liked"]
    assert (stats["n"], stats["avg"], stats["type"]) == (1, 0.9, "PRIMARY")
    assert api.get(SESSIONS, **asked, sort_by_feedback_source="SIDE").status_code == 422


FILTERS = {
    'eq(name, "alpha")': ["alpha"],
    'neq(name, "alpha")': ["beta", "gamma"],
    'in(name, ["alpha", "gamma", "delta"])': ["alpha", "gamma"],
    'search(name, "ET")': ["beta"],
    'like(name, "%a_ma")': ["gamma"],
    'like(name, "a.*")': [],
    'like(name, "\\\\%lpha")': [],
    'or(eq(name, "alpha"), not(eq(description, "first")))': ["alpha", "beta", "gamma"],
    "eq(description, null)": ["beta", "gamma"],
    "neq(description, null)": ["alpha"],
    'gte(start_time, "2026-11-02")': ["beta", "gamma"],
    'and(gt(start_time, "2026-11-01"), lt(start_time, "2026-11-03"))': ["alpha", "beta"],
    'has(metadata, \'{"model": "m1"}\')': ["alpha"],
    'exists(metadata, "model")': ["alpha", "beta"],
    'not(exists(metadata, "model"))': ["gamma"],
    'eq(metadata_key, "size")': ["beta"],
    'neq(metadata_key, "size")': ["alpha", "gamma"],
    'in(metadata_key, ["size", "none"])': ["beta"],
    'and(eq(metadata_key, "model"), eq(metadata_value, "m2"))': ["beta"],
    'and(eq(metadata_key, "model"), neq(metadata_value, "m2"))': ["alpha"],
    'and(eq(metadata_key, "size"), eq(metadata_value, "3"), eq(name, "beta"))': ["beta"],
    "eq(end_time, null)": ["alpha", "beta", "gamma"],
    "eq(reference_dataset_id, null)": ["alpha", "beta", "gamma"],
}


@pytest.fixture
def named(api) -> None:
    for day, (name, fields) in enumerate(
        {
            "alpha": {"description": "first", "extra": {"metadata": {"model": "m1"}}},
            "beta": {"extra": {"metadata": {"model": "m2", "size": 3}}},
            "gamma": {},
        }.items()
    ):
        project(api, name=name, start_time=f"2026-11-0{day + 1}T12:00:00Z", **fields)


@pytest.mark.parametrize("text", FILTERS)
def test_projects_are_listed_by_filter(api, named, text) -> None:
    [found] = walked(api, SESSIONS, {"filter": text, "sort_by": "NAME", "sort_order": "asc"})
    assert found == FILTERS[text]
    by_version_1 = api.get("/sessions", filter=text, sort_by="name", sort_by_desc=False).json()
    assert [one["name"] for one in by_version_1] == found


@pytest.mark.parametrize(
    "text",
    [
        "eq(name, ",
        'eq(colour, "red")',
        'eq(metadata_value, "m1")',
        "has(metadata, '[]')",
        'search("a")',
        'gt(start_time, "soon")',
        'search(metadata, "m")',
        'eq(name, "a\\u0000b")',
        'and(eq(metadata_key, "k"), eq(metadata_value, "a\\u0000b"))',
        'exists(metadata, "\\ud800")',
    ],
)
def test_a_filter_of_projects_that_cannot_be_read_says_where(api, text) -> None:
    for path in ("/sessions", SESSIONS):
        answer = api.get(path, filter=text)
        assert answer.status_code == 400
        assert answer.json()["detail"].startswith("filter: ")
        assert "position" in answer.json()["detail"]
