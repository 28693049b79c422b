"""The report of the page, the API, the command and the CSV file is one: the same figures."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.annotations.test_calibration import rate
from tests.factories import AnnotationQueueFactory, QueueItemFactory, RubricItemFactory

ANSWERS = [(0, 0), (0, 1), (1, 1), (2, 2), (2, 0), (1, 1), (2, 2)]


@pytest.fixture
def queue(acme, ada, grace, alan):
    queue = AnnotationQueueFactory(workspace=acme, name="Refunds", reviewers_per_item=2)
    quality = RubricItemFactory(queue=queue, feedback_key="quality")
    RubricItemFactory(queue=queue, feedback_key="tone")
    for first, second in ANSWERS:
        item = QueueItemFactory(queue=queue)
        rate(item, ada, quality, first, rated_at=timezone.now())
        rate(item, grace, quality, second, rated_at=timezone.now())
    rate(item, alan, quality, 0, rated_at=timezone.now())
    return queue


def printed(*words: str) -> str:
    out = io.StringIO()
    call_command("agreement", *words, stdout=out)
    return out.getvalue()


def without_times(value):
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k != "computed_at"}
    return [without_times(v) for v in value] if isinstance(value, list) else value


def test_the_command_prints_what_the_api_returns(api, queue) -> None:
    wire = api.get(f"/annotation-queues/{queue.uuid}/agreement").json()
    assert without_times(json.loads(printed("Refunds", "--json"))) == without_times(wire)


def test_the_file_has_the_figures_of_the_api_pair_by_pair(api, client, ada, queue) -> None:
    [quality, _] = api.get(f"/annotation-queues/{queue.uuid}/agreement").json()
    client.force_login(ada)
    answer = client.get(f"/w/acme/queues/{queue.uuid}/agreement.csv")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    pairs = [row for row in rows if (row["feedback_key"], row["scope"]) == ("quality", "pair")]
    assert len(pairs) == len(quality["pairs"]) == 3
    for row, pair in zip(pairs, quality["pairs"], strict=True):
        result = pair["agreement"]
        assert [row["first_reviewer"], row["second_reviewer"]] == pair["reviewers"]
        assert row["value"] == ("" if result["value"] is None else str(result["value"]))
        assert row["n_overlap"] == str(result["n_overlap"])
        assert row["low"] == (str(result["ci"]["low"]) if result["ci"] else "")
    [head] = [r for r in rows if (r["feedback_key"], r["scope"]) == ("quality", "headline")]
    assert float(head["value"]) == quality["headline"]["value"]
    assert head["verdict"] == quality["gate"]["verdict"]


def test_the_command_prints_one_sentence_per_question(queue) -> None:
    assert printed(str(queue.uuid)).splitlines()[1] == (
        "tone: No figure yet: there are no ratings."
    )
    assert printed("Refunds", "--key", "tone").count("\n") == 1


def test_the_csv_of_the_command_keeps_only_the_named_key(queue) -> None:
    rows = list(csv.DictReader(io.StringIO(printed("Refunds", "--csv", "--key", "quality"))))
    assert {row["feedback_key"] for row in rows} == {"quality"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["Returns"], "there is no queue 'Returns'"),
        (["Refunds", "--workspace", "other"], "there is no queue 'Refunds'"),
        (["Refunds", "--key", "speed"], "--key: the rubric of this queue has no 'speed'"),
        (["Refunds", "--days", "0"], "--days must be from 1 to 3,650, not 0"),
    ],
)
def test_the_command_names_the_argument_that_is_wrong(queue, words, message) -> None:
    with pytest.raises(CommandError, match=message):
        printed(*words)


def test_a_name_of_several_queues_is_not_guessed(queue, acme) -> None:
    other = AnnotationQueueFactory(workspace=acme, name="Refunds")
    with pytest.raises(CommandError, match=str(other.uuid)):
        printed("Refunds")
