"""A workspace in which one reviewer has answered and others have not, and a walk over every URL.

The walk reads the URL table: pages, API, admin and shared pages. A new route is walked without
an edit here. Every request is undone, so that each sees the same state.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

from django.db import transaction
from django.test import Client as WebClient
from django.urls import get_resolver

from annotations.models import AnnotationQueue, QueueItem
from annotations.queues import item_subjects, queues
from annotations.reviewing import reviews
from annotations.routing import routing, rules
from datasets_app import comparisons
from datasets_app import sharing as dataset_sharing
from observatory.feedback.models import Feedback
from observatory.prompts import commits
from observatory.runs import sharing as run_sharing
from observatory.runs import thread_sharing
from observatory.runs.models import Project, Run
from observatory.workspaces import keys
from observatory.workspaces.models import User, Workspace
from tests import scenes, tenancy
from tests.conftest import NOON
from tests.factories import member
from tests.tenancy import Client, Route

CANARY = "canary-3c9e"
NUMBER = 0.13739


@dataclass(frozen=True)
class Answer:
    """What a reviewer says of a run, a thread, a pair, and by an API key."""

    correct: float
    polite: float
    effort: float
    preferred: float
    text: str = ""  # of the free question, the comments and the note
    correction: Any = None

    def scores(self) -> dict[str, Any]:
        said: dict[str, Any] = {
            "correctness": {"score": self.correct},
            "polite": {"score": self.polite},
            "effort": {"score": self.effort},
        }
        if self.text:
            said["correctness"]["comment"] = self.text
            said["reason"] = {"value": self.text}
        return said


WRONG = Answer(0, 0, NUMBER, 1, CANARY, {"outputs": {"answer": CANARY}})
RIGHT = Answer(2, 1, 9.5, 0)


@dataclass
class World:
    """A queue of three reviewers an item; grace answers, and ada and alan have yet to."""

    workspace: Workspace
    scene: scenes.Scene
    reviewer: User
    key: Client
    threads: AnnotationQueue
    pairs: AnnotationQueue
    corner: AnnotationQueue
    other: Project
    values: dict[str, list[str]] = field(default_factory=dict)
    readers: dict[str, WebClient] = field(default_factory=dict)

    @property
    def items(self) -> list[QueueItem]:
        """The items of which grace's answer is a review: a run, a thread, a pair."""
        return [self.scene.items[0], self.threads.items.get(), self.pairs.items.get()]

    def answer(self, answer: Answer) -> None:
        """Let the reviewer judge every kind of item, by pages and by key; then let rules run."""
        run, thread, pair = self.items
        sent = {"note": answer.text, "correction": answer.correction}
        review(run, self.reviewer, answer.scores(), **sent)
        review(thread, self.reviewer, answer.scores(), note=answer.text)
        review(pair, self.reviewer, {item_subjects.PREFERENCE: {"score": answer.preferred}})
        self.send(self.scene.runs[1].id, answer)
        path = f"/platform/annotation-queues/items/{self.scene.items[1].uuid}/status"
        body = json.dumps({"status": "completed"})
        done = self.key.generic("POST", path, body, content_type="application/json")
        assert done.status_code == 200, done.content
        self.send(self.scene.runs[2].id, answer)  # and says nothing of the item
        while routing.drain(100, NOON):
            pass

    def send(self, run_id: UUID, answer: Answer) -> None:
        for name, said in answer.scores().items():
            body = {"run_id": str(run_id), "key": name, **said}
            sent = self.key.generic(
                "POST", "/feedback", json.dumps(body), content_type="application/json"
            )
            assert sent.status_code == 200, sent.content

    def complete(self, *people: User) -> None:
        """Let the others judge what the reviewer judged."""
        for person in people:
            for item in (*self.items[:2], self.scene.items[1]):
                review(item, person, RIGHT.scores())
            review(self.items[2], person, {item_subjects.PREFERENCE: {"score": 1}})


def review(item: QueueItem, person: User, scores: dict[str, Any], **more: Any) -> None:
    sent = reviews.Submission(submission_id=uuid4(), scores=scores, dwell_ms=9_000, **more)
    reviews.submit(QueueItem.objects.get(pk=item.pk), person, sent, NOON)


