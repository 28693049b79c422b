"""The rubric of a queue as the wire writes it, and as a queue keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from annotations import question_kinds
from annotations.models import AnnotationQueue, RubricItem
from annotations.question_kinds import KINDS, kind_of
from annotations.queues import item_subjects, question_conditions
from annotations.queues.question_conditions import InvalidCondition
from annotations.queues.rubric_editing import renamed
from observatory import exact
from observatory.api.kit.errors import Unprocessable
from observatory.api.queues.schemas import RubricItemCreate
from observatory.feedback import configs
from observatory.feedback.models import FeedbackConfig
from observatory.workspaces.models import Workspace

KEPT = ("is_assertion", "feedback_config_id", "regex_validator", "required_if", "visible_if")
MULTIPLE = "allows_multiple_categories"
UNIT_SCALE = {"type": "continuous", "min": 0, "max": 1, "categories": None}


def questions_of(
    workspace: Workspace,
    items: Sequence[RubricItemCreate],
    queue: AnnotationQueue | None = None,
    *,
    is_pairwise: bool,
) -> list[dict[str, Any]]:
    """Return the questions of `items`, as `rubric_editing.set_rubric` takes them.

    An item that brings no scale has that of the workspace's feedback config. What the wire cannot
    say (title, kind, measurement level) stays as it is in `queue`, also of a question that is
    only renamed. Raises 422 naming the item.
    """
    existing = {item.feedback_key: item for item in queue.rubric_items.all()} if queue else {}
    try:
        questions = _questions(items, _declared(workspace, items), existing)
        question_conditions.check((key, question["extra"]) for key, question in questions.items())
    except InvalidCondition as error:
        raise Unprocessable(f"rubric_items.{error}") from None
    rubric = list(questions.values())
    return item_subjects.preferences(rubric) if is_pairwise else rubric


def _declared(
    workspace: Workspace, items: Sequence[RubricItemCreate]
) -> Mapping[str, Mapping[str, Any]]:
    """Return the workspace's feedback configs that `items` may name, by key and by id."""
    stored = FeedbackConfig.objects.filter(workspace=workspace)
    if not any(item.feedback_config_id for item in items):  # an id names any of them
        stored = stored.filter(key__in=[item.feedback_key for item in items])
    by_key = {config.key: config.config for config in stored}
    return by_key | {str(configs.id_of(workspace, key)): by_key[key] for key in by_key}


def _questions(
    items: Sequence[RubricItemCreate],
    declared: Mapping[str, Mapping[str, Any]],
    existing: Mapping[str, RubricItem],
) -> dict[str, dict[str, Any]]:
    questions: dict[str, dict[str, Any]] = {}
    for index, item in enumerate(items):
        if item.feedback_key in questions:
            raise InvalidCondition(f"{index}.feedback_key", f"{item.feedback_key!r} occurs twice")
        questions[item.feedback_key] = _question(str(index), item, declared)
    all_existing = {**existing, **renamed(existing.values(), list(questions.values()))}
    for key, before in all_existing.items():
        if key in questions:
            questions[key]["title"] = before.title
            questions[key] |= _beyond_the_wire(before, questions[key])
    return questions


