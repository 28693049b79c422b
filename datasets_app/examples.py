"""Examples: every change is a revision at a version, and nothing stored is edited."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction

from datasets_app import (
    files,
    messages,
    metadata_operations,
    schemas,
    splits,
    transformations,
    versions,
)
from datasets_app.files import Arrivals
from datasets_app.metadata_operations import Operation
from datasets_app.models import Dataset, Example, ExampleFile, ExampleRevision
from datasets_app.schema_keywords import Budget
from observatory import exact
from observatory.runs.attachments import Saved
from observatory.runs.models import Run
from observatory.workspaces.models import Workspace


class UnknownExample(Exception):
    """No such example in the workspace; ids of other workspaces look the same."""


class IdTaken(Exception):
    """The id belongs to an example of another dataset of the workspace."""


class DoesNotFit(Exception):
    """An example's inputs or outputs break the dataset's schema; says where and why."""


class UnknownRun(Exception):
    """The source run of an example is not stored."""


@dataclass(frozen=True, slots=True)
class ExampleInput:
    """An example to create. `inputs` and `outputs` are JSON text, kept as sent."""

    id: UUID | None = None
    inputs: str | None = None
    outputs: str | None = None
    metadata: dict[str, Any] | None = None
    splits: Sequence[str] | None = None
    source_run_id: UUID | None = None
    uses_source_run_io: bool = False
    created_at: datetime | None = None
    origin: str = ""  # where it came from, at most once per dataset
    files: Mapping[str, Saved] = field(default_factory=dict)  # by name; stored, without a row
    source_run_files: Sequence[str] = ()  # names of the source run's files to copy


@dataclass(frozen=True, slots=True)
class ExampleChange:
    """A change of an example; None keeps the value.

    `retained` names the files to keep, `renamed` those to keep under another name; `files` are
    added. With both None, `files` replace all existing ones, if there are any.
    """

    id: UUID
    inputs: str | None = None
    outputs: str | None = None
    metadata: dict[str, Any] | None = None
    splits: Sequence[str] | None = None
    files: Mapping[str, Saved] = field(default_factory=dict)
    renamed: Mapping[str, str] | None = None
    retained: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The result of a write: the version and the examples' wire ids, in the order of the input."""

    as_of: datetime | None
    example_ids: list[UUID]


@dataclass(frozen=True, slots=True)
class _Content:
    inputs: str | None
    outputs: str | None
    metadata: dict[str, Any] | None
    splits: list[str]
    files: dict[str, str] = field(default_factory=dict)


@transaction.atomic
def create(dataset: Dataset, inputs: Sequence[ExampleInput], *, now: datetime) -> Written:
    """Store examples as one new version and return their ids in the order of the input.

    An id (or origin) that the dataset has already gets a new revision, so that repeating a request
    changes nothing; when nothing differs no version is written. Inputs and outputs are stored as
    the dataset's transformations leave them. Raises IdTaken, UnknownRun and DoesNotFit, and then
    nothing is stored. Examples with an origin were approved by reviewers, and are not checked
    against the schema.
    """
    dataset = versions.locked(dataset)
    named = _completed(dataset, [_named(item) for item in inputs])
    budget = schemas.budget()
    for item in named:
        if not item.origin:
            _check(dataset, item.inputs, item.outputs, f"Example {item.id}", budget)
    known = _known(dataset, named)
    current = _current(dataset, [example.pk for example in known.values()])
    arrivals = Arrivals.over(current.values())
    copies = _copies(dataset.workspace_id, named)
    contents: dict[UUID, tuple[ExampleInput, _Content]] = {}
    ids = []
    for item in named:
        example = known.get(item.origin or item.id)
        uuid = example.uuid if example else item.id
        assert uuid is not None  # _named set one
        ids.append(uuid)
        arrived = {**copies.get(uuid, {}), **item.files}
        standing = current.get(example.pk) if example else None
        content = _content(item)
        if arrived:
            before = standing.files if standing else {}
            content = replace(content, files=arrivals.named(uuid, arrived, before))
        contents[uuid] = replace(item, id=uuid), content
    existing = {example.uuid: example for example in known.values()}
    changed = {
        uuid: pair
        for uuid, pair in contents.items()
        if uuid not in existing or not _is_same(_as_stored(current.get(existing[uuid].pk)), pair[1])
    }
    if not changed:
        files.remove(arrivals.surplus)
        return Written(versions.newest_of(dataset), ids)
    as_of = versions.open_version(dataset, now)
    fresh = [
        Example(
            workspace_id=dataset.workspace_id,
            dataset=dataset,
            uuid=uuid,
            created_at=item.created_at or as_of,
            source_run_id=item.source_run_id,
            origin=item.origin,
        )
        for uuid, (item, _) in changed.items()
        if uuid not in existing
    ]
    try:
        with transaction.atomic():
            existing |= {
                example.uuid: example
                for example in Example.objects.bulk_create(fresh, batch_size=1000)
            }
    except IntegrityError:  # taken in another dataset since the lookup
        raise IdTaken("An id is taken by another dataset") from None
    arrivals.write(existing)
    _write(dataset, {existing[uuid].pk: pair[1] for uuid, pair in changed.items()}, as_of)
    return Written(as_of, ids)


