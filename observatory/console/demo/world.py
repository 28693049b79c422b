"""Create and remove the rows that the demo needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from annotations.models import AnnotationQueue, QueueItem
from annotations.queues import queues
from annotations.routing.presets import install_presets
from datasets_app import harvest
from datasets_app.models import Dataset
from observatory.console.demo.people import ADA, GRACE, INSTRUCTIONS, RUBRIC
from observatory.console.demo.traces import CATEGORY_KEY, demo_id
from observatory.feedback.models import Feedback, FeedbackConfig
from observatory.runs.models import Attachment, Project, Run
from observatory.workspaces.models import Membership, Role, User, Workspace

PROJECT = "support-bot-demo"
QUEUE = "Support answers (demo)"
DATASET = "support-corrections-demo"


@dataclass(frozen=True)
class World:
    """The rows of the demo that the traces refer to."""

    workspace: Workspace
    project: Project
    queue: AnnotationQueue
    dataset: Dataset
    people: dict[str, User]


def exists(workspace: Workspace) -> bool:
    """Return whether the workspace has a demo."""
    return Project.objects.filter(workspace=workspace, is_demo=True).exists()


@transaction.atomic
def create(workspace: Workspace, *, seed: int, now: datetime) -> World:
    """Create project, reviewers, queue with rubric and rules, and the dataset for corrections.

    The rules only match the demo's project. The reviewers cannot sign in. Raises IntegrityError
    when the workspace has a demo, or other rows of the same names.
    """
    project = Project.objects.create(
        workspace=workspace,
        uuid=demo_id(seed, workspace.uuid, "project"),
        name=PROJECT,
        description="Two weeks of a support bot. Demo data: observatory demo --remove deletes it",
        is_demo=True,
    )
    people = {
        who.username: _reviewer(workspace, who.username, who.first_name) for who in (ADA, GRACE)
    }
    queue = queues.create_queue(
        workspace,
        QUEUE,
        now=now,
        rubric=RUBRIC,
        uuid=demo_id(seed, workspace.uuid, "queue"),
        description="Doubtful answers of the support bot, each judged by two people",
        instructions=INSTRUCTIONS,
        reviewers_per_item=2,
        is_demo=True,
    )
    for rule in install_presets(workspace, queue, now=now, projects=[project]):
        rule.uuid = demo_id(seed, workspace.uuid, rule.preset)  # sampling depends on it
        rule.save(update_fields=["uuid"])
    dataset = Dataset.objects.create(
        workspace=workspace,
        uuid=demo_id(seed, workspace.uuid, "dataset"),
        name=DATASET,
        description="What reviewers of the demo corrected",
        created_at=now,
        modified_at=now,
        is_demo=True,
    )
    harvest.connect(queue, dataset)
    return World(workspace, project, queue, dataset, people)


def _reviewer(workspace: Workspace, username: str, first_name: str) -> User:
    user, is_new = User.objects.get_or_create(
        username=username,
        defaults={"first_name": first_name, "last_name": "(demo)", "is_demo": True},
    )
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
    if not user.is_demo:
        raise ValueError(f"there is a user called {username} who is not a demo reviewer")
    Membership.objects.get_or_create(
        workspace=workspace, user=user, defaults={"role": Role.REVIEWER}
    )
    return user


def date_items(world: World, ended_at: dict[UUID, datetime]) -> None:
    """Backdate the items to the end of their runs."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE annotations_queueitem i SET added_at = v.at + interval '2 seconds'"
            " FROM unnest(%s::uuid[], %s::timestamptz[]) v(run_id, at)"
            " WHERE i.queue_id = %s AND i.run_id = v.run_id",
            [list(ended_at), list(ended_at.values()), world.queue.pk],
        )


@transaction.atomic
def remove(workspace: Workspace) -> int:
    """Delete all demo data of the workspace and return how many runs that was.

    Its projects with runs and feedback, queues with items, reviews and rules, datasets with
    examples, and the demo reviewers, unless they belong to another workspace, too.
    """
    projects = list(
        Project.objects.filter(workspace=workspace, is_demo=True).values_list("pk", flat=True)
    )
    AnnotationQueue.objects.filter(workspace=workspace, is_demo=True).delete()
    Dataset.objects.filter(workspace=workspace, is_demo=True).delete()
    run_ids = list(
        Run.objects.filter(workspace=workspace, project__in=projects).values_list("id", flat=True)
    )
    for rows in (Attachment, Feedback, QueueItem):  # also items that users added to other queues
        rows.objects.filter(workspace=workspace, run_id__in=run_ids).delete()
    n_runs, _ = Run.objects.filter(workspace=workspace, project__in=projects).delete()
    Project.objects.filter(pk__in=projects).delete()
    if not Feedback.objects.filter(workspace=workspace, key=CATEGORY_KEY).exists():
        FeedbackConfig.objects.filter(workspace=workspace, key=CATEGORY_KEY).delete()
    Membership.objects.filter(workspace=workspace, user__is_demo=True).delete()
    # Demo reviewers of other items stay the authors of those reviews, without any role.
    User.objects.filter(is_demo=True, memberships=None, reviews=None).delete()
    return n_runs
