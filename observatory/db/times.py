"""How times are read from the database."""

from __future__ import annotations

from datetime import UTC, datetime

from psycopg.abc import Buffer
from psycopg.types.datetime import TimestamptzLoader


class TimeLoader(TimestamptzLoader):
    """psycopg's, which takes a time apart by a regular expression, by way of `fromisoformat`."""

    timezone = UTC  # Django asks for it, and registers its own loader if it differs

    def load(self, data: Buffer) -> datetime:
        """Return an aware time in UTC. Raises psycopg.DataError for one that Python has not."""
        try:
            found = datetime.fromisoformat(bytes(data).decode())
        except ValueError:  # before Christ, infinite: psycopg says why
            found = super().load(data)
        return found if found.tzinfo is UTC else found.astimezone(UTC)
