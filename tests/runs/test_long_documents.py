"""What is derived from a document is derived from the whole of it, however long it is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from observatory.runs import documents
from observatory.runs.ops import parse_op
from observatory.runs.previews import preview
from observatory.web import shapes

LONG = 'Lorem ipsum [dolor] {sit} "amet" \\ é. ' * 2_000  # 78,000 characters
USAGE = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12,
         "input_token_details": {"cache_read": 3}}  # fmt: skip
MESSAGE = {"content": LONG, "usage_metadata": USAGE}
IN_EVERY_PLACE = {
    "usage_metadata": {"text": LONG, "usage_metadata": USAGE},
    "usage": {"text": LONG, "usage": USAGE},
    "a usage with much beside it": {"usage": {"note": LONG, **USAGE, "raw": [LONG]}},
    "llm_output": {"text": LONG, "llm_output": {"note": LONG, "token_usage": USAGE}},
    "generations": {"generations": [[{"text": LONG, "message": {"kwargs": MESSAGE}}]]},
    "generations of plain messages": {"generations": [[{"text": LONG, "message": MESSAGE}]]},
    "many generations": {"generations": [[{"message": {"kwargs": MESSAGE}}] * 40]},
}


@pytest.mark.parametrize("place", IN_EVERY_PLACE)
def test_the_usage_of_a_long_answer_is_found(place) -> None:
    outputs = IN_EVERY_PLACE[place]
    op = parse_op("create", {"id": uuid4(), "run_type": "llm", "outputs": outputs})
    assert (op.prompt_tokens, op.completion_tokens, op.total_tokens) == (5, 7, 12)
    assert json.loads(op.usage_details or b"{}") == {"prompt_token_details": {"cache_read": 3}}


@pytest.mark.parametrize("odd", ["many", -1, 1e300, None, True, {"a": 1}, [1], "9" * 5_000])
def test_an_odd_count_costs_only_itself(odd) -> None:
    outputs = {"usage_metadata": {**USAGE, "input_tokens": odd}}
    op = parse_op("create", {"id": uuid4(), "outputs": outputs})
    assert (op.prompt_tokens, op.completion_tokens, op.total_tokens) == (None, 7, 12)


def test_the_first_token_of_a_long_stream_is_found() -> None:
    event = {"name": "new_token", "kwargs": {"token": "a, ]", "chunk": "x" * 2_000}}
    times = [f"2026-01-01T00:{n // 60:02}:{n % 60:02}Z" for n in range(3_500)]
    events = [{**event, "time": time} for time in times[1:]] + [{**event, "time": times[0]}]
    op = parse_op("create", {"id": uuid4(), "events": [{"name": "start"}, *events]})
    assert len(op.events or b"") > 4 << 20
    assert op.first_token_time == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "members", [[], ["1"], ['{"a": [1, 2], "b": "],"}', '"\\\\\\""', "[[], {}]"], ["null"] * 5]
)
@pytest.mark.parametrize("blank", ["", " \n"])
def test_the_members_of_a_list_come_one_by_one(members, blank) -> None:
    joined = f"{blank},{blank}".join(members)
    document = f"{blank}[{blank}{joined}{blank}]{blank}".encode()
    assert [one.decode() for one in documents.elements(document)] == members


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ({"messages": [{"role": "system", "content": LONG}, {"content": "Why?"}]}, "Why?"),
        ({"messages": [[{"content": LONG}, {"content": [{"text": "Why?"}]}]]}, "Why?"),
        ({"content": "", "text": LONG}, LONG),
        ({"question": LONG}, LONG),
        ([LONG, "Why?"], "Why?"),
        ({"a": LONG, "b": 1}, json.dumps({"a": LONG})),
    ],
)
def test_a_long_document_is_previewed_by_its_main_text(document, line) -> None:
    text = preview(json.dumps(document))
    assert text is not None
    assert text.removesuffix("…") == " ".join(line.split())[: len(text) - text.endswith("…")]


def test_a_table_cell_shows_the_main_text_of_a_long_document() -> None:
    document = json.dumps({"messages": [{"role": "system", "content": LONG}, {"content": "Why?"}]})
    assert shapes.glance(document, shapes.QUESTION_KEYS) == "Why?"
