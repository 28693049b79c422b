"""No object of a workspace is read, written, counted or guessed with another's key (T1, T4, T5).

The API half, generated from the URL table: a new route is attacked without an edit here, and one
that cannot be classified fails. `acme` owns one object of every kind, a canary in every text;
`rival` asks for all of them with its own key. Every answer must be the one that an unknown id
gets, byte for byte but for ids and times.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from observatory.api import urls
from observatory.api.kit.base import BareWorkspaceView, WorkspaceView
from observatory.runs.models import Run
from observatory.workspaces import keys
from observatory.workspaces.models import ApiKey
from tests import tenancy
from tests.conftest import NOON
from tests.tenancy import CANARY, Client, Route, Side

# Views that answer without a key, and why they may.
PUBLIC = {
    "PrebuiltSchema": "two constants that schemas refer to; it reads no table",
    "Info": "the feature switchboard, the same for everybody; it reads no table",
    **dict.fromkeys(("Schema", "SchemaPage"), "the wire's description; it reads no table"),
    "FeedbackToken": "POST and GET are given by whoever holds a presigned token (tests/feedback)",
    "SignedExampleFile": "the same for the files of examples",
    "SignedAttachment": "a signed URL that expires: the SDK downloads without headers",
    **dict.fromkeys(
        (
            *("SharedDataset", "SharedExamples", "SharedExampleCount", "SharedSessions"),
            *("SharedComparisons", "SharedFeedback", "SharedSessionsBulk"),
        ),
        "what a person shared, by its token (tests/api/test_shared_datasets)",
    ),
    **dict.fromkeys(
        ("SharedRun", "SharedRuns", "SharedRunQueries", "SharedFeedback"),
        "a run that a person shared, by its token (tests/api/test_shared_runs)",
    ),
    **dict.fromkeys(
        ("SharedRunV2", "SharedRunQueriesV2"),
        "the same in version 2 (tests/api/test_v2_runs)",
    ),
    "not_found": "an API path that does not exist",
}
WRITES = ("POST", "PUT", "PATCH", "DELETE")
METHODS = ("GET", *WRITES)
ALL = list(tenancy.routes(urls.urlpatterns))
# Every view once, under the first prefix it is mounted at.
ONCE = list(
    {(route.view or route.callback, route.names): route for route in reversed(ALL)}.values()
)[::-1]
SCOPED = [route for route in ONCE if (route.view or route.callback).__name__ not in PUBLIC]


def send(client: Client, method: str, path: str, body: Any = None) -> Any:
    content = b"" if body is None else tenancy.json.dumps(body)
    return client.generic(method, path, content, content_type="application/json")


@pytest.fixture
def victim(acme, ada) -> Side:
    return tenancy.furnish(acme, ada, CANARY)


@pytest.fixture
def before(victim) -> dict[str, set[str]]:
    """Every row there was before the attacker's first."""
    return tenancy.snapshot()


@pytest.fixture
def attacker(before, rival, mallory) -> Side:
    return tenancy.furnish(rival, mallory, "harmless")


@pytest.fixture
def client(attacker) -> Client:
    return Client(headers={"x-api-key": attacker.token}, raise_request_exception=False)


def unharmed(victim: Side, before: dict[str, set[str]]) -> None:
    """Hold that acme's rows are as they were and nothing new points at them."""
    after = tenancy.snapshot()
    for table, rows in before.items():
        assert rows <= after[table], (
            f"changed or deleted in {table}: {list(rows - after[table])[:2]}"
        )
    assert tenancy.links_into(before, after) == []


def compare(asked: str, client: Client, attack: tuple[Any, ...], baseline: tuple[Any, ...]) -> int:
    """Check that both get the same response on the same database, which stays unchanged."""
    answers = []
    for one in (attack, baseline):
        with transaction.atomic():
            answers.append(send(client, *one))
            transaction.set_rollback(True)
    same_as_unknown(asked, *answers)
    return int(answers[0].status_code)


