"""Store a batch of run ops: one transaction, set-based, convergent.

Whatever their order, number or concurrency, the rows end as `merge.fold` defines. Creates are
copied straight into the table; patches, and batches with a create that is not new, go through a
temporary table and one INSERT .. ON CONFLICT.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Self, TypedDict, TypeVar
from uuid import UUID

import psycopg
import psycopg.errors
from django.db import DataError, IntegrityError, OperationalError, connection, transaction

from observatory.runs import adoption, changes, merge, prices, projects, rows
from observatory.runs.merge import Order
from observatory.runs.models import Change, Rejected
from observatory.runs.ops import RunOp
from observatory.wire_values import clean_text
from observatory.workspaces.models import Workspace

logger = logging.getLogger(__name__)
T = TypeVar("T")
MAX_RAW_BYTES = 1 << 20
MAX_ATTEMPTS = 8
WRITE_BYTES = 1 << 20
AT_ONCE = 50  # ops: PostgreSQL starts early, and few messages are sent
_UNKNOWN_PROJECT = -1


class Mode(IntEnum):
    """How carefully to write: each mode is slower and handles what the one before could not."""

    DIRECT = 0  # creates by COPY into the table, in the hope that they are new
    STAGED = 1  # everything through the temporary table
    ONE_BY_ONE = 2  # each op in its own savepoint, to find the one PostgreSQL refuses


class Rejection(TypedDict):
    """An op set aside: which, why, and the bytes that were sent."""

    item_id: str
    code: str
    reason: str
    raw: bytes


@dataclass
class Stored:
    """What `store` did: the runs it wrote, and the ops it set aside.

    `answer` is what its `asking` found, True where nothing was asked.
    """

    run_ids: list[UUID] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    answer: bool = True


def transact(work: Callable[[Mode], T]) -> T:
    """Run `work` in one transaction and return its result, repeating it when that can help.

    A deadlock, a lost race or a deleted project repeats it; a value that PostgreSQL refuses repeats
    it with Mode.ONE_BY_ONE. `work` gets the mode to pass on to `store`, and must be safe to repeat.
    """
    mode = Mode.DIRECT
    for attempt in itertools.count(1):
        try:
            with transaction.atomic():
                return work(mode)
        except IntegrityError as error:
            if attempt == MAX_ATTEMPTS or not _is(error, psycopg.errors.UniqueViolation):
                raise
            mode = max(mode, Mode.STAGED)
        except projects.Moved:
            mode = max(mode, Mode.STAGED)  # it looks up every project
        except DataError:
            if mode is Mode.ONE_BY_ONE or attempt == MAX_ATTEMPTS:
                raise
            logger.warning("PostgreSQL refused a value of a batch; storing it one by one")
            mode = Mode.ONE_BY_ONE
        except OperationalError as error:
            again = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)
            if attempt == MAX_ATTEMPTS or not _is(error, *again):
                raise
            mode = max(mode, Mode.STAGED)  # it writes in the order of ids, so cannot deadlock
            time.sleep(0.01 * attempt)
    raise AssertionError("unreachable")


def _is(error: Exception, *kinds: type[Exception]) -> bool:
    return isinstance(error.__cause__, kinds)


def store(
    workspace: Workspace,
    ops: Iterable[RunOp],
    *,
    now: datetime,
    mode: Mode | None = None,
    asking: str = "true",
) -> Stored:
    """Fold `ops` into the runs of `workspace`, note the change, and return what was done.

    Without `mode` it is a transaction of its own (see `transact`). With it, it is part of the
    caller's. Projects named for the first time are made. An op that names an unknown project
    by id, or that PostgreSQL refuses, is quarantined; the others are stored. `ops` may be read
    while the first are stored already, and again after a conflict: each time the same.

    `asking` is a condition in SQL, as for `changes.note`, that is asked once the runs are stored:
    for the caller, and without a round trip of its own. `Stored.answer` is its answer.
    """
    if mode is None:
        return transact(lambda mode: store(workspace, ops, now=now, mode=mode, asking=asking))
    stored = Stored()
    places = _Places(workspace, is_bold=mode is Mode.DIRECT)
    if mode is Mode.DIRECT:
        placed = _copy_as_they_come(workspace, places, ops, now, stored)
    else:
        listed = list(ops)
        places.learn(listed)
        placed = [(op, p) for op in listed if (p := places.of(op, stored)) is not _UNKNOWN_PROJECT]
        _write(workspace, placed, now, mode, stored)
    stored.run_ids = list({op.id.int: op.id for op, _ in placed}.values())
    for rejection in stored.rejected:
        quarantine(workspace, "run", **rejection)
    answers = changes.note(
        workspace,
        Change.Kind.RUN,
        stored.run_ids,
        asking=[*adoption.WAITING, asking, projects.STILL_THERE],
        values=projects.still_there(places.recalled),
    )
    if answers:
        waits_for_trace, waits_for_project, has_prices, stored.answer, is_there = answers
        if not is_there:
            projects.forget(workspace)
            raise projects.Moved
        if waits_for_trace or waits_for_project:
            adopted = adoption.adopt(workspace, stored.run_ids, waits_for_trace, waits_for_project)
            changes.note(workspace, Change.Kind.RUN, adopted)
        if has_prices:
            prices.price(workspace, stored.run_ids)
    return stored


def quarantine(
    workspace: Workspace, kind: str, item_id: str, code: str, reason: str, raw: bytes
) -> None:
    """Keep an item that could not be stored, cut at 1 MiB, with the reason."""
    Rejected.objects.create(
        workspace=workspace,
        kind=kind,
        item_id=clean_text(item_id)[:200],
        code=code,
        reason=clean_text(reason)[:2_000],
        raw=raw[:MAX_RAW_BYTES],
    )


def _rejection(op: RunOp, code: str, reason: str) -> Rejection:
    return {"item_id": str(op.id), "code": code, "reason": reason, "raw": op.raw}


class _Places:
    """Which project each op goes to: looked up once per name, created on first use.

    `is_bold` uses what this process remembers of an earlier request: `recalled`, name -> id, which
    must be confirmed once the runs are stored (`projects.STILL_THERE`).
    """

    def __init__(self, workspace: Workspace, *, is_bold: bool) -> None:
        self._workspace = workspace
        self._is_bold = is_bold
        self.recalled: dict[str, int] = {}
        self._by_name: dict[str, int] = {}
        self._by_uuid: dict[UUID, int | None] = {}

    def unknown(self, ops: Iterable[RunOp]) -> tuple[set[str], set[UUID]]:
        """Return the names and uuids of the projects of `ops` that have not been looked up."""
        names = {
            name
            for op in ops
            if op.session_id is None and (name := _name_of(op)) and name not in self._by_name
        }
        if names and self._is_bold:
            recalled = projects.recall(self._workspace, names)
            self.recalled |= recalled
            self._by_name |= recalled
            names -= recalled.keys()
        uuids = {op.session_id for op in ops if op.session_id is not None} - self._by_uuid.keys()
        return names, uuids

    def learn(self, ops: Sequence[RunOp]) -> None:
        """Look up the `unknown` projects."""
        names, uuids = self.unknown(ops)
        if names:
            ids_by_name = projects.resolve(self._workspace, names, starts=_starts(ops, names))
            projects.remember(self._workspace, ids_by_name)
            self._by_name |= ids_by_name
        if uuids:
            self._by_uuid |= dict.fromkeys(uuids) | projects.by_uuid(self._workspace, uuids)

    def of(self, op: RunOp, stored: Stored) -> int | None:
        """Return the project's id; None for a patch that names none.

        _UNKNOWN_PROJECT for an op that names an unknown one: it is set aside in `stored`.
        """
        if op.session_id is None:
            name = _name_of(op)
            return None if name is None else self._by_name[name]
        project_id = self._by_uuid[op.session_id]
        if project_id is None:
            reason = f"session_id: no project {op.session_id} in this workspace"
            stored.rejected.append(_rejection(op, "unknown_session", reason))
            return _UNKNOWN_PROJECT
        return project_id


def _starts(ops: Iterable[RunOp], names: set[str]) -> dict[str, datetime]:
    """Return the earliest start among `ops` of each project named, where one is known."""
    starts: dict[str, datetime] = {}
    for op in ops:
        name = _name_of(op) if op.session_id is None else None
        if name in names and op.start_time is not None:
            starts[name] = min(op.start_time, starts.get(name, op.start_time))
    return starts


def _name_of(op: RunOp) -> str | None:
    return op.session_name or (projects.DEFAULT if op.kind == "create" else None)


def _copy_as_they_come(
    workspace: Workspace, places: _Places, ops: Iterable[RunOp], now: datetime, stored: Stored
) -> list[tuple[RunOp, int | None]]:
    """Copy creates into the table while `ops` are still being read, then merge the others.

    A create is nearly always new. If one is not, the copy fails as a whole and `transact` comes
    back with STAGED: cheaper than checking every run of every batch. PostgreSQL stores what it has
    been sent while the next ops are parsed.
    """
    placed: list[tuple[RunOp, int | None]] = []
    others: list[tuple[RunOp, int | None]] = []
    met: set[int] = set()
    source = iter(ops)
    with _Copying("runs_run", workspace, now) as copying:
        while some := list(itertools.islice(source, AT_ONCE)):
            if any(places.unknown(some)):
                copying.end()  # a connection cannot run a query during a copy
                places.learn(some)
            fresh: list[tuple[RunOp, int | None]] = []
            for op in some:
                project_id = places.of(op, stored)
                if project_id is _UNKNOWN_PROJECT:
                    continue
                pair = (op, project_id)
                placed.append(pair)
                if op.kind == "create" and op.id.int not in met:
                    met.add(op.id.int)
                    fresh.append(pair)
                else:
                    others.append(pair)
            copying.write(sorted(fresh, key=_id_of))
    for batch in _rounds(others):
        _merge(workspace, batch, now)
    return placed


def _write(
    workspace: Workspace,
    placed: list[tuple[RunOp, int | None]],
    now: datetime,
    mode: Mode,
    stored: Stored,
) -> None:
    """Merge `placed`; an op that PostgreSQL refuses in ONE_BY_ONE is removed and set aside."""
    if mode is Mode.STAGED:
        for batch in _rounds(placed):
            _merge(workspace, batch, now)
        return
    for pair in list(placed):
        try:
            with transaction.atomic():
                _merge(workspace, [pair], now)
        except DataError as error:
            placed.remove(pair)
            reason = str(error).splitlines()[0]
            stored.rejected.append(_rejection(pair[0], "refused", reason))


def _rounds(
    placed: Iterable[tuple[RunOp, int | None]],
) -> Iterator[list[tuple[RunOp, int | None]]]:
    """Yield the ops in rounds of distinct runs, each sorted by id so that none deadlocks."""
    waiting = list(placed)
    while waiting:
        first: dict[int, tuple[RunOp, int | None]] = {}
        later = [p for p in waiting if first.setdefault(_id_of(p), p) is not p]
        yield sorted(first.values(), key=_id_of)
        waiting = later


def _id_of(pair: tuple[RunOp, int | None]) -> int:
    return pair[0].id.int  # the order of uuids; integers compare without Python code


def _merge(workspace: Workspace, batch: list[tuple[RunOp, int | None]], now: datetime) -> None:
    if not batch:
        return
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with _Copying("runs_staged", workspace, now) as copying:
            copying.write(batch)
        cursor.execute(_UPSERT)
        cursor.execute("DELETE FROM runs_staged")


class _Copying:
    """A COPY into `table`, started with the first row and finished by `end` or the block."""

    def __init__(self, table: str, workspace: Workspace, now: datetime) -> None:
        self._command = f"COPY {table} ({', '.join(rows.COLUMNS)}) FROM STDIN (FORMAT binary)"
        self._encode = rows.encoder(workspace.pk, now)
        self._open: contextlib.ExitStack | None = None
        self._copy: psycopg.Copy

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: Any) -> None:
        if self._open is not None:
            opened, self._open = self._open, None
            if raised[0] is None:
                self._copy.write(rows.TRAILER)
            opened.__exit__(*raised)

    def end(self) -> None:
        """Finish the COPY. Raises PostgreSQL's errors."""
        self.__exit__(None, None, None)

    def write(self, pairs: Iterable[tuple[RunOp, int | None]]) -> None:
        """Send the rows of `pairs`, at most about WRITE_BYTES of them at once."""
        pieces: list[bytes] = []
        size = 0
        for op, project_id in pairs:
            row = self._encode(op, project_id)
            pieces += row
            size += sum(map(len, row))
            if size >= WRITE_BYTES:  # never hold a large batch twice
                self._send(pieces)
                pieces, size = [], 0
        if pieces:
            self._send(pieces)

    def _send(self, pieces: list[bytes]) -> None:
        if self._open is None:
            with contextlib.ExitStack() as opening:
                cursor = opening.enter_context(connection.cursor())
                # A COPY goes past Django's cursor, which would wrap the errors.
                opening.enter_context(connection.wrap_database_errors)
                self._copy = opening.enter_context(cursor.copy(self._command))
                self._open = opening.pop_all()
            pieces = [rows.HEADER, *pieces]
        self._copy.write(b"".join(pieces))


