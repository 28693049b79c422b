"""One odd span costs itself: odd values in every attribute that is read, and internal errors."""

from __future__ import annotations

import ast
import contextlib
import inspect
import json
import logging
import re
from typing import Any

import pytest

from observatory.runs.models import Rejected, Run
from observatory.runs.otlp import (
    conventions,
    figures,
    jsonform,
    mapping,
    messages,
    parameters,
    protobuf,
    spans,
)
from observatory.runs.otlp.mapping import map_span
from observatory.runs.otlp.spans import Event, Span
from tests.otel import PROTOBUF, Recorder, encoded, json_bytes

DEEP = 150
ODD_TEXTS = [
    "{[]: 1}",
    "{{}: 1}",
    "{'a': 1",
    "{'a': b'x'}",
    "{'a': 1is 2}",
    "{'\\d': 1}",
    "{1: 2, (1, 2): 3}",
    "{'a': 1e999}",
    "{" * 4_000,
    "[" * DEEP + "]" * DEEP,
    '{"a": ' * DEEP + "1" + "}" * DEEP,
    "{'a': " + "9" * 5_000 + "}",
    '{"a": 18446744073709551617}',
    '{"a": ' + "9" * 4_000 + "}",
    "[1e400]",
    "[1e-400]",
    "[NaN]",
    '"\\ud800"',
    '{"a": "\\ud800"}',
    '{"a": "\\u0000"}',
    '{"": 1, "__class__": 2}',
    '[[], {}, null, 1, "x", [[]]]',
    '[{"role": [], "parts": 7}, {"parts": [null, 1, {"type": []}]}]',
    '[{"role": {}, "content": [1, null, {"text": 5}], "tool_calls": "x"}]',
    '{"role": 1, "parts": {"type": "tool_call", "arguments": [1]}}',
    '[{"parts": [{"type": "tool_call_response", "id": [], "response": {}}]}]',
    "eyJ",
    "e30",
    "true",
    "-0",
    "",
    " ",
    "\x00",
    "e\u0301\u202e\U0001f600",
    "x" * 5_000,
]
ODD_VALUES = [
    *ODD_TEXTS,
    None,
    True,
    -1,
    2**63 - 1,
    -(2**63),
    float("inf"),
    float("nan"),
    5e-324,
    [],
    [None],
    [[]],
    {},
    {"": {}},
    [{"message": 1}, {"message": {"contents": 7, "tool_calls": [1, {"tool_call": 2}]}}],
    [{"document": {"metadata": "[1]", "content": None}}, 3],
]


def attribute_keys() -> list[str]:
    """Return every dotted or prefixed attribute name that the modules of the mapping spell out."""
    keys = {f"gen_ai.usage.{side}_token_details" for side in ("input", "output")}
    for module in (conventions, figures, mapping, messages, parameters, spans):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                keys.add(node.value)
    return sorted(key for key in keys if re.fullmatch(r"[a-zA-Z_]+(\.[a-zA-Z_]+)+|metadata", key))


SUFFIXES = ["", ".0", ".0.role", ".0.content", ".0.message", ".0.message.contents", ".x.0.y", "."]


def a_span(attributes: dict[str, Any], **fields: Any) -> Span:
    return Span(bytes(range(16)), bytes(range(8, 16)), b"", "s", 1, 2, 0, "", 0, "", attributes, **fields)  # fmt: skip


def test_there_are_keys_to_try() -> None:
    keys = attribute_keys()
    assert {"gen_ai.usage.input_token_details", "langsmith.attachments"} <= set(keys)
    assert len(keys) > 80


@pytest.mark.parametrize("key", attribute_keys())
def test_an_odd_value_of_an_attribute_never_breaks_the_mapping(key) -> None:
    for number, value in enumerate(ODD_VALUES):
        suffix = SUFFIXES[number % len(SUFFIXES)]
        attributes = {key: value, f"{key}{suffix}": ODD_VALUES[-number], f"{key}.0.content": value}
        with contextlib.suppress(spans.BadItem):  # refused by itself, with a reason
            map_span(a_span({key: value}))
        with contextlib.suppress(spans.BadItem):
            map_span(a_span(attributes, events=[Event(key, 1, {key: value})]))


@pytest.mark.parametrize("name", sorted(messages.CONTENT_EVENTS))
@pytest.mark.parametrize(
    "key", ["content", "message", "id", "role", "tool_calls", "gen_ai.event.content", "body"]
)
def test_an_odd_value_in_an_event_never_breaks_the_mapping(name, key) -> None:
    for value in ODD_VALUES:
        event = Event(name, 1, {key: value})
        with contextlib.suppress(spans.BadItem):
            map_span(a_span({}, events=[event]))
        listed = json.dumps([{"event.name": name, key: value}], default=str)
        with contextlib.suppress(spans.BadItem):
            map_span(a_span({"all_messages_events": listed}))


