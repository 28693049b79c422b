"""Arithmetic: the rows of a trace as a tree with a waterfall. No Django, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

ICONS = {
    "llm": "message-square",
    "chain": "link",
    "tool": "wrench",
    "retriever": "search",
    "embedding": "binary",
    "prompt": "text-quote",
    "parser": "braces",
}
DEEPEST_INDENT = 6


class Step(Protocol):
    """The attributes of a run that are drawn."""

    id: UUID
    parent_run_id: UUID | None
    name: str | None
    run_type: str | None
    status: str
    start_time: datetime | None
    end_time: datetime | None
    dotted_order: str | None

    @property
    def latency_s(self) -> float | None: ...


@dataclass(slots=True)
class Span:
    """One row. `level` counts from 1; `x` and `width` are percent of the trace's time."""

    id: UUID
    name: str
    run_type: str
    icon: str
    status: str
    latency_s: float | None
    level: int
    position: int
    set_size: int
    has_children: bool
    is_orphan: bool
    x: str
    width: str
    href: str = ""
    target: str = "#pane"
    is_chosen: bool = False

    @property
    def indent(self) -> int:
        return min(self.level, DEEPEST_INDENT)


def arrange(steps: Sequence[Step]) -> list[Span]:
    """Return the rows of one trace, parents before children, siblings by start.

    A step whose parent was not received is shown as a root; a cycle of parents is cut.
    """
    known = {step.id for step in steps}
    children: dict[UUID | None, list[Step]] = {}
    for step in sorted(steps, key=_order):
        parent = step.parent_run_id if step.parent_run_id in known else None
        if parent == step.id:
            parent = None
        children.setdefault(parent, []).append(step)
    first, length = _window(steps)
    spans: list[Span] = []
    seen: set[UUID] = set()

    def place(group: list[Step], level: int) -> None:
        for number, step in enumerate(group, start=1):
            stack.append((step, level, number, len(group)))

    stack: list[tuple[Step, int, int, int]] = []

    def walk(group: list[Step]) -> None:
        place(group, 1)
        stack.reverse()
        while stack:
            step, level, number, size = stack.pop()
            if step.id in seen:
                continue
            seen.add(step.id)
            below = children.get(step.id, [])
            spans.append(_span(step, level, number, size, bool(below), first, length, known))
            for offset, child in enumerate(reversed(below)):
                stack.append((child, level + 1, len(below) - offset, len(below)))

    walk(children.get(None, []))
    for step in steps:  # steps that only a cycle of parents leads to
        if step.id not in seen:
            walk([step])
    return spans


def _order(step: Step) -> tuple[str, str]:
    start = step.start_time.isoformat() if step.start_time else ""
    return (start, step.dotted_order or str(step.id))


def _window(steps: Iterable[Step]) -> tuple[float, float]:
    starts = [step.start_time.timestamp() for step in steps if step.start_time]
    ends = [step.end_time.timestamp() for step in steps if step.end_time]
    first = min(starts, default=0.0)
    return first, max(max(ends + starts, default=first) - first, 1e-6)


def _span(
    step: Step,
    level: int,
    position: int,
    set_size: int,
    has_children: bool,
    first: float,
    length: float,
    known: set[UUID],
) -> Span:
    start = step.start_time.timestamp() if step.start_time else first
    end = step.end_time.timestamp() if step.end_time else start
    x = min(max(100 * (start - first) / length, 0), 99.4)
    width = min(max(100 * (end - start) / length, 0.6), 100 - x)
    return Span(
        id=step.id,
        name=step.name or "(no name)",
        run_type=step.run_type or "run",
        icon=ICONS.get(step.run_type or "", "circle-dot"),
        status=step.status,
        latency_s=step.latency_s,
        level=level,
        position=position,
        set_size=set_size,
        has_children=has_children,
        is_orphan=step.parent_run_id is not None and step.parent_run_id not in known,
        x=f"{x:.2f}",
        width=f"{width:.2f}",
    )
