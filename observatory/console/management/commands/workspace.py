"""`observatory workspace create | list`. Here because a workspace starts with a project."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_slug

from observatory.console.first_start import create_workspace
from observatory.workspaces.models import Workspace


class Command(BaseCommand):
    """Create and list workspaces."""

    help = "Make a workspace with its project `default`, or list the workspaces."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a workspace")
        create.add_argument("slug", help="short name: letters, digits, - and _")
        create.add_argument("--name", default="", help="as people read it")
        verbs.add_parser("list", help="show the workspaces")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        if verb == "list":
            for workspace in Workspace.objects.order_by("slug"):
                self.stdout.write(f"{workspace.slug}  {workspace.uuid}  {workspace.name}")
            return
        slug: str = options["slug"]
        try:
            validate_slug(slug)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if Workspace.objects.filter(slug=slug).exists():
            raise CommandError(f"there is a workspace {slug!r} already")
        workspace = create_workspace(slug, options["name"])
        self.stdout.write(f"{workspace.slug}  {workspace.uuid}")
