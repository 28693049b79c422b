"""The tree of a trace: dotted_order, assembly, and what to do when a parent is missing.

dotted_order is the path from the root: segments `<start as YYYYMMDDTHHMMSSffffffZ><run id>` joined
by dots, so that sorting the text gives the order of execution. Arithmetic: no Django.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, Protocol, TypeVar
from uuid import UUID

SEGMENT_ID = 36  # characters of the run id that end a segment


class Step(Protocol):
    """The fields of a run that assembly needs."""

    @property
    def id(self) -> UUID: ...
    @property
    def parent_run_id(self) -> UUID | None: ...
    @property
    def dotted_order(self) -> str | None: ...
    @property
    def start_time(self) -> datetime | None: ...


S = TypeVar("S", bound=Step)


@dataclass
class Branch(Generic[S]):
    """A run with its children in execution order. `depth` is 0 for a root.

    `is_orphan`: its parent is named but missing; it is placed below the root of the trace, or
    beside it when there is none.
    """

    run: S
    depth: int = 0
    is_orphan: bool = False
    children: list[Branch[S]] = field(default_factory=list)


def segment(start_time: datetime, run_id: UUID) -> str:
    """Return a run's own part of dotted_order."""
    return f"{start_time.astimezone(UTC):%Y%m%dT%H%M%S%fZ}{run_id}"


def path_ids(dotted_order: str | None, parent_run_id: UUID | None = None) -> list[UUID]:
    """Return the ancestor ids of a run, root first, from its dotted_order.

    Without a readable dotted_order, the parent alone (or nothing for a root).
    """
    ids = []
    for part in (dotted_order or "").split(".")[:-1]:
        try:
            ids.append(UUID(part[-SEGMENT_ID:]))
        except ValueError:
            return [parent_run_id] if parent_run_id else []
    return ids or ([parent_run_id] if parent_run_id else [])


def assemble(runs: Iterable[S]) -> list[Branch[S]]:
    """Return the trees of `runs`, of one trace or several, each run exactly once.

    A run whose parent is missing (or is itself, or is part of a cycle of parents) is an orphan.
    Takes linear time, apart from sorting.
    """
    branches = {run.id: Branch(run) for run in sorted(runs, key=_order)}
    below: dict[UUID, list[Branch[S]]] = {}
    for branch in branches.values():
        parent = branch.run.parent_run_id
        if parent in branches and parent is not None:
            below.setdefault(parent, []).append(branch)
    roots = [branch for branch in branches.values() if branch.run.parent_run_id is None]
    known = {None, *branches}
    lost = [b for b in branches.values() if b.run.parent_run_id not in known]
    placed: set[UUID] = set()
    for branch in [*roots, *lost]:
        _grow(branch, below, placed)
    for branch in branches.values():  # runs that no root reaches form a cycle: break it here
        if branch.run.id not in placed:
            lost.append(branch)
            _grow(branch, below, placed)
    for branch in lost:
        branch.is_orphan = True
    if roots:
        roots[0].children += lost
    for top in roots or lost:
        for branch in flatten([top]):
            for child in branch.children:
                child.depth = branch.depth + 1
    return roots or lost


def _grow(top: Branch[S], below: dict[UUID, list[Branch[S]]], placed: set[UUID]) -> None:
    """Attach every branch below `top` that is not placed yet."""
    placed.add(top.run.id)
    stack = [top]
    while stack:
        branch = stack.pop()
        branch.children = [b for b in below.get(branch.run.id, ()) if b.run.id not in placed]
        placed.update(child.run.id for child in branch.children)
        stack += branch.children


def flatten(branches: Sequence[Branch[S]]) -> Iterator[Branch[S]]:
    """Yield the branches in reading order: depth first."""
    stack = list(reversed(branches))
    while stack:
        branch = stack.pop()
        yield branch
        stack.extend(reversed(branch.children))


def _order(run: Step) -> tuple[bool, str, str, str]:
    """Sort by dotted_order; runs without one by start, after the rest of the same time."""
    start = run.start_time
    fallback = f"{start.astimezone(UTC):%Y%m%dT%H%M%S%fZ}" if start else ""
    return (
        start is None and not run.dotted_order,
        run.dotted_order or fallback,
        fallback,
        str(run.id),
    )
