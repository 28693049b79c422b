"""Variants that break the promises on routing and background work (B1 to B7)."""

from tests.teeth import Variant

VARIANTS = [
    Variant(
        promise="B1",
        breaks="a change whose message was lost is never routed: the sweeper does nothing",
        file="annotations/tasks.py",
        old="return drain(limit, timezone.now()) if is_ours else 0",
        new="return 0",
        tests=("tests/annotations/test_nudges.py",),
    ),
    Variant(
        promise="B1",
        breaks="stored runs leave no row in the outbox",
        file="observatory/runs/changes.py",
        old="VALUES (%s, %s, %s::uuid[]) RETURNING",
        new="SELECT %s, %s, %s::uuid[] WHERE false RETURNING",
        tests=("tests/runs/test_changes.py",),
    ),
    Variant(
        promise="B2",
        breaks="sampling is drawn at random, so a replay decides differently",
        file="annotations/routing/sampling.py",
        old="""DRAW_SQL = (
    "(('x' || left(encode(sha256(uuid_send({rule}::uuid) || uuid_send({run})), 'hex'), 13))"
""",
        new="""DRAW_SQL = (
    "(('x' || left(encode(sha256(uuid_send({rule}::uuid) || uuid_send({run})"
    " || random()::text::bytea), 'hex'), 13))"
""",
        tests=("tests/annotations/test_routing.py",),
    ),
    Variant(
        promise="B3",
        breaks="feedback that comes after its run does not route it again",
        file="observatory/feedback/record.py",
        old="    changes.note(workspace, Change.Kind.FEEDBACK, judged)\n",
        new="",
        tests=("tests/annotations/test_routing.py",),
    ),
    Variant(
        promise="B3",
        breaks="an item that reviewers have completed is opened again by a late change",
        file="annotations/routing/placing.py",
        old="WHERE i.state = 'open'\n",
        new="",
        tests=("tests/annotations/test_routing.py",),
    ),
    Variant(
        promise="B4",
        breaks="a run on which a rule fails is tried for ever",
        file="observatory/runs/changes.py",
        old="change.is_dead = change.attempts >= MAX_ATTEMPTS",
        new="change.is_dead = False",
        tests=("tests/annotations/test_routing_poison.py",),
    ),
    Variant(
        promise="B4",
        breaks="a run on which a rule fails keeps its neighbours from being routed",
        file="annotations/routing/matching.py",
        old="            if not _is_of_the_rule(error):\n",
        new="            if True:\n",
        tests=("tests/annotations/test_routing_poison.py",),
    ),
    Variant(
        promise="B5",
        breaks="a worker claims the whole backlog at once",
        file="observatory/runs/changes.py",
        old='.order_by("due_at", "pk")[:limit]',
        new='.order_by("due_at", "pk")',
        tests=("tests/runs/test_changes.py",),
    ),
    Variant(
        promise="B6",
        breaks="two sweeps at once both work",
        file="annotations/tasks.py",
        old="(is_ours,) = cursor.fetchone() or (False,)",
        new="is_ours = True",
        tests=("tests/annotations/test_nudges.py",),
    ),
    Variant(
        promise="B7",
        breaks="programs are not asked to end, only killed after a while",
        file="observatory/console/supervisor.py",
        old="        for child in reversed(self.children[1:]):\n            child.signal(child.program.stop_signal)\n",
        new="",
        tests=("tests/cli/test_up.py::test_sigterm_stops_the_whole_tree_within_ten_seconds",),
    ),
    Variant(
        promise="B8",
        breaks="a rule in shadow sends what it only should list",
        file="annotations/routing/delivery.py",
        old="    live = [match for match in matches if not match.rule.rule.is_shadow]\n",
        new="    live = list(matches)\n",
        tests=("tests/annotations/test_rule_delivery.py",),
    ),
    Variant(
        promise="B8",
        breaks="two workers read what is left of a daily limit at the same time",
        file="annotations/routing/ceilings.py",
        old="RuleDay.objects.select_for_update(no_key=True)\n            .filter",
        new="RuleDay.objects.all()\n            .filter",
        tests=("tests/annotations/test_rule_delivery.py",),
    ),
    Variant(
        promise="B8",
        breaks="what was sent is not counted against the daily limit",
        file="annotations/routing/ceilings.py",
        old="SET n_sent = d.n_sent + c.n_sent,",
        new="SET n_sent = 0 * c.n_sent,",
        tests=("tests/annotations/test_rule_delivery.py",),
    ),
    Variant(
        promise="B9",
        breaks="a back-test draws with a rule id of its own, so it samples other runs",
        file="annotations/routing/backtests.py",
        old="        uuid=test.rule_uuid,\n",
        new="        uuid=uuid4(),\n",
        tests=("tests/annotations/test_backtests.py",),
    ),
    Variant(
        promise="B9",
        breaks="the walk skips the run at which a step begins",
        file="annotations/routing/past_runs.py",
        old="        start_time, run_id = self.runs[-1]\n        return",
        new="        start_time, run_id = self.runs[-1]\n        run_id = UUID(int=max(0, run_id.int - (1 << 124)))\n        return",
        tests=("tests/annotations/test_backtests.py",),
    ),
    Variant(
        promise="B9",
        breaks="a back-test of a rule without projects looks at applications by project only",
        file="annotations/routing/past_runs.py",
        old='_WITHOUT_PROJECT.format(condition=condition) if rule.projects is None else ""',
        new='""',
        tests=("tests/annotations/test_backtests.py",),
    ),
]