def build(workspace: Workspace, reviewer: User, owner: User) -> World:
    """Make a workspace with one object of every kind, and nothing answered."""
    scene = scenes.build(workspace, NOON - timedelta(days=1), n_items=3, reviewers=3)
    other = Project.objects.create(workspace=workspace, name="the other experiment")
    example = scene.dataset.examples.get()
    Project.objects.filter(pk__in=[scene.project.pk, other.pk]).update(
        reference_dataset_id=scene.dataset.uuid
    )
    Run.objects.filter(pk=scene.runs[0].pk).update(
        reference_example_id=example.uuid, thread_id="chat-1"
    )
    rival = scenes.make_run(
        workspace, other, NOON, outputs={"answer": "?"}, reference_example_id=example.uuid
    )
    comparison = comparisons.create(
        scene.dataset, [scene.project.uuid, other.uuid], now=NOON, name="both"
    )
    threads, pairs, corner = (
        queues.create_queue(workspace, name, now=NOON, rubric=rubric, **more)
        for name, rubric, more in (
            ("Threads", scenes.RUBRIC, {"reviewers_per_item": 3}),
            (
                "Pairs",
                item_subjects.preferences([]),
                {"reviewers_per_item": 3, "queue_type": AnnotationQueue.QueueType.PAIRWISE},
            ),
            ("Corner", scenes.RUBRIC, {"reviewers_per_item": 2}),
        )
    )
    thread = item_subjects.Thread(scene.project.uuid, "chat-1", NOON)
    item_subjects.add(threads, [thread], source="api", now=NOON)
    pair = item_subjects.Pair(scene.runs[0].id, rival.id, example.uuid)
    item_subjects.add(pairs, [pair], source="api", now=NOON, comparison_id=comparison.uuid)
    rules.set_rule(
        workspace,
        rules.RuleDefinition(
            name="Rated low",
            filter="and(eq(feedback_key, 'correctness'), lt(feedback_score, 0.5))",
            queue=corner,
        ),
        now=NOON,
        by=owner,
        is_enabled=True,
    )
    while routing.drain(100, NOON):
        pass
    _, token = keys.mint(workspace, "grace's", created_by=reviewer)
    world = World(
        workspace,
        scene,
        reviewer,
        Client(headers={"x-api-key": token}),
        threads,
        pairs,
        corner,
        other,
    )
    world.values = values_of(world, comparison.uuid)
    return world


def values_of(world: World, comparison: UUID) -> dict[str, list[str]]:
    """Return what a parameter of a URL is filled with, by its name; "" is for unknown names."""
    scene, workspace = world.scene, world.workspace
    key, _ = keys.mint(workspace, "a key")
    prompt = workspace.prompts.get()
    tokens = [
        run_sharing.share(workspace, scene.runs[0].id),
        run_sharing.share(workspace, scene.runs[1].id),
        thread_sharing.share(scene.project, "chat-1"),
        dataset_sharing.share(scene.dataset),
    ]
    runs = [scene.runs[0].id, scene.runs[1].id]
    items = [item.uuid for item in (*world.items, scene.items[1])]
    lone = {
        "project": scene.project.uuid,
        "queue": scene.queue.uuid,
        "dataset": scene.dataset.uuid,
        "example": scene.dataset.examples.get().uuid,
        "feedback": Feedback.objects.filter(workspace=workspace).earliest("pk").uuid,
        "rule": scene.rule.uuid,
        "workspace": workspace.uuid,
        "comparison": comparison,
        "key": key.uuid,
    }
    known: dict[str, list[Any]] = {name: [uuid] for name, uuid in lone.items()}
    known |= {"run": runs, "trace": runs, "item": items, "token": [t.token for t in tokens if t]}
    known["queue"] = [world.scene.queue.uuid, world.threads.uuid, world.pairs.uuid]
    known["session"] = [f"{scene.project.uuid},{world.other.uuid}"]
    known["slug"] = [workspace.slug]
    known["thread"] = ["chat-1"]
    known["index"] = ["0"]
    known["owner"] = ["-"]
    known["field"] = ["outputs"]
    known["name"] = ["message.json"]
    newest = commits.latest(prompt)
    assert newest is not None
    known["handle"] = [prompt.handle]
    known["commit"] = [newest.commit_hash]
    known[""] = [*lone.values(), *runs[:1], *items[:1]]
    return {name: [str(value) for value in values] for name, values in known.items()}


# The walk ---------------------------------------------------------------------------------------

