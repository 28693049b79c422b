"""Sharing, links, threads, statistics and files by the unmodified JavaScript SDK, live."""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import requests

pytestmark = pytest.mark.sdk


@pytest.fixture(scope="module")
def told(server, node):
    """What the program printed, once for all the tests of this file."""
    from tests.sdk.conftest import JS, _printed, environment

    project = f"sharing-{uuid4().hex[:8]}"
    return _printed([node, str(JS / "sharing.mjs")], JS, environment(server, project))


def test_a_run_is_read_with_its_children_and_its_file(told) -> None:
    run = told["run"]
    assert (run["id"], run["name"]) == (told["ids"][0], "turn")
    (child,) = run["child_runs"]
    assert (child["name"], child["run_type"], child["parent_run_id"]) == ("model", "llm", run["id"])
    assert run["total_tokens"] == child["total_tokens"] == 10
    assert run["s3_urls"]["attachment.note"]["mime_type"] == "text/plain"
    assert told["file"] == "of one"


def test_a_shared_run_is_listed_by_its_token_until_unshared(told, server) -> None:
    # getHostUrl of the SDK prints another port for localhost: only the path is compared
    assert told["before"] == {}
    assert urlsplit(told["link"]).path == f"/public/{told['shareId']}/r"
    assert told["again"] == {"link": told["link"], "read": told["link"]}
    assert [run["name"] for run in told["shared"]] == ["turn", "model"]
    assert [run["id"] for run in told["one"]] == [told["shared"][1]["id"]]
    assert {run["id"] for run in told["byResource"]} == {run["id"] for run in told["shared"]}
    assert told["single"]["name"] in {"turn", "model"}
    assert "is" not in told["after"]
    assert (told["after"]["refused"]["name"], told["after"]["refused"]["status"]) == (
        "LangSmithNotFoundError",
        404,
    )
    page = requests.get(f"{server.url}{urlsplit(told['link']).path}", timeout=10)
    assert page.status_code == 404


def test_the_links_of_a_run_lead_to_its_page(told, server) -> None:
    project, run_id = told["project"], told["ids"][0]
    page = f"/o/{project['tenant_id']}/projects/p/{project['id']}/r/{run_id}"
    for name in ("url", "urlOfRun", "urlV2"):
        assert urlsplit(told[name]).path == page, name
    assert told["urlV2"].startswith(server.url)
    answer = requests.get(f"{server.url}{page}", timeout=10, allow_redirects=False)
    assert answer.status_code == 302
    assert "next=" in answer.headers["location"]


def test_the_generated_resources_return_the_same_runs(told) -> None:
    assert len(told["queried"]) == 4
    assert {run["name"] for run in told["queried"]} == {"turn", "answer"}
    retrieved = told["retrieved"]
    assert retrieved["share_url"].endswith(f"/public/{told['created']['share_token']}/r")
    assert list(retrieved["attachments"]) == ["note"]
    assert retrieved["inputs"] == {"question": "one"}
    assert len(told["traces"]) == 4
    assert {trace["trace_aggregates"]["total_tokens"] for trace in told["traces"]} == {10}
    assert sorted(run["name"] for run in told["runsOfTrace"]) == ["model", "turn"]


def test_statistics_are_of_the_runs_that_are_named(told) -> None:
    stats = told["stats"]
    assert (stats["run_count"], stats["total_tokens"], stats["total_cost"]) == (4, 40, 2.0)
    assert (stats["error_rate"], stats["feedback_stats"]) == (0, {})
    assert {"key": "name", "value": "turn", "n": 3, "query": 'eq(name, "turn")'} in stats[
        "run_facets"
    ]
    assert told["narrowed"]["run_count"] == 1


def test_threads_are_grouped_listed_and_read(told) -> None:
    groups = {group["group_key"]: group for group in told["groups"]}
    assert {key: group["count"] for key, group in groups.items()} == {"a": 2, "b": 1}
    assert (groups["a"]["total_tokens"], groups["a"]["total_cost"]) == (20, 1.0)
    assert "one" in groups["a"]["first_inputs"]
    assert "TWO" in groups["a"]["last_outputs"]
    assert [group["group_key"] for group in told["page"]] == ["a"]
    assert [(one["thread_id"], one["count"]) for one in told["threads"]] == [("b", 1), ("a", 2)]
    assert [one["thread_id"] for one in told["secondThread"]] == ["a"]
    assert [run["id"] for run in told["thread"]] == told["ids"][:2]
    assert [run["name"] for run in told["modelsOfThread"]] == ["model"]
    assert [(one["thread_id"], one["count"]) for one in told["threadsV2"]] == [("b", 1), ("a", 2)]
    assert [one["name"] for one in told["tracesOfThread"]] == ["turn", "turn"]
    assert told["statsOfThread"] == {"turns": 2, "total_tokens": 20}
