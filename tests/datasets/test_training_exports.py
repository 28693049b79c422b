"""A dataset becomes training data only when the agreement of its labels is proven."""

from __future__ import annotations

import json
from hashlib import sha256
from io import StringIO
from uuid import uuid4

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from annotations.agreement import coefficients, verdicts
from annotations.agreement.coefficients import Weighting
from annotations.models import QueueItem
from annotations.queues import queues
from annotations.reviewing import reviews
from annotations.reviewing.reviews import Submission
from datasets_app import export_gates, harvest, training_exports
from datasets_app.models import TrainingExport
from datasets_app.training import Fields, Form
from datasets_app.training_exports import NotAllowed, NotProven
from observatory.runs.models import Run
from tests.datasets.test_training import check
from tests.factories import DatasetFactory, QueueItemFactory

RIGHT = {"feedback_key": "right", "kind": "boolean"}
WHY = {"feedback_key": "why", "kind": "freeform", "level": "text"}
FIELDS = Fields("question", "answer")


@pytest.fixture
def dataset(acme):
    return DatasetFactory(workspace=acme, name="Refunds")


@pytest.fixture
def queue(acme, dataset):
    queue = queues.create_queue(
        acme, "Refunds", now=timezone.now(), rubric=[RIGHT, WHY], reviewers_per_item=2
    )
    harvest.connect(queue, dataset)
    return queue


@pytest.fixture
def reviewed(queue, ada, grace):
    """Return a function that has n items judged alike, corrected by both, and harvested."""

    def review(n: int) -> None:
        items = []
        for place in range(n):
            item = QueueItemFactory(queue=queue)
            Run.objects.create(
                workspace=queue.workspace,
                id=item.run_id,
                trace_id=item.run_id,
                inputs=json.dumps({"question": f"When is {place}?", "customer": "gold"}),
                outputs='{"answer": "Never"}',
            )
            for person in (ada, grace):
                sent = Submission(
                    submission_id=uuid4(),
                    scores={
                        "right": {"score": float(place % 2)},
                        "why": {"value": person.username},
                    },
                    correction={"outputs": {"answer": f"In {place} days"}},
                )
                reviews.submit(QueueItem.objects.get(pk=item.pk), person, sent, timezone.now())
            items.append(item.pk)
        harvest.harvest(items, now=timezone.now())

    return review


def export(dataset, path, by, **options) -> TrainingExport:
    return training_exports.write(
        dataset, Form.DPO, path, by=by, now=timezone.now(), fields=FIELDS, **options
    )


def test_c9_an_export_with_few_double_reviews_is_refused_and_writes_nothing(
    dataset, reviewed, ada, tmp_path
) -> None:
    reviewed(4)
    with pytest.raises(NotProven, match=r"Refunds, right: .*16 more double reviews"):
        export(dataset, tmp_path / "dpo.jsonl", ada)
    assert [*tmp_path.iterdir()] == []
    assert not TrainingExport.objects.exists()


def test_c9_an_override_exports_and_keeps_the_name_and_the_reason(
    dataset, reviewed, ada, tmp_path
) -> None:
    reviewed(4)
    path = tmp_path / "dpo.jsonl"
    export(dataset, path, ada, override_reason="A trial run")
    kept = TrainingExport.objects.get()
    assert (kept.exported_by, kept.override_reason, kept.n_lines) == (ada, "A trial run", 4)
    manifest = json.loads(training_exports.manifest_of(path).read_bytes())
    assert (manifest["exported_by"], manifest["override_reason"]) == ("ada", "A trial run")
    assert [condition["passed"] for condition in manifest["gate"]] == [False]


def test_proven_agreement_opens_the_gate_and_no_override_is_recorded(
    dataset, reviewed, ada, tmp_path
) -> None:
    reviewed(40)
    path = tmp_path / "dpo.jsonl"
    export(dataset, path, ada, override_reason="Not needed")
    lines = path.read_bytes().splitlines(keepends=True)
    assert [check(line, Form.DPO)["rejected"][0]["content"] for line in lines] == ["Never"] * 40
    manifest = json.loads(training_exports.manifest_of(path).read_bytes())
    [gate] = manifest["gate"]
    assert gate["passed"]
    assert gate["lower_bound"] > gate["target"] == 0.7
    assert (gate["statistic"], gate["n_items"], gate["rubric_version"]) == ("cohen_kappa", 40, 1)
    assert manifest["override_reason"] is None
    assert manifest["sha256"] == sha256(path.read_bytes()).hexdigest()
    assert TrainingExport.objects.get().sha256 == manifest["sha256"]