MOST = 4  # objects a route is asked for
SESSIONS = ("/static/", "/admin/login", "/admin/logout", "/accounts/log")
REFUSALS = {301, 302, 401, 403, 404, 405}
LOW = "and(eq(feedback_key, 'correctness'), lt(feedback_score, 0.5))"
CORRECT = "eq(feedback_key, 'correctness')"
QUERIES: list[dict[str, str]] = [
    {"include_user_names": "true", "key": "correctness", "limit": "100", "include_stats": "true"},
    {"filter": LOW, "tab": "feedback", "all": "1", "include_stats": "true"},
    {"key": "preference", "status": "needs_my_review", "source": "app", "o": "5", "days": "90"},
    {"q": CANARY, "state": "open", "sort_by": "feedback_stats", "sort_by_feedback_key": "effort"},
]
# A name in a view that holds an id or a list of them is put into every body.
BODIES: list[dict[str, Any]] = [
    {},
    {"filter": LOW},
    {"trace_filter": LOW, "select": ["id", "feedback_stats"]},
    {"group_by": {"attribute": "name"}, "include_annotator_detail": True, "limit": 100},
    {"sort_params": {"sort_by": "feedback.effort", "sort_order": "ASC"}, "format": "csv"},
]


def bodies(world: World) -> Iterator[Any]:
    named = {name: values[0] for name, values in world.values.items() if name}
    ids = {
        "session": world.values["project"],
        "session_id": named["project"],
        "project_id": named["project"],
        "session_ids": world.values["project"],
        "project_ids": world.values["project"],
        "run_ids": world.values["run"],
        "trace_ids": world.values["run"],
        "thread_ids": world.values["thread"],
        "dataset_id": named["dataset"],
        "queue_id": named["queue"],
        "trace_id": named["run"],
        "comparative_experiment_id": named["comparison"],
        "start_time": "2026-01-01T00:00:00Z",
        "end_time": "2027-01-01T00:00:00Z",
        "min_start_time": "2026-01-01T00:00:00Z",
        "min_feedback_modified_at": "2026-01-01T00:00:00Z",
    }
    yield None
    for body in BODIES:
        plain = {name: value for name, value in ids.items() if "feedback" not in name}
        yield {**plain, **body}
        if "filter" in body:
            yield {**ids, **body}


@dataclass(frozen=True)
class Request:
    """One request; `label` is the same for the same request of another answer."""

    label: str
    method: str
    path: str
    body: Any = None


def every_route() -> list[Route]:
    """Return each view once, under the first prefix it is mounted at."""
    table = list(tenancy.routes(get_resolver().url_patterns))
    once = {(route.view or route.callback, route.names): route for route in reversed(table)}
    return list(once.values())[::-1]


FACES = {"admin": ("admin/",), "pages": ("w/", "accounts/", "public/%(token)s/"), "api": ("",)}


def face_of(route: Route) -> str:
    """Return which of FACES a route belongs to: pages of the public are pages."""
    if route.view is not None:
        return "api"
    return next(face for face, starts in FACES.items() if route.template.startswith(starts))


_WORDS = ("comparison", "item", "queue", "feedback", "example", "dataset", "project", "session")
_ALIASES = {
    "session": "project",
    "uuid": "",
    "experiment": "project",
    "prompt": "handle",
    "repo": "handle",
    "tenant": "workspace",
}


def candidates(world: World, route: Route, name: str) -> list[str]:
    """Return what the parameter `name` of `route` is tried with."""
    if name in route.choices:
        return route.choices[name]
    if name in world.values:
        return world.values[name]
    for word in (*_WORDS, *world.values, *_ALIASES):
        if word and word in name:
            return world.values[_ALIASES.get(word, word)]
    return world.values[""]


def addresses(world: World, route: Route) -> Iterator[tuple[str, str]]:
    """Yield (label, path) of the objects of `world` that a route may name."""
    admin = getattr(route.callback, "model_admin", None)
    if admin is not None and "object_id" in route.names:
        pks = list(admin.model._default_manager.order_by("pk").values_list("pk", flat=True))
        for pk in dict.fromkeys([*pks[:4], *pks[-4:]]):
            yield f"{route.template} {pk}", route.path(object_id=quote(str(pk)))
        return
    options = [candidates(world, route, name) for name in route.names]
    for chosen in itertools.islice(itertools.product(*options), MOST):
        path = route.path(**dict(zip(route.names, chosen, strict=True)))
        yield path, path


