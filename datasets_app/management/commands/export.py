"""`observatory export`: write a dataset as a file to train with, if its labels are proven."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from datasets_app import training_exports
from datasets_app.models import Dataset
from datasets_app.training import Fields, Form
from observatory.workspaces.management.commands.apikey import workspace_of
from observatory.workspaces.models import User

REFUSED = 2


class Command(BaseCommand):
    help = (
        "Write the newest version of a dataset as training data, with its lineage and a manifest "
        "beside it. Refused (exit code 2) while the agreement behind its labels is not proven, "
        "unless --override gives a reason."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("dataset", help="the name of the dataset")
        parser.add_argument("file", type=Path, help="where to write; replaced if it exists")
        parser.add_argument("--form", choices=[*Form], required=True)
        parser.add_argument("--by", required=True, metavar="USER", help="who exports")
        parser.add_argument("--prompt-field", metavar="NAME", help="of the inputs; default: all")
        parser.add_argument("--answer-field", metavar="NAME", help="of the outputs; default: all")
        parser.add_argument(
            "--override", default="", metavar="REASON", help="export although it is not proven"
        )
        parser.add_argument("--workspace", default="default", metavar="SLUG")

    def handle(self, *args: Any, **options: Any) -> None:
        """Export the dataset and print what was written."""
        workspace = workspace_of(options["workspace"])
        dataset = Dataset.objects.filter(workspace=workspace, name=options["dataset"]).first()
        if dataset is None:
            raise CommandError(f"{workspace} has no dataset {options['dataset']}")
        user = User.objects.filter(username=options["by"]).first()
        if user is None:
            raise CommandError(f"No user is named {options['by']}")
        try:
            export = training_exports.write(
                dataset,
                Form(options["form"]),
                options["file"],
                by=user,
                now=timezone.now(),
                fields=Fields(options["prompt_field"], options["answer_field"]),
                override_reason=options["override"],
            )
        except training_exports.NotProven as error:
            raise CommandError(str(error), returncode=REFUSED) from None
        except (training_exports.NotAllowed, ValueError, OSError) as error:
            raise CommandError(str(error)) from None
        left_out = ", ".join(f"{n} {reason}" for reason, n in export.left_out.items()) or "none"
        self.stdout.write(
            f"{export.n_lines} lines in {options['file']}; examples left out: {left_out}"
        )
