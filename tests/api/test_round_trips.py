"""Every free document of the wire comes back as it was sent, or is refused: walked from OpenAPI.

An operation with a field that holds any JSON must be in OPERATIONS, or in NOT_KEPT with the
reason; so a new endpoint fails here until it is listed where it can be read back.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import uuid4

import pytest

from observatory.api.kit.openapi import Generator

pytestmark = pytest.mark.django_db

NUMBERS = {
    "below 2^53": str(2**53 - 1),
    "above 2^53": str(2**53 + 1),
    "2^63 - 1": str(2**63 - 1),
    "2^63": str(2**63),
    "-2^63": str(-(2**63)),
    "below -2^63": str(-(2**63) - 1),
    "2^64 - 1": str(2**64 - 1),
    "2^64": str(2**64),
    "2^64 + 1": str(2**64 + 1),
    "4,300 digits": "7" * 4_300,
    "1e308": "1e308",
    "the largest double": "1.7976931348623157e308",
    "5e-324": "5e-324",
    "1e23": "1e23",
    "-0.0": "-0.0",
    "more digits than a double": "0.1000000000000000055511151231257827",
    "1.10": "1.10",
}
VALUES = {  # what is tried; those in REFUSABLE may be refused
    "numbers": json.dumps({name: f"@{name}@" for name in NUMBERS}),
    "5,000 digits": "7" * 5_000,
    "1e400": "1e400",
    "NUL": r'"a\u0000b"',
    "surrogates": r'"a\ud800b \ud83d\ude00"',
    "100 KiB of Chinese": json.dumps("汉" * 34_000, ensure_ascii=False),
    "empty": '["", {}, [], null, {"": ""}]',
    "190 levels": "[" * 190 + "]" * 190,
    "300 levels": "[" * 300 + "]" * 300,
    "long and odd keys": json.dumps(
        {"k" * 10_000: 1, "__proto__": 1, "{0.__class__}": "%s", "$x": "{{ 7 }}", "a.b": []}
    ),
}
for _name, _digits in NUMBERS.items():
    VALUES["numbers"] = VALUES["numbers"].replace(f'"@{_name}@"', _digits)
REFUSABLE = {"5,000 digits", "1e400", "NUL", "300 levels", "100 KiB of Chinese", "190 levels"}
TRIED: Counter[str] = Counter()

NOT_KEPT = {
    "datasets/{dataset_id}/index": "ignored",
    "datasets/{dataset_id}/index/sync": "ignored",
    "datasets/{dataset_id}/search": "a question, nothing is stored",
    "examples/validate": "a question, nothing is stored",
    "examples/validate/{bulk}": "a question, nothing is stored",
    "logs/span": "the content holds JSON as text: tests/api/test_adaline_logs.py",
    "logs/trace": "the content holds JSON as text: tests/api/test_adaline_logs.py",
    "logs/spans": "a question, nothing is stored",
    "logs/traces": "a question, nothing is stored",
    ".rubric_items[].visible_if": "conditions of one form: tests/annotations/test_question_conditions.py",
    ".rubric_items[].required_if": "conditions of one form: tests/annotations/test_question_conditions.py",
    ".transformations[]": "steps of one form: tests/datasets/test_transformations.py",
    ".assigned_reviewers[]": "people's ids",
    "platform/annotation-queues/{queue_id}/items/{item_id}/gold": (
        "answers to a rubric's questions: tests/api/test_quality.py"
    ),
}


@cache
def schema() -> dict[str, Any]:
    return Generator().get_schema(request=None, public=True)


def free_fields(node: Any, path: str, above: frozenset[str]) -> Iterator[str]:
    """Yield where in a body any JSON may stand: `.extra`, `.feedback[].value`, `.x.*.inputs`."""
    if "$ref" in node:
        name = node["$ref"].split("/")[-1]
        if name not in above:
            yield from free_fields(schema()["components"]["schemas"][name], path, above | {name})
        return
    for word in ("anyOf", "oneOf", "allOf"):
        for part in node.get(word, ()):
            yield from free_fields(part, path, above)
    if set(node) <= {"description", "title", "default"}:
        yield path
    elif node.get("type") == "array":
        yield from free_fields(node.get("items") or {}, f"{path}[]", above)
    elif node.get("type") == "object" and "properties" in node:
        for name, part in node["properties"].items():
            yield from free_fields(part, f"{path}.{name}", above)
    elif node.get("type") == "object":
        rest = node.get("additionalProperties")
        if isinstance(rest, dict) and rest:
            yield from free_fields(rest, f"{path}.*", above)
        else:
            yield path


def documents() -> list[tuple[str, str]]:
    """Return (operation, field) of every free document that a request may hold."""
    found = []
    for path, methods in schema()["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            short = re.sub(r"^/api/v[12]/", "", path)
            name = f"{method.upper()} {short}"
            body = content.get("application/json", {}).get("schema", {})
            fields = sorted(set(free_fields(body, "", frozenset()))) if body else []
            found += [
                (name, field)
                for field in fields
                if short not in NOT_KEPT and field not in NOT_KEPT and field.split(".")[0] != "[]."
            ]
    return sorted(set(found))


def uid() -> str:
    return str(uuid4())


RUN = {"name": "n", "run_type": "chain", "session_name": "p", "start_time": "2026-11-20T12:00:00Z"}
Sent = tuple[str, Any, list[tuple[str, str, Any]]]


def made(answer: Any) -> Any:
    assert answer.status_code < 300, answer.content[:500]
    return answer.json()


def run_reads(run_id: str) -> list[tuple[str, str, Any]]:
    select = ["id", "inputs", "outputs", "extra", "events", "serialized", "metadata"]
    token = uid()
    return [
        ("GET", f"/runs/{run_id}", None),
        ("POST", "/runs/query", {"id": [run_id], "select": select}),
        ("SHARE", f"/runs/{run_id}/share", {"run_id": run_id, "share_token": token}),
        ("GET", f"/public/{token}/run", None),
    ]


def new_run(api: Any) -> Sent:
    run_id = uid()
    return "/runs", RUN | {"id": run_id}, run_reads(run_id)


def batch_of_runs(api: Any) -> Sent:
    run_id = uid()
    patched = uid()
    made(api.post("/runs", RUN | {"id": patched}))
    body = {"post": [RUN | {"id": run_id}], "patch": [{"id": patched}]}
    both = [
        ("POST", "/runs/query", {"id": [run_id, patched], "select": run_reads("")[1][2]["select"]})
    ]
    return "/runs/batch", body, both


def changed_run(api: Any) -> Sent:
    run_id = uid()
    made(api.post("/runs", RUN | {"id": run_id}))
    return f"/runs/{run_id}", {}, run_reads(run_id)


def feedback_reads(feedback_id: str, run_id: str) -> list[tuple[str, str, Any]]:
    return [("GET", f"/feedback/{feedback_id}", None), ("GET", f"/feedback?run={run_id}", None)]


def new_feedback(api: Any) -> Sent:
    feedback_id, run_id = uid(), uid()
    body = {"id": feedback_id, "run_id": run_id, "key": "k", "feedback_source": {"type": "api"}}
    return "/feedback", body, feedback_reads(feedback_id, run_id)


def batch_of_feedback(api: Any) -> Sent:
    path, body, reads = new_feedback(api)
    return f"{path}/batch", {"feedback": [body]}, reads


def changed_feedback(api: Any) -> Sent:
    _, body, reads = new_feedback(api)
    made(api.post("/feedback", body))
    return f"/feedback/{body['id']}", {}, reads


def redeemed_token(api: Any) -> Sent:
    run_id = uid()
    token = made(api.post("/feedback/tokens", {"run_id": run_id, "feedback_key": "k"}))
    path = f"/feedback/tokens/{token['url'].rsplit('/', 1)[1]}"
    return path, {"score": 1}, [("GET", f"/feedback?run={run_id}", None)]


def project_reads(project_id: str) -> list[tuple[str, str, Any]]:
    return [("GET", f"/sessions/{project_id}", None), ("GET", f"/sessions?id={project_id}", None)]


def new_project(api: Any) -> Sent:
    project_id = uid()
    return "/sessions", {"id": project_id, "name": project_id}, project_reads(project_id)


def changed_project(api: Any) -> Sent:
    path, body, reads = new_project(api)
    made(api.post(path, body))
    return f"/sessions/{body['id']}", {}, reads


def new_dataset(api: Any) -> Sent:
    dataset_id = uid()
    reads = [("GET", f"/datasets/{dataset_id}", None), ("GET", f"/datasets?id={dataset_id}", None)]
    return "/datasets", {"id": dataset_id, "name": dataset_id}, reads


def dataset(api: Any) -> str:
    path, body, _ = new_dataset(api)
    return str(made(api.post(path, body))["id"])


def changed_dataset(api: Any) -> Sent:
    path, body, reads = new_dataset(api)
    made(api.post(path, body))
    return f"/datasets/{body['id']}", {}, reads


def example_reads(dataset_id: str, example_id: str) -> list[tuple[str, str, Any]]:
    return [
        ("GET", f"/examples/{example_id}", None),
        ("GET", f"/examples?dataset={dataset_id}", None),
        ("GET", f"/datasets/{dataset_id}/jsonl", None),
    ]


def new_example(api: Any) -> Sent:
    dataset_id, example_id = dataset(api), uid()
    body = {"id": example_id, "dataset_id": dataset_id, "inputs": {"a": 1}}
    return "/examples", body, example_reads(dataset_id, example_id)


def new_examples(api: Any) -> Sent:
    path, body, reads = new_example(api)
    return f"{path}/bulk", [body], reads


def changed_example(api: Any) -> Sent:
    path, body, reads = new_example(api)
    made(api.post(path, body))
    return f"{path}/{body['id']}", {"dataset_id": body["dataset_id"]}, reads


def changed_examples(api: Any) -> Sent:
    path, body, reads = new_example(api)
    made(api.post(path, body))
    return f"{path}/bulk", [{"id": body["id"], "dataset_id": body["dataset_id"]}], reads


def changed_metadata(api: Any) -> Sent:
    path, body, reads = new_example(api)
    made(api.post(path, body))
    operation = {"operation": "SET", "key": "k"}
    return (
        f"/platform/datasets/{body['dataset_id']}/examples/metadata",
        {"example_ids": [body["id"]], "operations": [operation]},
        reads,
    )


def new_comparison(api: Any) -> Sent:
    dataset_id = dataset(api)
    projects = [uid(), uid()]
    for project_id in projects:
        made(
            api.post(
                "/sessions",
                {"id": project_id, "name": project_id, "reference_dataset_id": dataset_id},
            )
        )
    body = {
        "id": uid(),
        "experiment_ids": projects,
        "reference_dataset_id": dataset_id,
        "name": "c",
    }
    return "/datasets/comparative", body, [("GET", f"/datasets/{dataset_id}/comparative", None)]


def new_queue(api: Any) -> Sent:
    queue_id = uid()
    reads = [
        ("GET", f"/annotation-queues/{queue_id}", None),
        ("GET", f"/annotation-queues?ids={queue_id}", None),
    ]
    return "/annotation-queues", {"id": queue_id, "name": queue_id}, reads


def changed_queue(api: Any) -> Sent:
    path, body, reads = new_queue(api)
    made(api.post(path, body))
    return f"{path}/{body['id']}", {"name": body["name"]}, reads


def new_commit(api: Any) -> Sent:
    handle = f"p{uuid4().hex}"
    made(api.post("/repos", {"repo_handle": handle, "is_public": False}))
    return f"/commits/-/{handle}", {}, [("GET", f"/commits/-/{handle}/latest", None)]


OPERATIONS: dict[str, Callable[[Any], Sent]] = {
    "POST runs": new_run,
    "POST runs/batch": batch_of_runs,
    "PATCH runs/{run_id}": changed_run,
    "POST feedback": new_feedback,
    "POST feedback/batch": batch_of_feedback,
    "PATCH feedback/{feedback_id}": changed_feedback,
    "POST feedback/tokens/{token}": redeemed_token,
    "POST sessions": new_project,
    "PATCH sessions/{session_id}": changed_project,
    "POST datasets": new_dataset,
    "PATCH datasets/{dataset_id}": changed_dataset,
    "POST datasets/comparative": new_comparison,
    "POST examples": new_example,
    "POST examples/bulk": new_examples,
    "PATCH examples/{example_id}": changed_example,
    "PATCH examples/bulk": changed_examples,
    "PATCH platform/datasets/{dataset_id}/examples/metadata": changed_metadata,
    "POST annotation-queues": new_queue,
    "PATCH annotation-queues/{queue_id}": changed_queue,
    "POST commits/{owner}/{repo_handle}": new_commit,
}
MARK = "@@@"


def placed(body: Any, field: str) -> Any:
    """Return a copy of `body` with MARK at `field`."""
    if not field:
        return MARK
    step, rest = re.fullmatch(r"(\[\]|\.[^.\[]+)(.*)", field, re.DOTALL).groups()  # type: ignore[union-attr]
    if step == "[]":
        return [placed(each, rest) for each in body or [None]]
    name = step[1:]
    return (body or {}) | {name: placed((body or {}).get(name), rest)}


def probes(node: Any) -> Iterator[Any]:
    """Yield what stands under "probe" anywhere in a document, also in JSON that is a text."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "probe":
                yield value
            else:
                yield from probes(value)
    elif isinstance(node, list):
        for value in node:
            yield from probes(value)