def strike(
    client: Client, done: list[tuple[Any, ...]], victim: Side, before: dict[str, set[str]]
) -> None:
    """Send attacks for keeps, one after the other, and hold that acme took no harm of them."""
    for attack in done:
        if attack[0] != "GET":
            answer = send(client, *attack)
            assert CANARY.encode() not in answer.content, attack
    unharmed(victim, before)


def same_as_unknown(asked: str, answer: Any, baseline: Any) -> None:
    assert answer.status_code < 500, f"{asked}: {answer.content[:300]!r}"
    assert CANARY.encode() not in answer.content, f"{asked} leaks: {answer.content[:600]!r}"
    assert tenancy.told(answer) == tenancy.told(baseline), (
        f"{asked} tells a foreign id from an unknown one"
    )


# The table ----------------------------------------------------------------------------------------


def test_every_view_requires_a_key_or_is_declared_public() -> None:
    for route in ALL:
        view = route.view or route.callback
        if view.__name__ in PUBLIC:
            continue
        assert isinstance(view, type), f"{route.label}: a function is not scoped by a workspace"
        assert issubclass(view, (WorkspaceView, BareWorkspaceView)), (
            f"{route.label} is no WorkspaceView: derive it from one, or say in PUBLIC why it may be public"
        )


def test_what_is_public_exists() -> None:
    there = {(route.view or route.callback).__name__ for route in ALL}
    assert PUBLIC.keys() <= there


@pytest.mark.django_db
def test_without_a_live_key_nothing_answers(victim) -> None:
    """No key, a wrong one, one revoked, one expired: the same 401 at once, on every path."""
    revoked, revoked_token = keys.mint(victim.workspace, "revoked")
    _, expired_token = keys.mint(victim.workspace, "expired", expires_at=timezone.now())
    live = Client(headers={"x-api-key": revoked_token})
    assert live.get("/feedback").status_code == 200
    keys.revoke(revoked, timezone.now())
    headers: list[dict[str, str]] = [
        {},
        {"x-api-key": "obs_wrong"},
        {"x-api-key": revoked_token},
        {"x-api-key": expired_token},
        {"authorization": f"Bearer {revoked_token}"},
    ]
    for route in ALL:
        if (route.view or route.callback).__name__ in PUBLIC:
            continue
        values = next(tenancy.combinations(route, victim, victim), {})
        for place, credential in enumerate(headers):
            method = METHODS[place % len(METHODS)]
            answer = send(Client(headers=credential), method, route.path(**values), {})
            assert answer.status_code == 401, (
                f"{method} {route.label} answered {answer.status_code}"
            )
            # OTLP and Adaline's log API have words of their own.
            said = {"message", "code"} if "otel/" in route.template else {"detail", "code"}
            said = {"error"} if "v2/logs" in route.template else said
            assert said == set(answer.json())
            assert answer["www-authenticate"] == "x-api-key"
            assert CANARY.encode() not in answer.content


@pytest.mark.django_db
def test_a_header_cannot_choose_the_workspace(victim, client, attacker) -> None:
    for route in SCOPED:
        values = next(tenancy.combinations(route, victim, attacker), {})
        answer = client.get(
            route.path(**values), headers={"x-tenant-id": str(victim.workspace.uuid)}
        )
        assert answer.status_code == 403, route.label
        if "otel/" not in route.template:  # answers a request without content in protobuf
            said = {"error"} if "v2/logs" in route.template else {"detail", "code"}
            assert said == set(answer.json())
    own = client.get("/feedback", headers={"x-tenant-id": str(attacker.workspace.uuid)})
    assert own.status_code == 200


# The attacks --------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_id_of_another_workspace_in_url_looks_unknown(victim, before, attacker, client) -> None:
    nobody, done = tenancy.unknown(victim.ids), []
    for route in SCOPED:
        for values in tenancy.combinations(route, victim, attacker) if route.names else []:
            baseline = tenancy.replaced(values, victim, nobody)
            for method in METHODS:
                body = None if method == "GET" else tenancy.fresh_body(victim)
                attack = (method, route.path(**values), body)
                compare(
                    f"{method} {attack[1]}", client, attack, (method, route.path(**baseline), body)
                )
                done.append(attack)
    strike(client, done, victim, before)


