"""Arithmetic: one operation on a run, a create or a patch, and its validation.

`inputs`, `outputs`, `events`, `serialized` and `extra` stay the bytes that were sent. Members that
the wire ignores (`child_runs`, `execution_order`, `manifest_id`, ...) are never read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID, uuid4

import msgspec
from msgspec import Raw

from observatory import exact
from observatory.runs import documents, usage
from observatory.runs.documents import SUSPECT, BadItem, Suspicion
from observatory.runs.sums import USAGE
from observatory.runs.times import parse_time

__all__ = [
    "DOCUMENT_FIELDS",
    "BadItem",
    "Kind",
    "RunOp",
    "attachment_name",
    "canonical_uuid",
    "parse_op",
    "parse_time",
]

Kind = Literal["create", "patch"]
DOCUMENT_FIELDS: Final = ("inputs", "outputs", "events", "extra", "error", "serialized")
MAX_SESSION_NAME: Final = 512
MAX_DOTTED_ORDER: Final = 65_536
MAX_THREAD_ID: Final = 200  # characters: it is in an index
THREAD_KEYS: Final = ("session_id", "thread_id", "conversation_id")
"""The members of metadata that name a run's thread; the first that is there counts."""
MAX_FILE_NAME: Final = 1_024  # bytes: it is in a unique index, whose entries hold 2,700

_ABSENT = Raw(b"")
_NULL = b"null"
_RAW_NULL = Raw(_NULL)
_UUID = re.compile(
    r"\s*(?:urn:uuid:)?\{?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?\s*",
    re.IGNORECASE | re.ASCII,
)
_TIME_LENGTH = len("20260101T000000000000Z")
_SEGMENT_LENGTH = _TIME_LENGTH + 36
_SEGMENT = r"\d{8}T\d{12}Z[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_DOTTED = re.compile(rf"{_SEGMENT}(?:\.{_SEGMENT})*", re.ASCII)
_UUID_FIELDS = ("id", "trace_id", "parent_run_id", "session_id", "reference_example_id")


class _Main(msgspec.Struct):
    """The wire's run object. Types are strict, so that no field can be a tree of objects."""

    id: UUID | None = None
    trace_id: UUID | None = None
    dotted_order: str | None = None
    parent_run_id: UUID | None = None
    name: str | None = None
    run_type: str | None = None
    start_time: str | int | float | None = None
    end_time: str | int | float | None = None
    session_name: str | None = None
    session_id: UUID | None = None
    tags: list[str] | None = None
    reference_example_id: UUID | None = None
    inputs: Raw = _ABSENT
    outputs: Raw = _ABSENT
    events: Raw = _ABSENT
    extra: Raw = _ABSENT
    error: Raw = _ABSENT
    serialized: Raw = _ABSENT


_main = msgspec.json.Decoder(_Main)
_text = msgspec.json.Decoder(str)


@dataclass(slots=True)
class RunOp:
    """A create or a patch of one run. None means "not sent": it never erases.

    Documents are JSON bytes; `extra` is without its `metadata`, whose members are in `metadata`,
    each as JSON bytes. Times are aware, UTC. `raw` is what was sent, for the quarantine.
    """

    kind: Kind
    id: UUID
    trace_id: UUID | None = None
    parent_run_id: UUID | None = None
    dotted_order: str | None = None
    name: str | None = None
    run_type: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    first_token_time: datetime | None = None
    error: str | None = None
    inputs: bytes | None = None
    outputs: bytes | None = None
    events: bytes | None = None
    serialized: bytes | None = None
    extra: bytes | None = None
    metadata: dict[str, bytes] = field(default_factory=dict)
    tags: list[str] | None = None
    reference_example_id: UUID | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_cost: Decimal | None = None
    completion_cost: Decimal | None = None
    total_cost: Decimal | None = None
    usage_details: bytes | None = None
    session_name: str | None = None
    session_id: UUID | None = None
    is_sanitized: bool = False
    raw: bytes = b""


def canonical_uuid(text: str) -> UUID:
    """Return the UUID that `text` spells: any case, with or without dashes, braces or urn:uuid:.

    Raises BadItem for anything else and for the nil UUID.
    """
    try:
        uuid = msgspec.convert(text, UUID)  # the usual spellings, five times as fast
    except msgspec.ValidationError:
        match = _UUID.fullmatch(text)
        if match is None:
            raise BadItem("invalid_uuid", f"Not a UUID: {text[:80]!r}") from None
        uuid = UUID("".join(match.groups()))
    if not uuid.int:
        raise BadItem("invalid_uuid", "The nil UUID names no run")
    return uuid


