"""Statements of the hot paths: planned once a connection, sent with their values apart.

Django writes the values into the text, so PostgreSQL parses and plans every statement anew:
longer than it takes to answer the short ones. Behind PgBouncer (OBSERVATORY_PGBOUNCER) nothing
is prepared; the statements stay the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper


def cursor() -> CursorWrapper:
    """Return a cursor that prepares what it executes: `%s` are parameters, not text.

    Errors, query logs and execute wrappers are Django's, as with `connection.cursor()`. Parameters
    have the types psycopg gives them; a list needs a cast, ids go as `uuid_array`.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    plain: Any = psycopg.Cursor(connection.connection)
    if connection.queries_logged:
        return connection.make_debug_cursor(plain)
    return connection.make_cursor(plain)


def uuid_array(ids: Iterable[UUID]) -> str:
    """Return `ids` as the text of a uuid[]: a sixth of what psycopg takes for a list of them."""
    return "{" + ",".join([f"{one.int:032x}" for one in ids]) + "}"