@pytest.mark.django_db
def test_the_owner_reaches_what_the_rival_does_not(victim, attacker) -> None:
    """The attack above is no attack on nothing: each path it tries exists, for the owner."""
    owner = Client(headers={"x-api-key": victim.token}, raise_request_exception=False)
    seen = 0
    for route in SCOPED:
        if not route.names or not route.takes("GET"):
            continue
        answers = [
            owner.get(route.path(**values))
            for values in tenancy.combinations(route, victim, victim)
        ]
        assert any(answer.status_code not in {404, 405} for answer in answers), (
            f"{route.label}: no object of acme is at this path; furnish() must make one"
        )
        seen += any(CANARY.encode() in answer.content for answer in answers)
    assert seen >= 5


def attacks(route: Route, ids: dict[str, str], side: Side) -> Iterator[tuple[str, Any]]:
    """Yield bodies that name foreign objects, each by one name of the view's own source."""
    assert route.view is not None
    names = tenancy.id_names(route.view)
    every = {name: tenancy.value_of(name, ids)[0] for name in names}
    yield "all at once", {**tenancy.fresh_body(side), **every}
    yield (
        "lists of all at once",
        {**tenancy.fresh_body(side), **{name: [v] for name, v in every.items()}},
    )
    yield "an array of all at once", [{**tenancy.fresh_body(side), **every}]
    for name in names:
        for value in tenancy.value_of(name, ids):
            yield name, {**tenancy.fresh_body(side), name: value}
            if name.endswith("s") or name == "session":
                yield f"list of {name}", {**tenancy.fresh_body(side), name: [value]}
    for kind in ("run", "feedback", "example"):
        yield f"array of {kind} by id", [{**tenancy.fresh_body(side), "id": ids[kind]}]
    for kind, uuid in ids.items():
        yield f"array of {kind}", [uuid]
        yield f"filter by {kind}", {"filter": f"eq(id, '{uuid}')", "session": [ids["project"]]}
    yield "filter by text", {"filter": f"search('{CANARY}')"}


@pytest.mark.django_db
def test_id_of_another_workspace_in_body_looks_unknown(victim, before, attacker, client) -> None:
    nobody, done = tenancy.unknown(victim.ids), []
    n_taken = 0
    for route in SCOPED:
        own = tenancy.replaced(
            next(tenancy.combinations(route, attacker, attacker), {}), attacker, attacker.ids
        )
        for method in ("POST", "PATCH", "PUT"):
            if not route.takes(method):
                continue
            pairs = zip(
                attacks(route, victim.ids, victim), attacks(route, nobody, victim), strict=True
            )
            for (what, body), (_, baseline) in pairs:
                path = route.path(**own)
                asked = f"{method} {route.label}, {what}"
                n_taken += (
                    compare(asked, client, (method, path, body), (method, path, baseline)) < 300
                )
                done.append((method, path, body))
    assert n_taken > 100  # most endpoints took the body for one of their own
    strike(client, done, victim, before)


@pytest.mark.django_db
def test_id_or_name_of_another_workspace_in_query_looks_unknown(
    victim, before, attacker, client
) -> None:
    nobody = tenancy.unknown(victim.ids)
    for route in SCOPED:
        if not route.takes("GET"):
            continue
        values = next(tenancy.combinations(route, attacker, attacker), {})
        for name in [
            *tenancy.id_names(route.view),
            "key",
            "name",
            "name_contains",
            "metadata",
            "filter",
        ]:
            for known, never in zip(
                tenancy.value_of(name, victim.ids), tenancy.value_of(name, nobody), strict=True
            ):
                path = route.path(**values)
                answer, unknown = client.get(path, {name: known}), client.get(path, {name: never})
                same_as_unknown(f"GET {path}?{name}=", answer, unknown)
            answer = client.get(route.path(**values), {name: CANARY})
            assert answer.status_code < 500
        for method in ("GET", "DELETE"):
            for name in ("id", "dataset", "feedback_key", "example_ids"):
                path = f"{route.path(**values)}?{name}=scale {CANARY}"
                assert CANARY.encode() not in send(client, method, path).content.replace(
                    f"scale {CANARY}".encode(), b""
                )
    unharmed(victim, before)