def decimals(text: bytes | str) -> Any:
    lines = text.splitlines() if isinstance(text, bytes) and b"\n{" in text else [text]
    read = [json.loads(line, parse_int=Decimal, parse_float=Decimal) for line in lines]
    return read[0] if len(read) == 1 else read


@pytest.fixture(scope="module", autouse=True)
def counts():
    yield
    print(f"\nround trips: {len(documents())} documents, {len(VALUES)} values, {dict(TRIED)}")


def test_every_free_document_of_the_wire_is_walked() -> None:
    missing = {name for name, _ in documents()} - OPERATIONS.keys()
    assert not missing, f"say in OPERATIONS where these can be read back: {missing}"
    assert len(documents()) > 40


@pytest.mark.parametrize(("name", "field"), documents(), ids=lambda part: part)
def test_a_document_comes_back_as_sent_or_is_refused(api, name, field) -> None:
    for label, value in VALUES.items():
        path, body, reads = OPERATIONS[name](api)
        if field.startswith("[]") and isinstance(body, dict):
            body = body["feedback"]
        if ".*" in field:
            example_id, dataset_id = uid(), path.rsplit("/", 1)[1]
            made(api.post("/examples", {"id": example_id, "dataset_id": dataset_id, "inputs": {}}))
            reads = example_reads(dataset_id, example_id)
        place = field.replace("*", example_id) if ".*" in field else field
        text = json.dumps(placed(body, place)).replace(f'"{MARK}"', f'{{"probe": {value}}}')
        method = name.split()[0]
        answer = api.client.generic(method, path, text.encode(), content_type="application/json")
        assert answer.status_code < 500, (label, answer.content[:300])
        TRIED["sent"] += 1
        is_refused = answer.status_code >= 400 or bool(
            isinstance(answer.json(), dict) and answer.json().get("rejected")
        )
        TRIED["refused"] += is_refused
        mended = value.replace(r"\u0000", r"\ufffd").replace(r"\ud800b", r"\ufffdb")
        sent, expected = decimals(value), decimals(mended)
        if is_refused:
            assert label in REFUSABLE, (label, answer.content[:300])
            continue
        for verb, where, asked in reads:
            if verb == "SHARE":
                made(api.put(where, asked))
                continue
            shown = api.get(where) if verb == "GET" else api.post(where, asked)
            assert shown.status_code == 200, (label, where, shown.content[:300])
            TRIED["read"] += 1
            content = shown.getvalue() if shown.streaming else shown.content
            shown_values = list(probes(decimals(content)))
            is_whole = expected in shown_values or sent in shown_values
            assert is_whole, (label, where, content[:300])
