"""Compute the cost of llm runs that report tokens and no cost, from the workspace's price table.

A cost is stored with its run, by the prices of that moment, and marked as computed (`is_priced`).
Later changes of the table change no stored cost until an operator runs `apply`, except for a run
that is itself sent again or patched. A cost from the sender always wins. The table is empty at
first and then prices nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from observatory.workspaces.models import Workspace

MOST_TOKENS: Final = 10**10
"""A run of more tokens is not priced: its cost would not fit the column."""
BATCH: Final = 5_000

_MODEL = (
    "coalesce(run.metadata ->> 'ls_model_name', run.extra #>> '{invocation_params,model}',"
    " run.extra #>> '{invocation_params,model_name}')"
)
_PATTERN = (
    r"replace(replace(replace(replace(p.model, '\', '\\'), '%%', '\%%'), '_', '\_'), '*', '%%')"
)
# The price of one run: its provider's before any provider's, the most specific pattern
# first, the latest that was valid when the run began.
_PRICED = f"""
UPDATE runs_run r SET prompt_cost = c.prompt, completion_cost = c.completion,
    total_cost = coalesce(c.prompt, 0) + coalesce(c.completion, 0), is_priced = true
FROM (
    SELECT run.id, round(run.prompt_tokens * price.prompt_price / 1000000, 12) AS prompt,
        round(run.completion_tokens * price.completion_price / 1000000, 12) AS completion
    FROM runs_run run, LATERAL (
        SELECT p.prompt_price, p.completion_price FROM runs_modelprice p
        WHERE p.workspace_id = run.workspace_id
            AND p.valid_from <= coalesce(run.start_time, run.received_at)
            AND (p.provider = '' OR lower(p.provider) = lower(run.metadata ->> 'ls_provider'))
            AND {_MODEL} ILIKE {_PATTERN}
        ORDER BY p.provider <> '' DESC, length(replace(p.model, '*', '')) DESC,
            p.valid_from DESC, p.id DESC LIMIT 1
    ) price
    WHERE run.workspace_id = %(workspace)s AND run.id = ANY(%(runs)s) AND run.run_type = 'llm'
        AND (run.is_priced
             OR coalesce(run.total_cost, run.prompt_cost, run.completion_cost) IS NULL)
        AND coalesce(run.prompt_tokens, run.completion_tokens) IS NOT NULL
        AND coalesce(run.prompt_tokens, 0) < %(most)s
        AND coalesce(run.completion_tokens, 0) < %(most)s
) c
WHERE r.workspace_id = %(workspace)s AND r.id = c.id
    AND (r.prompt_cost, r.completion_cost) IS DISTINCT FROM (c.prompt, c.completion)
"""


def price(workspace: Workspace, run_ids: Sequence[UUID]) -> int:
    """Store the cost of those of `run_ids` that a price matches; return how many changed.

    Applies to llm runs with tokens, without a sender's cost, whose model matches a pattern. Tokens
    of the prompt and of the completion are priced separately; a run that reports only their total
    is not priced, and cached tokens are not cheaper. One statement, in the caller's transaction if
    there is one.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _PRICED, {"workspace": workspace.pk, "runs": list(run_ids), "most": MOST_TOKENS}
        )
        return int(cursor.rowcount)


def apply(workspace: Workspace, *, since: datetime | None = None) -> int:
    """Recompute costs of stored runs of `workspace` by the current table; return how many changed.

    `since` leaves runs that started earlier as they are. Costs from senders stay. A run that was
    priced by a row that has been deleted loses its cost. Runs in batches, each in its own
    transaction: it can be stopped and run again.
    """
    changed, after = 0, UUID(int=0)
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT id FROM runs_run WHERE workspace_id = %s AND id > %s AND run_type = 'llm'"
                " AND (%s::timestamptz IS NULL OR start_time >= %s)"
                " AND (is_priced OR total_cost IS NULL) ORDER BY id LIMIT %s",
                [workspace.pk, after, since, since, BATCH],
            )
            ids = [row[0] for row in cursor.fetchall()]
            if not ids:
                return changed
            cursor.execute(_STORED, [workspace.pk, ids])
            before = set(cursor.fetchall())
            cursor.execute(_CLEARED, [workspace.pk, ids])
            price(workspace, ids)
            cursor.execute(_STORED, [workspace.pk, ids])
            changed += len({row[0] for row in before ^ set(cursor.fetchall())})
            after = ids[-1]


_STORED = (
    "SELECT id, prompt_cost, completion_cost FROM runs_run"
    " WHERE workspace_id = %s AND id = ANY(%s) AND is_priced"
)
_CLEARED = (
    "UPDATE runs_run SET prompt_cost = NULL, completion_cost = NULL, total_cost = NULL,"
    " is_priced = false WHERE workspace_id = %s AND id = ANY(%s) AND is_priced"
)
