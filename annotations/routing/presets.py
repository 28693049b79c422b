"""The rules that ship with Observatory. Each is an ordinary, editable rule.

Confidence is read under the key `confidence` in the metadata, in the outputs and in the feedback. A
number up to 1 is on the scale 0-1, above 1 on the scale 0-100; so exactly 1 is certainty, and one
per cent must be written 0.01.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from annotations.models import AnnotationQueue, RoutingRule
from annotations.routing.rules import RuleDefinition, set_rule
from observatory.runs.models import Project
from observatory.workspaces.models import User, Workspace

_PAIRS = (
    ("metadata_key", "metadata_value"),
    ("output_key", "output_value"),
    ("feedback_key", "feedback_score"),
)
HIGH_STAKES_WORDS = ("legal", "medical", "refund", "terminate")


def _confidence_below(percent: int) -> str:
    """Return the filter for a confidence below `percent` of 100."""
    terms = []
    for key, value in _PAIRS:
        terms.append(f'and(eq({key}, "confidence"), lt({value}, {percent / 100}))')
        terms.append(f'and(eq({key}, "confidence"), gt({value}, 1), lt({value}, {percent}))')
    return f"or({', '.join(terms)})"


def _tier_is(tier: str) -> str:
    """Return the filter for a user's tier, sent as metadata or input, equal to `tier`."""
    terms = [
        f'and(eq({family}_key, "{key}"), eq({family}_value, "{tier}"))'
        for family in ("metadata", "input")
        for key in ("user_tier", "customer_tier")
    ]
    return f"or({', '.join(terms)})"


def _inputs_say(words: Iterable[str]) -> str:
    """Return the filter for inputs that contain one of `words`, in any case."""
    terms = [f'search(inputs, "{word}")' for word in words]
    return f"or({', '.join(terms)})"


def _on_roots(*conditions: str) -> str:
    return f"and({', '.join(['eq(is_root, true)', *conditions])})"


_NEGATIVE = (
    'and(eq(feedback_key, "user_rating"), lt(feedback_score, 0.4))',
    'and(in(feedback_key, ["thumbs", "user_score"]), lt(feedback_score, 0.4))',
    'in(feedback_key, ["thumbs-down", "thumbs_down"])',
    'and(eq(feedback_key, "user_feedback"), eq(feedback_value, "negative"))',
    'and(eq(metadata_key, "user_feedback"), eq(metadata_value, "negative"))',
    'in(tags, ["thumbs-down", "thumbs_down"])',
)


@dataclass(frozen=True)
class Preset:
    """A rule to copy: `name` identifies it, `title` becomes the rule's name."""

    name: str
    title: str
    about: str
    filter: str
    sampling_rate: float = 1.0
    priority: int = 0


_ALL = [
    Preset(
        "low-confidence",
        "Low confidence",
        "The model was less than 70 % sure",
        _on_roots(_confidence_below(70)),
        priority=20,
    ),
    Preset(
        "enterprise-confidence",
        "Enterprise, moderate confidence",
        "The model was less than 85 % sure and the user is an enterprise customer",
        _on_roots(_tier_is("enterprise"), _confidence_below(85)),
        priority=30,
    ),
    Preset(
        "high-stakes",
        "High-stakes topic",
        "The question names a legal or medical matter, a refund or a termination",
        _on_roots(_inputs_say(HIGH_STAKES_WORDS)),
        priority=10,
    ),
    Preset(
        "negative-feedback",
        "Negative user feedback",
        "The user rated the answer below 0.4 or gave it a thumbs-down",
        _on_roots(f"or({', '.join(_NEGATIVE)})"),
        priority=40,
    ),
    Preset(
        "needs-annotation",
        "Awaiting annotation",
        "The application marked the run for a person: annotation_status is empty",
        _on_roots('and(eq(metadata_key, "annotation_status"), eq(metadata_value, "empty"))'),
        priority=15,
    ),
    Preset(
        "critical-report",
        "Critical wrong-information report",
        "A user reported critically wrong information (needs_review)",
        _on_roots('or(eq(feedback_key, "needs_review"), has(tags, "needs_review"))'),
        priority=50,
    ),
    Preset(
        "errors",
        "Errors",
        "The run failed",
        _on_roots('eq(status, "error")'),
        priority=10,
    ),
    Preset(
        "random-sample",
        "Random sample",
        "2 % of all traces, so that what no rule suspects is looked at, too",
        _on_roots(),
        sampling_rate=0.02,
    ),
]
PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}


@transaction.atomic
def install_presets(
    workspace: Workspace,
    queue: AnnotationQueue,
    names: Iterable[str] | None = None,
    *,
    now: datetime,
    projects: Sequence[Project] = (),
    by: User | None = None,
    is_enabled: bool = True,
) -> list[RoutingRule]:
    """Install the named presets (all, if None) as rules of `queue`; return them in that order.

    They apply to `projects`; without any, to all but experiments and the project of evaluators. A
    preset the queue has already is left as it is, however it was edited. Raises KeyError for an
    unknown name.
    """
    presets = [PRESETS[name] for name in (PRESETS if names is None else names)]
    present = {
        rule.preset: rule
        for rule in RoutingRule.objects.filter(workspace=workspace, queue=queue).exclude(preset="")
    }
    for preset in presets:
        if preset.name not in present:
            definition = RuleDefinition(
                name=_free_name(workspace, queue, preset.title),
                filter=preset.filter,
                queue=queue,
                projects=projects,
                sampling_rate=preset.sampling_rate,
                priority=preset.priority,
                preset=preset.name,
            )
            present[preset.name] = set_rule(
                workspace, definition, now=now, by=by, is_enabled=is_enabled
            )
    return [present[preset.name] for preset in presets]


def _free_name(workspace: Workspace, queue: AnnotationQueue, title: str) -> str:
    """Return `title`, with the queue's name and a number added where it is taken."""
    names = set(RoutingRule.objects.filter(workspace=workspace).values_list("name", flat=True))
    name, number = title, 1
    while name in names:
        name = f"{title} ({queue.name[:120]})" + (f" {number}" if number > 1 else "")
        number += 1
    return name
