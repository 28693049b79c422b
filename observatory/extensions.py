"""Declared extension points: where a room above adds to what a room below does.

The lower room declares the point and its type, and calls the registered part. The upper room
registers it, in `AppConfig.ready` or, for the admin, beside the class it registers. A room changes
nothing else in another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")


class Additions(Generic[T]):
    """An extension point for any number of parts, in the order in which they were added."""

    def __init__(self) -> None:
        self._parts: list[T] = []

    def add(self, part: T) -> None:
        """Add `part`; adding it again changes nothing."""
        if part not in self._parts:
            self._parts.append(part)

    def __iter__(self) -> Iterator[T]:
        return iter(self._parts)


class Slot(Generic[T]):
    """An extension point for exactly one part. `purpose` completes "no room has registered ..."."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._part: T | None = None

    def fill(self, part: T) -> None:
        """Set the part. Raises ImproperlyConfigured when a different one is set already."""
        if self._part is not None and self._part != part:
            raise ImproperlyConfigured(f"two rooms have registered {self._purpose}")
        self._part = part

    def get(self) -> T:
        """Return the part. Raises ImproperlyConfigured when there is none."""
        if self._part is None:
            raise ImproperlyConfigured(f"no room has registered {self._purpose}")
        return self._part
