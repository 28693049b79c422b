"""`observatory agreement QUEUE`: how far the reviewers of a queue agree, question by question."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from annotations.agreement import calibration
from annotations.agreement.documents import document, lines
from annotations.models import AnnotationQueue
from observatory import csv_lines

MAX_DAYS = 3_650
MAX_NAMED = 5  # queues that an ambiguous name lists


class Command(BaseCommand):
    help = (
        "Print how far the reviewers of a queue agree on each question, as the page Agreement "
        "does. Items that still wait for a blind answer are left out."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("queue", help="the id of a queue, or its name if it is the only one")
        parser.add_argument("--workspace", help="slug of the workspace, if a name is in several")
        parser.add_argument("--key", help="only the question with this feedback key")
        parser.add_argument("--days", type=int, help="leave out ratings older than this")
        form = parser.add_mutually_exclusive_group()
        form.add_argument("--json", action="store_true", help="print what the API returns")
        form.add_argument("--csv", action="store_true", help="print a line for each pair")

    def handle(self, *args: Any, **options: Any) -> None:
        queue = _queue(options["queue"], options["workspace"])
        report = calibration.report(queue, now=timezone.now(), window=_window(options["days"]))
        if options["key"] is not None:
            report = [agreement for agreement in report if agreement.key == options["key"]]
            if not report:
                raise CommandError(f"--key: the rubric of this queue has no {options['key']!r}")
        if options["json"]:
            documents = [document(agreement) for agreement in report]
            self.stdout.write(json.dumps(documents, cls=DjangoJSONEncoder, indent=2))
        elif options["csv"]:
            for piece in csv_lines.written(lines(report), is_guarded=False):
                self.stdout.write(piece.decode(), ending="")
        else:
            for agreement in report:
                self.stdout.write(f"{agreement.key}: {agreement.sentence}")


def _window(days: int | None) -> timedelta | None:
    if days is None:
        return None
    if not 1 <= days <= MAX_DAYS:
        raise CommandError(f"--days must be from 1 to {MAX_DAYS:,}, not {days}")
    return timedelta(days=days)


def _queue(name: str, workspace: str | None) -> AnnotationQueue:
    queues = AnnotationQueue.objects.select_related("workspace").order_by("pk")
    if workspace is not None:
        queues = queues.filter(workspace__slug=workspace)
    try:
        matches = list(queues.filter(uuid=UUID(name)))
    except ValueError:
        matches = list(queues.filter(name=name)[: MAX_NAMED + 1])
    if not matches:
        raise CommandError(f"there is no queue {name!r}")
    if len(matches) > 1:
        ids = ", ".join(f"{queue.uuid} in {queue.workspace.slug}" for queue in matches[:MAX_NAMED])
        raise CommandError(f"several queues are called {name!r}; give one of the ids: {ids}")
    return matches[0]
