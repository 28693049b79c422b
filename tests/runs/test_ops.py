"""What one operation says: its ids, times, usage and documents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from observatory.runs import documents
from observatory.runs.ops import BadItem, canonical_uuid, parse_op
from observatory.runs.times import parse_time

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "said",
    [
        "2026-01-01T12:00:00Z",
        "2026-01-01T12:00:00+00:00",
        "2026-01-01T14:00:00+02:00",
        "2026-01-01T12:00:00",
        "2026-01-01 12:00:00+00:00",
        1_767_268_800_000,
        1_767_268_800_000.0,
    ],
)
def test_every_spelling_of_a_time_on_the_wire_is_the_same_moment(said) -> None:
    assert parse_time(said) == NOON


def test_microseconds_survive() -> None:
    assert parse_time("2026-01-01T00:00:00.123456Z").microsecond == 123_456


def test_a_dotted_order_fills_what_the_ids_leave_out() -> None:
    root, child = uuid4(), uuid4()
    order = f"20260101T000000000000Z{root}.20260101T000001000000Z{child}"
    op = parse_op("create", {"id": child, "dotted_order": order})
    assert (op.trace_id, op.parent_run_id) == (root, root)
    with pytest.raises(BadItem, match="does not begin with trace_id"):
        parse_op("create", {"id": child, "dotted_order": order, "trace_id": uuid4()})
    with pytest.raises(BadItem, match="own id"):
        parse_op("create", {"id": root, "dotted_order": order})
    again = f"20260101T000000000000Z{child}.{order}"
    with pytest.raises(BadItem, match="one segment"):
        parse_op("create", {"id": child, "dotted_order": again, "trace_id": child})


def test_a_root_without_a_dotted_order_gets_one_and_a_patch_does_not() -> None:
    said = {"id": UUID(int=1), "start_time": "2026-01-01T00:00:00.000005Z"}
    assert parse_op("create", said).dotted_order == f"20260101T000000000005Z{UUID(int=1)}"
    assert parse_op("patch", said).dotted_order is None


@pytest.mark.parametrize(
    ("said", "tokens", "cost"),
    [
        ({"outputs": {"usage_metadata": {"input_tokens": 3, "output_tokens": 4, "total_cost": "0.5"}}}, (3, 4, 7), "0.5"),
        ({"extra": {"metadata": {"usage_metadata": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 9, "input_cost": 1, "output_cost": 0.25}}}}, (3, 4, 9), "1.25"),
        ({"run_type": "llm", "outputs": {"llm_output": {"token_usage": {"prompt_tokens": 3, "completion_tokens": 4}}}}, (3, 4, 7), None),
        ({"run_type": "llm", "outputs": {"usage": {"prompt_tokens": 3, "completion_tokens": 4}}}, (3, 4, 7), None),
        ({"run_type": "llm", "outputs": {"generations": [[{"message": {"kwargs": {"usage_metadata": {"input_tokens": 3, "output_tokens": 4}}}}]]}}, (3, 4, 7), None),
        ({"run_type": "tool", "outputs": {"usage": {"prompt_tokens": 3}}}, (None, None, None), None),
        ({"outputs": {"usage_metadata": [1]}}, (None, None, None), None),
        ({"outputs": {"usage_metadata": {"input_tokens": True, "output_tokens": "4"}}}, (None, None, None), None),
    ],
)  # fmt: skip
def test_tokens_and_costs_come_from_wherever_the_sdk_put_them(said, tokens, cost) -> None:
    op = parse_op("create", {"id": uuid4(), **said})
    assert (op.prompt_tokens, op.completion_tokens, op.total_tokens) == tokens
    assert op.total_cost == (None if cost is None else Decimal(cost))


def test_details_of_usage_hold_no_nulls() -> None:
    usage = {"input_token_details": {"cache_read": 2, "audio": None}, "output_cost_details": {"reasoning": 0.5}}  # fmt: skip
    op = parse_op("create", {"id": uuid4(), "outputs": {"usage_metadata": usage}})
    assert json.loads(op.usage_details) == {
        "prompt_token_details": {"cache_read": 2},
        "completion_cost_details": {"reasoning": 0.5},
    }


def test_the_first_token_is_the_earliest_new_token_event() -> None:
    events = [
        {"name": "start", "time": "2026-01-01T11:00:00Z"},
        {"name": "new_token", "time": "2026-01-01T12:00:01Z"},
        {"name": "new_token", "time": 1_767_268_800_000, "kwargs": {"token": "a"}},
    ]
    assert parse_op("patch", {"id": uuid4(), "events": events}).first_token_time == NOON
    odd = [{"name": "new_token", "time": "soon"}]
    assert parse_op("patch", {"id": uuid4(), "events": odd}).first_token_time is None


def test_a_document_that_travels_apart_wins_over_the_one_in_the_main_part() -> None:
    op = parse_op("create", {"id": uuid4(), "inputs": {"a": 1}}, {"inputs": b'{ "a": 2 }'})
    assert op.inputs == b'{ "a": 2 }'


def test_metadata_is_taken_out_of_extra_without_touching_a_number() -> None:
    extra = b'{"metadata": {"n": 1.50, "big": 123456789012345678901}, "runtime": {"v": 1E2}}'
    op = parse_op("create", {"id": uuid4()}, {"extra": extra})
    assert op.metadata == {"n": b"1.50", "big": b"123456789012345678901"}
    assert op.extra == b'{"runtime":{"v": 1E2}}'


def test_an_error_of_any_json_type_is_kept_as_text() -> None:
    assert parse_op("patch", {"id": uuid4(), "error": "broke"}).error == "broke"
    assert parse_op("patch", {"id": uuid4(), "error": {"a": 1}}).error == '{"a":1}'
    assert parse_op("patch", {"id": uuid4(), "error": None}).error is None


def test_a_patch_needs_an_id_and_the_nil_one_names_nothing() -> None:
    with pytest.raises(BadItem, match="needs the id"):
        parse_op("patch", {"name": "x"})
    assert parse_op("create", {"name": "x"}).id != parse_op("create", {"name": "x"}).id
    with pytest.raises(BadItem, match="nil"):
        parse_op("create", {"id": UUID(int=0)})
    with pytest.raises(BadItem, match="nil"):
        canonical_uuid("0" * 32)


@pytest.mark.parametrize(
    ("document", "depth"),
    [(b"1", 0), (b"[]", 1), (b'{"a":[]}', 2), (b'"[[["', 0), (b'{"\\"[":"\\\\"}', 1), (b"[[[],[[]]]]", 4)],
)  # fmt: skip
def test_depth_counts_brackets_outside_of_text(document, depth) -> None:
    assert documents.depth(document) == depth


def test_depth_and_numbers_are_seen_across_the_slices_a_large_document_is_read_in() -> None:
    pad = b" " * ((1 << 20) - 4)
    with pytest.raises(BadItem, match="exponent"):
        documents.check(b"[" + pad + b"1e9999]")
    text = b'"' + b"[" * (1 << 20) + b'"'
    assert documents.depth(b"[" + text + b",[" + text + b"]]") == 2
    documents.check_text(("x" * ((1 << 20) - 1) + "é" * 3).encode())
    with pytest.raises(BadItem):
        documents.check_text(b"x" * ((1 << 20) - 1) + b"\xc3")


def test_lists_are_found_around_a_member_that_is_not_json() -> None:
    found = documents.lists_of(b' {"post" : [{"a":","}, {bad]} ] ,"patch":[], "x": {"y": [1]}}'.replace(b"{bad]}", b"{NaN}"))  # fmt: skip
    assert found == {"post": [b'{"a":","}', b"{NaN}"], "patch": []}
    for broken in (b"", b"[]", b'{"post": [', b'{"post": ["]}'):
        with pytest.raises(BadItem):
            documents.lists_of(broken)