def _ordering(order: Order, expression: str) -> str:
    """Return the SQL of `merge.ordering`."""
    match order:
        case Order.NATURAL:
            return expression
        case Order.TEXT | Order.TEXTS:
            return f'{expression} COLLATE "C"'
        case Order.JSON | Order.JSONB:
            return f'{expression}::text COLLATE "C"'


def _rank(alias: str, key: str) -> str:
    return f"coalesce({alias}.clock ->> {key}, '') COLLATE \"C\""


# A sender's cost replaces all that the price table computed.
_COSTS = ("prompt_cost", "completion_cost", "total_cost")
_COST_SENT = f"coalesce({', '.join(f'excluded.{name}' for name in _COSTS)}) IS NOT NULL"


def _merged(name: str, order: Order) -> str:
    """Return the SQL of `merge.merge` for one field: which of `r` and `excluded` wins."""
    key = f"'{name}'"
    new, old = f"excluded.{name}", f"r.{name}"
    no_new, no_old = f"{new} IS NULL", f"{old} IS NULL"
    if name == "trace_id":  # a run without a known trace has its own id there
        no_new, no_old = f"{new} = excluded.id", f"{old} = r.id"
    if name == "project_id":
        no_old += " OR r.is_adopted"
    first = f"WHEN r.is_priced AND {_COST_SENT} THEN {new} " if name in _COSTS else ""
    return (
        f"CASE {first}WHEN {no_new} THEN {old} WHEN {no_old} THEN {new}"
        f" WHEN ({_rank('excluded', key)}, {_ordering(order, new)})"
        f" > ({_rank('r', key)}, {_ordering(order, old)}) THEN {new} ELSE {old} END"
    )