@transaction.atomic
def update(dataset: Dataset, changes: Sequence[ExampleChange], *, now: datetime) -> Written:
    """Apply `changes` as one new version; None in a change keeps the value.

    Raises UnknownExample when an example is not in the dataset now, IdTaken when it is in another,
    DoesNotFit when the new content breaks the schema, and then nothing is stored.
    """
    dataset = versions.locked(dataset)
    by_id = {change.id: change for change in changes}
    current = {
        revision.example.uuid: revision
        for revision in ExampleRevision.objects.at(None)
        .filter(example__uuid__in=by_id, example__dataset=dataset)
        .select_related("example")
    }
    if missing := by_id.keys() - current.keys():
        if others := elsewhere(dataset, missing):
            raise IdTaken(f"Example {min(others)} belongs to another dataset")
        raise UnknownExample(str(min(missing)))
    budget = schemas.budget()
    for uuid, change in by_id.items():
        inputs, outputs = fitted(dataset, change.inputs, change.outputs, f"Example {uuid}", budget)
        by_id[uuid] = replace(change, inputs=inputs, outputs=outputs)
    arrivals = Arrivals.over(current.values())
    contents: dict[int, _Content] = {}
    for uuid, change in by_id.items():
        before = _as_stored(current[uuid])
        assert before is not None
        after = _changed(before, change)
        if change.files:
            arrived = arrivals.named(uuid, change.files, before.files)
            is_operated = change.retained is not None or change.renamed is not None
            after = replace(after, files={**(after.files if is_operated else {}), **arrived})
        if not _is_same(before, after):
            contents[current[uuid].example_id] = after
    if not contents:
        files.remove(arrivals.surplus)
        return Written(versions.newest_of(dataset), list(by_id))
    as_of = versions.open_version(dataset, now)
    arrivals.write({uuid: revision.example for uuid, revision in current.items()})
    _write(dataset, contents, as_of)
    return Written(as_of, list(by_id))


def fitted(
    dataset: Dataset, inputs: str | None, outputs: str | None, name: str, budget: Budget
) -> tuple[str | None, str | None]:
    """Return the documents after the dataset's transformations. Raises DoesNotFit."""
    inputs, outputs = _transformed(dataset, inputs, outputs)
    _check(dataset, inputs, outputs, name, budget)
    return inputs, outputs


def _transformed(
    dataset: Dataset,
    inputs: str | None,
    outputs: str | None,
    tools: Sequence[Mapping[str, Any]] = (),
) -> tuple[str | None, str | None]:
    if not dataset.transformations:
        return inputs, outputs
    try:
        steps = transformations.parsed(dataset.transformations)
    except transformations.BadTransformation as error:
        raise DoesNotFit(f"transformations: {error}") from None
    if inputs is not None:
        schema = dataset.inputs_schema_definition
        inputs = transformations.applied(inputs, "inputs", steps, schema=schema, tools=tools)
    if outputs is not None:
        schema = dataset.outputs_schema_definition
        outputs = transformations.applied(outputs, "outputs", steps, schema=schema, tools=tools)
    return inputs, outputs


def _check(
    dataset: Dataset, inputs: str | None, outputs: str | None, name: str, budget: Budget
) -> None:
    """Raise DoesNotFit when a document breaks its schema, if there is one."""
    for name_of, schema, document in (
        ("inputs", dataset.inputs_schema_definition, inputs),
        ("outputs", dataset.outputs_schema_definition, outputs),
    ):
        if schema and document is not None:
            problem = schemas.problem(schema, document, budget)
            if problem is not None:
                raise DoesNotFit(f"{name}: {name_of} do not fit the schema: {problem}")


def elsewhere(dataset: Dataset, ids: Iterable[UUID]) -> set[UUID]:
    """Return the ids among `ids` of examples in other datasets of the workspace."""
    others = Example.objects.filter(workspace_id=dataset.workspace_id, uuid__in=list(ids))
    return set(others.exclude(dataset=dataset).values_list("uuid", flat=True))


