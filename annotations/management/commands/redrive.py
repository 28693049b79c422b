"""`observatory redrive`: retry the dead letters of routing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from annotations.routing.routing import redrive
from observatory.runs.models import Change


class Command(BaseCommand):
    help = (
        "Make changes that failed five times due again, for instance after a rule was mended. "
        "With --list, only show them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--list", action="store_true", help="show the dead letters, change none"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Revive every dead change, or list them, one per line."""
        if options["list"]:
            for change in Change.objects.filter(is_dead=True).order_by("pk"):
                self.stdout.write(
                    f"{change.pk}  workspace {change.workspace_id}  {len(change.run_ids)} runs  "
                    f"{change.created_at:%Y-%m-%d %H:%M:%S}  {change.last_error.splitlines()[0]}"
                )
            return
        self.stdout.write(f"{redrive(timezone.now())} changes are due again")
