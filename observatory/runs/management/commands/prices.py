"""`observatory prices list | set | apply`."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from observatory.runs import prices
from observatory.runs.models import ModelPrice
from observatory.workspaces.models import Workspace


class Command(BaseCommand):
    """Show and set what tokens cost, and recompute the costs of stored runs."""

    help = "Show or set what tokens of a model cost; `apply` prices stored runs by the table."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="show the price table")
        put = verbs.add_parser("set", help="set the price of a model from a time on")
        put.add_argument("model", help="as runs name it in ls_model_name; * stands for anything")
        put.add_argument("prompt", help="US dollars a million prompt tokens")
        put.add_argument("completion", help="US dollars a million completion tokens")
        put.add_argument("--provider", default="", help="as runs name it in ls_provider")
        put.add_argument("--since", metavar="TIME", help="ISO 8601; now if absent")
        again = verbs.add_parser("apply", help="price stored runs by the table as it is")
        again.add_argument("--since", metavar="TIME", help="only runs that started from then on")
        for verb in verbs.choices.values():
            verb.add_argument("--workspace", default="default", metavar="SLUG")

    def handle(self, *args: Any, verb: str, **options: Any) -> None:
        workspace = Workspace.objects.filter(slug=options["workspace"]).first()
        if workspace is None:
            raise CommandError(f"there is no workspace {options['workspace']!r}")
        if verb == "list":
            self._list(workspace)
        elif verb == "set":
            self._set(workspace, options)
        else:
            n_runs = prices.apply(workspace, since=_moment(options["since"]))
            self.stdout.write(f"the cost of {n_runs} runs changed")

    def _list(self, workspace: Workspace) -> None:
        for row in workspace.prices.order_by("model", "provider", "valid_from"):
            self.stdout.write(
                f"{row.model}  {row.provider or 'any provider'}  prompt {row.prompt_price}"
                f"  completion {row.completion_price}  from {row.valid_from:%Y-%m-%d %H:%M}"
            )

    def _set(self, workspace: Workspace, options: dict[str, Any]) -> None:
        row = ModelPrice(
            workspace=workspace,
            provider=options["provider"],
            model=options["model"],
            prompt_price=_amount(options["prompt"]),
            completion_price=_amount(options["completion"]),
            valid_from=_moment(options["since"]) or timezone.now(),
        )
        try:
            row.full_clean()
        except ValidationError as error:
            raise CommandError("; ".join(error.messages)) from None
        row.save()
        self.stdout.write(f"{row.model} is priced from {row.valid_from:%Y-%m-%d %H:%M} on")


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise CommandError(f"{text!r} is not an amount of money") from None


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{text!r} is not an ISO 8601 time") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
