"""Two workspaces full of objects, the URL table walked, and what may be compared of answers."""

from __future__ import annotations

import functools
import inspect
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import django.test
from django.apps import apps
from django.db import connection, models
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver
from django.utils.regex_helper import normalize

from annotations.quality import gold
from datasets_app import sharing as dataset_sharing
from observatory.feedback import tokens
from observatory.feedback.models import FeedbackConfig, PresignedToken
from observatory.prompts import commits
from observatory.prompts.models import Like, PromptRepo
from observatory.runs import sharing as run_sharing
from observatory.runs.models import Attachment, Rejected
from observatory.workspaces import keys
from observatory.workspaces.models import ApiKey, User, Workspace
from tests import scenes
from tests.conftest import NOON

CANARY = "canary-5d1f0c77"
ROOMS = ("workspaces", "runs", "prompts", "feedback", "annotations", "datasets")


class Client(django.test.Client):
    """A client whose answers have a `content`, also when they were streamed."""

    def request(self, **given: Any) -> Any:
        answer = super().request(**given)
        if not answer.streaming:
            return answer
        whole = b"".join(answer.streaming_content)
        return HttpResponse(whole, status=answer.status_code, headers=dict(answer.items()))


# The URL table ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Route:
    """One pattern of the URL table, with the prefix it is mounted under."""

    template: str  # "api/feedback/%(feedback_id)s"
    names: tuple[str, ...]
    choices: dict[str, list[str]] = field(hash=False)  # of names that are an alternation
    callback: Any = field(hash=False)

    @property
    def view(self) -> type | None:
        """The view's class; None for a plain function."""
        return getattr(self.callback, "view_class", None) or getattr(self.callback, "cls", None)

    @property
    def label(self) -> str:
        return f"/{self.template} ({getattr(self.view or self.callback, '__name__', '?')})"

    def takes(self, method: str) -> bool:
        """Whether the view has an answer to `method` other than 405."""
        names = getattr(self.view, "http_method_names", [])
        return method.lower() in names and hasattr(self.view, method.lower())

    def path(self, **values: str) -> str:
        return "/" + self.template % values


_GROUP = re.compile(r"\(\?P<(\w+)>([\w|]+)\)")


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[Route]:
    """Yield every leaf of a URL table."""
    for pattern in patterns:
        text = str(pattern.pattern.regex.pattern).removeprefix("^").removesuffix(r"\Z")
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, prefix + text)
            continue
        template, names = normalize(prefix + text)[0]
        choices = {name: words.split("|") for name, words in _GROUP.findall(text)}
        yield Route(template, tuple(names), choices, pattern.callback)


# Two workspaces -----------------------------------------------------------------------------------


@dataclass
class Side:
    """A workspace, a member, a key, and one object of every kind by its uuid."""

    workspace: Workspace
    person: User
    key: ApiKey
    token: str
    ids: dict[str, str]


