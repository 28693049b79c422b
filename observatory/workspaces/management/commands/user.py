"""`observatory user create | password | role | remove | unlock | list`."""

from __future__ import annotations

import secrets
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from observatory.workspaces import sign_in
from observatory.workspaces.management.commands.apikey import workspace_of
from observatory.workspaces.models import Membership, Role, User


class Command(BaseCommand):
    """Create users, set their roles and passwords."""

    help = "Make a person, change the password or the role in a workspace, or list people."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        create = verbs.add_parser("create", help="make a person; prints the password made for it")
        create.add_argument("name")
        create.add_argument("--role", choices=Role.values, required=True)
        create.add_argument("--workspace", default="default", metavar="SLUG")
        create.add_argument("--email", default="")
        create.add_argument(
            "--superuser", action="store_true", help="an operator, who may do all in the admin"
        )
        password = verbs.add_parser("password", help="give a new password, and print it")
        password.add_argument("name")
        for verb in (create, password):
            verb.add_argument(
                "--password-stdin",
                action="store_true",
                help="read the password from the first line of standard input",
            )
        role = verbs.add_parser("role", help="give a role in a workspace, or change it")
        role.add_argument("name")
        role.add_argument("role", choices=Role.values)
        role.add_argument("--workspace", default="default", metavar="SLUG")
        remove = verbs.add_parser("remove", help="remove a user from a workspace")
        remove.add_argument("name")
        remove.add_argument("--workspace", default="default", metavar="SLUG")
        verbs.add_parser("unlock", help="reset the counts of failed sign-ins")
        verbs.add_parser("list", help="show people and their roles")

    @transaction.atomic
    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        if verb == "create":
            self._create(options)
        elif verb == "password":
            self._set_password(user_of(options["name"]), options["password_stdin"])
        elif verb == "role":
            Membership.objects.update_or_create(
                workspace=workspace_of(options["workspace"]),
                user=user_of(options["name"]),
                defaults={"role": options["role"]},
            )
            _match_staff(user_of(options["name"]))
        elif verb == "remove":
            user = user_of(options["name"])
            Membership.objects.filter(
                workspace=workspace_of(options["workspace"]), user=user
            ).delete()
            _match_staff(user)
        elif verb == "unlock":
            self.stdout.write(f"{sign_in.reset()} counts of failed sign-ins forgotten")
        else:
            self._list()

    def _create(self, options: dict[str, Any]) -> None:
        workspace = workspace_of(options["workspace"])
        user = User(
            username=options["name"],
            email=options["email"],
            is_superuser=options["superuser"],
        )
        try:
            user.full_clean(exclude=["password"])
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        self._set_password(user, options["password_stdin"])
        Membership.objects.create(workspace=workspace, user=user, role=options["role"])
        _match_staff(user)

    def _set_password(self, user: User, is_given: bool) -> None:
        """Store a password; a generated one is the only thing printed on standard output."""
        password = sys.stdin.readline().rstrip("\n") if is_given else secrets.token_urlsafe(15)
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        user.set_password(password)
        user.save()
        if not is_given:
            self.stdout.write(password)

    def _list(self) -> None:
        for user in User.objects.order_by("username").prefetch_related("memberships__workspace"):
            roles = ", ".join(f"{m.role} of {m.workspace.slug}" for m in user.memberships.all())
            marks = " (operator)" if user.is_superuser else ""
            self.stdout.write(f"{user.username}{marks}: {roles or 'no workspace'}")


def user_of(name: str) -> User:
    """Return the user called `name`. Raises CommandError."""
    try:
        return User.objects.get(username=name)
    except User.DoesNotExist:
        raise CommandError(f"there is no user called {name!r}") from None


def _match_staff(user: User) -> None:
    """Admit owners, managers and operators to the admin, and no other user."""
    leads = Membership.objects.filter(user=user, role__in=[Role.OWNER, Role.MANAGER])
    user.is_staff = user.is_superuser or leads.exists()
    user.save(update_fields=["is_staff"])
