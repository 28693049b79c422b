"""`RunTree` and `langsmith.evaluation`: what traces and what experiments, beside the clients."""

from __future__ import annotations

from langsmith import evaluation
from langsmith.run_trees import RunTree

from tests.sdk.probes import NOON, World, right, works

TREE, EVALUATION = ("RunTree",), ("evaluation",)


@works(
    "add_event",
    "add_inputs",
    "add_metadata",
    "add_outputs",
    "add_tags",
    "create_child",
    "end",
    "ensure_dotted_order",
    "get_url",
    "patch",
    "post",
    "set",
    "wait",
    of=TREE,
)
def a_tree_of_runs_is_sent_and_read_back(w: World) -> None:
    project = w.name("project")
    run = RunTree(name="root", inputs={"a": 1}, project_name=project, ls_client=w.plain)
    root = w.noting(run)
    root.ensure_dotted_order()
    root.add_inputs({"b": 2})
    root.add_tags(["probe"])
    root.add_metadata({"user": "u1"})
    root.add_event({"name": "new_token", "time": NOON.isoformat()})
    root.set(usage_metadata={"input_tokens": 2, "output_tokens": 3, "total_tokens": 5})
    root.post()
    child = root.create_child("child", run_type="llm", inputs={"c": 3})
    child.end(outputs={"d": 4})
    child.post()
    root.add_outputs({"e": 5})
    root.end()
    root.patch()
    root.wait()
    w.plain.flush()
    assert f"/r/{run.id}" in root.get_url()
    read = w.plain.read_run(run.id, load_child_runs=True)
    assert (read.inputs, read.outputs["e"]) == ({"a": 1, "b": 2}, 5)
    assert (read.tags, read.extra["metadata"]["user"]) == (["probe"], "u1")
    assert read.events[0]["name"] == "new_token"
    assert (read.prompt_tokens, read.completion_tokens, read.total_tokens) == (2, 3, 5)
    assert [(one.name, one.outputs) for one in read.child_runs] == [("child", {"d": 4})]


@works("to_headers", "from_headers", "from_dotted_order", of=TREE)
def a_trace_goes_on_in_another_process(w: World) -> None:
    project = w.name("project")
    here = RunTree(name="here", project_name=project, ls_client=w.plain)
    here.post()
    headers = w.noting(here).to_headers()
    assert headers["langsmith-trace"] == here.dotted_order
    trees = w.noting(RunTree)
    for parent in (trees.from_headers(headers), trees.from_dotted_order(here.dotted_order)):
        there = parent.create_child("there")
        there.ls_client, there.session_name = w.plain, project
        there.end()
        there.post()
        w.plain.flush()
        assert w.plain.read_run(there.id).parent_run_id == here.id


@works("from_runnable_config", of=TREE, why="reads a LangChain run; nothing is asked of a server")
def outside_of_langchain_there_is_no_run_to_go_on_from(w: World) -> None:
    assert w.noting(RunTree).from_runnable_config(None) is None


@works("evaluate", "evaluate_existing", of=EVALUATION)
def an_experiment_is_run_and_judged_again(w: World) -> None:
    dataset_id, _ = w.dataset()
    module = w.noting(evaluation)
    results = module.evaluate(
        lambda inputs: {"y": inputs["x"] ** 2},
        data=dataset_id,
        evaluators=[right],
        client=w.plain,
        experiment_prefix=w.name("experiment"),
    )
    w.plain.flush()
    again = module.evaluate_existing(
        results.experiment_name,
        evaluators=[lambda run: {"key": "answered", "score": bool(run.outputs)}],
        client=w.plain,
    )
    assert len(list(again)) == 3
    w.plain.flush()
    project = w.plain.read_project(project_name=results.experiment_name, include_stats=True)
    assert set(project.feedback_stats) == {"right", "answered"}


@works("aevaluate", "aevaluate_existing", of=EVALUATION)
def an_experiment_is_run_asynchronously_and_judged_again(w: World) -> None:
    dataset_id, _ = w.dataset()
    module = w.noting(evaluation)

    async def squared(inputs: dict) -> dict:
        return {"y": inputs["x"] ** 2}

    prefix = w.name("experiment")
    results = module.aevaluate(
        squared, data=dataset_id, evaluators=[right], client=w.plain, experiment_prefix=prefix
    )
    assert len(results) == 3
    w.plain.flush()
    (project,) = w.plain.list_projects(name_contains=prefix)
    module.aevaluate_existing(
        project.id,
        evaluators=[lambda run: {"key": "answered", "score": bool(run.outputs)}],
        client=w.plain,
    )
    w.plain.flush()
    read = w.plain.read_project(project_id=str(project.id), include_stats=True)
    assert set(read.feedback_stats) == {"right", "answered"}


@works("evaluate_comparative", of=EVALUATION)
def two_experiments_are_ranked(w: World) -> None:
    dataset_id, _ = w.dataset()
    names = [
        w.plain.evaluate(
            lambda inputs: {"y": inputs["x"] ** 2},
            data=dataset_id,
            experiment_prefix=w.name("experiment"),
        ).experiment_name
        for _ in range(2)
    ]
    w.plain.flush()
    results = w.noting(evaluation).evaluate_comparative(
        tuple(names),
        evaluators=[
            lambda runs, example: {
                "key": "preferred",
                "scores": {run.id: n for n, run in enumerate(runs)},
            }
        ],
        client=w.plain,
    )
    assert len(list(results)) == 3


@works("run_evaluator", of=EVALUATION, why="makes an evaluator; nothing is asked of a server")
def an_evaluator_is_made_of_a_function(w: World) -> None:
    judge = w.noting(evaluation).run_evaluator(lambda run, example: {"key": "k", "score": 1})
    assert judge.evaluate_run(w.run()).score == 1
