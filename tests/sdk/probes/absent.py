"""What the SDK offers and no seed asks for: 404 with a JSON error, and a reason."""

from __future__ import annotations

from uuid import uuid4

from tests.sdk.probes import World, refused, refused_calls

SYNC = ("Client",)
ID = str(uuid4())

JUDGES = (
    "evaluators that the server runs on its own are no part of Observatory; "
    "routing rules find doubtful runs, and people judge them"
)
INSIGHTS = "clustering of conversations by the vendor's models is no part of Observatory"


@refused("generate_insights", seen="LangSmithNotFoundError 404", why=INSIGHTS, of=SYNC)
def insights_are_not_generated(w: World) -> None:
    w.client.generate_insights(
        chat_histories=[[{"role": "user", "content": "hi"}]], openai_api_key="none"
    )


@refused("get_insights_report", seen="LangSmithNotFoundError 404", why=INSIGHTS, of=SYNC)
def an_insights_report_is_not_there(w: World) -> None:
    w.client.get_insights_report(id=ID, project_id=str(w.run().session_id))


@refused("poll_insights", seen="LangSmithNotFoundError 404", why=INSIGHTS, of=SYNC)
def insights_are_not_waited_for(w: World) -> None:
    w.client.poll_insights(id=ID, project_id=str(w.run().session_id), rate=1, timeout=2)


@refused(
    "list_project_issues",
    seen="LangSmithNotFoundError 404",
    why="issues found by the vendor's agents are no part of Observatory",
    of=SYNC,
)
def issues_are_not_listed(w: World) -> None:
    project = w.name("project")
    w.run(project)
    w.client.list_project_issues(project)


refused_calls(
    {
        "agents.create": lambda w: w.client.agents.create(id="helper"),
        "agents.retrieve": lambda w: w.client.agents.retrieve("helper"),
        "agents.update": lambda w: w.client.agents.update("helper", name="h"),
        "agents.list": lambda w: w.client.agents.list(),
        "agents.delete": lambda w: w.client.agents.delete("helper"),
    },
    seen="NotFoundError 404",
    why="a registry of deployed agents is no part of Observatory",
)

refused_calls(
    {
        "evaluators.create": lambda w: w.client.evaluators.create(name="e", type="code"),
        "evaluators.retrieve": lambda w: w.client.evaluators.retrieve(ID),
        "evaluators.update": lambda w: w.client.evaluators.update(ID, name="e"),
        "evaluators.list": lambda w: w.client.evaluators.list(),
        "evaluators.delete": lambda w: w.client.evaluators.delete(ID),
        "evaluators.bulk_delete": lambda w: w.client.evaluators.bulk_delete(evaluator_ids=[ID]),
        "evaluators.spend": lambda w: w.client.evaluators.spend(period_start="2026-01-01"),
    },
    seen="NotFoundError 404",
    why=JUDGES,
)

refused_calls(
    {
        "sandboxes.list_usage_costs": lambda w: w.client.sandboxes.list_usage_costs(
            start_time="2026-01-01T00:00:00Z", end_time="2026-01-02T00:00:00Z"
        ),
        "sandboxes.retrieve_usage": lambda w: w.client.sandboxes.retrieve_usage(),
        "sandboxes.boxes.batch_delete": lambda w: w.client.sandboxes.boxes.batch_delete(
            names=["b"]
        ),
        "sandboxes.boxes.create": lambda w: w.client.sandboxes.boxes.create(name="b"),
        "sandboxes.boxes.create_snapshot": lambda w: w.client.sandboxes.boxes.create_snapshot(
            "b", body_name="s"
        ),
        "sandboxes.boxes.delete": lambda w: w.client.sandboxes.boxes.delete("b"),
        "sandboxes.boxes.delete_service_url": lambda w: w.client.sandboxes.boxes.delete_service_url(
            "b", port=80
        ),
        "sandboxes.boxes.generate_download_url": lambda w: (
            w.client.sandboxes.boxes.generate_download_url("b", path="/a")
        ),
        "sandboxes.boxes.generate_service_url": lambda w: (
            w.client.sandboxes.boxes.generate_service_url("b", port=80)
        ),
        "sandboxes.boxes.get_status": lambda w: w.client.sandboxes.boxes.get_status("b"),
        "sandboxes.boxes.list": lambda w: w.client.sandboxes.boxes.list(),
        "sandboxes.boxes.list_service_urls": lambda w: w.client.sandboxes.boxes.list_service_urls(
            "b"
        ),
        "sandboxes.boxes.retrieve": lambda w: w.client.sandboxes.boxes.retrieve("b"),
        "sandboxes.boxes.start": lambda w: w.client.sandboxes.boxes.start("b"),
        "sandboxes.boxes.stop": lambda w: w.client.sandboxes.boxes.stop("b"),
        "sandboxes.boxes.update": lambda w: w.client.sandboxes.boxes.update("b", vcpus=1),
        "sandboxes.registries.create": lambda w: w.client.sandboxes.registries.create(
            name="r", url="https://registry.example"
        ),
        "sandboxes.registries.delete": lambda w: w.client.sandboxes.registries.delete("r"),
        "sandboxes.registries.list": lambda w: w.client.sandboxes.registries.list(),
        "sandboxes.registries.retrieve": lambda w: w.client.sandboxes.registries.retrieve("r"),
        "sandboxes.registries.update": lambda w: w.client.sandboxes.registries.update(
            "r", username="u"
        ),
        "sandboxes.snapshots.create": lambda w: w.client.sandboxes.snapshots.create(
            docker_image="i", fs_capacity_bytes=1, name="s"
        ),
        "sandboxes.snapshots.delete": lambda w: w.client.sandboxes.snapshots.delete("s"),
        "sandboxes.snapshots.list": lambda w: w.client.sandboxes.snapshots.list(),
        "sandboxes.snapshots.retrieve": lambda w: w.client.sandboxes.snapshots.retrieve("s"),
        "sandboxes.snapshots.retrieve_by_name": lambda w: (
            w.client.sandboxes.snapshots.retrieve_by_name("s")
        ),
        "sandboxes.volumes.clone": lambda w: w.client.sandboxes.volumes.clone("v", name="w"),
        "sandboxes.volumes.create": lambda w: w.client.sandboxes.volumes.create(
            name="v", size_bytes=1
        ),
        "sandboxes.volumes.delete": lambda w: w.client.sandboxes.volumes.delete("v"),
        "sandboxes.volumes.list": lambda w: w.client.sandboxes.volumes.list(),
        "sandboxes.volumes.retrieve": lambda w: w.client.sandboxes.volumes.retrieve("v"),
        "sandboxes.volumes.update": lambda w: w.client.sandboxes.volumes.update(
            "v", description="d"
        ),
    },
    seen="NotFoundError 404",
    why="sandboxes that run code are no part of Observatory",
)