_MERGED_METADATA = f"""CASE
  WHEN excluded.metadata = '{{}}' THEN r.metadata
  WHEN r.metadata = '{{}}' THEN excluded.metadata
  ELSE (SELECT jsonb_object_agg(key, value) FROM (
    SELECT DISTINCT ON (key) key, value FROM (
      SELECT key, value, {_rank("r", f"('{merge.METADATA}' || key)")} AS rank
        FROM jsonb_each(r.metadata)
      UNION ALL
      SELECT key, value, {_rank("excluded", f"('{merge.METADATA}' || key)")}
        FROM jsonb_each(excluded.metadata)
    ) said ORDER BY key, value <> 'null' DESC, rank COLLATE "C" DESC,
      value::text COLLATE "C" DESC
  ) winner) END"""
_MERGED_CLOCK = """CASE
  WHEN excluded.clock IS NULL THEN r.clock
  WHEN r.clock IS NULL THEN excluded.clock
  ELSE (SELECT jsonb_object_agg(key, rank) FROM (
    SELECT key, max(value COLLATE "C") AS rank FROM (
      SELECT key, value FROM jsonb_each_text(r.clock)
      UNION ALL SELECT key, value FROM jsonb_each_text(excluded.clock)
    ) said GROUP BY key
  ) latest) END"""