def furnish(workspace: Workspace, person: User, mark: str) -> Side:
    """Put one object of every kind into `workspace`, with `mark` in every text of theirs."""
    scene = scenes.build(workspace, NOON - timedelta(days=1), n_items=2, mark=mark)
    scene.answer(person, scene.items[0], 1, NOON, note=f"a note {mark}")
    gold.set_gold(scene.items[0], {"correctness": 1}, person, NOON, reason=mark[:1_000])
    root, example = scene.runs[0], scene.dataset.examples.get()
    key, token = keys.mint(workspace, f"key {mark}", created_by=person)
    FeedbackConfig.objects.create(
        workspace=workspace, key=f"scale {mark}", config={"type": "freeform"}
    )
    (presigned,) = tokens.mint(
        workspace, [tokens.TokenInput(run_id=root.id, key=f"token {mark}")], now=NOON
    )
    PresignedToken.objects.update(expires_at=NOON + timedelta(days=36_500))
    Rejected.objects.create(
        workspace=workspace, kind="run", code="bad", reason=mark, raw=mark.encode()
    )
    attachment = Attachment.objects.create(
        workspace=workspace,
        run_id=root.id,
        name=f"file {mark}",
        mime_type="text/plain",
        size=1,
        sha256=b"0" * 32,
        path=f"none/{uuid4()}",
    )
    child = next(iter(scene.project.runs.filter(parent_run_id=root.id).values_list("id")))[0]
    feedback = scene.project.feedback.filter(run_id=root.id).first()
    dataset_sharing.share(scene.dataset)
    run_sharing.share(workspace, root.id)
    prompt = PromptRepo.objects.create(
        workspace=workspace, handle=str(uuid4()), description=mark, readme=mark
    )
    commit = commits.push(prompt, {"text": mark}, parent=None)
    commits.tag(commit, str(commit.uuid))
    Like.objects.create(repo=prompt, user=person)
    ids = {
        "prompt": prompt.handle,
        "commit": commit.uuid,
        "run": root.id,
        "child": child,
        "project": scene.project.uuid,
        "queue": scene.queue.uuid,
        "item": scene.items[0].uuid,
        "dataset": scene.dataset.uuid,
        "example": example.uuid,
        "feedback": feedback.uuid,
        "token": presigned.uuid,
        "attachment": attachment.uuid,
        "rule": scene.rule.uuid,
        "person": person.uuid,
        "workspace": workspace.uuid,
    }
    return Side(workspace, person, key, token, {kind: str(uuid) for kind, uuid in ids.items()})


# What an id may stand for -------------------------------------------------------------------------

# A name of a URL or body that is none of these is tried with an id of every kind.
KINDS = {
    "run_id": ["run", "child"],
    "session_id": ["project"],
    "feedback_id": ["feedback"],
    "token": ["token"],
    "queue_id": ["queue"],
    "run_or_item": ["run", "item"],
    "item_id": ["item"],
    "dataset_id": ["dataset"],
    "example_id": ["example"],
    "repo_handle": ["prompt"],
    "commit": ["commit"],
}
# A word in a name -> the kind it speaks of; the first that occurs decides.
WORDS = {
    "workspace": "workspace",
    "tenant": "workspace",
    "session": "project",
    "project": "project",
    "dataset": "dataset",
    "example": "example",
    "queue": "queue",
    "item": "item",
    "feedback": "feedback",
    "reviewer": "person",
    "user": "person",
    "run": "run",
    "trace": "run",
    "commit": "commit",
    "parent": "child",
}
_NAME = re.compile(r"""["']([a-z][a-z_]*)["']""")
_ID_LIKE = re.compile(
    r"(^|_)ids?$|^(session|run|runs|trace|trace_filter|parent_run|reference_example|dataset|as_of)$"
    r"|default_dataset|project|reviewers$|user$|owner"
)

_NO_ID = re.compile(r"__|^(workspace|user|owner)")


def kinds_of(name: str, side: Side) -> list[str]:
    if name in KINDS:
        return KINDS[name]
    return list(side.ids)


@functools.cache
def id_names(view: type) -> list[str]:
    """Return the names in a view's module, and the modules it reads with, that may hold an id."""
    module = inspect.getmodule(view)
    assert module is not None
    near = [m for m in vars(module).values() if isinstance(m, ModuleType)]
    ours = [
        m
        for m in near
        if m.__name__.split(".")[0] in {"observatory", "annotations", "datasets_app"}
    ]
    text = "".join(inspect.getsource(m) for m in [module, *ours])
    found = {name for name in _NAME.findall(text) if _ID_LIKE.search(name)}
    return sorted(name for name in found if not _NO_ID.search(name))


def value_of(name: str, ids: dict[str, str]) -> list[str]:
    """Return the ids that a body's or a query's `name` is tried with."""
    if "filter" in name:
        return [f"eq(id, '{ids['run']}')", f"eq(trace_id, '{ids['run']}')"]
    if name in {"id", "ids"}:
        return [ids[kind] for kind in ("feedback", "queue", "dataset", "example", "project", "run")]
    return [next((ids[kind] for word, kind in WORDS.items() if word in name), ids["run"])]


def unknown(ids: dict[str, str]) -> dict[str, str]:
    """Return unknown ids in place of `ids`."""
    return {kind: str(uuid4()) for kind in ids}


