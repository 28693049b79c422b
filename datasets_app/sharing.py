"""Sharing a dataset: whoever holds the token reads it, and nothing else."""

from __future__ import annotations

from uuid import UUID

from datasets_app.models import Dataset, DatasetShare


def share(dataset: Dataset, *, shows_experiments: bool = True) -> DatasetShare:
    """Return the dataset's share, made at the first call; the token stays until `unshare`."""
    found, _ = DatasetShare.objects.update_or_create(
        dataset=dataset, defaults={"shows_experiments": shows_experiments}
    )
    return found


def unshare(dataset: Dataset) -> None:
    """Make the token worthless. One that is shared again gets another."""
    DatasetShare.objects.filter(dataset=dataset).delete()


def shared(token: UUID) -> DatasetShare | None:
    """Return what `token` opens, None when it opens nothing."""
    return DatasetShare.objects.select_related("dataset__workspace").filter(token=token).first()
