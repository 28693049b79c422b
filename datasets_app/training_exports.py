"""Write a dataset as a file to train with, if its labels are proven, with a manifest beside it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from hashlib import sha256
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, Final

from django.db import transaction

from datasets_app import export_gates, training, versions
from datasets_app.export_gates import Condition
from datasets_app.models import Dataset, ExampleRevision, TrainingExport
from datasets_app.training import Fields, Form, LeftOut, Source
from observatory import exact
from observatory.runs.models import Run
from observatory.workspaces.models import Membership, User
from observatory.workspaces.roles import Permission, allows

BATCH: Final = 500
_LINEAGE: Final = ("queue_id", "queue_item_id", "review_ids", "rubric_version", "corrected")


class NotProven(Exception):
    """The agreement behind the dataset is not proven; `conditions` has what must hold."""

    def __init__(self, conditions: Sequence[Condition]) -> None:
        self.conditions = conditions
        super().__init__(
            "Not exported, because the agreement of its labels is not proven:\n"
            + "\n".join(f"- {condition.sentence}" for condition in conditions)
        )


class NotAllowed(Exception):
    """The user may not change datasets of this workspace."""


def manifest_of(path: Path) -> Path:
    """Return where the manifest of an exported file is."""
    return path.with_name(f"{path.name}.manifest.json")


def lineage_of(path: Path) -> Path:
    """Return where the lineage of an exported file is: for each of its lines, one of JSON."""
    return path.with_name(f"{path.name}.lineage.jsonl")


def write(
    dataset: Dataset,
    form: Form,
    path: Path,
    *,
    by: User,
    now: datetime,
    fields: Fields = Fields(),  # noqa: B008
    override_reason: str = "",
) -> TrainingExport:
    """Write the newest version of `dataset` to `path`, with its lineage and manifest beside it.

    The file appears last, so that it is never there without the other two, and no row is kept when
    it does not appear. `override_reason` exports although the agreement is not proven, and is kept
    with the user. Raises NotAllowed, NotProven, ValueError when no example has a line, and OSError.
    """
    membership = Membership.objects.filter(workspace=dataset.workspace_id, user=by).first()
    if membership is None or not allows(membership.role, Permission.EDIT_DATASETS):
        raise NotAllowed(f"{by.username} may not change datasets of {dataset.workspace}")
    as_of = versions.newest_of(dataset)
    conditions = export_gates.conditions(dataset, as_of=as_of, now=now)
    unmet = [condition for condition in conditions if not condition.is_met]
    if unmet and not override_reason.strip():
        raise NotProven(unmet)
    export = TrainingExport(
        workspace=dataset.workspace,
        dataset=dataset,
        dataset_name=dataset.name,
        form=form,
        as_of=as_of,
        exported_by=by,
        exported_at=now,
        override_reason=override_reason.strip() if unmet else "",
        gate=[{**condition.figures, "sentence": condition.sentence} for condition in conditions],
    )
    with ExitStack() as stack:
        files = [
            stack.enter_context(_Draft(target))
            for target in (manifest_of(path), lineage_of(path), path)  # the data appears last
        ]
        manifest, lineage, lines = files
        left_out = _write_lines(_examples(dataset, as_of), form, fields, lines, lineage)
        if not lines.n_lines:
            raise ValueError(f"No example of {dataset.name} has a line of {form}: {left_out}")
        export.n_lines, export.sha256 = lines.n_lines, lines.digest.hexdigest()
        export.left_out = left_out
        manifest.write(exact.dumps(_manifest(export, fields, lineage)) + b"\n")
        with transaction.atomic():
            export.save(force_insert=True)
            for file in files:
                file.keep()
    return export


class _Draft:
    """A file beside its target, which takes the target's place when it is kept."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.digest = sha256()
        self.n_lines = 0
        self._file: IO[bytes]

    def __enter__(self) -> _Draft:
        directory = self.target.parent
        self._file = NamedTemporaryFile(dir=directory, prefix=f".{self.target.name}.", delete=False)
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        Path(self._file.name).unlink(missing_ok=True)

    def write(self, line: bytes) -> None:
        self.n_lines += 1
        self.digest.update(line)
        self._file.write(line)

    def keep(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        Path(self._file.name).replace(self.target)


def _write_lines(
    examples: Iterator[tuple[ExampleRevision, str | None]],
    form: Form,
    fields: Fields,
    lines: _Draft,
    lineage: _Draft,
) -> dict[str, int]:
    """Write the lines and their lineage; return how many examples were left out, by reason."""
    left_out: Counter[str] = Counter()
    for revision, original in examples:
        metadata = revision.metadata or {}
        source = Source(
            revision.inputs, revision.outputs, original, metadata.get("disputed") is True
        )
        written = training.lines(source, form, fields)
        if isinstance(written, LeftOut):
            left_out[str(written)] += 1
            continue
        for line in written:
            lines.write(line)
            lineage.write(exact.dumps(_origin(revision, metadata, line)) + b"\n")
    return dict(left_out)


def _origin(revision: ExampleRevision, metadata: dict[str, Any], line: bytes) -> dict[str, Any]:
    source_run_id = revision.example.source_run_id
    return {
        "sha256": sha256(line).hexdigest(),
        "example_id": str(revision.example.uuid),
        "source_run_id": None if source_run_id is None else str(source_run_id),
        **{name: metadata.get(name) for name in _LINEAGE},
    }


def _examples(
    dataset: Dataset, as_of: datetime | None
) -> Iterator[tuple[ExampleRevision, str | None]]:
    """Yield each example, oldest first, with the outputs of its run; a query for 500 of them."""
    standing = (
        ExampleRevision.objects.at(as_of)
        .filter(dataset=dataset)
        .select_related("example")
        .order_by("example__created_at", "example_id")
        .iterator(chunk_size=BATCH)
    )
    while batch := list(islice(standing, BATCH)):
        sources = [revision.example.source_run_id for revision in batch]
        runs = dict(
            Run.objects.filter(
                workspace_id=dataset.workspace_id,
                id__in=[run_id for run_id in sources if run_id is not None],
            ).values_list("id", "outputs")
        )
        for revision in batch:
            source_run_id = revision.example.source_run_id
            yield revision, runs.get(source_run_id) if source_run_id else None


def _manifest(export: TrainingExport, fields: Fields, lineage: _Draft) -> dict[str, Any]:
    return {
        "export_id": str(export.uuid),
        "dataset": export.dataset_name,
        "dataset_id": None if export.dataset is None else str(export.dataset.uuid),
        "as_of": None if export.as_of is None else exact.timestamp(export.as_of),
        "form": str(export.form),
        "fields": {"prompt": fields.prompt, "answer": fields.answer},
        "exported_by": None if export.exported_by is None else export.exported_by.username,
        "exported_at": exact.timestamp(export.exported_at),
        "gate": export.gate,
        "override_reason": export.override_reason or None,
        "n_lines": export.n_lines,
        "left_out": export.left_out,
        "sha256": export.sha256,
        "lineage_sha256": lineage.digest.hexdigest(),
    }
