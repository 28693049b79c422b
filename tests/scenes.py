"""A workspace with something true to show on every page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction

from annotations.models import AnnotationQueue, QueueItem, RoutingDecision, RoutingRule
from annotations.queues import queue_items, queues
from annotations.reviewing import reservations, reviews
from datasets_app import models as datasets
from observatory.feedback.models import Feedback
from observatory.prompts import commits
from observatory.prompts.models import PromptRepo
from observatory.runs.models import Project, Run
from observatory.workspaces.models import User, Workspace

RUBRIC = [
    {
        "feedback_key": "correctness",
        "title": "Correctness",
        "description": "Is what it says true?",
        "kind": "categorical",
        "level": "ordinal",
        "is_required": True,
        "categories": [
            {"value": 0, "label": "Wrong", "description": "A statement is false"},
            {"value": 1, "label": "Partly", "description": "True, but something is missing"},
            {"value": 2, "label": "Right"},
        ],
    },
    {
        "feedback_key": "polite",
        "title": "Polite",
        "kind": "boolean",
        "is_required": True,
        "categories": [],
    },
    {
        "feedback_key": "effort",
        "title": "Effort for the customer",
        "kind": "continuous",
        "level": "interval",
        "minimum": 0,
        "maximum": 10,
    },
    {"feedback_key": "reason", "title": "What went wrong", "kind": "freeform", "level": "text"},
]
QUESTIONS = [
    ("Why was I charged twice in March?", "You were charged once. The second line is a hold."),
    ("Can I return a opened headset?", "Yes, within **30 days**, in any condition."),
    ("Where is order 4471?", "It left our warehouse on 3 March and arrives tomorrow."),
    ("Cancel my subscription please", "Done. You keep access until the end of the month."),
    (
        "My invoice shows the wrong VAT number",
        "I have sent it to accounting:\n\n1. new invoice\n2. refund of the difference",
    ),
    ("Do you ship to Iceland?", "We ship to all EU countries, so yes."),
    ("The app crashes when I open settings", "Please update to version 4.2 and try again."),
    ("I want to talk to a human", "Of course. A colleague will call you within the hour."),
]


def make_run(
    workspace: Workspace,
    project: Project,
    now: datetime,
    *,
    name: str = "support bot",
    inputs: Any = None,
    outputs: Any = None,
    parent: Run | None = None,
    **fields: Any,
) -> Run:
    run_id = fields.pop("id", uuid4())
    start = fields.pop("start_time", now)
    return Run.objects.create(
        workspace=workspace,
        id=run_id,
        project=project,
        trace_id=parent.trace_id if parent else run_id,
        parent_run_id=parent.id if parent else None,
        name=name,
        run_type=fields.pop("run_type", "chain"),
        start_time=start,
        end_time=fields.pop("end_time", start + timedelta(seconds=2.4)),
        inputs=None if inputs is None else json.dumps(inputs),
        outputs=None if outputs is None else json.dumps(outputs),
        **fields,
    )


@dataclass
class Scene:
    workspace: Workspace
    project: Project
    queue: AnnotationQueue
    dataset: datasets.Dataset
    runs: list[Run]
    items: list[QueueItem]
    rule: RoutingRule

    def answer(self, user: User, item: QueueItem, correct: int, now: datetime, **more: Any) -> Any:
        """Review `item` as `user` with one of the three answers."""
        reservations.reserve(item, user, now)
        sent = reviews.Submission(
            submission_id=uuid4(),
            scores={"correctness": {"score": correct}, "polite": {"score": 1}},
            dwell_ms=12_000,
            **more,
        )
        return reviews.submit(item, user, sent, now)


def build(
    workspace: Workspace, now: datetime, *, n_items: int = 8, reviewers: int = 2, mark: str = ""
) -> Scene:
    """Make a project with traces, a queue with a rubric and items with reasons, and a dataset.

    `mark` is put into every text, to see whether it gets out anywhere; names take its beginning.
    """
    whole, mark = mark, mark[:120]
    project = Project.objects.create(workspace=workspace, name=f"support-bot {mark}".strip())
    queue = queues.create_queue(
        workspace,
        f"Doubtful answers {mark}".strip(),
        now=now,
        rubric=RUBRIC,
        instructions=f"Judge **only** what the customer can see. Correct the answer if it is wrong. {whole}",
        reviewers_per_item=reviewers,
    )
    rule = RoutingRule.objects.create(
        workspace=workspace,
        name=f"Low confidence {mark}".strip(),
        filter="and(eq(metadata_key, 'confidence'), lt(metadata_value, 0.7))",
        queue=queue,
        is_enabled=True,
    )
    runs = []
    for place in range(n_items):
        question, answer = QUESTIONS[place % len(QUESTIONS)]
        at = now - timedelta(hours=place + 1)
        root = make_run(
            workspace,
            project,
            at,
            name=f"answer {place + 1} {mark}".strip(),
            inputs={
                "messages": [
                    {"role": "system", "content": "You are a support bot."},
                    {"role": "user", "content": f"{question} {whole}"},
                ]
            },
            outputs={"answer": f"{answer} {whole}".strip()},
            metadata={"confidence": 0.41, "user_tier": "enterprise", "mark": whole},
            tags=["support", f"v{place % 3}", *([mark] if mark else [])],
            total_tokens=512 + place,
            error=f"TimeoutError: the model did not answer {whole}" if place == 3 else None,
        )
        make_run(
            workspace,
            project,
            at + timedelta(seconds=0.1),
            name=f"search {mark}",
            parent=root,
            run_type="retriever",
            end_time=at + timedelta(seconds=0.6),
            inputs={"query": question},
            outputs={
                "documents": [
                    {
                        "page_content": f"Refund policy {whole}",
                        "metadata": {"source": "kb/12", "score": 0.83},
                    }
                ]
            },
        )
        make_run(
            workspace,
            project,
            at + timedelta(seconds=0.7),
            name=f"gpt-4o {mark}",
            parent=root,
            run_type="llm",
            end_time=at + timedelta(seconds=2.3),
            inputs={"messages": [{"role": "user", "content": question}]},
            outputs={
                "choices": [
                    {
                        "message": {
                            "role": "assistant",
                            "content": answer,
                            "tool_calls": [
                                {
                                    "function": {
                                        "name": "lookup_invoice",
                                        "arguments": '{"id": 4471}',
                                    }
                                }
                            ],
                        }
                    }
                ]
            },
        )
        Feedback.objects.create(
            workspace=workspace,
            run_id=root.id,
            trace_id=root.id,
            project=project,
            key="user_rating",
            score=0.2,
            comment=f"not helpful {whole}",
            run_start_time=at,
            is_root=True,
        )
        runs.append(root)
    items = queue_items.add_runs(
        queue, [run.id for run in runs], source="rule", now=now - timedelta(minutes=30)
    )
    for item in items:
        RoutingDecision.objects.create(
            item=item,
            rule=rule,
            rule_uuid=rule.uuid,
            rule_name=rule.name,
            rule_version=1,
            filter=rule.filter,
            draw=0.3,
            sampling_rate=1.0,
            inclusion_probability=1.0,
            clauses=[
                {
                    "text": "lt(metadata_value, 0.7)",
                    "field": "metadata.confidence",
                    "operator": "lt",
                    "expected": 0.7,
                    "actual": f"0.41 {whole}",
                }
            ],
        )
    dataset = datasets.Dataset.objects.create(
        workspace=workspace,
        name=f"refund answers {mark}".strip(),
        description=f"Corrected by reviewers {whole}",
    )
    datasets.Harvest.objects.create(queue=queue, dataset=dataset)
    example = datasets.Example.objects.create(
        workspace=workspace,
        dataset=dataset,
        source_run_id=runs[0].id,
        origin=f"harvest:{items[0].uuid}",
    )
    datasets.DatasetVersion.objects.create(dataset=dataset, as_of=now)
    datasets.ExampleRevision.objects.create(
        example=example,
        dataset=dataset,
        valid_from=now,
        inputs=json.dumps({"question": f"Why was I charged twice? {whole}"}),
        outputs=json.dumps({"answer": f"Once. {whole}"}),
        metadata={"reviewers": ["grace"], "rule": f"Low confidence {mark}"},
        splits=["base"],
    )
    prompt, is_new = PromptRepo.objects.get_or_create(
        workspace=workspace,
        handle="support-answer",
        defaults={
            "description": f"What the bot is told {whole}",
            "readme": f"Keep it **short**. {whole}",
            "tags": ["support", *([mark] if mark else [])],
        },
    )
    if is_new:
        with transaction.atomic():
            commits.push(prompt, chat_prompt(f"Answer in one sentence. {whole}"), parent=None)
    return Scene(workspace, project, queue, dataset, runs, items, rule)


def chat_prompt(instruction: str) -> dict[str, Any]:
    """Return the manifest of a prompt as langchain-core pushes it: what is said, a variable."""

    def serialized(kind: str, **kwargs: Any) -> dict[str, Any]:
        path = ["langchain", "prompts", "chat", kind]
        return {"lc": 1, "type": "constructor", "id": path, "kwargs": kwargs}

    return serialized(
        "ChatPromptTemplate",
        input_variables=["question"],
        messages=[
            serialized(
                f"{who}MessagePromptTemplate",
                prompt=serialized("PromptTemplate", template=text, input_variables=[]),
            )
            for who, text in (("System", instruction), ("Human", "{question}"))
        ],
    )


def submission(
    queue: AnnotationQueue, *, correct: str = "2", polite: str = "1", **fields: str
) -> dict[str, str]:
    """Return the form of the workbench, filled in."""
    ids = {row.feedback_key: row.pk for row in queue.rubric_items.all()}
    return {
        "submission_id": str(uuid4()),
        "rubric_version": str(queue.rubric_version),
        f"answer-{ids['correctness']}": correct,
        f"answer-{ids['polite']}": polite,
        "dwell_ms": "5000",
        **fields,
    }
