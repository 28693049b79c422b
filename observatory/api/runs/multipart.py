"""The multipart body of /runs/multipart: its parts, grouped into run operations.

What is wrong with the envelope raises (nothing is written); what is wrong with one item sets
that item aside.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from rest_framework.exceptions import ParseError

from observatory.api.kit.body import Content, forget, take
from observatory.api.kit.multipart import LARGE, Part, boundary_of, split
from observatory.runs.documents import SUSPECT, Suspicion, look
from observatory.runs.ops import (
    DOCUMENT_FIELDS,
    BadItem,
    Kind,
    RunOp,
    attachment_name,
    canonical_uuid,
    parse_op,
)

logger = logging.getLogger(__name__)
_KINDS: Final[dict[str, Kind]] = {"post": "create", "patch": "patch"}
_RUN_PARTS: Final = frozenset(("", *DOCUMENT_FIELDS))


@dataclass(frozen=True, slots=True)
class Reject:
    """An item set aside, for the quarantine."""

    kind: str
    item_id: str
    code: str
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class AttachmentPart:
    """A file of a run, and the part that holds it."""

    run_id: UUID
    name: str
    part: Part


class Reading:
    """Run operations, parsed when they are iterated over; a second iteration parses nothing."""

    def __init__(self, source: Iterator[RunOp]) -> None:
        self._source = source
        self._read: list[RunOp] = []

    def __iter__(self) -> Iterator[RunOp]:
        yield from self._read
        for op in self._source:
            self._read.append(op)
            yield op


@dataclass(slots=True)
class Batch:
    """The items of one request. `rejected` is complete once `ops` have been read."""

    ops: Iterable[RunOp] = ()
    attachments: list[AttachmentPart] = field(default_factory=list)
    feedback: list[tuple[str, bytes]] = field(default_factory=list)
    rejected: list[Reject] = field(default_factory=list)


def parse(body: Content, content_type: str) -> Batch:
    """Return the items of a multipart body. Raises ParseError and TooLarge for the envelope."""
    groups: dict[tuple[str, str], dict[str, Part]] = {}
    attachments: list[Part] = []
    feedback: list[Part] = []
    seen: set[str] = set()
    n_unknown = 0
    for part in split(body, boundary_of(content_type)):
        kind, run_id, name = (*part.name.split(".", 2), "", "")[:3]
        if kind in _KINDS and name in _RUN_PARTS:
            group = groups.get((kind, run_id))
            if group is None:
                group = groups[kind, run_id] = {}
            if group.setdefault(name, part) is not part:
                raise ParseError(f"The part {part.name[:120]!r} is there twice")
            continue
        if part.name in seen:
            raise ParseError(f"The part {part.name[:120]!r} is there twice")
        seen.add(part.name)
        if kind == "attachment":
            attachments.append(part)
        elif kind == "feedback":
            feedback.append(part)
        else:
            n_unknown += 1
    if n_unknown:
        logger.info("Ignored %d multipart parts with unknown names", n_unknown)
    forget(body)
    batch = Batch()
    suspicion = look(body) if isinstance(body, bytes) else SUSPECT
    batch.ops = Reading(_runs(batch, body, groups, suspicion))
    for part in feedback:
        batch.feedback.append((part.name.partition(".")[2], body[part.start : part.end]))
    _take_attachments(batch, body, attachments)
    return batch


def _runs(
    batch: Batch,
    body: Content,
    groups: dict[tuple[str, str], dict[str, Part]],
    suspicion: Suspicion,
) -> Iterator[RunOp]:
    """Yield the runs of `groups`, (kind, run id) -> parts; set aside those that are not valid."""
    for (kind, run_id), parts in groups.items():
        op = _run(batch, body, _KINDS[kind], run_id, parts, suspicion)
        if op is not None:
            yield op


def _run(
    batch: Batch,
    body: Content,
    kind: Kind,
    run_id: str,
    parts: dict[str, Part],
    suspicion: Suspicion,
) -> RunOp | None:
    if isinstance(body, bytes):
        content = {name: body[part.start : part.end] for name, part in parts.items()}
    else:
        content = {name: take(body, part.start, part.end) for name, part in parts.items()}
    main = content.pop("", None)
    if main is None:
        for name, raw in content.items():
            reason = f"{name}: no part of this request holds its run"
            batch.rejected.append(Reject("part", run_id, "orphan_part", reason, raw))
        return None
    try:
        return parse_op(kind, main, content, run_id=canonical_uuid(run_id), suspicion=suspicion)
    except BadItem as bad:
        shown = (b"%s: %s" % (n.encode(), c[:LARGE]) for n, c in content.items())
        raw = b"\n".join([main[:LARGE], *shown])
        batch.rejected.append(Reject("run", run_id, bad.code, bad.reason, raw))
        return None


def _take_attachments(batch: Batch, body: Content, parts: list[Part]) -> None:
    known = {op.id for op in batch.ops} if parts else set()
    for part in parts:
        run_id, _, name = part.name.partition(".")[2].partition(".")
        try:
            uuid = canonical_uuid(run_id)
            if uuid not in known:
                raise BadItem("orphan_part", "No part of this request holds the attachment's run")
            name = attachment_name(name)
        except BadItem as bad:
            raw = body[part.start : min(part.end, part.start + (1 << 20))]
            batch.rejected.append(Reject("attachment", run_id, bad.code, bad.reason, raw))
        else:
            batch.attachments.append(AttachmentPart(uuid, name, part))
