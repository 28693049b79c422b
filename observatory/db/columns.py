"""Model instances from statements of our own: the ORM builds a statement slower than it runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connection, models


class Columns:
    """The columns of a model under an alias, and the instances that their values make.

    `only` are attribute names; the columns left out load when they are asked for.
    """

    def __init__(self, model: type[models.Model], alias: str, only: Collection[str] = ()) -> None:
        self.model = model
        self.fields = [
            each for each in model._meta.concrete_fields if not only or each.attname in only
        ]
        self.names = [each.attname for each in self.fields]
        # None: the fields of ours that format themselves need no compiler.
        self.sql = ", ".join(
            each.select_format(None, f"{alias}.{each.column}", [])[0]  # type: ignore[arg-type]
            for each in self.fields
        )
        self.read = [
            (place, each.from_db_value)
            for place, each in enumerate(self.fields)
            if hasattr(each, "from_db_value")
        ]

    def take(self, row: list[Any]) -> list[Any]:
        """Remove this model's values from the front of `row` and return them as Python's."""
        values = row[: len(self.fields)]
        del row[: len(self.fields)]
        for place, from_db_value in self.read:
            values[place] = from_db_value(values[place], None, connection)
        return values

    def instance(self, values: list[Any]) -> Any:
        """Return the instance that `values`, from `take`, are."""
        return self.model.from_db(connection.alias, self.names, values)