def reads(world: World, face: str) -> Iterator[list[Request]]:
    """Yield the GET requests of every object: plain, then with queries that filter and sort."""
    sessions = {"selectedSessions": world.values["session"][0]}
    for route in (route for route in every_route() if face_of(route) == face):
        for label, path in addresses(world, route):
            if not path.startswith(SESSIONS):
                yield [
                    Request(f"GET {label} {number}", "GET", f"{path}?{urlencode(query)}")
                    for number, query in enumerate([{}, *(query | sessions for query in QUERIES)])
                ]


def writes(world: World, face: str) -> Iterator[list[Request]]:
    """Yield the requests with a body of every object: most read by POST, the rest is undone."""
    for route in (route for route in every_route() if face_of(route) == face):
        is_api = route.view is not None
        for label, path in addresses(world, route):
            if path.startswith(SESSIONS):
                continue
            for method in ("POST", "PATCH", "PUT", "DELETE"):
                if is_api and not route.takes(method):
                    continue
                if not is_api and method != "POST":
                    continue
                sent = list(bodies(world)) if method == "POST" and is_api else [{}]
                yield [
                    Request(f"{method} {label} {number}", method, path, body)
                    for number, body in enumerate(sent)
                ]


_VARYING = re.compile(
    rb'csrfmiddlewaretoken" value="\w+"|data-csrf="\w+"|"X-CSRFToken": ?"\w+"|nonce="[^"]+"'
    rb'|"latency_ms": [\d.]+|"#[0-9a-f]{4} @|with ID \xe2\x80\x9c\d+'
    rb"|<time[^>]*>[^<]*</time>|\w{3,4}\.? \d{1,2}, (?:\d{4}, )?[\d:apm. ]+"
)


@dataclass(frozen=True)
class Told:
    """What a reader was answered, without what differs between any two answers."""

    status: int
    body: bytes
    has_canary: bool


def first_difference(one: bytes, other: bytes) -> str:
    """Return both texts around the first byte they differ in."""
    at = next((n for n, pair in enumerate(zip(one, other, strict=False)) if len({*pair}) > 1), 0)
    return f"{one[max(0, at - 120) : at + 120]!r} and {other[max(0, at - 120) : at + 120]!r}"


def answers(client: WebClient, requests: list[Request]) -> Iterator[tuple[Request, Told]]:
    """Yield the answers a reader gets; stop after a first request that is refused."""
    for request in requests:
        told = ask(client, request)
        yield request, told
        if told.status in REFUSALS:
            return


def ask(client: WebClient, request: Request) -> Told:
    """Send a request and undo what it did, to the session too."""
    cookies = {name: morsel.value for name, morsel in client.cookies.items()}
    with transaction.atomic():
        if request.method == "GET":
            answer = client.get(request.path)
        else:
            content = b"" if request.body is None else json.dumps(request.body)
            answer = client.generic(
                request.method, request.path, content, content_type="application/json"
            )
        transaction.set_rollback(True)
    client.cookies = SimpleCookie(cookies)
    status, body = tenancy.told(answer)
    said = body.replace(quote(CANARY).encode(), b"") if CANARY in request.path else body
    has_canary = any(mark in said for mark in (CANARY.encode(), str(NUMBER).encode()))
    return Told(status, _VARYING.sub(b"~", body), has_canary)


def readers(world: World) -> dict[str, WebClient]:
    """Return who must not see the answer yet: people who may be next, keys, and visitors."""
    found: dict[str, WebClient] = {"nobody": Client(raise_request_exception=False)}
    roles = {"alan": "reviewer", "vera": "viewer", "mona": "manager"}
    people = {name: member(world.workspace, name, role) for name, role in roles.items()}
    operator = User.objects.create(username="root", is_staff=True, is_superuser=True)
    for name, person in {**people, "operator": operator}.items():
        found[name] = Client(raise_request_exception=False)
        found[name].force_login(person)
    for name in ("alan", "mona"):
        _, token = keys.mint(world.workspace, f"{name}'s key", created_by=people[name])
        found[f"key of {name}"] = Client(
            headers={"x-api-key": token}, raise_request_exception=False
        )
    _, token = keys.mint(world.workspace, "a program's key")
    found["key of nobody"] = Client(headers={"x-api-key": token}, raise_request_exception=False)
    return found


def is_theirs(reader: str, request: Request) -> bool:
    """Return whether asking makes sense: keys open the API alone, sessions the rest."""
    is_page = request.path.startswith(("/w/", "/admin/", "/accounts/"))
    return is_page != reader.startswith("key") or request.path.startswith("/public")
