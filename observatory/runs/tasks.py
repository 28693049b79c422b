"""Periodic work on runs."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from observatory.runs import quarantine


@shared_task
def sweep_quarantine() -> None:
    """Delete rejected items that are too old or too many. Running twice equals running once."""
    quarantine.sweep(timezone.now())
