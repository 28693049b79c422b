"""Tokens and costs: of parents from below, and of llm runs by the price table."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from observatory.runs import ingest, prices, search, spending, stats
from observatory.runs.facts import facts_of
from observatory.runs.filters.explain import matches
from observatory.runs.filters.grammar import parse
from observatory.runs.models import ModelPrice, Run
from observatory.runs.ops import parse_op
from observatory.runs.search import RunQuery
from tests.conftest import NOON
from tests.factories import ProjectFactory, make_run

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(acme):
    return ProjectFactory(workspace=acme, name="support")


def spent(acme, *runs) -> list[tuple[int | None, Decimal | None]]:
    rows = search.by_ids(acme, [run.id for run in runs], payloads=())
    told = spending.with_subtree_usage(acme.pk, [rows[run.id] for run in runs])
    return [(row.total_tokens, row.total_cost) for row in told]


def model_call(project, parent, tokens=10, cost="0.5", **fields):
    return make_run(
        project,
        parent=parent,
        run_type="llm",
        prompt_tokens=tokens - 1,
        completion_tokens=1,
        total_tokens=tokens,
        total_cost=cost,
        **fields,
    )


# Parents ------------------------------------------------------------------------------------------


def test_a_parent_has_its_own_usage_or_the_sum_of_llm_runs_below(acme, project) -> None:
    root = make_run(project)
    left = make_run(project, parent=root)
    right = make_run(project, parent=root, run_type="tool", total_tokens=7, total_cost="3")
    deep = make_run(project, parent=left)
    call = model_call(project, deep)
    model_call(project, left, tokens=30, cost=None)
    model_call(project, right, tokens=100)
    alone = make_run(project)
    assert spent(acme, root, left, deep, right, call, alone) == [
        (140, Decimal(1)),
        (40, Decimal("0.5")),
        (10, Decimal("0.5")),
        (7, Decimal(3)),
        (10, Decimal("0.5")),
        (None, None),
    ]


def test_tokens_and_cost_are_each_summed_where_the_run_has_none(acme, project) -> None:
    root = make_run(project, total_tokens=5)
    model_call(project, root)
    assert spent(acme, root) == [(5, Decimal("0.5"))]


def test_runs_below_are_found_without_dotted_order_or_parent(acme, project) -> None:
    root = make_run(project)
    parent, gone = make_run(project, parent=root), make_run(project, parent=root)
    plain, lost = model_call(project, parent), make_run(project, parent=gone)
    model_call(project, lost)
    Run.objects.filter(workspace=acme, id=plain.id).update(dotted_order=None)
    Run.objects.filter(workspace=acme, id=gone.id).delete()
    assert spent(acme, root, parent, lost) == [
        (20, Decimal(1)),
        (10, Decimal("0.5")),
        (10, Decimal("0.5")),
    ]


def test_another_workspaces_runs_of_the_same_trace_do_not_count(acme, rival, project) -> None:
    root = make_run(project)
    theirs = make_run(ProjectFactory(workspace=rival), id=root.id)
    model_call(theirs.project, theirs)
    assert spent(acme, root) == [(None, None)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gt(total_tokens, 15)", {"root", "parent"}),
        ("eq(total_tokens, 10)", {"call", "other", "said"}),
        ("gte(total_cost, 1)", {"root", "parent"}),
        ("and(eq(run_type, 'chain'), gt(total_tokens, 5))", {"root", "parent", "said"}),
        ("eq(total_tokens, null)", {"alone"}),
        ("in(total_tokens, [20])", {"root", "parent"}),
        ("lt(prompt_cost, 0)", set()),
    ],
)
def test_a_filter_matches_a_parent_by_the_usage_below_it(acme, project, text, found) -> None:
    root = make_run(project, name="root")
    parent = make_run(project, parent=root, name="parent")
    for name in ("call", "other"):
        run = model_call(project, parent)
        Run.objects.filter(workspace=acme, id=run.id).update(name=name)
    make_run(project, name="alone")
    make_run(project, name="said", total_tokens=10)
    node = parse(text)
    page = search.query(acme, RunQuery(projects=[project.uuid], filter=node))
    assert {row.name for row in page.runs} == found
    facts = facts_of(acme.pk, list(Run.objects.filter(workspace=acme).values_list("id", flat=True)))
    assert {one.name for one in facts.values() if matches(node, one)} == found


def test_a_parent_has_the_usage_details_below_it(api, project) -> None:
    root = make_run(project)
    for _ in range(2):
        make_run(
            project,
            parent=root,
            run_type="llm",
            total_tokens=10,
            usage_details={"prompt_token_details": {"cache_read": 3, "audio": None}},
        )
    assert api.get(f"/runs/{root.id}").json()["prompt_token_details"] == {"cache_read": 6}
    body = {"id": [str(root.id)], "select": ["prompt_token_details", "completion_cost_details"]}
    (told,) = api.post("/runs/query", body).json()["runs"]
    assert told["prompt_token_details"] == {"cache_read": 6}
    assert told["completion_cost_details"] is None


def test_any_number_of_rows_takes_one_query(acme, project, django_assert_num_queries) -> None:
    roots = [make_run(project) for _ in range(5)]
    calls = [model_call(project, root) for root in roots]
    rows = list(search.by_ids(acme, [run.id for run in roots], payloads=()).values())
    with django_assert_num_queries(1):
        assert {row.total_tokens for row in spending.with_subtree_usage(acme.pk, rows)} == {10}
    leaves = list(search.by_ids(acme, [run.id for run in calls], payloads=()).values())
    with django_assert_num_queries(0):
        spending.with_subtree_usage(acme.pk, leaves)


def test_reading_listing_and_statistics_agree(api, acme, project) -> None:
    root = make_run(project, name="root", metadata={"tier": "gold"})
    model_call(project, make_run(project, parent=root))
    body = {"session": [str(project.uuid)], "is_root": True}
    (listed,) = api.post("/runs/query", body).json()["runs"]
    read = api.get(f"/runs/{root.id}").json()
    told = api.post("/runs/stats", body).json()
    session = api.get(f"/sessions/{project.uuid}?include_stats=true").json()
    assert {one["total_tokens"] for one in (listed, read, told, session)} == {10}
    assert {one["prompt_tokens"] for one in (listed, read, told, session)} == {9}
    assert {one["total_cost"] for one in (listed, read, told, session)} == {0.5}
    assert told["median_tokens"] == 10
    for attribute in ({"attribute": "name"}, {"attribute": "metadata", "path": "tier"}):
        grouped = api.post("/runs/stats", {**body, "group_by": attribute}).json()
        assert [one["total_tokens"] for one in grouped.values()] == [10]
    every = stats.of_runs(acme, RunQuery(projects=[project.uuid]))
    assert (every["run_count"], every["total_tokens"]) == (3, 10)


# Prices -------------------------------------------------------------------------------------------


def price(acme, model="gpt-4o", prompt="2.5", completion="10", **fields) -> ModelPrice:
    fields.setdefault("valid_from", NOON - timedelta(days=100))
    return ModelPrice.objects.create(
        workspace=acme, model=model, prompt_price=prompt, completion_price=completion, **fields
    )


def sent(acme, kind="create", run_id=None, *, model="gpt-4o", usage=None, **fields) -> Run:
    """Store one op of an llm run of 1,000,000 + 100,000 tokens, unless `usage` says otherwise."""
    run_id = run_id or uuid4()
    usage = {"input_tokens": 1_000_000, "output_tokens": 100_000} if usage is None else usage
    body = {
        "id": str(run_id),
        "outputs": {"usage_metadata": usage},
        "extra": {"metadata": {"ls_model_name": model, "ls_provider": "openai"}},
        "run_type": "llm",
        "name": "call",
        "start_time": (NOON - timedelta(hours=1)).isoformat(),
        **fields,
    }
    ingest.store(acme, [parse_op(kind, json.dumps(body).encode())], now=NOON)
    return Run.objects.get(workspace=acme, id=run_id)


def cost(run: Run) -> tuple[Decimal | None, Decimal | None, Decimal | None, bool]:
    return run.prompt_cost, run.completion_cost, run.total_cost, run.is_priced


def test_tokens_without_a_cost_are_priced_when_the_run_comes_in(acme) -> None:
    assert cost(sent(acme)) == (None, None, None, False)
    price(acme)
    assert cost(sent(acme)) == (Decimal("2.5"), Decimal(1), Decimal("3.5"), True)
    only_prompt = sent(acme, usage={"input_tokens": 1, "output_tokens": None})
    assert cost(only_prompt) == (Decimal("0.0000025"), None, Decimal("0.0000025"), True)
    for unpriced in (
        sent(acme, model="gpt-5"),
        sent(acme, run_type="chain"),
        sent(acme, usage={"total_tokens": 5}),
        sent(acme, usage={"input_tokens": 10**15, "output_tokens": 1}),
        sent(acme, usage={}),
    ):
        assert cost(unpriced) == (None, None, None, False)


def test_a_senders_cost_wins_before_and_after_pricing(acme) -> None:
    price(acme)
    usage = {"input_tokens": 1_000_000, "output_tokens": 100_000, "total_cost": 9}
    assert cost(sent(acme, usage=usage)) == (None, None, Decimal(9), False)
    run = sent(acme)
    assert run.is_priced
    late = sent(acme, "patch", run.id, usage={"total_cost": 0.25})
    assert cost(late) == (None, None, Decimal("0.25"), False)
    assert cost(sent(acme, "patch", run.id)) == (None, None, Decimal("0.25"), False)
    # A late create has a cost below the computed one: the sender's cost still wins
    other = sent(acme, "patch")
    assert other.is_priced
    assert cost(sent(acme, run_id=other.id, usage={"total_cost": 1}))[2:] == (Decimal(1), False)


def test_tokens_that_come_by_patch_are_priced_and_more_tokens_are_priced_again(acme) -> None:
    price(acme)
    run = sent(acme, usage={})
    assert cost(sent(acme, "patch", run.id))[2] == Decimal("3.5")
    more = {"input_tokens": 2_000_000, "output_tokens": 100_000}
    ended = (NOON + timedelta(minutes=1)).isoformat()
    again = sent(acme, "patch", run.id, usage=more, end_time=ended)
    assert cost(again) == (Decimal(5), Decimal(1), Decimal(6), True)


def test_the_most_specific_price_that_was_valid_at_the_time_counts(acme, rival) -> None:
    price(acme, "gpt-*", "1", "0")
    price(acme, "gpt-4o*", "2", "0")
    price(acme, "gpt-4o*", "3", "0", valid_from=NOON - timedelta(days=1))
    price(acme, "gpt-4o*", "4", "0", valid_from=NOON + timedelta(days=1))
    price(acme, "*", "5", "0", provider="Anthropic")
    price(rival, "*", "6", "0", provider="openai")
    assert sent(acme, model="GPT-4o-mini").prompt_cost == 3
    assert sent(acme, model="gpt-3.5").prompt_cost == 1
    price(acme, "*", "7", "0", provider="OpenAI")
    assert sent(acme, model="gpt-3.5").prompt_cost == 7
    claude = {"metadata": {"ls_model_name": "claude", "ls_provider": "anthropic"}}
    assert sent(acme, extra=claude).prompt_cost == 5


def test_only_stars_are_special_in_a_pattern(acme) -> None:
    price(acme, r"a_b%c\d", "1", "0")
    assert sent(acme, model=r"a_b%c\d").is_priced
    assert not sent(acme, model=r"aXbYc\d").is_priced


def test_later_prices_change_stored_costs_only_on_apply(acme) -> None:
    row = price(acme)
    before, said = sent(acme), sent(acme, usage={"input_tokens": 1, "total_cost": 8})
    unpriced = sent(acme, model="other")
    row.prompt_price = Decimal(100)
    row.save()
    price(acme, "other", "1", "0")
    assert cost(Run.objects.get(id=before.id))[0] == Decimal("2.5")
    out = StringIO()
    slug = ["--workspace", acme.slug]
    late = (NOON + timedelta(days=1)).isoformat()
    call_command("prices", "apply", "--since", late, *slug, stdout=out)
    call_command("prices", "apply", *slug, stdout=out)
    call_command("prices", "apply", *slug, stdout=out)
    assert out.getvalue().split("\n")[:3] == [f"the cost of {n} runs changed" for n in (0, 2, 0)]
    assert cost(Run.objects.get(id=before.id))[0] == 100
    assert cost(Run.objects.get(id=unpriced.id))[0] == 1
    assert cost(Run.objects.get(id=said.id))[2] == 8
    ModelPrice.objects.all().delete()
    assert prices.apply(acme) == 2
    assert cost(Run.objects.get(id=before.id)) == (None, None, None, False)


def test_prices_are_set_and_shown_by_command(acme) -> None:
    out, slug = StringIO(), ["--workspace", acme.slug]
    call_command(
        "prices", "set", "gpt-4o-*", "2.5", "10", "--provider", "openai", *slug, stdout=out
    )
    call_command("prices", "list", *slug, stdout=out)
    assert "gpt-4o-*  openai  prompt 2.500000  completion 10.000000" in out.getvalue()
    for words in (["--", "x", "-1", "1"], ["x", "much", "1"], ["--since", "soon", "x", "1", "1"]):
        with pytest.raises(CommandError):
            call_command("prices", "set", *slug, *words)
    with pytest.raises(CommandError, match="nowhere"):
        call_command("prices", "list", "--workspace", "nowhere")


def test_pricing_a_batch_takes_one_statement_more(acme) -> None:
    sent(acme)
    with CaptureQueriesContext(connection) as without:
        sent(acme)
    price(acme)
    with CaptureQueriesContext(connection) as priced:
        sent(acme)
    assert len(priced) == len(without) + 1