@pytest.mark.django_db
def test_ids_of_another_workspace_in_multipart_look_unknown(
    victim, before, attacker, client
) -> None:
    nobody = tenancy.unknown(victim.ids)

    def upload(ids: dict[str, str]) -> Any:
        order = f"20261120T120000000000Z{ids['run']}"
        run = {
            "id": ids["run"],
            "trace_id": ids["run"],
            "dotted_order": order,
            "name": "x",
            "run_type": "chain",
            "start_time": NOON.isoformat(),
            "reference_example_id": ids["example"],
        }
        child = {
            **run,
            "id": ids["child"],
            "parent_run_id": ids["run"],
            "dotted_order": f"{order}.20261120T120000000001Z{ids['child']}",
            "session_id": ids["project"],
        }
        feedback = {
            "id": ids["feedback"],
            "run_id": ids["run"],
            "trace_id": ids["run"],
            "key": "k",
            "score": 0,
        }
        parts = {
            f"post.{ids['run']}": ("application/json", tenancy.json.dumps(run)),
            f"patch.{ids['child']}": ("application/json", tenancy.json.dumps(child)),
            f"post.{ids['run']}.outputs": ("application/json", '{"stolen": true}'),
            f"feedback.{ids['feedback']}": ("application/json", tenancy.json.dumps(feedback)),
            f"attachment.{ids['run']}.file {CANARY}": ("text/plain", "x"),
        }
        boundary = "b0undary"
        text = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {kind}\r\n\r\n{content}\r\n'
            for name, (kind, content) in parts.items()
        )
        return client.generic(
            "POST",
            "/runs/multipart",
            f"{text}--{boundary}--\r\n",
            content_type=f"multipart/form-data; boundary={boundary}",
        )

    same_as_unknown("POST /runs/multipart", upload(victim.ids), upload(nobody))
    own = Run.objects.get(workspace=attacker.workspace, id=victim.ids["run"])
    assert own.project is None or own.project.workspace == attacker.workspace
    unharmed(victim, before)


@pytest.mark.django_db
def test_a_body_cannot_set_author_workspace_or_state(victim, before, attacker, client) -> None:
    """T4: what is written belongs to the key's workspace and person, whatever the body says."""
    for route in SCOPED:
        own = next(tenancy.combinations(route, attacker, attacker), {})
        for method in ("POST", "PATCH", "PUT"):
            answer = send(client, method, route.path(**own), tenancy.fresh_body(victim))
            assert answer.status_code < 500, f"{method} {route.label}: {answer.content[:300]!r}"
    fresh = {
        table: [tenancy.json.loads(row) for row in rows - before[table]]
        for table, rows in tenancy.snapshot().items()
    }
    assert fresh["feedback_feedback"]
    assert fresh["annotations_annotationqueue"]
    for table, rows in fresh.items():
        for row in rows:
            assert row.get("workspace_id") in {None, attacker.workspace.pk}, table
            assert row.get("is_demo") in {None, False}, table
            assert row.get("user_id") in {None, attacker.person.pk}, table
    assert not attacker.person.__class__.objects.filter(is_superuser=True).exists()
    assert [row["role"] for row in fresh["workspaces_membership"]] == ["owner"]  # mallory's own
    assert ApiKey.objects.filter(workspace=attacker.workspace).count() == 1
    unharmed(victim, before)


@pytest.mark.django_db
def test_a_key_that_ends_while_it_is_used_ends_at_once(victim) -> None:
    key, token = keys.mint(
        victim.workspace, "short", expires_at=timezone.now() + timedelta(hours=1)
    )
    client = Client(headers={"x-api-key": token})
    assert client.get("/feedback").status_code == 200
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
    assert client.get("/feedback").status_code == 401