_UPSERT = (
    f"INSERT INTO runs_run AS r ({', '.join(rows.COLUMNS)})"
    f" SELECT {', '.join(rows.COLUMNS)} FROM runs_staged ORDER BY id"
    " ON CONFLICT (workspace_id, id) DO UPDATE SET "
    + ", ".join(f"{name} = {_merged(name, order)}" for name, order in merge.FIELDS.items())
    + f", metadata = {_MERGED_METADATA}, clock = {_MERGED_CLOCK}"
    ", is_adopted = r.is_adopted AND excluded.project_id IS NULL"
    f", is_priced = r.is_priced AND NOT ({_COST_SENT})"
    ", is_sanitized = r.is_sanitized OR excluded.is_sanitized, modified_at = excluded.modified_at"
)
_STAGED_TYPES = dict.fromkeys(("dotted_order", "name", "run_type", "error"), "text") | {
    "workspace_id": "int", "id": "uuid", "project_id": "int", "trace_id": "uuid",
    "parent_run_id": "uuid", "start_time": "timestamptz", "end_time": "timestamptz",
    "first_token_time": "timestamptz", "inputs": "json", "outputs": "json", "events": "json",
    "serialized": "json", "extra": "jsonb", "metadata": "jsonb", "tags": "text[]",
    "reference_example_id": "uuid", "prompt_tokens": "bigint", "completion_tokens": "bigint",
    "total_tokens": "bigint", "prompt_cost": "numeric", "completion_cost": "numeric",
    "total_cost": "numeric", "usage_details": "jsonb", "clock": "jsonb", "is_sanitized": "bool",
    "received_at": "timestamptz", "modified_at": "timestamptz",
}  # fmt: skip
_STAGE = (
    "CREATE TEMP TABLE IF NOT EXISTS runs_staged"
    f" ({', '.join(f'{name} {_STAGED_TYPES[name]}' for name in rows.COLUMNS)})"
    " ON COMMIT DELETE ROWS"
)
