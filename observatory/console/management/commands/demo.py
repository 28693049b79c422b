"""`observatory demo`: two weeks of a support bot, as realistic data to look at."""

from __future__ import annotations

import contextlib
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from annotations.models import QueueItem
from annotations.tasks import drain_changes
from datasets_app import harvest
from observatory.console.demo import people, wire, world
from observatory.console.demo.traces import DemoTrace, make_traces
from observatory.runs.models import Change, Run
from observatory.workspaces import keys
from observatory.workspaces.models import Workspace

DEFAULT_URL = "http://127.0.0.1:8000"
ROUTING_PATIENCE_S = 60.0


class Command(BaseCommand):
    """Send traces and feedback over the wire, then review a part of the routed items."""

    help = (
        "Fill a workspace with demo data: 600 traces of a support bot over 14 days, user feedback,"
        " a queue with rules, two reviewers and a dataset. Needs a running server."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url",
            default=settings.PUBLIC_URL or DEFAULT_URL,
            help="where Observatory runs (default: %(default)s)",
        )
        parser.add_argument("--key", help="API key; without one a key is made for the purpose")
        parser.add_argument("--workspace", default="default", help="its slug, without --key")
        parser.add_argument("--seed", type=int, default=7, help="same seed, same demo")
        parser.add_argument("--traces", type=int, default=600, help="of five runs each")
        parser.add_argument("--remove", action="store_true", help="delete all demo data instead")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create the demo, or remove it. A demo that cannot be finished is removed again."""
        workspace = self._workspace(options)
        if options["remove"]:
            n_runs = world.remove(workspace)
            self._say(f"the demo is gone, with {n_runs:,} runs")
            return
        if world.exists(workspace):
            self._say("the demo is there already; `observatory demo --remove` deletes it")
            return
        begun_at = time.monotonic()
        try:
            with self._key(workspace, options["key"]) as key:
                self._make(workspace, key, options)
        except (wire.Refused, ValueError) as error:
            world.remove(workspace)
            raise CommandError(f"{error}; the demo was removed again") from error
        self._say(f"done in {time.monotonic() - begun_at:.0f} s")

    def _workspace(self, options: dict[str, Any]) -> Workspace:
        if options["key"]:
            key = keys.find(options["key"], timezone.now())
            if key is None:
                raise CommandError("this key is unknown, revoked or expired")
            return key.workspace
        workspace = Workspace.objects.filter(slug=options["workspace"]).first()
        if workspace is None:
            raise CommandError(f"there is no workspace {options['workspace']!r}")
        return workspace

    @contextlib.contextmanager
    def _key(self, workspace: Workspace, option: str | None) -> Iterator[str]:
        """Yield the key from the command line, or a temporary one that is revoked after sending."""
        if option:
            yield option
            return
        row, token = keys.mint(workspace, "demo")
        try:
            yield token
        finally:
            row.delete()

    def _make(self, workspace: Workspace, key: str, options: dict[str, Any]) -> None:
        seed, now = options["seed"], timezone.now()
        made = world.create(workspace, seed=seed, now=now)
        traces = make_traces(options["traces"], seed, now, made.project.name)
        self._send(options["url"], key, traces)
        if not Run.objects.filter(workspace=workspace, id=traces[0].id).exists():
            raise wire.Refused(f"{options['url']} took the runs, but into another database")
        self._route(workspace)
        by_run = {trace.id: trace for trace in traces}
        world.date_items(made, {trace.id: trace.ended_at for trace in traces})
        n_items = QueueItem.objects.filter(queue=made.queue).count()
        self._say(f"the rules put {n_items} runs into the queue {made.queue.name!r}")
        for n_reviews in people.review_all(made.queue, made.people, by_run, seed=seed, now=now):
            self._say(f"reviewed: {n_reviews}")
        self._route(workspace)  # reviews are feedback, which rules match, too
        completed = QueueItem.objects.filter(queue=made.queue, state=QueueItem.State.COMPLETED)
        # With or without a running worker, each item is harvested once.
        harvest.harvest(list(completed.values_list("pk", flat=True)), now=timezone.now())
        self._say(f"examples of the dataset {made.dataset.name!r}: {made.dataset.examples.count()}")

    def _send(self, url: str, key: str, traces: list[DemoTrace]) -> None:
        runs = [run for trace in traces for run in trace.runs]
        feedback = [row for trace in traces for row in trace.feedback]
        with wire.Sender(url, key) as sender:
            for number, n_sent in enumerate(sender.send_runs(runs), start=1):
                if number % 6 == 0 or n_sent == len(runs):
                    self._say(f"sent {n_sent:,} of {len(runs):,} runs")
            for _ in sender.send_feedback(feedback):
                pass
            self._say(f"sent {len(feedback)} judgements of users")

    def _route(self, workspace: Workspace) -> None:
        """Wait until every sent run is routed, by the worker or by this process."""
        ends_at = time.monotonic() + ROUTING_PATIENCE_S
        while True:
            drain_changes()
            # Postponed changes have failed and are in the log; a worker's are still claimed.
            if not Change.objects.filter(workspace=workspace, attempts=0).exists():
                return
            if time.monotonic() > ends_at:
                raise wire.Refused("the rules did not get through with the runs")
            time.sleep(0.1)

    def _say(self, line: str) -> None:
        self.stderr.write(f"demo: {line}", lambda text: text)  # progress, not an error: no red
        self.stderr.flush()
