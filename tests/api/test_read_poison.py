"""What ingestion accepts can be read, filtered, searched and explained: no document is poison."""

from __future__ import annotations

from uuid import uuid4

import pytest

from observatory.runs.facts import facts_of
from observatory.runs.filters.explain import clauses, matches
from observatory.runs.filters.grammar import parse
from observatory.runs.models import Run

pytestmark = pytest.mark.django_db

DOCUMENTS = {
    "a null character": r'{"a": "x\u0000y", "k\u0000": 1}',
    "lone surrogates": r'{"a": "\ud800", "\udfff": "\udc00\ud800"}',
    "a pair of surrogates": r'{"a": "\ud83d\ude00"}',
    "a huge exponent": '{"a": 1e99, "b": 1e-99, "c": 1E+308}',
    "an exponent beyond doubles": '{"a": 1e999}',
    "an exponent beyond numerics": '{"a": 1e999999}',
    "a long number": f'{{"a": {"7" * 4_000}.{"3" * 200}}}',
    "a number that is too long": f'{{"a": {"7" * 20_000}}}',
    "deep nesting": '{"a": ' + "[" * 150 + "]" * 150 + "}",
    "nesting that is too deep": '{"a": ' + '{"a":' * 5_000 + "1" + "}" * 5_000 + "}",
    "repeated keys": '{"a": 1, "a": {"a": "refund"}, "a": "refund"}',
    "an empty key and dotted ones": '{"": 1, ".": 2, "a.": {"": {"b": 3}}}',
    "words of code": '{"__proto__": 1, "{0.__class__}": "%s", "a__b__startswith": "$ref %(x)s"}',
    "a list": '["refund"]',
    "a string": '"refund"',
    "a number": "5",
    "null": "null",
    "escaped slashes": r'{"a": "re\u0066und \/ \""}',
}
FILTERS = [
    "search('refund')",
    'search(inputs, "re")',
    "eq(input_key, 'a')",
    "and(eq(input_key, 'a.b'), gt(input_value, 2))",
    "lt(input_value, 5)",
    "like(input_value, '%refund%')",
    'has(inputs, \'{"a": "refund"}\')',
    "exists(inputs, 'a')",
    "not(eq(output_value, true))",
    "and(eq(metadata_key, 'a'), neq(metadata_value, 5))",
]


@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_a_stored_document_never_breaks_a_later_reader(api, acme, name) -> None:
    document, run_id = DOCUMENTS[name], uuid4()
    body = (
        f'{{"id": "{run_id}", "name": "n", "run_type": "chain", "session_name": "p",'
        f' "start_time": "2026-11-20T12:00:00Z", "inputs": {document}, "outputs": {document},'
        f' "extra": {{"metadata": {document}}}}}'
    )
    answer = api.client.post("/runs", body.encode(), content_type="application/json")
    assert answer.status_code < 500
    fine = {"id": str(uuid4()), "name": "fine", "run_type": "chain", "session_name": "p"}
    fine |= {"start_time": "2026-11-20T12:00:00Z", "inputs": {"a": "refund"}}
    assert api.post("/runs", fine).status_code == 202
    for text in FILTERS:
        found = api.post("/runs/query", {"filter": text})
        assert found.status_code == 200, (text, found.content)
        listed = {run["id"] for run in found.json()["runs"]}
        for run_id, facts in facts_of(acme.pk, Run.objects.values_list("id", flat=True)).items():
            assert matches(parse(text), facts) == (str(run_id) in listed), text
            assert bool(clauses(parse(text), facts)) == (str(run_id) in listed)
