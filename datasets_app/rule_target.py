"""Runs that a routing rule selects become examples of its dataset, each once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID, uuid5

from django.db import transaction

from datasets_app import examples
from datasets_app.examples import DoesNotFit, ExampleInput, IdTaken, UnknownRun
from datasets_app.models import Dataset
from observatory.workspaces.models import Workspace

GONE = "the dataset was deleted"


class RuleDatasets:
    """The part that this room adds to the targets of rules: `annotations/routing/targets.py`."""

    def exists(self, workspace: Workspace, dataset_uuid: UUID) -> bool:
        """Return whether the workspace has the dataset."""
        return Dataset.objects.filter(workspace=workspace, uuid=dataset_uuid).exists()

    def name_of(self, workspace: Workspace, dataset_uuid: UUID) -> str:
        """Return the dataset's name, "" for an unknown one."""
        rows = Dataset.objects.filter(workspace=workspace, uuid=dataset_uuid)
        return rows.values_list("name", flat=True).first() or ""

    def add(
        self, workspace: Workspace, dataset_uuid: UUID, run_ids: Sequence[UUID], now: datetime
    ) -> Mapping[UUID, str]:
        """Add the runs as examples with the runs' inputs and outputs; return refusals with reason.

        One version for all that fit. A run that does not fit the dataset's schema costs the others
        nothing.
        """
        dataset = Dataset.objects.filter(workspace=workspace, uuid=dataset_uuid).first()
        if dataset is None:
            return dict.fromkeys(run_ids, GONE)
        wanted = {run_id: _example(dataset, run_id) for run_id in run_ids}
        try:
            with transaction.atomic():
                examples.create(dataset, list(wanted.values()), now=now)
        except (DoesNotFit, IdTaken, UnknownRun):
            return _one_by_one(dataset, wanted, now)
        return {}


def _one_by_one(
    dataset: Dataset, wanted: Mapping[UUID, ExampleInput], now: datetime
) -> dict[UUID, str]:
    refusals = {}
    for run_id, example in wanted.items():
        try:
            with transaction.atomic():
                examples.create(dataset, [example], now=now)
        except (DoesNotFit, IdTaken, UnknownRun) as error:
            refusals[run_id] = str(error)
    return refusals


def _example(dataset: Dataset, run_id: UUID) -> ExampleInput:
    return ExampleInput(
        id=uuid5(dataset.uuid, str(run_id)), source_run_id=run_id, uses_source_run_io=True
    )


rule_datasets = RuleDatasets()
