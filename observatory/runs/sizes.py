"""Ask PostgreSQL for the size of stored documents before reading them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from django.db.models import BigIntegerField, F, Func, QuerySet, Value
from django.db.models.functions import Coalesce

from observatory.db import prepared

# A document of fewer stored bytes is in its row, and its stored size is close enough; that of a
# longer one may be a hundredth of its unpacked size.
_SIZE: Final = (
    "(CASE WHEN pg_column_size({0}) < 2000 THEN pg_column_size({0})"
    " ELSE octet_length({0}::text) END)::bigint"
)


class Size(Func):
    """The bytes of a column as text, 0 for null."""

    template = _SIZE.format("%(expressions)s")
    output_field = BigIntegerField()


def sized(
    rows: QuerySet[Any], documents: Iterable[str], *, key: str = "pk"
) -> QuerySet[Any, tuple[Any, int]]:
    """Return (key, total bytes of the fields `documents`) of `rows`, in their order."""
    size: Any = Value(0, output_field=BigIntegerField())
    for name in documents:
        size += Coalesce(Size(F(name)), 0)
    measured: QuerySet[Any, tuple[Any, int]] = rows.annotate(size=size).values_list(key, "size")
    return measured


def of_runs(
    workspace_id: int, run_ids: Sequence[UUID], columns: Iterable[str]
) -> list[tuple[UUID, int]]:
    """Return each of `run_ids` with the bytes of its JSON `columns`, 0 for an unknown run."""
    size = "+".join(f"coalesce({_SIZE.format(f'r.{name}')}, 0)" for name in columns)
    if not size or not run_ids:
        return [(run_id, 0) for run_id in run_ids]
    with prepared.cursor() as cursor:
        cursor.execute(
            f"SELECT r.id, {size} FROM runs_run r"
            " WHERE r.workspace_id = %s AND r.id = ANY(%s::uuid[])",
            [workspace_id, prepared.uuid_array(run_ids)],
        )
        sizes = dict(cursor.fetchall())
    return [(run_id, sizes.get(run_id, 0)) for run_id in run_ids]
