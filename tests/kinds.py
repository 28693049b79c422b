"""Queues that hold something else than runs: pairs of runs, and threads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from annotations.models import AnnotationQueue, QueueItem
from annotations.queues import item_subjects, queues
from observatory.runs.models import Project
from observatory.workspaces.models import Workspace
from tests import scenes


def pairs(
    workspace: Workspace, now: datetime, answers: Sequence[tuple[str, str]]
) -> list[QueueItem]:
    """Make a pairwise queue over one example a pair of `answers`, of two experiments.

    No pair is swapped.
    """
    queue = queues.create_queue(
        workspace,
        "Which prompt?",
        now=now,
        queue_type="pairwise",
        rubric=item_subjects.preferences([]),
        instructions="Prefer what **answers the question**.",
    )
    found = []
    projects = [Project.objects.create(workspace=workspace, name=f"prompt-{n}") for n in (1, 2)]
    for place, both in enumerate(answers):
        runs = [
            scenes.make_run(
                workspace,
                project,
                now,
                name=f"secret-{project.name}",
                inputs={"question": scenes.QUESTIONS[place][0]},
                outputs={"answer": answer},
            )
            for project, answer in zip(projects, both, strict=True)
        ]
        found.append(item_subjects.Pair(runs[0].id, runs[1].id, uuid4()))
    items = item_subjects.add(queue, found, source="api", now=now)
    QueueItem.objects.filter(queue=queue).update(is_swapped=False)
    return list(items)


def thread(workspace: Workspace, now: datetime, rubric: Sequence[Any]) -> AnnotationQueue:
    """Make a queue that holds the thread chat-7, three traces of the project `chat`."""
    project = Project.objects.create(workspace=workspace, name="chat")
    for place, (question, answer) in enumerate(scenes.QUESTIONS[:3]):
        scenes.make_run(
            workspace,
            project,
            now + timedelta(minutes=place),
            inputs={"question": question},
            outputs={"answer": answer},
            metadata={"thread_id": "chat-7"},
        )
    queue = queues.create_queue(workspace, "Chats", now=now, rubric=rubric)
    item_subjects.add(queue, [item_subjects.Thread(project.uuid, "chat-7")], source="api", now=now)
    return queue
