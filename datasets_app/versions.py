"""Versions of a dataset: one per write transaction, named by its microsecond or by a tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection, transaction
from django.db.models import Max, Q, QuerySet
from django.utils.dateparse import parse_datetime

from datasets_app.models import Dataset, DatasetTag, DatasetVersion

LATEST = "latest"


class UnknownVersion(Exception):
    """No version of the dataset is at or before that time, or has that tag."""


@dataclass(frozen=True, slots=True)
class Diff:
    """Which examples differ between two versions; wire ids, sorted."""

    added: list[UUID]
    modified: list[UUID]
    removed: list[UUID]


def open_version(dataset: Dataset, now: datetime) -> datetime:
    """Write a new version and return its `as_of`: `now`, or 1 us after the newest if that is later.

    Call it in a transaction that holds `locked(dataset)`: versions strictly increase, so a
    read `as_of` one never sees half of it, nor anything of the next.
    """
    newest = newest_of(dataset)
    as_of = now if newest is None or now > newest else newest + timedelta(microseconds=1)
    DatasetVersion.objects.create(dataset=dataset, as_of=as_of)
    Dataset.objects.filter(pk=dataset.pk).update(modified_at=as_of)
    return as_of


def locked(dataset: Dataset) -> Dataset:
    """Lock `dataset` until the transaction ends: writes to one dataset run one at a time."""
    return Dataset.objects.select_for_update(no_key=True).get(pk=dataset.pk)


def newest_of(dataset: Dataset) -> datetime | None:
    newest: datetime | None = DatasetVersion.objects.filter(dataset=dataset).aggregate(
        newest=Max("as_of")
    )["newest"]
    return newest


def parse_time(text: str) -> datetime | None:
    """Return ISO 8601 text as an aware time (naive: UTC; a space for the T is accepted), or None.

    A `+` of the zone that a query string turned into a space is restored.
    """
    text = text.strip()
    if len(text) > 6 and text[-6] == " " and text[-3] == ":":
        text = f"{text[:-6]}+{text[-5:]}"
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    if moment is None:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def instant(dataset: Dataset, as_of: str | None) -> datetime | None:
    """Return the time to read `dataset` at: None for now (no `as_of`, or `latest`).

    `as_of` is ISO 8601 or a tag. Raises UnknownVersion for a tag that does not exist.
    """
    if not as_of or as_of == LATEST:
        return None
    if (time := parse_time(as_of)) is not None:
        return time
    tag = DatasetTag.objects.filter(dataset=dataset, name=as_of).select_related("version").first()
    if tag is None:
        raise UnknownVersion(as_of)
    return tag.version.as_of


def at(dataset: Dataset, as_of: str | None) -> DatasetVersion:
    """Return the version at or before `as_of` (ISO, tag, or latest). Raises UnknownVersion."""
    time = instant(dataset, as_of)
    versions = DatasetVersion.objects.filter(dataset=dataset)
    if time is not None:
        versions = versions.filter(as_of__lte=time)
    version = versions.order_by("-as_of").first()
    if version is None:
        raise UnknownVersion(as_of or LATEST)
    return version


def listed(
    dataset: Dataset, *, search: str = "", example: UUID | None = None
) -> QuerySet[DatasetVersion]:
    """Return the versions newest first, each with `names`, its stored tags.

    `search` keeps those with a tag that contains it; `example` those that changed the example.
    """
    versions = DatasetVersion.objects.filter(dataset=dataset)
    if search:
        versions = versions.filter(
            pk__in=DatasetTag.objects.filter(dataset=dataset, name__icontains=search).values(
                "version_id"
            )
        )
    if example is not None:
        changes = dataset.examples.filter(uuid=example)
        versions = versions.filter(
            Q(as_of__in=changes.values("revisions__valid_from"))
            | Q(as_of__in=changes.exclude(revisions__valid_to=None).values("revisions__valid_to"))
        )
    names = ArrayAgg("tags__name", filter=~Q(tags__name=None), default=[], order_by=["tags__name"])
    return versions.annotate(names=names).order_by("-as_of")


@transaction.atomic
def tag(dataset: Dataset, as_of: str | None, name: str) -> DatasetVersion:
    """Move the tag `name` to the version at or before `as_of`. Raises UnknownVersion.

    `latest` cannot be moved: it is always the newest. Raises ValueError for it.
    """
    if name == LATEST:
        raise ValueError("latest is always the newest version and cannot be moved")
    locked(dataset)
    version = at(dataset, as_of)
    DatasetTag.objects.update_or_create(dataset=dataset, name=name, defaults={"version": version})
    return version


_DIFF = """
SELECT e.uuid, before.id AS old, after.id AS new
FROM (SELECT * FROM datasets_examplerevision
      WHERE dataset_id = %(dataset)s AND valid_from <= %(start)s
        AND (valid_to IS NULL OR valid_to > %(start)s)) before
FULL JOIN (SELECT * FROM datasets_examplerevision
      WHERE dataset_id = %(dataset)s AND valid_from <= %(stop)s
        AND (valid_to IS NULL OR valid_to > %(stop)s)) after USING (example_id)
JOIN datasets_example e ON e.id = example_id
WHERE before.id IS DISTINCT FROM after.id
  AND (before.id IS NULL OR after.id IS NULL
       OR (before.inputs::text, before.outputs::text, before.metadata, before.splits, before.files)
          IS DISTINCT FROM
          (after.inputs::text, after.outputs::text, after.metadata, after.splits, after.files))
ORDER BY e.uuid
"""


def diff(dataset: Dataset, start: str, stop: str) -> Diff:
    """Return the changes from version `start` to `stop` (ISO or tag). Raises UnknownVersion.

    An example that was changed and changed back counts as unchanged.
    """
    times = {"start": at(dataset, start).as_of, "stop": at(dataset, stop).as_of}
    with connection.cursor() as cursor:
        cursor.execute(_DIFF, {"dataset": dataset.pk, **times})
        rows: Sequence[tuple[UUID, int | None, int | None]] = cursor.fetchall()
    return Diff(
        added=[uuid for uuid, old, _ in rows if old is None],
        modified=[uuid for uuid, old, new in rows if old and new],
        removed=[uuid for uuid, _, new in rows if new is None],
    )
