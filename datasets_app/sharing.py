"""Share a dataset: the token opens it, and nothing else."""

from __future__ import annotations

from uuid import UUID

from datasets_app.models import Dataset, DatasetShare


def share(dataset: Dataset, *, shows_experiments: bool = True) -> DatasetShare:
    """Return the dataset's share, created by the first call; the token stays until `unshare`."""
    dataset_share, _ = DatasetShare.objects.update_or_create(
        dataset=dataset, defaults={"shows_experiments": shows_experiments}
    )
    return dataset_share


def unshare(dataset: Dataset) -> None:
    """Delete the dataset's share. A later share gets a new token."""
    DatasetShare.objects.filter(dataset=dataset).delete()


def shared(token: UUID) -> DatasetShare | None:
    """Return the dataset with the token, None for an unknown one."""
    return DatasetShare.objects.select_related("dataset__workspace").filter(token=token).first()
