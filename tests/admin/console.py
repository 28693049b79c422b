"""What the tests of the admin share: a way in, and a workspace with one of everything."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from annotations.models import (
    DriftAlarm,
    GoldAnswer,
    Review,
    RoutingDecision,
    Seat,
)
from annotations.routing import rules
from datasets_app import examples, harvest, versions
from datasets_app.examples import ExampleInput
from datasets_app.models import TrainingExport
from observatory.feedback.models import Feedback, FeedbackConfig, PresignedToken
from observatory.prompts.models import PromptRepo
from observatory.runs.models import Change, ModelPrice, Rejected
from observatory.workspaces import keys
from observatory.workspaces.models import User
from tests.conftest import NOON
from tests.factories import (
    AnnotationQueueFactory,
    DatasetFactory,
    ProjectFactory,
    QueueItemFactory,
    RubricItemFactory,
)

CANARY = "canary-of-acme"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page(name: str, *args) -> str:
    return reverse(f"admin:{name}", args=args)


def furnish(workspace, reviewer, n: int = 1) -> dict:
    """Give `workspace` n objects of everything the admin shows; return one of each model."""
    made: dict = {}
    for number in range(n):
        name = f"{CANARY}-{workspace.slug}-{number}-{uuid4().hex[:6]}"
        project = ProjectFactory(workspace=workspace, name=name)
        queue = AnnotationQueueFactory(workspace=workspace, name=name, is_blind=False)
        question = RubricItemFactory(queue=queue, feedback_key=name)
        item = QueueItemFactory(queue=queue)
        queue.assigned_reviewers.add(reviewer)
        rule = rules.set_rule(
            workspace,
            rules.RuleDefinition(
                name=name, filter="eq(is_root, true)", queue=queue, projects=[project]
            ),
            now=NOON,
        )
        RoutingDecision.objects.create(
            item=item,
            rule=rule,
            rule_uuid=rule.uuid,
            rule_name=name,
            rule_version=1,
            filter="",
            clauses=[
                {"field": "metadata.confidence", "operator": "lt", "expected": 70, "actual": 63}
            ],
            draw=0.1,
            sampling_rate=1,
            inclusion_probability=1,
        )
        Seat.objects.filter(item=item).update(
            reviewer=reviewer,
            lease=uuid4(),
            reserved_at=timezone.now(),
            expires_at=timezone.now() + timedelta(hours=1),
        )
        review = Review.objects.create(
            workspace=workspace,
            submission_id=uuid4(),
            queue=queue,
            item=item,
            reviewer=reviewer,
            rubric_version=1,
            scores={question.feedback_key: {"score": 1}},
            note=name,
        )
        dataset = DatasetFactory(workspace=workspace, name=name)
        examples.create(dataset, [ExampleInput(inputs=f'{{"q": "{name}"}}')], now=NOON)
        versions.tag(dataset, "latest" if False else None, "prod")
        harvest.connect(queue, dataset)
        key, _ = keys.mint(workspace, name, created_by=reviewer)
        made = {
            "gold": GoldAnswer.objects.create(
                item=item, version=1, answers={name: {"score": 1}}, reason=name, created_by=reviewer
            ),
            "drift": DriftAlarm.objects.create(
                queue=queue,
                reviewer=reviewer,
                rubric_item=question,
                kind="pace",
                week=NOON.date(),
                p_value=0.001,
                n_before=60,
                n_after=40,
                raised_at=NOON,
            ),
            "queue": queue,
            "rule": rule,
            "item": item,
            "review": review,
            "dataset": dataset,
            "project": project,
            "key": key,
            "example": dataset.examples.get(),
            "version": dataset.versions.get(),
            "export": TrainingExport.objects.create(
                workspace=workspace,
                dataset=dataset,
                dataset_name=name,
                form="dpo",
                exported_by=reviewer,
                exported_at=NOON,
                gate=[{"sentence": name, "passed": False}],
                override_reason=name,
                n_lines=1,
                sha256="0" * 64,
            ),
            "feedback": Feedback.objects.create(
                workspace=workspace, key=name, project=project, run_id=item.run_id, user=reviewer
            ),
            "config": FeedbackConfig.objects.create(workspace=workspace, key=name, config={}),
            "token": PresignedToken.objects.create(
                workspace=workspace,
                digest=uuid4().bytes * 2,
                run_id=uuid4(),
                key=name,
                expires_at=NOON,
            ),
            "rejected": Rejected.objects.create(
                workspace=workspace, kind="run", code="bad", reason=name, raw=b"<script>"
            ),
            "change": Change.objects.create(
                workspace=workspace, kind="run", run_ids=[uuid4()], last_error=name
            ),
            "price": ModelPrice.objects.create(
                workspace=workspace, model=name, prompt_price=1, completion_price=2
            ),
            "prompt": PromptRepo.objects.create(workspace=workspace, handle=name),
            "workspace": workspace,
        }
    return made
