"""Test data, named after the models."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import factory
from django.test import Client

from annotations.models import AnnotationQueue, QueueItem, RubricItem, Seat
from datasets_app.models import Dataset
from observatory.feedback.models import Feedback
from observatory.runs.models import Project, Run
from observatory.workspaces import keys
from observatory.workspaces.models import Membership, User, Workspace

PASSWORD = "correct horse battery"


class WorkspaceFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Workspace

    slug = factory.Sequence(lambda n: f"workspace-{n}")
    name = factory.LazyAttribute(lambda o: o.slug.title())


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    email = factory.LazyAttribute(lambda o: f"{o.username}@example.com")


def member(workspace: Workspace, name: str, role: str) -> User:
    """Return the user `name` with `role` in `workspace`; the password is PASSWORD."""
    user = UserFactory(username=name)
    user.set_password(PASSWORD)
    user.is_staff = role in {"owner", "manager"}
    user.save()
    Membership.objects.create(workspace=workspace, user=user, role=role)
    return user


class ProjectFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Project

    workspace = factory.SubFactory(WorkspaceFactory)
    name = factory.Sequence(lambda n: f"project-{n}")


def make_run(project: Project, **fields: Any) -> Run:
    """Store one run of `project` as it is after ingestion: a finished root unless said otherwise.

    `inputs`, `outputs`, `events` and `serialized` may be given as Python values; `parent` is a
    run to be the child of.
    """
    parent: Run | None = fields.pop("parent", None)
    run_id: UUID = fields.pop("id", None) or uuid4()
    start = fields.setdefault("start_time", datetime(2026, 11, 20, 11, 0, tzinfo=UTC))
    fields.setdefault("end_time", start + timedelta(seconds=1) if start else None)
    fields.setdefault("name", "answer")
    fields.setdefault("run_type", "chain")
    fields.setdefault("trace_id", parent.trace_id if parent else run_id)
    fields.setdefault("parent_run_id", parent.id if parent else None)
    segment = f"{start:%Y%m%dT%H%M%S%fZ}{run_id}" if start else None
    above = f"{parent.dotted_order}." if parent else ""
    fields.setdefault("dotted_order", f"{above}{segment}" if segment else None)
    for name in ("inputs", "outputs", "events", "serialized"):
        if not isinstance(fields.get(name), (str, type(None))):
            fields[name] = json.dumps(fields[name])
    return Run.objects.create(workspace=project.workspace, project=project, id=run_id, **fields)


def judge(run: Run, key: str, score: float | None = None, **fields: Any) -> Feedback:
    """Store one feedback of `run`, attached to it."""
    return Feedback.objects.create(
        workspace_id=run.workspace_id,
        run_id=run.id,
        trace_id=run.trace_id,
        project_id=run.project_id,
        run_start_time=run.start_time,
        is_root=run.parent_run_id is None,
        key=key,
        score=score,
        **fields,
    )


class AnnotationQueueFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = AnnotationQueue

    workspace = factory.SubFactory(WorkspaceFactory)
    name = factory.Sequence(lambda n: f"queue-{n}")


class RubricItemFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = RubricItem

    queue = factory.SubFactory(AnnotationQueueFactory)
    feedback_key = factory.Sequence(lambda n: f"key-{n}")
    categories = [
        {"value": 0, "label": "Wrong"},
        {"value": 1, "label": "Partly"},
        {"value": 2, "label": "Right"},
    ]
    is_required = True


class QueueItemFactory(factory.django.DjangoModelFactory):
    """An open item with its seats."""

    class Meta:
        model = QueueItem
        skip_postgeneration_save = True

    queue = factory.SubFactory(AnnotationQueueFactory)
    workspace = factory.SelfAttribute("queue.workspace")
    run_id = factory.Faker("uuid4", cast_to=None)
    source = QueueItem.Source.API

    @factory.post_generation
    def seats(self, create: bool, extracted: Any, **kwargs: Any) -> None:
        for number in range(1, self.queue.reviewers_per_item + 1):
            Seat.objects.create(queue=self.queue, item=self, number=number, priority=self.priority)


class DatasetFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Dataset

    workspace = factory.SubFactory(WorkspaceFactory)
    name = factory.Sequence(lambda n: f"dataset-{n}")


class WireClient:
    """Speaks JSON with a workspace's API key, as an SDK would."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.key, self.token = keys.mint(workspace, "tests")
        self.client = Client(headers={"x-api-key": self.token}, raise_request_exception=False)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.generic(
            method,
            path,
            b"" if body is None else json.dumps(body),
            content_type="application/json",
            headers=headers or None,
        )

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(path, query)

    def post(self, path: str, body: Any = None) -> Any:
        return self.send("POST", path, body)

    def patch(self, path: str, body: Any = None) -> Any:
        return self.send("PATCH", path, body)

    def put(self, path: str, body: Any = None) -> Any:
        return self.send("PUT", path, body)

    def delete(self, path: str, body: Any = None) -> Any:
        return self.send("DELETE", path, body)
