"""What the schema says is what the server does: schemathesis asks, with a workspace full of ids.

For longer: `OBSERVATORY_TEST_EXAMPLES=200 .venv/bin/python -m pytest tests/api/test_schema_holds.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from observatory.api import reference as openapi
from observatory.wsgi import application
from tests import tenancy
from tests.tenancy import Side

EXAMPLES = int(os.environ.get("OBSERVATORY_TEST_EXAMPLES", "4"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
BOUNDS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def known(names: list[str], side: Side) -> dict[str, str]:
    """Return a value of each path parameter that names something of `side`."""
    told = {"owner": "-", "index": "0"}
    told |= {name: side.ids[kinds[0]] for name, kinds in tenancy.KINDS.items()}
    return {name: told[name] for name in names if name in told}


def ask(operation: Any, side: Side, broken: list[str]) -> None:
    """Send requests of all kinds to `operation`; note each answer that the schema does not know."""
    fixed = known([p.name for p in operation.path_parameters], side)

    @seed(7)
    @BOUNDS
    @given(
        st.one_of([operation.as_strategy(generation_mode=mode) for mode in MODES]), st.booleans()
    )
    def one(case: schemathesis.Case, is_known: bool) -> None:
        if is_known:
            case.path_parameters = {**case.path_parameters, **fixed}
        with transaction.atomic():
            answer = case.call(headers={"x-api-key": side.token})
            transaction.set_rollback(True)
        case.validate_response(answer, checks=CHECKS)

    try:
        one()
    except (Exception, BaseExceptionGroup) as error:
        broken.append(f"{operation.label}: {error}")


@pytest.fixture
def _one_connection() -> Iterator[None]:
    """Keep requests in the test's own transaction, as Django's test client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.django_db
@pytest.mark.usefixtures("_one_connection")
def test_the_server_keeps_to_its_schema(acme, ada) -> None:
    side = tenancy.furnish(acme, ada, "text")
    wire = schemathesis.openapi.from_dict(openapi.document())
    wire.app = application
    broken: list[str] = []
    for result in wire.get_all_operations():
        ask(result.ok(), side, broken)
    assert broken == [], "\n\n".join(broken)
