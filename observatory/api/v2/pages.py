"""Pages of a list in any order: a cursor holds the offset, and the newest row of the first page.

Rows that are created while a client pages are left out, so that no row comes twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ParseError

from observatory.api.kit import cursors


@dataclass(frozen=True)
class Place:
    """Where a page begins, how long it is, and the highest primary key of the first page's time."""

    offset: int
    newest: int
    size: int

    @property
    def window(self) -> slice:
        """The rows of the page and one more: whether another page follows."""
        return slice(self.offset, self.offset + self.size + 1)

    def page(self, rows: Sequence[Any]) -> tuple[list[Any], str | None]:
        """Return the rows of `window` that belong to the page, and the cursor of the next one."""
        if len(rows) <= self.size:
            return list(rows), None
        return list(rows[: self.size]), cursors.written(self.offset + self.size, self.newest)


def place_of(cursor: str | None, size: int, everything: QuerySet[Any]) -> Place:
    """Return where a page of `size` rows is in a list of rows of `everything`.

    Raises ParseError for an invalid cursor.
    """
    if cursor is None:
        newest = everything.order_by("-pk").values_list("pk", flat=True).first()
        return Place(0, newest or 0, size)
    offset, newest = cursors.read(cursor, int, int)
    if offset < 0 or newest < 0:
        raise ParseError("cursor: invalid; send the cursor of an earlier answer")
    return Place(offset, newest, size)
