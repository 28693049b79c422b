"""Which of some runs a rule matches: the same code for live runs, back-tests and backfills."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import Q

from annotations.models import RoutingRule
from annotations.routing import sampling
from observatory.runs.filters.compile import where
from observatory.runs.filters.grammar import And, FilterError, Node, Term, parse
from observatory.runs.projects import EVALUATORS

MAX_FAILING_RUNS = 16  # bad runs found one by one before a rule may be given up for the chunk

# Caused by a rule's filter, not by the server's state: a statement that timed out.
_QUERY_CANCELED = "57014"

_ROOTS = Term("eq", "is_root", True)


class Runs:
    """Some run ids, encoded for SQL once for all rules."""

    def __init__(self, ids: list[UUID]) -> None:
        self.ids = ids

    @cached_property
    def array(self) -> str:
        return "{" + ",".join(map(str, self.ids)) + "}"


@dataclass(frozen=True)
class ActiveRule:
    """An enabled rule, ready to be evaluated. `projects` None means every application's."""

    rule: RoutingRule
    node: Node
    projects: list[int] | None

    @property
    def is_of_roots(self) -> bool:
        """Return whether the filter explicitly requires roots."""
        return _ROOTS in (self.node.args if isinstance(self.node, And) else (self.node,))


@dataclass(frozen=True)
class Held:
    """A rule's filter matched a run. `draw` decides whether the rule selects it.

    What a daily limit holds back is not selected.
    """

    rule: ActiveRule
    run_id: UUID
    draw: float
    is_held_back: bool = False

    @property
    def is_selected(self) -> bool:
        return self.draw < self.rule.rule.sampling_rate and not self.is_held_back


@lru_cache(maxsize=1_000)
def _parsed(text: str) -> Node:
    return parse(text)


def active_rules(workspace_id: int) -> tuple[list[ActiveRule], str]:
    """Return the rules that are on or in shadow, and the error of a rule, if any.

    Without those whose queue is archived.

    A rule whose stored text cannot be read must not lose runs: it is reported as the error, the
    runs are postponed, and they are routed once the rule is fixed or switched off.
    """
    rows = (
        RoutingRule.objects.filter(
            Q(is_enabled=True) | Q(is_shadow=True),
            workspace_id=workspace_id,
            queue__archived_at=None,
        )
        .order_by("pk")
        .prefetch_related("projects")
    )
    active, broken = [], ""
    for rule in rows:
        try:
            node = _parsed(rule.filter)
        except FilterError as error:
            broken = f"rule {rule.name!r}: {error}"
            continue
        projects = [project.pk for project in rule.projects.all()]
        active.append(ActiveRule(rule, node, projects or None))
    return active, broken


def ended(workspace_id: int, run_ids: list[UUID]) -> tuple[Runs, Runs]:
    """Return those of the runs that have ended, and the roots among them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.id, r.parent_run_id IS NULL FROM runs_run r"
            " WHERE r.workspace_id = %s AND r.id = ANY(%s::uuid[]) AND r.end_time IS NOT NULL",
            [workspace_id, Runs(run_ids).array],
        )
        rows = cursor.fetchall()
    return Runs([run_id for run_id, _ in rows]), Runs(
        [run_id for run_id, is_root in rows if is_root]
    )


def ask(rule: ActiveRule, workspace_id: int, runs: Runs) -> tuple[list[Held], dict[UUID, str]]:
    """Return the runs that match the rule, and those on which it failed, found by bisection.

    A rule that fails on nearly everything is given up early, and its runs are postponed together.
    """
    matches: list[Held] = []
    failed: dict[UUID, str] = {}
    waiting = [runs] if runs.ids else []
    n_answered = 0
    while waiting:
        part = waiting.pop()
        try:
            matches += _ask_once(rule, workspace_id, part)
            n_answered += len(part.ids)
        except DatabaseError as error:
            if not _is_of_the_rule(error):
                raise
            is_hopeless = len(failed) >= MAX_FAILING_RUNS and len(failed) > n_answered
            if len(part.ids) == 1 or is_hopeless:
                reason = f"rule {rule.rule.name!r}: {type(error).__name__}: {error}"
                failed.update(dict.fromkeys(part.ids, reason))
            else:
                middle = len(part.ids) // 2
                waiting += [Runs(part.ids[middle:]), Runs(part.ids[:middle])]
    return matches, failed


def _is_of_the_rule(error: DatabaseError) -> bool:
    """Return whether the filter or a run caused the error, not the connection or the server."""
    if not isinstance(error, OperationalError):
        return True
    return getattr(error.__cause__, "sqlstate", None) == _QUERY_CANCELED


# A rule without projects covers applications only: experiments repeat examples, and evaluators
# judge. A rule that names such a project covers their runs.
_OF_APPLICATIONS = """
 AND NOT EXISTS (SELECT FROM runs_project p WHERE p.id = r.project_id
                 AND (p.reference_dataset_id IS NOT NULL OR p.name = %s))
"""


def _ask_once(rule: ActiveRule, workspace_id: int, runs: Runs) -> list[Held]:
    condition, parameters = where(rule.node, "r")
    draw = sampling.DRAW_SQL.format(rule="%s", run="r.id")
    in_projects = _OF_APPLICATIONS if rule.projects is None else " AND r.project_id = ANY(%s)"
    sql = (
        f"SELECT r.id, {draw} FROM runs_run r"
        " WHERE r.workspace_id = %s AND r.id = ANY(%s::uuid[]) AND r.end_time IS NOT NULL"
        f"{in_projects} AND ({condition})"
    )
    scope: list[Any] = [rule.rule.uuid, workspace_id, runs.array]
    scope.append(EVALUATORS if rule.projects is None else rule.projects)
    with transaction.atomic(), connection.cursor() as cursor:  # a savepoint
        cursor.execute(sql, [*scope, *parameters])
        return [Held(rule, run_id, number) for run_id, number in cursor.fetchall()]