def send(api, body: bytes, kind: str = PROTOBUF) -> Any:
    return api.client.generic(
        "POST", "/otel/v1/traces", body, content_type=kind, headers={}, CONTENT_TYPE=kind
    )


def three_spans(odd: dict[str, Any]) -> Recorder:
    recorder = Recorder()
    for name, attributes in (("before", {}), ("odd", odd), ("after", {})):
        with recorder.tracer.start_as_current_span(name, attributes=attributes):
            pass
    return recorder


@pytest.mark.django_db
def test_unreadable_token_details_are_ignored(api) -> None:
    for text in ODD_TEXTS:
        Run.objects.all().delete()
        recorder = three_spans({"gen_ai.usage.input_token_details": text})
        assert send(api, encoded(recorder.spans)).status_code == 200, text
        assert {"before", "after"} <= set(Run.objects.values_list("name", flat=True)), text


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("module", "place"),
    [
        (conventions, "run_type"),
        (conventions, "inputs"),
        (conventions, "outputs"),
        (figures, "usage"),
        (parameters, "metadata"),
        (parameters, "tags"),
    ],
)
@pytest.mark.parametrize("encode", [encoded, json_bytes])
def test_a_fault_in_the_mapping_costs_one_span(
    api, monkeypatch, caplog, module, place, encode
) -> None:
    sound = getattr(module, place)

    def faulty(*sent: Any) -> Any:
        first = sent[0] if isinstance(sent[0], spans.Attributes) else sent[1]
        if first.peek("odd"):
            raise ZeroDivisionError("a fault")
        return sound(*sent)

    monkeypatch.setattr(module, place, faulty)
    kind = PROTOBUF if encode is encoded else "application/json"
    with caplog.at_level(logging.ERROR):
        answer = send(api, encode(three_spans({"odd": "yes"}).spans), kind)
    assert answer.status_code == 200
    assert b"ZeroDivisionError" in answer.content
    assert sorted(Run.objects.values_list("name", flat=True)) == ["after", "before"]
    assert Rejected.objects.get().kind == "span"
    assert "Could not map span" in caplog.text


@pytest.mark.django_db
@pytest.mark.parametrize(("reader", "encode"), [(protobuf, encoded), (jsonform, json_bytes)])
def test_a_fault_in_the_decoding_costs_one_span(api, monkeypatch, caplog, reader, encode) -> None:
    calls = []

    def faulty(*sent: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise ZeroDivisionError("a fault")
        return Span(*sent, **named)

    monkeypatch.setattr(reader, "Span", faulty)
    kind = PROTOBUF if encode is encoded else "application/json"
    with caplog.at_level(logging.ERROR):
        answer = send(api, encode(three_spans({}).spans), kind)
    assert answer.status_code == 200
    assert b"ZeroDivisionError" in answer.content
    assert Run.objects.count() == 2
    assert Rejected.objects.count() == 1
    assert "Could not decode a span" in caplog.text


@pytest.mark.django_db
def test_a_file_name_too_long_for_the_index_costs_one_span(api) -> None:
    name = "".join(chr(0x4E00 + number * 7 % 20_000) for number in range(3_000))
    files = json.dumps([{"name": name, "content": "aGk="}])
    answer = send(api, encoded(three_spans({"langsmith.attachments": files}).spans))
    assert answer.status_code == 200
    assert b"1024 bytes" in answer.content
    assert sorted(Run.objects.values_list("name", flat=True)) == ["after", "before"]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ('{"seed": 18446744073709551617}', b"18446744073709551617"),
        ('{"rate": 0.1000000000000000055511}', b"0.1000000000000000055511"),
        ('{"price": 1.10}', b"1.10"),
        ('{"far": [1e300, 2.50E-10]}', b"[1e300,2.50E-10]"),
    ],
)
def test_numbers_keep_their_digits(sent, kept) -> None:
    assert kept in (map_span(a_span({"input.value": sent})).op.inputs or b"")
    message = json.dumps([{"role": "user", "content": 1}]).replace("1", sent)
    assert kept in (map_span(a_span({"gen_ai.input.messages": message})).op.inputs or b"")
    metadata = map_span(a_span({"metadata": sent})).op.metadata
    assert kept in b"".join(metadata.values())
