"""A generated history of runs and feedback, written by SQL, for `observatory bench query`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from observatory.runs.models import Project
from observatory.workspaces.models import Workspace

STEPS = 5  # runs per trace
N_PROJECTS = 6  # the first holds half of all traces
BATCH = 50_000  # traces per statement
FEEDBACK_PER_TRACE = 1.5

# A fraction in [0, 1) of a trace, derived from its number and a seed.
_SHARE = "((hashint8extended({of}, {seed}) & 1048575) / 1048576.0)"
# Four seconds between traces; the newest is written last.
_RUNS = f"""
INSERT INTO runs_run (workspace_id, id, project_id, trace_id, parent_run_id, dotted_order, name,
    run_type, start_time, end_time, error, inputs, outputs, metadata, tags, reference_example_id,
    prompt_tokens, completion_tokens, total_tokens, total_cost, is_sanitized, is_adopted,
    received_at, modified_at)
SELECT %(workspace)s, md5(t.n || '/' || k)::uuid,
    (%(projects)s::int[])[CASE WHEN t.n %% 2 = 0 THEN 1 ELSE 2 + (t.n / 2) %% {N_PROJECTS - 1} END],
    md5(t.n || '/0')::uuid, CASE WHEN k > 0 THEN md5(t.n || '/0')::uuid END,
    to_char(s.at, 'YYYYMMDD"T"HH24MISSUS') || 'Z' || md5(t.n || '/0')::uuid
        || CASE WHEN k > 0 THEN '.' || k ELSE '' END,
    (ARRAY['support-bot', 'retrieve', 'rank', 'ChatOpenAI', 'check_policy'])[k + 1],
    (ARRAY['chain', 'retriever', 'chain', 'llm', 'tool'])[k + 1],
    s.at, s.at + s.latency * interval '1 second',
    CASE WHEN t.error < 0.03 AND k IN (0, 3) THEN 'RateLimitError: try again later' END,
    json_build_object('question', md5(t.n::text) || ' why was order ' || t.n
        || ' charged twice, and ' || md5(t.n || 'q' || k)),
    json_build_object('answer', 'The second charge is a reservation. ' || md5(t.n || 'a' || k)
        || md5(t.n || 'b' || k)),
    jsonb_build_object('user_tier', (ARRAY['free', 'pro', 'enterprise'])[1 + t.n %% 3],
        'confidence', round(t.confidence::numeric * 100), 'session_id', 'thread-' || t.n / 5,
        'customer', 'c' || (t.confidence * 5000)::int),
    CASE WHEN t.tag < 0.005 THEN ARRAY['vip', 'prod'] WHEN t.tag < 0.5 THEN ARRAY['prod']
         ELSE ARRAY['beta'] END,
    CASE WHEN k = 0 AND t.tag < 0.02 THEN md5('example' || t.n %% 500)::uuid END,
    CASE WHEN k = 3 THEN 400 + t.n %% 300 END, CASE WHEN k = 3 THEN 80 + t.n %% 90 END,
    CASE WHEN k = 3 THEN 480 + t.n %% 390 END, CASE WHEN k = 3 THEN 0.002 END,
    false, false, s.at, s.at
FROM (SELECT n, {_SHARE.format(of="n", seed=1)} AS error, {_SHARE.format(of="n", seed=2)} AS tag,
             {_SHARE.format(of="n", seed=3)} AS confidence
      FROM generate_series(%(first)s::bigint, %(last)s::bigint) n) t
CROSS JOIN generate_series(0, {STEPS - 1}) k
CROSS JOIN LATERAL (SELECT %(start)s + t.n * interval '4 seconds' + k * interval '80 ms' AS at,
    -ln(1 - {_SHARE.format(of="t.n * 5 + k", seed=4)}) * CASE k WHEN 0 THEN 2.0 ELSE 0.4 END
        AS latency) s
ON CONFLICT DO NOTHING
"""
_FEEDBACK = f"""
INSERT INTO feedback_feedback (workspace_id, uuid, run_id, trace_id, project_id, run_start_time,
    is_root, key, score, source_type, is_error, is_off_scale, created_at, modified_at)
SELECT r.workspace_id, md5('feedback' || f.n)::uuid, r.id, r.id, r.project_id, r.start_time, true,
    f.key, CASE f.key WHEN 'user_rating' THEN (f.share >= 0.1)::int
                      ELSE round(f.share::numeric, 2) END,
    CASE f.key WHEN 'user_rating' THEN 'api' ELSE 'model' END, false, false,
    r.start_time + interval '1 minute', r.start_time + interval '1 minute'
FROM (SELECT n, {_SHARE.format(of="n", seed=5)} AS share,
             ({_SHARE.format(of="n", seed=6)} * %(n_traces)s)::bigint AS trace,
             (ARRAY['user_rating', 'correctness', 'helpfulness'])[1 + n %% 3] AS key
      FROM generate_series(0, %(n)s - 1) n) f
JOIN runs_run r ON r.workspace_id = %(workspace)s AND r.id = md5(f.trace || '/0')::uuid
"""


@dataclass(frozen=True)
class History:
    """What was written. `trace` and `thread` are in the middle of the first project."""

    workspace: Workspace
    project: Project
    n_runs: int
    n_feedback: int
    newest: datetime
    trace: UUID
    thread: str
    example: UUID


def write(workspace: Workspace, n_runs: int) -> History:
    """Write `n_runs` runs in traces of STEPS, and feedback on the roots; update statistics."""
    n_traces = n_runs // STEPS
    projects = [
        Project.objects.create(workspace=workspace, name=f"bench {n}") for n in range(N_PROJECTS)
    ]
    start = timezone.now() - timedelta(seconds=4 * n_traces)
    parameters: dict[str, Any] = {
        "workspace": workspace.pk,
        "projects": [project.pk for project in projects],
        "start": start,
        "n_traces": n_traces - 1,
        "n": int(n_traces * FEEDBACK_PER_TRACE),
    }
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")  # a batch takes longer on a busy machine
        for first in range(0, n_traces, BATCH):
            last = min(first + BATCH, n_traces) - 1
            cursor.execute(_RUNS, {**parameters, "first": first, "last": last})
        cursor.execute("ANALYZE runs_run")
        cursor.execute(_FEEDBACK, parameters)
        for table in ("runs_run", "feedback_feedback", "runs_project"):
            cursor.execute(f"VACUUM ANALYZE {table}")
        middle = n_traces // 2 - n_traces // 2 % 2
        cursor.execute(
            "SELECT md5(%s || '/0')::uuid, reference_example_id FROM runs_run"
            " WHERE workspace_id = %s AND project_id = %s AND reference_example_id IS NOT NULL"
            " ORDER BY start_time DESC LIMIT 1",
            [str(middle), workspace.pk, projects[0].pk],
        )
        trace, example = cursor.fetchone()
        cursor.execute("RESET statement_timeout")
    return History(
        workspace=workspace,
        project=projects[0],
        n_runs=n_traces * STEPS,
        n_feedback=parameters["n"],
        newest=start + timedelta(seconds=4 * n_traces),
        trace=trace,
        thread=f"thread-{middle // 5}",
        example=example,
    )
