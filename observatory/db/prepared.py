"""Statements of the hot paths: planned once a connection, sent with their values apart.

Django writes the values into the text, so PostgreSQL parses and plans every statement anew:
longer than it takes to answer the short ones. Behind PgBouncer (OBSERVATORY_PGBOUNCER) nothing
is prepared; the statements stay the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import numpy as np
import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper
from django.db.models import QuerySet
from numpy.typing import NDArray
from psycopg.pq import Format

_WIDTHS: Final = {"bigint": ">i8", "integer": ">i4", "double precision": ">f8"}
_ARRAY_HEADER: Final = 20  # bytes: dimensions, flags, type, length, lower bound


def cursor(*, is_binary: bool = False) -> CursorWrapper:
    """Return a cursor that prepares what it executes: `%s` are parameters, not text.

    Errors, query logs and execute wrappers are Django's, as with `connection.cursor()`. Parameters
    have the types psycopg gives them; a list needs a cast, ids go as `uuid_array`. `is_binary`:
    values come in PostgreSQL's own form, which halves the time of a page of rows, most of it
    spent on reading times; a json or jsonb column then has to be cast to text.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    is_logged = connection.queries_logged
    plain: Any = (_Logged if is_logged else psycopg.Cursor)(connection.connection)
    plain.format = Format.BINARY if is_binary else Format.TEXT
    return connection.make_debug_cursor(plain) if is_logged else connection.make_cursor(plain)


class _Logged(psycopg.Cursor[Any]):
    """Keeps its statement where Django's query log looks for it, as psycopg's ClientCursor does."""

    def _convert_query(self, query: Any, params: Any = None) -> Any:
        self._query = super()._convert_query(query, params)
        return self._query


def uuid_array(ids: Iterable[UUID]) -> str:
    """Return `ids` as the text of a uuid[]: a sixth of what psycopg takes for a list of them."""
    return "{" + ",".join([f"{one.int:032x}" for one in ids]) + "}"


def columns(rows: QuerySet[Any, Any], *types: str) -> list[NDArray[Any]]:
    """Return the columns of `rows` (a values_list without nulls) as arrays of one length.

    `types` are the columns' types: bigint, integer or double precision. PostgreSQL sends each
    column as one array in its binary format (documentation, array_send), so no Python object is
    made for a value: a tenth of the time of fetching rows. At most 80 million rows.
    """
    inner, params = rows.query.sql_with_params()
    names = [f"c{n}" for n in range(len(types))]
    wanted = ", ".join(f"array_agg({n}::{t})" for n, t in zip(names, types, strict=True))
    with cursor(is_binary=True) as asking:
        asking.execute(
            f"SELECT {wanted} FROM ({inner}) AS asked ({', '.join(names)})", list(params)
        )
        result = asking.pgresult
    found = []
    for place, kind in enumerate(types):
        sent = result.get_value(0, place)
        element = np.dtype([("size", ">i4"), ("value", _WIDTHS[kind])])
        values = np.frombuffer(sent or b"", element, offset=_ARRAY_HEADER if sent else 0)
        found.append(values["value"].astype(_WIDTHS[kind][1:]))
    return found
