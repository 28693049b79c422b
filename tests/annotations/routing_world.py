"""Runs and feedback as the rooms below leave them, with the Change row of each."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from annotations.models import AnnotationQueue, RoutingRule
from annotations.routing.routing import drain
from annotations.routing.rules import RuleDefinition, set_rule
from observatory.feedback.judgement import FeedbackInput
from observatory.feedback.models import Feedback
from observatory.feedback.record import record
from observatory.runs import changes
from observatory.runs.models import Change, Project, Run
from observatory.workspaces.models import Workspace
from tests.conftest import NOON


def make_run(
    workspace: Workspace,
    *,
    project: Project | None = None,
    is_ended: bool = True,
    is_noted: bool = True,
    inputs: Any = None,
    outputs: Any = None,
    **fields: Any,
) -> Run:
    """Store a root run that has ended, and note it."""
    run_id = fields.pop("id", None) or uuid4()
    run = Run.objects.create(
        workspace=workspace,
        id=run_id,
        trace_id=fields.pop("trace_id", run_id),
        project=project,
        name=fields.pop("name", "answer"),
        run_type="chain",
        start_time=NOON - timedelta(seconds=3),
        end_time=NOON if is_ended else None,
        inputs=json.dumps({"question": "Where is my parcel?"} if inputs is None else inputs),
        outputs=json.dumps({"answer": "On its way."} if outputs is None else outputs),
        metadata=fields.pop("metadata", {}),
        **fields,
    )
    if is_noted:
        changes.note(workspace, Change.Kind.RUN, [run_id])
    return run


def judge(workspace: Workspace, run_id: UUID, key: str, **fields: Any) -> Feedback:
    """Record feedback on a run, which need not exist, as an SDK's request does."""
    return record(workspace, FeedbackInput(run_id=run_id, key=key, **fields), now=NOON)


def make_rule(queue: AnnotationQueue, text: str, **fields: Any) -> RoutingRule:
    """Return a rule of `queue` that is on."""
    is_enabled = fields.pop("is_enabled", True)
    name = fields.pop("name", f"rule {uuid4().hex[:6]}")
    return set_rule(
        queue.workspace,
        RuleDefinition(name=name, filter=text, queue=queue, **fields),
        now=NOON,
        is_enabled=is_enabled,
    )


def drain_all(limit: int = 250) -> int:
    """Route until nothing is due; return how many changes were taken."""
    taken = 0
    while n := drain(limit, NOON):
        taken += n
    return taken


def random_runs(workspace: Workspace, n: int, seed: int) -> list[UUID]:
    """Store `n` runs of every kind the presets tell apart, with feedback; ids by seed."""
    dice = random.Random(seed)
    space = UUID(int=seed)
    made: list[UUID] = []
    for number in range(n):
        run_id = uuid5(space, str(number))
        confidence = dice.choice([None, 12, 69.9, 70, 84, 100, 0.3, 0.7, 0.84, 1, "0.5", "high"])
        place = dice.choice(["metadata", "outputs", "feedback"])
        metadata: dict[str, Any] = {}
        outputs: dict[str, Any] = {"answer": "Yes."}
        if confidence is not None and place == "metadata":
            metadata["confidence"] = confidence
        if confidence is not None and place == "outputs":
            outputs["confidence"] = confidence
        tier = dice.choice([None, "enterprise", "free"])
        if tier:
            metadata[dice.choice(["user_tier", "customer_tier"])] = tier
        question = dice.choice(["I want a REFUND", "Is this legal?", "Opening hours?"])
        parent = made[-1] if made and dice.random() < 0.3 else None
        make_run(
            workspace,
            id=run_id,
            is_ended=dice.random() < 0.9,
            inputs={"question": question},
            outputs=outputs,
            metadata=metadata,
            parent_run_id=parent,
            error=dice.choice([None, None, None, "TimeoutError: model"]),
            tags=dice.choice([None, ["thumbs-down"], ["needs_review", "beta"], []]),
        )
        if place == "feedback" and isinstance(confidence, (int, float)):
            judge(workspace, run_id, "confidence", score=confidence)
        if dice.random() < 0.3:
            judge(workspace, run_id, "user_rating", score=dice.choice([0.0, 0.39, 0.4, 1.0]))
        if dice.random() < 0.1:
            judge(workspace, run_id, "user_feedback", value=dice.choice(["negative", "positive"]))
        made.append(run_id)
    return made
