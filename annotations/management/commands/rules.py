"""`observatory rules`: list, back-test, switch and backfill the routing rules of a workspace."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from annotations.models import AnnotationQueue, Backfill, BackTest, RoutingRule
from annotations.routing import backfills, backtests, reasons, rule_counts
from annotations.routing.rules import RuleDefinition, definition_from, set_state
from observatory.runs.filters.grammar import FilterError
from observatory.workspaces.models import Workspace

WAIT_S = 0.01  # between steps, so that another worker at the same walk is not crowded out


class Command(BaseCommand):
    help = (
        "List the routing rules of a workspace, back-test a rule over past days before it is "
        "switched on, switch it, or apply it to past runs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list", help="each rule with its state and the counts of seven days")
        test = verbs.add_parser("test", help="what a rule would have selected")
        switch = verbs.add_parser("switch", help="switch a rule on, to shadow, or off")
        fill = verbs.add_parser("backfill", help="apply a rule that is on to past runs")
        cancel = verbs.add_parser("cancel", help="cancel the backfill of a rule")
        for verb in verbs.choices.values():
            verb.add_argument("workspace", help="slug of the workspace")
        test.add_argument("rule", nargs="?", help="name of a rule; or give --filter and --queue")
        for verb in (switch, fill, cancel):
            verb.add_argument("rule", help="name of the rule")
        test.add_argument("--filter", help="filter of a rule that does not exist yet, or a new one")
        test.add_argument("--queue", help="name of the queue of a rule that does not exist yet")
        test.add_argument("--days", type=int, default=7, help="days back from now, 1 to 90")
        test.add_argument("--runs", action="store_true", help="print the id of each selected run")
        test.add_argument(
            "--curve", action="store_true", help="also at other values of the first numeric bound"
        )
        switch.add_argument("state", choices=RoutingRule.State.values)
        switch.add_argument("--reason", default="", help="kept in the rule's history")
        fill.add_argument("--days", type=int, default=7, help="days back from now")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the chosen verb. An unknown name or an invalid filter is an error."""
        workspace = Workspace.objects.filter(slug=options["workspace"]).first()
        if workspace is None:
            raise CommandError(f"no workspace {options['workspace']!r}")
        try:
            getattr(self, f"_{options['verb']}")(workspace, options)
        except (FilterError, ValueError) as error:
            raise CommandError(str(error)) from error

    def _list(self, workspace: Workspace, options: dict[str, Any]) -> None:
        now = timezone.now()
        for counted in rule_counts.of_workspace(workspace, now - timedelta(days=7)):
            rule = counted.rule
            self.stdout.write(
                f"{rule.state.label:<6}  v{rule.version:<3} {rule.name}: {counted.n_sent} sent, "
                f"{counted.n_held_back} held back, {counted.n_shadow} in shadow, "
                f"{counted.n_refused} refused"
            )

    def _test(self, workspace: Workspace, options: dict[str, Any]) -> None:
        definition = self._definition(workspace, options)
        now = timezone.now()
        test = backtests.request(
            workspace, definition, days=options["days"], now=now, has_curve=options["curve"]
        )

        def write(run_ids: Any) -> None:
            for run_id in run_ids if options["runs"] else ():
                self.stdout.write(str(run_id))

        self._finish(lambda at: backtests.step(test.pk, at, write))
        test.refresh_from_db()
        self._report(test)

    def _definition(self, workspace: Workspace, options: dict[str, Any]) -> RuleDefinition:
        if options["rule"]:
            return definition_from(_rule(workspace, options["rule"]), filter=options["filter"])
        if not options["filter"] or not options["queue"]:
            raise CommandError("name a rule, or give --filter and --queue")
        queue = AnnotationQueue.objects.filter(workspace=workspace, name=options["queue"]).first()
        if queue is None:
            raise CommandError(f"no queue {options['queue']!r}")
        return RuleDefinition(name="new rule", filter=options["filter"], queue=queue)

    def _report(self, test: BackTest) -> None:
        result = test.result
        sent = backtests.sent_of(test)
        for day, counts in sorted(result["days"].items()):
            self.stdout.write(
                f"{day}  {counts['runs']} runs, {counts['matched']} match, "
                f"{counts['selected']} selected, {sent[day]} within the limit"
            )
        hours = backtests.reviewer_hours(test)
        known, caught = result["failures"]["known"], result["failures"]["caught"]
        reviewed, wrong = result["reviewed"]["selected"], result["reviewed"]["wrong"]
        self.stdout.write(f"in the queue already: {result['n_in_queue']}")
        self.stdout.write(
            "reviewer hours: " + ("unknown, no timed review" if hours is None else f"{hours:.1f}")
        )
        self.stdout.write(f"known failures caught: {caught} of {known}")
        self.stdout.write(f"wrong among the reviewed: {wrong} of {reviewed}")
        for value, counts in sorted(result["curve"].items(), key=lambda each: float(each[0])):
            self.stdout.write(
                f"at {value}: {counts['selected']} selected, {counts['caught']} failures caught"
            )
        names = dict(
            RoutingRule.objects.filter(workspace=test.workspace).values_list("uuid", "name")
        )
        for uuid, n in sorted(result["overlap"].items()):
            name = next((name for key, name in names.items() if str(key) == uuid), uuid)
            self.stdout.write(f"also selected by {name}: {n}")
        for sample in result["samples"]:
            self.stdout.write(f"{sample['run']}  {reasons.said(sample['clauses'])}")
        if result["n_failed_on"]:
            self.stdout.write(f"the rule failed on {result['n_failed_on']} runs")
        self.stdout.write(
            f"{test.get_state_display()}: {test.n_looked_at} runs in {test.worked_s:.1f} s"
        )

    def _switch(self, workspace: Workspace, options: dict[str, Any]) -> None:
        rule = _rule(workspace, options["rule"])
        is_changed = set_state(rule, options["state"], now=timezone.now(), reason=options["reason"])
        self.stdout.write(f"{rule.name}: {'' if is_changed else 'already '}{options['state']}")

    def _backfill(self, workspace: Workspace, options: dict[str, Any]) -> None:
        now = timezone.now()
        rule = _rule(workspace, options["rule"])
        backfill = backfills.request(
            rule,
            started_from=now - timedelta(days=options["days"]),
            started_before=now,
            now=now,
        )
        self._finish(lambda at: backfills.step(backfill.pk, at))
        backfill.refresh_from_db()
        for row in backfill.log.order_by("pk"):
            self.stdout.write(
                f"{row.oldest:%Y-%m-%d %H:%M} to {row.newest:%Y-%m-%d %H:%M}: "
                f"{row.n_looked_at} runs, {row.n_selected} selected, {row.n_sent} sent"
            )
        self.stdout.write(
            f"{backfill.get_state_display()}: {backfill.n_sent} sent. {backfill.error}".rstrip()
        )

    def _cancel(self, workspace: Workspace, options: dict[str, Any]) -> None:
        rule = _rule(workspace, options["rule"])
        unfinished = Backfill.objects.filter(rule=rule, state__in=backfills.UNFINISHED).first()
        if unfinished is None or not backfills.cancel(unfinished, timezone.now()):
            raise CommandError("no backfill of this rule is unfinished")
        self.stdout.write(f"canceled after {unfinished.n_looked_at} runs")

    def _finish(self, step: Callable[[datetime], bool]) -> None:
        while step(timezone.now()):
            time.sleep(WAIT_S)


def _rule(workspace: Workspace, name: str) -> RoutingRule:
    rule = RoutingRule.objects.filter(workspace=workspace, name=name).first()
    if rule is None:
        raise CommandError(f"no rule {name!r}")
    return rule