@transaction.atomic
def delete(workspace: Workspace, ids: Iterable[UUID], *, now: datetime) -> None:
    """End the examples in a new version of each dataset concerned; older versions keep them.

    Deleted ones stay deleted. Raises UnknownExample for an id that never existed, and then nothing
    is deleted.
    """
    unique_ids = set(ids)
    examples = list(
        Example.objects.filter(workspace=workspace, uuid__in=unique_ids).values_list(
            "pk", "uuid", "dataset_id"
        )
    )
    if missing := unique_ids - {uuid for _, uuid, _ in examples}:
        raise UnknownExample(str(min(missing)))
    for dataset in Dataset.objects.filter(
        pk__in={dataset_id for _, _, dataset_id in examples}
    ).order_by("pk"):  # in one order, so that two deletions never wait for each other
        end(dataset, [pk for pk, _, dataset_id in examples if dataset_id == dataset.pk], now=now)


def end(dataset: Dataset, example_pks: Sequence[int], *, now: datetime) -> bool:
    """End the given examples of `dataset` in a new version; return whether any was current.

    Call it in a transaction.
    """
    versions.locked(dataset)
    standing = ExampleRevision.objects.at(None).filter(example__in=example_pks)
    if not standing.exists():
        return False
    standing.update(valid_to=versions.open_version(dataset, now))
    return True


@transaction.atomic
def erase(workspace: Workspace, ids: Iterable[UUID]) -> int:
    """Remove examples from every version (a hard delete) and return how many there were."""
    examples = Example.objects.filter(workspace=workspace, uuid__in=list(ids))
    n = examples.count()
    files.remove(ExampleFile.objects.filter(example__in=examples).values_list("path", flat=True))
    examples.delete()
    return n


@transaction.atomic
def set_split(
    dataset: Dataset, name: str, ids: Sequence[UUID], *, is_removed: bool, now: datetime
) -> Written:
    """Add examples to the split `name`, or remove them. Raises UnknownExample."""
    versions.locked(dataset)
    standing = dict(
        ExampleRevision.objects.at(None)
        .filter(example__dataset=dataset, example__uuid__in=ids)
        .values_list("example__uuid", "splits")
    )
    if missing := set(ids) - standing.keys():
        raise UnknownExample(str(min(missing)))
    return update(
        dataset,
        [
            ExampleChange(uuid, splits=splits.changed(held, name, is_removed=is_removed))
            for uuid, held in standing.items()
        ],
        now=now,
    )


@transaction.atomic
def change_metadata(
    dataset: Dataset, ids: Sequence[UUID], operations: Sequence[Operation], *, now: datetime
) -> set[UUID]:
    """Apply `operations` to the examples of `ids` that are in the dataset now; return their ids."""
    versions.locked(dataset)
    standing = (
        ExampleRevision.objects.at(None)
        .filter(example__dataset=dataset, example__uuid__in=ids)
        .values_list("example__uuid", "metadata", "splits")
    )
    changes = []
    for uuid, metadata, held in standing:
        new_metadata, names = metadata_operations.applied(operations, metadata, held)
        changes.append(ExampleChange(uuid, metadata=new_metadata, splits=names))
    if changes:
        update(dataset, changes, now=now)
    return {change.id for change in changes}


def _named(item: ExampleInput) -> ExampleInput:
    return item if item.id is not None else replace(item, id=uuid4())


def _completed(dataset: Dataset, items: list[ExampleInput]) -> list[ExampleInput]:
    """Fill inputs and outputs from the source runs where requested, then transform, in one query.

    Raises UnknownRun when a source run is missing, and DoesNotFit.
    """
    runs = _source_runs(dataset, items)
    done = []
    for item in items:
        run = runs.get(item.source_run_id) if item.source_run_id else None
        if item.uses_source_run_io:
            if run is None:
                raise UnknownRun(f"Example {item.id}: source_run_id: the run is not stored")
            item = replace(
                item, inputs=item.inputs or run.inputs, outputs=item.outputs or run.outputs
            )
        extra = run.extra if run is not None and isinstance(run.extra, dict) else {}
        tools = messages.tools_of_run(extra.get("invocation_params"))
        inputs, outputs = _transformed(dataset, item.inputs, item.outputs, tools)
        done.append(replace(item, inputs=inputs, outputs=outputs))
    return done