def attachment_name(name: str) -> str:
    """Return the name of an attachment as it is stored. Raises BadItem."""
    if not name:
        raise BadItem("missing_name", "An attachment needs a name")
    if len(name.encode()) > MAX_FILE_NAME:
        reason = f"{name[:80]}...: the name of an attachment may have {MAX_FILE_NAME} bytes"
        raise BadItem("name_too_long", reason)
    return name.replace("\x00", "\ufffd")


def parse_op(
    kind: Kind,
    main: bytes | Mapping[str, Any],
    documents_: Mapping[str, bytes] | None = None,
    *,
    run_id: UUID | None = None,
    suspicion: Suspicion = SUSPECT,
) -> RunOp:
    """Return the operation in `main`, a run object of the wire, and its documents.

    `main` is JSON bytes or a dict; `documents_` holds the fields that were sent separately
    (DOCUMENT_FIELDS -> JSON bytes) and wins over the same field in `main`. `run_id` is the id in
    the URL or the part's name. `suspicion` says what a scan of the whole body has ruled out. Raises
    BadItem.
    """
    content = main if isinstance(main, bytes) else exact.dumps(main)
    clean, is_sanitized = documents.sanitize(content) if suspicion.escapes else (content, False)
    run = _decode(clean)
    uuid = run.id if run_id is None else run_id
    if uuid is None:
        uuid = _new_id(kind, run.dotted_order)
    if run.id is not None and run.id.int != uuid.int:
        raise BadItem("id_mismatch", "id: the id in the body is not the id it was sent under")
    if not uuid.int:
        raise BadItem("invalid_uuid", "id: the nil UUID names no run")
    op = RunOp(
        kind,
        uuid,
        run.trace_id,
        run.parent_run_id,
        run.dotted_order or None,
        run.name,
        run.run_type,
        _time("start_time", run.start_time),
        _time("end_time", run.end_time),
        tags=run.tags,
        reference_example_id=run.reference_example_id,
        session_name=run.session_name or None,
        session_id=run.session_id,
        is_sanitized=is_sanitized,
        raw=content,
    )
    if op.session_name is not None and len(op.session_name) > MAX_SESSION_NAME:
        raise BadItem(
            "session_name_too_long",
            f"session_name: a name has at most {MAX_SESSION_NAME} characters",
        )
    _place_in_trace(op)
    _take_documents(op, run, documents_ or {}, suspicion)
    _take_usage(op)
    return op


def _new_id(kind: Kind, dotted_order: str | None) -> UUID:
    """Return the id of a run that was sent without one: the end of its dotted_order, or a new one.

    Raises BadItem for a patch, which must name its run.
    """
    if kind == "patch":
        raise BadItem("missing_id", "id: a patch needs the id of its run")
    if dotted_order:
        try:
            return canonical_uuid(dotted_order[-36:])
        except BadItem as bad:
            raise BadItem("invalid_dotted_order", f"dotted_order: {bad.reason}") from None
    return uuid4()


def _time(name: str, value: str | float | None) -> datetime | None:
    try:
        return None if value is None else parse_time(value)
    except BadItem as bad:
        raise BadItem(bad.code, f"{name}: {bad.reason}") from None


def _id(name: str, text: str) -> UUID:
    try:
        return canonical_uuid(text)
    except BadItem as bad:
        raise BadItem(bad.code, f"{name}: {bad.reason}") from None


