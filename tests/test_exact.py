"""JSON is read and written without changing a number, whatever its size."""

from __future__ import annotations

import copy
import json
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from observatory import exact
from observatory.runs import documents

DIGITS = [
    *("0", "-1", "9007199254740993", "18446744073709551615", "18446744073709551617"),
    *("-9223372036854775809", "7" * 4_300, "0.1", "1.10", "0.1000000000000000055511151231257827"),
    *("5e-324", "1e308", "1.7976931348623157e308", "1E+23", "1e23", "1e5", "-0.0"),
    *("0." + "3" * 4_000, "3" * 400 + ".5"),
]
TOO_MUCH = [
    "7" * 4_301,
    "-" + "7" * 5_000,
    "1e309",
    "1e400",
    "1e-400",
    "1e999999",
    "0." + "3" * 4_301,
]
NUMBERS = (
    st.sampled_from([*DIGITS, *TOO_MUCH])
    | st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: str(d).replace("E", "e"))
)


def as_decimals(text: bytes | str) -> object:
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


@pytest.mark.parametrize("digits", DIGITS)
def test_a_number_leaves_with_the_value_it_came_with(digits) -> None:
    document = f'{{"a":[{digits}]}}'
    value = exact.loads(document)
    assert as_decimals(exact.dumps(value)) == as_decimals(document)
    assert as_decimals(exact.Encoder().encode(value)) == as_decimals(document)
    assert exact.loads(exact.dumps(copy.deepcopy(value))) == value
    assert isinstance(value["a"][0], float) == bool(set(digits) & set(".eE"))


@pytest.mark.parametrize("digits", TOO_MUCH)
def test_a_number_out_of_range_is_refused_with_its_path(digits) -> None:
    with pytest.raises(exact.NotJSON) as refusal:
        exact.loads(f'{{"a":{{"b":[1,{digits}]}},"c":2}}')
    assert refusal.value.path == "a.b[1]"


@settings(deadline=None)
@given(NUMBERS)
@example("1e309")
def test_ingestion_and_the_reader_take_the_same_numbers(digits) -> None:
    document = f"[{digits}]".encode()
    try:
        documents.check(document)
    except documents.BadItem:
        with pytest.raises(exact.NotJSON):
            exact.loads(document)
    else:
        assert as_decimals(exact.dumps(exact.loads(document))) == as_decimals(document)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_still_a_double_after_jsonb_printed_it(value) -> None:
    written = exact.for_jsonb(exact.dumps([value, "1e5", f'"{value}\\']))
    printed = [f"{number:f}" for number in as_decimals(written)[:1]]  # numeric has no exponents
    read = exact.loads(f"[{printed[0]}]")[0]
    assert type(read) in {float, exact.Number}
    assert read == value
    assert exact.loads(written)[1:] == ["1e5", f'"{value}\\']


@pytest.mark.parametrize(
    "text", ["NaN", "[1,", "", "\ufeff1", '"\\ud800"', "01", "[" * 5_000 + "]" * 5_000]
)
def test_invalid_json_is_refused(text) -> None:
    with pytest.raises(exact.NotJSON):
        exact.loads(text)


def test_the_writer_accepts_what_orjson_refuses() -> None:
    deep: object = 2**70
    for _ in range(400):
        deep = [deep]
    written = exact.dumps({"deep": deep, "\ud800": "a\udfffb", "nan": float("nan"), 1: {3, 2}})
    assert exact.loads(written) == {"deep": deep, "\ufffd": "a\ufffdb", "nan": None, "1": [2, 3]}


def test_jsonb_gets_a_replacement_for_nul_and_nothing_else() -> None:
    value = {"a": "x\x00y", "b": "C:\\u0000", "c": "\\\x00", "k\x00": "\\\\u0000"}
    mended = {"a": "x\ufffdy", "b": "C:\\u0000", "c": "\\\ufffd", "k\ufffd": "\\\\u0000"}
    assert json.loads(exact.jsonb(value)) == mended
    assert exact.has_nul(exact.dumps(value))
    assert not exact.has_nul(exact.dumps(mended))


def test_an_exponent_in_a_text_is_not_taken_for_a_number() -> None:
    document = rb'{"3e5": "a 1e5, [1e5", "n": [1e5, -2E+3], "m":1e5}'
    written = rb'{"3e5": "a 1e5, [1e5", "n": [100000.0, -2000.0], "m":100000.0}'
    assert exact.for_jsonb(document) == written


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": True}, False),
        ([0], [False], False),
        (1, 1.0, False),
        (2**70, 2**70, True),
    ],
)
def test_values_are_the_same_when_they_are_written_alike(one, other, is_same) -> None:
    assert exact.is_same(one, other) is is_same
