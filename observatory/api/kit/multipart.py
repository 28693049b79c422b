"""The multipart body of /runs/multipart: parts by slicing, grouped into run ops.

Documents are never parsed here. A part is found by its own Content-Length, or by the boundary
after it. What is wrong with the envelope raises (nothing is written); what is wrong with one
item sets that item aside.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings
from rest_framework.exceptions import ParseError

from observatory.api.kit.body import Content, forget, take
from observatory.api.kit.errors import TooLarge
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
MAX_HEADER: Final = 16_384
MAX_NAME: Final = 4_096
LARGE: Final = 1 << 20
_KINDS: Final[dict[str, Kind]] = {"post": "create", "patch": "patch"}
_RUN_PARTS: Final = frozenset(("", *DOCUMENT_FIELDS))
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_NAME = re.compile(rb'[;\s]name="((?:[^"\\]|\\.)*)"')
# As both SDKs write it; any other order or spelling is read header by header.
_USUAL = re.compile(
    rb'\r\nContent-Disposition: form-data; name="([^"\\\r\n]{1,4096})"\r\n'
    rb"Content-Type: [^\r\n]{1,200}\r\n(?:Content-Length: ([0-9]{1,12})\r\n)?\r\n"
)
_LENGTH = re.compile(rb"content-length:[ \t]*([0-9]{1,12})[ \t]*(?:\r|$)", re.IGNORECASE)
_FILE_NAME = re.compile(rb'[;\s]filename="((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_TYPE = re.compile(rb"content-type:[ \t]*([^\r\n]*)", re.IGNORECASE)


class Part(NamedTuple):
    """Where the part `name` is: its headers from `head`, its content in body[start:end]."""

    name: str
    head: int
    start: int
    end: int


_new = tuple.__new__


def mime_type(body: Content, part: Part) -> str:
    """Return the content type without its parameters: JavaScript's `length` is not in bytes."""
    match = _TYPE.search(body[part.head : part.start])
    text = match.group(1).decode("latin-1") if match else ""
    return text.partition(";")[0].strip().lower() or "application/octet-stream"


def file_name(body: Content, part: Part) -> str | None:
    """Return the name of the sender's file, without folders; None if the part names none."""
    match = _FILE_NAME.search(body[part.head : part.start])
    text = match.group(1).decode(errors="replace") if match else ""
    return text.replace("\\", "/").rpartition("/")[2].replace("\x00", "").strip() or None


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
    run_id: UUID
    name: str
    part: Part


class Reading:
    """Run ops that are parsed as they are asked for, once: a second reading repeats the first."""

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
    """What one request says, item by item. `rejected` is whole once `ops` have been read."""

    ops: Iterable[RunOp] = ()
    attachments: list[AttachmentPart] = field(default_factory=list)
    feedback: list[tuple[str, bytes]] = field(default_factory=list)
    rejected: list[Reject] = field(default_factory=list)


def boundary_of(content_type: str) -> bytes:
    """Return the boundary that a multipart Content-Type names. Raises ParseError."""
    match = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or match is None:
        raise ParseError("Content-Type must be multipart/form-data with a boundary")
    return (match.group(1) or match.group(2)).encode("latin-1", "replace")


def split(body: Content, boundary: bytes, max_parts: int | None = None) -> Iterator[Part]:
    """Yield the parts of `body`. Raises ParseError unless it ends with the closing boundary.

    Raises TooLarge for more than `max_parts` (default: the ingest limit) or too long a part.
    """
    most = settings.INGEST_MAX_PARTS if max_parts is None else max_parts
    longest = settings.INGEST_MAX_PART_BYTES  # asked once: a body has hundreds of parts
    delimiter = b"\r\n--" + boundary
    width = len(delimiter)
    usual = _USUAL.match
    position = _first(body, delimiter)
    n_parts = 0
    while (after := body[position : position + 2]) == b"\r\n":
        found = usual(body, position)
        if found is None:
            name, start, length = _headers(body, position)
        else:
            name, length = found.groups()
            start = found.end()
        if length is None:
            end = body.find(delimiter, start)
            if end < 0:
                raise ParseError("The body is cut short: the closing boundary is missing")
        else:
            end = start + int(length)
            if body[end : end + width] != delimiter:
                raise ParseError(f"The part at byte {start} is not as long as it says")
        n_parts += 1
        if n_parts > most:
            raise TooLarge(f"A body may have {most} parts")
        if end - start > longest:
            raise TooLarge(f"A part may have {longest} bytes")
        if end - start > LARGE:
            forget(body)
        # The tuple is made directly: Part(...) takes as long as the rest of the loop.
        yield _new(Part, (name.decode(errors="replace"), position, start, end))
        position = end + width
    if after != b"--" or body[position + 2 : position + 4] not in {b"", b"\r\n"}:
        raise ParseError(f"The boundary at byte {position} is not followed by a line's end")


def _headers(body: Content, head: int) -> tuple[bytes, int, bytes | None]:
    """Return the name of the part whose headers are at `head`, where its content starts, and
    the digits of its length if the headers say it.
    """
    end = body.find(b"\r\n\r\n", head, head + MAX_HEADER)
    if end < 0:
        raise ParseError(f"The part at byte {head} has no headers, or is cut short")
    headers = body[head:end]
    named = _NAME.search(headers)
    if named is None or len(named.group(1)) > MAX_NAME:
        raise ParseError(f"The part at byte {head} has no name, or too long a one")
    length = _LENGTH.search(headers)
    return named.group(1), end + 4, None if length is None else length.group(1)


def _first(body: Content, delimiter: bytes) -> int:
    """Return where the first boundary ends."""
    position = len(delimiter) - 2
    if body[:position] == delimiter[2:]:
        return position
    position = body.find(delimiter)  # after a preamble, which no SDK sends
    if position < 0:
        raise ParseError("The body does not hold the boundary that Content-Type names")
    return position + len(delimiter)


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
    """Yield the runs of `groups`, (kind, run id) -> parts; set aside those that are none."""
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
