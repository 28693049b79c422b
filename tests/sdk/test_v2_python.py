"""The generated resources and the AsyncClient of the unmodified Python SDK, against a live server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from langsmith import AsyncClient, Client, NotFoundError, evaluate
from langsmith.evaluation import evaluate_comparative
from langsmith.run_helpers import traceable, tracing_context
from langsmith.utils import LangSmithNotFoundError

from tests.live import run_apart

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
def project() -> str:
    return f"v2-{uuid4().hex[:8]}"


def converse(client: Client, project: str, thread_id: str, n_turns: int = 2) -> list[UUID]:
    """Trace the turns of a conversation, each a chain with a model run; return their ids."""

    @traceable(name="model", run_type="llm", client=client)
    def model(question: str) -> dict:
        usage = {"input_tokens": 6, "output_tokens": 4, "total_tokens": 10}
        return {"content": "because", "usage_metadata": usage}

    @traceable(name="answer", client=client)
    def answer(question: str) -> dict:
        return {"answer": model(question)["content"]}

    ids = [uuid4() for _ in range(n_turns)]
    with tracing_context(enabled=True, project_name=project, metadata={"thread_id": thread_id}):
        for number, run_id in enumerate(ids):
            answer(f"why {number}?", langsmith_extra={"run_id": run_id})
    client.flush()
    return ids


def within(server, work) -> None:
    """Run `work(client)` with an AsyncClient of its own."""

    async def run() -> None:
        async with AsyncClient(api_url=server.endpoint, api_key=server.key) as client:
            await work(client)

    run_apart(run)


# The generated resources ---------------------------------------------------------------------------


def test_runs_are_queried_read_linked_and_shared(server, client, project) -> None:
    first, second = converse(client, project, "t1")
    owner = str(client.read_project(project_name=project).id)

    async def work(client: AsyncClient) -> None:
        page = await client.runs.query(project_ids=[owner], page_size=3, selects=["NAME"])
        assert (len(page.items), page.has_next_page()) == (3, True)
        names = [run.name async for run in client.runs.query(project_ids=[owner], selects=["NAME"])]
        assert sorted(names) == ["answer", "answer", "model", "model"]
        roots = client.runs.query(
            project_ids=[owner],
            is_root=True,
            has_error=False,
            run_type="CHAIN",
            filter='eq(name, "answer")',
            tree_filter='eq(run_type, "llm")',
            min_start_time=datetime.now(UTC) - timedelta(hours=1),
            include_subtree_usage=True,
            selects=["ID", "STATUS", "TOTAL_TOKENS", "INPUTS", "THREAD_ID", "PROJECT_ID"],
        )
        found = {run.id: run async for run in roots}
        assert set(found) == {str(first), str(second)}
        root = found[str(first)]
        assert (root.status, root.total_tokens, root.thread_id) == ("SUCCESS", 10, "t1")
        assert (root.inputs, root.project_id) == ({"question": "why 0?"}, owner)

        run = await client.runs.retrieve(str(first), project_id=owner, selects=["NAME", "OUTPUTS"])
        assert (run.name, run.outputs) == ("answer", {"answer": "because"})
        with pytest.raises(NotFoundError):
            await client.runs.retrieve(str(uuid4()), project_id=owner)
        link = await client.runs.get_url(str(first), project_id=owner, trace_id=str(first))
        assert link.url.startswith(server.url)
        assert str(first) in link.url

        share = await client.runs.share.create(str(first), session_id=owner, trace_id=str(first))
        told = await client.runs.retrieve(str(first), project_id=owner, selects=["SHARE_URL"])
        assert told.share_url == f"{server.url}/public/{share.share_token}/r"
        shared = await client.public.runs.query(share.share_token, selects=["ID", "START_TIME"])
        assert len(shared.items) == 2
        one = await client.public.runs.retrieve(
            shared.items[0].id,
            share_token=share.share_token,
            selects=["NAME"],
            start_time=shared.items[0].start_time,
        )
        assert one.name == "answer"
        await client.runs.share.delete(str(first), session_id=owner)
        with pytest.raises(NotFoundError):
            await client.public.runs.query(share.share_token, selects=["ID"])

    within(server, work)


def test_runs_traces_and_threads_come_as_streams(server, client, project) -> None:
    converse(client, project, "t1", n_turns=3)
    owner = str(client.read_project(project_name=project).id)

    async def work(client: AsyncClient) -> None:
        runs = client.runs.streaming.query_v2_items(
            project_ids=[owner], page_size=4, selects=["ID", "NAME"]
        )
        assert len({run.id async for run in runs}) == 6
        traces = client.traces.streaming.query_items(
            project_id=owner, page_size=2, selects=["NAME", "TOTAL_TOKENS"]
        )
        told = [trace async for trace in traces]
        assert [trace.trace_aggregates.total_tokens for trace in told] == [10, 10, 10]
        threads = client.threads.streaming.query_items(project_id=owner)
        assert [thread.count async for thread in threads] == [3]

    within(server, work)


def test_traces_and_threads_are_queried_summed_up_and_shared(server, client, project) -> None:
    first, second = converse(client, project, "t1")
    converse(client, project, "t2", n_turns=1)
    client.create_feedback(first, "tone", score=1.0)
    client.flush()
    owner = str(client.read_project(project_name=project).id)

    async def work(client: AsyncClient) -> None:
        traces = [
            trace
            async for trace in client.traces.query(
                project_id=owner, page_size=2, selects=["ID", "TOTAL_TOKENS"]
            )
        ]
        assert len(traces) == 3
        assert traces[0].trace_aggregates.total_tokens == 10
        runs = await client.traces.list_runs(str(first), project_id=owner, selects=["NAME"])
        assert [run.name for run in runs.items] == ["answer", "model"]

        threads = [thread async for thread in client.threads.query(project_id=owner, page_size=1)]
        assert [(thread.thread_id, thread.count) for thread in threads] == [("t2", 1), ("t1", 2)]
        assert (threads[1].total_tokens, threads[1].first_inputs) == (20, "why 0?")
        turns = [
            (turn.trace_id, turn.turn_number)
            async for turn in client.threads.list_traces(
                "t1", project_id=owner, page_size=1, selects=["TRACE_ID", "TURN_NUMBER"]
            )
        ]
        assert turns == [(str(first), 1), (str(second), 2)]
        stats = await client.threads.stats(
            "t1", session_id=owner, selects=["TURNS", "TOTAL_TOKENS", "FEEDBACK_STATS"]
        )
        assert (stats.turns, stats.total_tokens) == (2, 20)
        assert stats.feedback_stats["tone"].avg == 1.0
        whole = await client.threads.aggregate_stats(
            project_id=owner, select=["THREAD_COUNT", "TRACE_COUNT", "MEDIAN_TOKENS"]
        )
        assert (whole.thread_count, whole.trace_count, whole.median_tokens) == (2, 3, 10)

        assert (await client.threads.share.retrieve("t1", project_id=owner)).share_token is None
        share = await client.threads.share.create("t1", project_id=owner)
        told = await client.threads.share.retrieve("t1", project_id=owner)
        assert told.share_token == share.share_token
        shared = await client.public.runs.query(share.share_token, selects=["ID"])
        assert len(shared.items) == 4
        await client.threads.share.delete("t1", project_id=owner)
        with pytest.raises(NotFoundError):
            await client.public.runs.query(share.share_token, selects=["ID"])

    within(server, work)


def test_projects_are_made_changed_and_resolved(server, client, project) -> None:
    generated = client._get_langsmith_api_sync()
    made = generated.sessions.create(name=project, description="one", extra={"metadata": {"a": 1}})
    assert made.name == project
    changed = generated.sessions.update(made.id, description="two")
    assert (changed.id, changed.description) == (made.id, "two")
    dataset = client.create_dataset(f"golden-{project}")
    experiment = generated.sessions.create(
        name=f"{project}-x", reference_dataset_id=str(dataset.id)
    )
    resolved = generated.sessions.resolve(kind="EXPERIMENT", id=experiment.id)
    assert resolved.session_id == experiment.id
    with pytest.raises(NotFoundError, match="no agents"):
        generated.sessions.resolve(kind="AGENT", id="helper", environment="PRODUCTION")


# Experiments ---------------------------------------------------------------------------------------


def test_experiments_are_read_by_example_and_compared(server, client, project) -> None:
    dataset = client.create_dataset(f"golden-{project}")
    client.create_examples(
        dataset_id=dataset.id,
        examples=[{"inputs": {"n": n}, "outputs": {"square": n * n}} for n in range(3)],
    )

    def exact(outputs: dict, reference_outputs: dict) -> bool:
        return outputs["square"] == reference_outputs["square"]

    made = [
        evaluate(
            lambda inputs, wrong=wrong: {"square": inputs["n"] ** 2 + wrong},
            data=dataset.name,
            evaluators=[exact],
            client=client,
            experiment_prefix=f"{project}-{wrong}",
        )
        for wrong in (0, 1)
    ]
    client.flush()
    ids = [str(client.read_project(project_name=one.experiment_name).id) for one in made]

    async def work(client: AsyncClient) -> None:
        rows = [
            row
            async for row in client.datasets.experiment_runs.query(
                str(dataset.id),
                experiment_ids=ids,
                page_size=2,
                selects=["OUTPUTS", "FEEDBACK_STATS"],
            )
        ]
        assert sorted(row.inputs["n"] for row in rows) == [0, 1, 2]
        assert all(len(row.runs) == 2 for row in rows)
        scores = [run.feedback_stats["exact"].avg for run in rows[0].runs]
        assert scores == [1.0, 0.0]
        wrong = client.datasets.experiment_runs.query(
            str(dataset.id),
            experiment_ids=ids[1:],
            filters={ids[1]: ['and(eq(feedback_key, "exact"), gt(feedback_score, 0.5))']},
        )
        assert [row async for row in wrong] == []

    within(server, work)

    def prefer(runs: list, example) -> dict:
        return {
            "key": "preferred",
            "scores": {run.id: float(place) for place, run in enumerate(runs)},
        }

    compared = evaluate_comparative(
        tuple(one.experiment_name for one in made), evaluators=[prefer], client=client
    )
    assert len(list(compared)) == 3


# What is deprecated still works where both versions are announced ----------------------------------


def test_the_deprecated_calls_work_beside_version_2(server, client, project) -> None:
    assert client.info.instance_flags["sdb_query_enabled"] is True
    assert client.info.instance_flags["ch_query_enabled"] is True
    first, second = converse(client, project, "t1")
    assert client.read_run(first).name == "answer"
    assert {run.id for run in client.list_runs(project_name=project, is_root=True)} == {
        first,
        second,
    }
    assert client.get_run_url(run=client.read_run(first)).startswith("http")
    assert len(list(client.read_thread(thread_id="t1", project_name=project))) == 2
    with pytest.raises(LangSmithNotFoundError):
        client.read_run(uuid4())


def test_unsupported_methods_are_404(server, client) -> None:
    generated = client._get_langsmith_api_sync()
    for refused in (
        lambda: generated.agents.list(),
        lambda: generated.issues.list(),
        lambda: generated.online_evaluators.list(),
        lambda: generated.prompt_webhooks.list(),
        lambda: generated.evaluators.list(),
        lambda: generated.sandboxes.boxes.list(),
        lambda: generated.product_feedback.retrieve(str(uuid4())),
    ):
        with pytest.raises(NotFoundError) as error:
            refused()
        assert error.value.body["code"] == "not_found"


# The hand-written AsyncClient ----------------------------------------------------------------------


def test_the_async_client_traces_reads_lists_and_shares(server, project) -> None:
    async def work(client: AsyncClient) -> None:
        assert (await client.info()).version
        run_id, start = uuid4(), datetime.now(UTC)
        await client.create_run(
            "answer",
            {"question": "why?"},
            "chain",
            id=run_id,
            project_name=project,
            start_time=start,
        )
        await client.update_run(
            run_id, outputs={"answer": "because"}, end_time=start + timedelta(seconds=1)
        )
        run = await client.read_run(run_id)
        assert (run.name, run.outputs) == ("answer", {"answer": "because"})
        owner = await client.read_project(project_name=project)
        assert (await client.read_project(project_id=owner.id)).name == project
        listed = [one.id async for one in client.list_runs(project_name=project)]
        assert listed == [run_id]
        assert await client.run_is_shared(run_id) is False
        assert "/public/" in await client.share_run(run_id)
        assert await client.run_is_shared(run_id) is True
        assert (await client.read_run_shared_link(run_id)).endswith("/r")

        other = await client.create_project(f"{project}-other")
        await client.delete_project(project_id=other.id)
        with pytest.raises(LangSmithNotFoundError):
            await client.read_project(project_id=other.id)

        await client.create_feedback(run_id, "tone", score=0.5, comment="so so")
        [tone] = [one async for one in client.list_feedback(run_ids=[run_id])]
        assert (await client.read_feedback(tone.id)).score == 0.5
        token = await client.create_presigned_feedback_token(run_id, "thumb")
        await client.create_feedback_from_token(token.url, score=1)
        keys = {one.key async for one in client.list_feedback(run_ids=[run_id])}
        assert keys == {"tone", "thumb"}
        await client.delete_feedback(tone.id)
        with pytest.raises(LangSmithNotFoundError):
            await client.read_feedback(tone.id)

    within(server, work)


def test_the_async_client_keeps_datasets_queues_and_scales(server, client, project) -> None:
    [run_id] = converse(client, project, "t1", n_turns=1)

    async def work(client: AsyncClient) -> None:
        dataset = await client.create_dataset(f"golden-{project}", description="gold")
        assert (await client.read_dataset(dataset_name=dataset.name)).id == dataset.id
        assert [one.id async for one in client.list_datasets(name=dataset.name)] == [dataset.id]
        example = await client.create_example(
            {"n": 1}, outputs={"square": 1}, dataset_id=dataset.id
        )
        assert (await client.read_example(example.id)).outputs == {"square": 1}
        assert [one.id async for one in client.list_examples(dataset_id=dataset.id)] == [example.id]

        queue = await client.create_annotation_queue(name=f"queue-{project}", description="doubt")
        assert (await client.read_annotation_queue(queue.id)).name == queue.name
        await client.update_annotation_queue(queue.id, name=f"renamed-{project}")
        names = [one.name async for one in client.list_annotation_queues(queue_ids=[queue.id])]
        assert names == [f"renamed-{project}"]
        await client.add_runs_to_annotation_queue(queue.id, run_ids=[run_id])
        queued = [one.id async for one in client.list_runs_from_annotation_queue(queue.id)]
        assert queued == [run_id]
        assert (await client.get_run_from_annotation_queue(queue.id, index=0)).id == run_id
        await client.delete_run_from_annotation_queue(queue.id, run_id=run_id)
        assert [one async for one in client.list_runs_from_annotation_queue(queue.id)] == []
        await client.delete_annotation_queue(queue.id)
        assert [one async for one in client.list_annotation_queues(queue_ids=[queue.id])] == []

        key, scale = f"scale-{project}", {"type": "continuous", "min": 0, "max": 1}
        await client.create_feedback_config(key, feedback_config=scale)
        await client.update_feedback_config(key, is_lower_score_better=True)
        [kept] = [one async for one in client.list_feedback_configs(feedback_key=[key])]
        assert (kept.feedback_key, kept.is_lower_score_better) == (key, True)
        await client.delete_feedback_config(key)
        assert [one async for one in client.list_feedback_configs(feedback_key=[key])] == []
        await client.delete_dataset(dataset.id)

    within(server, work)


def test_the_async_client_keeps_prompts(server, project) -> None:
    from langchain_core.prompts import ChatPromptTemplate

    async def work(client: AsyncClient) -> None:
        name = f"prompt-{project}"
        made = await client.create_prompt(name, description="asks", is_public=False)
        assert made.repo_handle == name
        template = ChatPromptTemplate.from_messages([("user", "{question}")])
        assert name in await client.push_prompt(name, object=template)
        assert (await client.get_prompt(name)).num_commits == 1
        assert await client.get_prompt(f"none-{project}") is None
        commit = await client.pull_prompt_commit(name)
        assert commit.manifest["type"] == "constructor"
        assert (await client.pull_prompt(name)).input_variables == ["question"]
        await client.create_commit(
            name, ChatPromptTemplate.from_messages([("user", "{question}!")])
        )
        assert len([one async for one in client.list_prompt_commits(name)]) == 2
        assert name in {one.repo_handle for one in (await client.list_prompts(query=name)).repos}
        await client.update_prompt(name, description="asks again", tags=["chat"])
        assert (await client.get_prompt(name)).description == "asks again"
        assert (await client.like_prompt(name))["likes"] == 1
        assert (await client.unlike_prompt(name))["likes"] == 0
        await client.delete_prompt(name)
        assert await client.get_prompt(name) is None

    within(server, work)