# Comparing ----------------------------------------------------------------------------------------

_VARYING = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    rb"|\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:\d\d)?|\d{8}T\d{12}Z|fresh-[0-9a-f]+|attachments/[\w:-]+"
)


def told(answer: Any) -> tuple[int, bytes]:
    """Return status and body without what is new every time: ids, times, fresh names."""
    return answer.status_code, _VARYING.sub(b"~", answer.content)


def tables() -> Iterator[type[models.Model]]:
    for model in apps.get_models(include_auto_created=True):
        if model._meta.app_label in ROOMS:
            yield model


def snapshot() -> dict[str, set[str]]:
    """Return every row of every room, as text; the time of use of a key is left out."""
    rows: dict[str, set[str]] = {}
    with connection.cursor() as cursor:
        for model in tables():
            table = model._meta.db_table
            cursor.execute(f"SELECT (to_jsonb(t) - 'last_used_at')::text FROM {table} t")
            rows[table] = {row[0] for row in cursor.fetchall()}
    return rows


def links_into(before: dict[str, set[str]], after: dict[str, set[str]]) -> list[str]:
    """Return the rows that are new in `after` and point at one that was there `before`."""
    keys_before = {
        table: {json.loads(row).get("id") for row in rows} for table, rows in before.items()
    }
    found = []
    for model in tables():
        table = model._meta.db_table
        fresh = [json.loads(row) for row in after[table] - before[table]]
        for relation in model._meta.concrete_fields:
            if not isinstance(relation, models.ForeignKey):
                continue
            target = relation.related_model._meta.db_table
            taken = keys_before.get(target, set())
            found += [
                f"{table}.{relation.column} = {row[relation.column]}"
                for row in fresh
                if row[relation.column] is not None and row[relation.column] in taken
            ]
    return found


def combinations(route: Route, side: Side, own: Side) -> Iterator[dict[str, str]]:
    """Yield values for the names of a route: the other side's ids, also below an own parent."""
    options = []
    for name in route.names:
        if name in route.choices:
            options.append([(name, choice) for choice in route.choices[name]])
        elif name == "owner":
            options.append([(name, "-")])
        elif name == "index":
            options.append([(name, "0")])
        else:
            options.append([(name, side.ids[kind]) for kind in kinds_of(name, side)])
    foreign = [dict(chosen) for chosen in itertools.product(*options)]
    yield from foreign
    if len(route.names) > 1:
        swap = dict(zip(side.ids.values(), own.ids.values(), strict=True))
        for values in foreign:
            first = route.names[0]
            if values[first] in swap:
                yield {**values, first: swap[values[first]]}


def replaced(values: dict[str, str], side: Side, by: dict[str, str]) -> dict[str, str]:
    """Return `values` with the ids of `side` replaced by those of the same kind in `by`."""
    kinds = {uuid: kind for kind, uuid in side.ids.items()}
    return {name: by[kinds[v]] if v in kinds else v for name, v in values.items()}


def fresh_body(side: Side) -> dict[str, Any]:
    """Return an object that most endpoints take for a valid one of their own.

    It also says everything about who and where that a body must not be able to say.
    """
    run_id, name = str(uuid4()), f"fresh-{uuid4().hex}"
    return {
        "name": name,
        "key": "k",
        "feedback_key": name,
        "feedback_config": {"type": "freeform"},
        "score": 1,
        "run_type": "chain",
        "run_id": run_id,
        "inputs": {"a": 1},
        "outputs": {"b": 2},
        "start_time": NOON.isoformat(),
        "session_name": name,
        **dict.fromkeys(("workspace", "workspace_id"), side.workspace.pk),
        **dict.fromkeys(
            ("user", "user_id", "created_by", "created_by_id", "owner", "reviewer", "added_by"),
            side.person.pk,
        ),
        **dict.fromkeys(("api_key", "api_key_id"), side.key.pk),
        "tenant_id": str(side.workspace.uuid),
        "role": "owner",
        "state": "completed",
        "is_demo": True,
        "is_staff": True,
        "is_superuser": True,
    }


def as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