def _beyond_the_wire(before: RubricItem, question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a question that no config can express: kind and level.

    A rating, say, is a continuous config to clients; it stays one while they leave the scale.
    """
    kind = kind_of(before)
    if kind.name == question["kind"]:
        return {"level": before.level, **_weights_of(before, question)}
    choices = [(category["value"], category["label"]) for category in question["categories"]]
    shown = [(c["value"], c["label"]) for c in kind.wire_categories(before) or []]
    is_scale_kept = kind.wire_type == KINDS[question["kind"]].wire_type and (
        (before.minimum, before.maximum, shown)
        == (question["minimum"], question["maximum"], choices)
    )
    fields = ("kind", "level", "categories")
    kept = {name: getattr(before, name) for name in fields} if is_scale_kept else {}
    return {**kept, **_weights_of(before, question)}


def _weights_of(before: RubricItem, question: Mapping[str, Any]) -> dict[str, Any]:
    return {} if "weights" in question else {"weights": before.weights}


def _question(
    place: str, item: RubricItemCreate, declared: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    by_label, by_score = item.value_descriptions or {}, item.score_descriptions or {}
    scale = (
        item.feedback_config
        or _named(place, item, declared)
        or declared.get(item.feedback_key)
        or _implied(by_label, by_score)
    )
    if item.is_assertion and item.feedback_config is None:
        kind: question_kinds.Kind = question_kinds.Boolean()
    else:
        kind = question_kinds.of_wire(scale["type"])
    categories = scale.get("categories") if kind.has_categories else None
    extra = {name: getattr(item, name) for name in KEPT} | {
        "regex_validator": question_conditions.parse_pattern(
            item.regex_validator, kind.name, f"{place}.regex_validator"
        ),
        MULTIPLE: True if kind.has_categories and scale.get(MULTIPLE) else None,
        "score_descriptions": by_score or None,
    }
    return {
        "feedback_key": item.feedback_key,
        "description": item.description or "",
        "kind": kind.name,
        "level": kind.level,
        "categories": [_category(category, by_label, by_score) for category in categories or []],
        "minimum": scale.get("min") if kind.has_bounds else None,
        "maximum": scale.get("max") if kind.has_bounds else None,
        "is_required": bool(item.is_required),
        **({"weights": item.agreement_weights} if item.agreement_weights else {}),
        "extra": {name: value for name, value in extra.items() if value is not None},
    }


def _named(
    place: str, item: RubricItemCreate, declared: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """Return the scale that `feedback_config_id` names, by its id or by its key."""
    name = item.feedback_config_id
    if name is None or name == item.feedback_key:
        return None
    if name not in declared:
        field = f"{place}.feedback_config_id"
        raise InvalidCondition(field, "is not a feedback config of the workspace")
    return declared[name]


def _implied(by_label: Mapping[str, str], by_score: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the scale that descriptions alone imply: one category each, else 0 to 1."""
    if by_label:
        labels = [{"value": position, "label": label} for position, label in enumerate(by_label)]
        return {"type": "categorical", "categories": labels}
    return UNIT_SCALE


def _category(
    category: Mapping[str, Any], by_label: Mapping[str, str], by_score: Mapping[str, str]
) -> dict[str, Any]:
    value = category["value"]
    label = category.get("label") or exact.digits_of(value)
    name = category.get("name")
    description = by_label.get(label) or (by_label.get(name) if name else None)
    return {
        "value": value,
        "label": label,
        "description": description or by_score.get(exact.digits_of(value)) or "",
    }


def shown(item: RubricItem, workspace: Workspace) -> dict[str, Any]:
    """Return a rubric item as the wire shows it, its scale as the record of a config."""
    kind = kind_of(item)
    described = {
        str(c.get("label")): c["description"] for c in item.categories if c.get("description")
    }
    return {
        "feedback_key": item.feedback_key,
        "description": item.description or None,
        "value_descriptions": described or None,
        "score_descriptions": item.extra.get("score_descriptions"),
        "is_required": item.is_required,
        "is_assertion": item.extra.get("is_assertion"),
        "feedback_config": {
            "id": configs.id_of(workspace, item.feedback_key),
            "feedback_key": item.feedback_key,
            "tenant_id": workspace.uuid,
            "modified_at": item.queue.updated_at,
            "feedback_config": {
                "type": kind.wire_type,
                "min": item.minimum,
                "max": item.maximum,
                "categories": kind.wire_categories(item),
                **({MULTIPLE: True} if item.extra.get(MULTIPLE) else {}),
            },
        },
        **{name: item.extra.get(name) for name in KEPT if name != "is_assertion"},
        "agreement_weights": item.weights,
    }
