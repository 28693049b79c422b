"""Pages of a list in any order: a cursor says how far one came, and what was the newest row then.

Rows that are made while somebody turns pages are left out of them, so that no row comes twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from observatory.api.kit import cursors, parameters

MAX_PAGE = 100


@dataclass(frozen=True)
class Place:
    """Where a page begins, how long it is, and the highest primary key that was there at first."""

    offset: int
    newest: int
    size: int

    @property
    def window(self) -> slice:
        """One more than the page has: it tells whether another follows."""
        return slice(self.offset, self.offset + self.size + 1)

    def page(self, found: Sequence[Any]) -> tuple[list[Any], str | None]:
        """Return what of `window` belongs to the page, and the cursor of the next one."""
        if len(found) <= self.size:
            return list(found), None
        return list(found[: self.size]), cursors.written(self.offset + self.size, self.newest)


def place_of(request: Request, everything: QuerySet[Any]) -> Place:
    """Return where the request's page is in a list of rows of `everything`.

    Raises ParseError for a cursor that was not given out.
    """
    size = parameters.number(request, "page_size", MAX_PAGE, 1, MAX_PAGE)
    cursor = parameters.one(request, "cursor")
    if cursor is None:
        newest = everything.order_by("-pk").values_list("pk", flat=True).first()
        return Place(0, newest or 0, size)
    offset, newest = cursors.read(cursor, int, int)
    if offset < 0 or newest < 0:
        raise ParseError("cursor: invalid; send the cursor of an earlier answer")
    return Place(offset, newest, size)


def is_descending(request: Request) -> bool:
    """Return what `sort_order` says; descending unless asked. Raises ParseError."""
    order = parameters.one(request, "sort_order") or "desc"
    if order not in ("asc", "desc"):
        raise ParseError("sort_order: expects asc or desc")
    return order == "desc"
