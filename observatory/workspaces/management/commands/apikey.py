"""`observatory apikey create | list | revoke`."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from observatory.workspaces import keys
from observatory.workspaces.models import ApiKey, Workspace


class Command(BaseCommand):
    """Create, list and revoke API keys."""

    help = "Make, list or revoke API keys. `create` prints only the key on standard output."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a key and print it, once")
        create.add_argument("name", help="what it is for")
        create.add_argument("--workspace", default="default", metavar="SLUG")
        create.add_argument("--days", type=int, help="valid for so many days; for ever if absent")
        shown = verbs.add_parser("list", help="show the keys, without their secrets")
        shown.add_argument("--workspace", metavar="SLUG", help="of this workspace only")
        revoke = verbs.add_parser("revoke", help="make a key useless at once")
        revoke.add_argument("key", help="its uuid or its first ten characters, as `list` shows")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        if verb == "create":
            self._create(options["name"], options["workspace"], options["days"])
        elif verb == "list":
            self._list(options["workspace"])
        else:
            self._revoke(options["key"])

    def _create(self, name: str, slug: str, days: int | None) -> None:
        if days is not None and days < 1:
            raise CommandError("--days must be at least 1")
        expires_at = None if days is None else timezone.now() + timedelta(days=days)
        _, token = keys.mint(workspace_of(slug), name, expires_at=expires_at)
        self.stdout.write(token)

    def _list(self, slug: str | None) -> None:
        rows = ApiKey.objects.select_related("workspace").order_by("workspace__slug", "created_at")
        if slug is not None:
            rows = rows.filter(workspace=workspace_of(slug))
        now = timezone.now()
        for key in rows:
            used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never used"
            state = "live"
            if key.revoked_at is not None:
                state = "revoked"
            elif key.expires_at is not None and key.expires_at <= now:
                state = "expired"
            self.stdout.write(
                f"{key.uuid}  {key.prefix}  {key.workspace.slug}  {state}  {used}  {key.name}"
            )

    def _revoke(self, prefix: str) -> None:
        matching = [
            key for key in ApiKey.objects.all() if prefix in {str(key.uuid), key.prefix, key.name}
        ]
        if len(matching) != 1:
            raise CommandError(
                f"{len(matching)} keys are called {prefix!r}; give the uuid that `list` shows"
            )
        keys.revoke(matching[0], timezone.now())
        self.stdout.write(f"revoked {matching[0].prefix}... ({matching[0].name})")


def workspace_of(slug: str) -> Workspace:
    """Return the workspace called `slug`. Raises CommandError naming those that exist."""
    try:
        return Workspace.objects.get(slug=slug)
    except Workspace.DoesNotExist:
        known = ", ".join(Workspace.objects.order_by("slug").values_list("slug", flat=True))
        raise CommandError(
            f"there is no workspace {slug!r} (there is: {known or 'none yet'});"
            " make it with `observatory workspace create`"
        ) from None