def _decode(main: bytes) -> _Main:
    try:
        return _main.decode(main)
    except RecursionError:
        raise BadItem("too_deep", f"Nested deeper than {documents.MAX_DEPTH}") from None
    except msgspec.ValidationError as error:
        if "UUID" not in str(error):
            raise BadItem("invalid_field", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadItem("invalid_json", str(error)) from None
    # Braces, urn:uuid:, blanks: other spellings of a valid id.
    members = documents.members(main)
    for name in _UUID_FIELDS:
        if members.get(name, _NULL) != _NULL:
            text = _text_of(name, members[name])
            members[name] = b'"%s"' % str(_id(name, text)).encode() if text else _NULL
    try:
        return _main.decode(documents.compose(members))
    except msgspec.ValidationError as error:
        raise BadItem("invalid_field", str(error)) from None


def _text_of(name: str, document: bytes) -> str:
    try:
        return _text.decode(document)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadItem("invalid_field", f"{name}: {error}") from None


def _place_in_trace(op: RunOp) -> None:
    """Check dotted_order against the ids, and derive missing ids from each other.

    The hosted API's three rules: the first segment is the trace's, a root has one segment, the last
    segment is the run's own.
    """
    if op.dotted_order is not None:
        op.dotted_order = order = _canonical_order(op.dotted_order)
        own, first = order[-36:], order[_TIME_LENGTH : _TIME_LENGTH + 36]
        if msgspec.convert(own, UUID).int != op.id.int:
            raise BadItem("invalid_dotted_order", "dotted_order does not end in the run's own id")
        trace = op.id if first == own else msgspec.convert(first, UUID)
        if op.trace_id is None:
            op.trace_id = trace
        elif trace.int != op.trace_id.int:
            raise BadItem("invalid_dotted_order", "dotted_order does not begin with trace_id")
        if len(order) > _SEGMENT_LENGTH:
            if first == own:
                raise BadItem("invalid_dotted_order", "The dotted_order of a root has one segment")
            if op.parent_run_id is None:
                end = len(order) - _SEGMENT_LENGTH - 1
                op.parent_run_id = UUID(order[end - 36 : end])
    if op.kind == "create" and op.parent_run_id is None:
        if op.trace_id is None:
            op.trace_id = op.id
        if op.dotted_order is None and op.trace_id == op.id and op.start_time is not None:
            op.dotted_order = f"{op.start_time:%Y%m%dT%H%M%S%f}Z{op.id}"


def _canonical_order(order: str) -> str:
    """Return dotted_order with ids in lower case. Raises BadItem for an invalid one."""
    if len(order) <= MAX_DOTTED_ORDER:
        if _DOTTED.fullmatch(order):
            return order
        order = order.lower().replace("t", "T").replace("z", "Z")
        if _DOTTED.fullmatch(order):
            return order
    raise BadItem("invalid_dotted_order", "dotted_order is not made of time and id pairs")


def _take_documents(
    op: RunOp, run: _Main, apart: Mapping[str, bytes], suspicion: Suspicion
) -> None:
    for name in DOCUMENT_FIELDS:
        document = apart.get(name)
        if document is None:
            raw = getattr(run, name)
            if raw is _ABSENT:
                continue
            document = bytes(raw)  # sanitized with the main part
        elif suspicion.escapes:
            document, was_bad = documents.sanitize(document)
            op.is_sanitized |= was_bad
        try:
            _take_document(op, name, document, suspicion)
        except BadItem as bad:
            raise BadItem(bad.code, f"{name}: {bad.reason}") from None


def _take_document(op: RunOp, name: str, document: bytes, suspicion: Suspicion) -> None:
    documents.check(document, suspicion)
    first = document[:1]
    if first.isspace():
        first = document.strip()[:1]
    if first == b"n":
        return
    if name == "error":
        op.error = _text.decode(document) if first == b'"' else document.decode()
        return
    if first != (b"[" if name == "events" else b"{"):
        kind = "a list" if name == "events" else "an object"
        raise BadItem("wrong_type", f"Must be {kind} or null")
    if name == "extra":
        _split_extra(op, document)
    else:
        setattr(op, name, document)


def _take_usage(op: RunOp) -> None:
    """Fill the token, cost and first-token fields from the documents."""
    if op.events is not None:
        op.first_token_time = usage.first_token(op.events)
    reported = usage.find(op.outputs, op.metadata.get("usage_metadata"), op.run_type)
    if reported is not None:
        for name in USAGE:
            setattr(op, name, getattr(reported, name))
        op.usage_details = reported.details


def _split_extra(op: RunOp, extra: bytes) -> None:
    """Split `extra` and `metadata`; neither is parsed deeper than its members."""
    members = documents.raw_members(extra)
    metadata = bytes(members.pop("metadata", _RAW_NULL))
    if members:
        op.extra = msgspec.json.encode(members)
    if metadata != _NULL:
        if metadata[:1] != b"{":
            raise BadItem("wrong_type", "metadata must be an object or null")
        op.metadata = documents.members(metadata)
        for key in THREAD_KEYS:
            _check_thread_id(key, op.metadata.get(key, _NULL))


def _check_thread_id(key: str, document: bytes) -> None:
    """Raise BadItem for a thread id that is too long for its column."""
    if len(document) <= MAX_THREAD_ID // 2:  # jsonb may print spaces between the members
        return
    value = exact.loads(document)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) > MAX_THREAD_ID:
        reason = f"metadata.{key}: the id of a thread has at most {MAX_THREAD_ID} characters"
        raise BadItem("thread_id_too_long", reason)
