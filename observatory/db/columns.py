"""Model instances from raw SQL: the ORM takes longer to build a statement than to run it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connection, models


class Columns:
    """The columns of a model under an alias, and model instances from their values.

    `only` are attribute names; the other columns load on access.
    """

    def __init__(self, model: type[models.Model], alias: str, only: Collection[str] = ()) -> None:
        self.model = model
        self.fields = [
            field for field in model._meta.concrete_fields if not only or field.attname in only
        ]
        self.names = [field.attname for field in self.fields]
        # None: the project's fields that format themselves need no compiler.
        self.sql = ", ".join(
            field.select_format(None, f"{alias}.{field.column}", [])[0]  # type: ignore[arg-type]
            for field in self.fields
        )
        self.read = [
            (position, field.from_db_value)
            for position, field in enumerate(self.fields)
            if hasattr(field, "from_db_value")
        ]

    def take(self, row: list[Any]) -> list[Any]:
        """Remove this model's values from the front of `row` and return them as Python values."""
        values = row[: len(self.fields)]
        del row[: len(self.fields)]
        for position, from_db_value in self.read:
            values[position] = from_db_value(values[position], None, connection)
        return values

    def instance(self, values: list[Any]) -> Any:
        """Return an instance with `values`, from `take`."""
        return self.model.from_db(connection.alias, self.names, values)