def test_the_lineage_names_the_reviews_behind_every_line(dataset, reviewed, ada, tmp_path) -> None:
    reviewed(3)
    path = tmp_path / "dpo.jsonl"
    export(dataset, path, ada, override_reason="A trial run")
    lineage = [
        json.loads(line) for line in training_exports.lineage_of(path).read_bytes().splitlines()
    ]
    lines = path.read_bytes().splitlines(keepends=True)
    assert [origin["sha256"] for origin in lineage] == [sha256(line).hexdigest() for line in lines]
    assert all(len(origin["review_ids"]) == 2 and origin["source_run_id"] for origin in lineage)


def test_examples_of_a_deleted_queue_are_not_proven(
    dataset, queue, reviewed, ada, tmp_path
) -> None:
    reviewed(40)
    queue.delete()
    with pytest.raises(NotProven, match="40 examples come from a queue that is deleted"):
        export(dataset, tmp_path / "dpo.jsonl", ada)


def test_a_queue_that_no_longer_fills_the_dataset_still_has_to_be_proven(
    dataset, queue, reviewed, ada, tmp_path
) -> None:
    reviewed(4)
    harvest.connect(queue, None)
    with pytest.raises(NotProven):
        export(dataset, tmp_path / "dpo.jsonl", ada)


def test_a_dataset_without_a_source_queue_has_nothing_to_prove(dataset) -> None:
    assert export_gates.conditions(dataset, as_of=None, now=timezone.now()) == []


def test_a_reviewer_and_a_user_of_another_workspace_may_not_export(
    dataset, reviewed, grace, rival, tmp_path
) -> None:
    from tests.factories import member

    for user in (grace, member(rival, "mallory", "owner")):
        with pytest.raises(NotAllowed):
            export(dataset, tmp_path / "dpo.jsonl", user, override_reason="Please")


def test_a_file_that_cannot_be_put_in_place_leaves_no_row(dataset, reviewed, ada, tmp_path) -> None:
    reviewed(3)
    training_exports.manifest_of(tmp_path / "dpo.jsonl").mkdir()
    with pytest.raises(OSError):
        export(dataset, tmp_path / "dpo.jsonl", ada, override_reason="A trial run")
    assert [path.name for path in tmp_path.iterdir()] == ["dpo.jsonl.manifest.json"]
    assert not TrainingExport.objects.exists()


def test_the_command_refuses_with_exit_code_2_until_a_reason_is_given(
    dataset, reviewed, ada, tmp_path
) -> None:
    reviewed(3)
    path = tmp_path / "sft.jsonl"
    words = ["export", "Refunds", str(path), "--form", "sft", "--by", "ada", "--workspace", "acme"]
    with pytest.raises(CommandError, match="not proven") as refused:
        call_command(*words)
    assert refused.value.returncode == 2
    printed = StringIO()
    call_command(*words, "--override", "A trial run", stdout=printed)
    assert "3 lines" in printed.getvalue()
    assert len(path.read_bytes().splitlines()) == 3


@pytest.mark.parametrize(
    ("kappa", "least", "most"), [(0.6, 0, 0.05), (0.7, 0, 0.05), (0.85, 0.9, 1)]
)
def test_the_gate_opens_for_good_agreement_and_rarely_for_poor(kappa, least, most) -> None:
    """Two reviewers, two categories 50/50, 200 items, 1,000 histories, one look at each."""
    agreed = (1 + kappa) / 2
    shares = [agreed / 2, (1 - agreed) / 2, (1 - agreed) / 2, agreed / 2]
    tables = np.random.default_rng(9).multinomial(200, shares, size=1000).reshape(-1, 2, 2)
    results = coefficients.of_pairs(tables, Weighting.UNWEIGHTED)
    opened = np.mean([verdicts.gate(result).passes_strict for result in results])
    assert least <= opened <= most