def _source_runs(dataset: Dataset, items: list[ExampleInput]) -> dict[UUID, Run]:
    """Return the source runs that are needed for their documents or their tools."""
    run_ids = {
        item.source_run_id
        for item in items
        if item.source_run_id and (item.uses_source_run_io or dataset.transformations)
    }
    if not run_ids:
        return {}
    runs = Run.objects.filter(workspace_id=dataset.workspace_id, id__in=run_ids)
    return {run.id: run for run in runs.only("workspace", "id", "inputs", "outputs", "extra")}


def _copies(workspace_id: int, items: list[ExampleInput]) -> dict[UUID, dict[str, Saved]]:
    """Copy the requested files of source runs, by example.

    An example with the inputs and outputs of a run gets all of its files, unless some are named.
    """
    names_by_example = {
        item.id: (item.source_run_id, item.source_run_files or None)
        for item in items
        if item.id and item.source_run_id and (item.source_run_files or item.uses_source_run_io)
    }
    return files.copied(workspace_id, names_by_example)


def _known(dataset: Dataset, items: list[ExampleInput]) -> dict[UUID | str | None, Example]:
    """Return the examples that exist, by wire id and by origin. Raises IdTaken."""
    by_id = Example.objects.filter(
        workspace_id=dataset.workspace_id, uuid__in=[item.id for item in items if not item.origin]
    )
    examples: dict[UUID | str | None, Example] = {}
    for example in by_id:
        if example.dataset_id != dataset.pk:
            raise IdTaken(f"Example {example.uuid} belongs to another dataset")
        examples[example.uuid] = example
    origins = [item.origin for item in items if item.origin]
    if origins:
        examples |= {
            example.origin: example
            for example in Example.objects.filter(dataset=dataset, origin__in=origins)
        }
    return examples


def _current(dataset: Dataset, example_pks: list[int]) -> dict[int, ExampleRevision]:
    if not example_pks:
        return {}
    standing = ExampleRevision.objects.at(None).filter(dataset=dataset, example__in=example_pks)
    return {revision.example_id: revision for revision in standing}


def _content(item: ExampleInput) -> _Content:
    """Return the content to store. A split named in the metadata becomes a split."""
    metadata = dict(item.metadata) if item.metadata else None
    named = metadata.pop("dataset_split", None) if metadata else None
    return _Content(
        item.inputs, item.outputs, metadata or None, splits.normalised(item.splits or named)
    )


def _as_stored(revision: ExampleRevision | None) -> _Content | None:
    if revision is None:
        return None
    return _Content(
        revision.inputs, revision.outputs, revision.metadata, revision.splits, revision.files
    )


def _is_same(before: _Content | None, after: _Content) -> bool:
    """Return whether two contents are equal, apart from spaces and the order of keys."""
    if before is None:
        return False
    for side in ("inputs", "outputs"):
        old, new = getattr(before, side), getattr(after, side)
        if old != new and _canonical(old) != _canonical(new):
            return False
    return exact.is_same(before.metadata, after.metadata) and (
        (before.splits, before.files) == (after.splits, after.files)
    )


def _canonical(document: str | None) -> bytes | None:
    return None if document is None else exact.dumps(exact.loads(document), sort_keys=True)


def _changed(before: _Content, change: ExampleChange) -> _Content:
    after = before
    if change.inputs is not None:
        after = replace(after, inputs=change.inputs)
    if change.outputs is not None:
        after = replace(after, outputs=change.outputs)
    split = change.splits
    if change.metadata is not None:
        metadata = dict(change.metadata)
        split = split or metadata.pop("dataset_split", None)
        after = replace(after, metadata=metadata or None)
    if split:
        after = replace(after, splits=splits.normalised(split))
    if change.retained is not None or change.renamed is not None:
        names = {name: name for name in change.retained or ()} | dict(change.renamed or {})
        held = before.files
        after = replace(after, files={new: held[old] for old, new in names.items() if old in held})
    return after


def _write(dataset: Dataset, contents: dict[int, _Content], as_of: datetime) -> None:
    """End the current revisions of these examples at `as_of` and begin the new ones."""
    ExampleRevision.objects.at(None).filter(example__in=list(contents)).update(valid_to=as_of)
    ExampleRevision.objects.bulk_create(
        [
            ExampleRevision(
                example_id=pk,
                dataset=dataset,
                valid_from=as_of,
                inputs=content.inputs,
                outputs=content.outputs,
                metadata=content.metadata,
                splits=content.splits,
                files=content.files,
            )
            for pk, content in contents.items()
        ],
        batch_size=1000,
    )
