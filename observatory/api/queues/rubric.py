"""A rubric item as the wire says it, and as a queue keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from annotations import question_kinds
from annotations.models import RubricItem
from annotations.question_kinds import KINDS, kind_of
from annotations.queues import question_conditions
from annotations.queues.question_conditions import InvalidCondition
from annotations.queues.rubric_editing import renamed
from observatory import exact
from observatory.feedback import configs, judgement
from observatory.feedback.judgement import InvalidFeedback
from observatory.wire_values import clean_text
from observatory.workspaces.models import Workspace

MAX_ITEMS = 100
MAX_TEXT = 20_000  # characters
MISSING = {"__missing__": "__missing__"}  # how the generated client says "not provided"
KEPT = ("is_assertion", "feedback_config_id", "regex_validator", "required_if", "visible_if")
MULTIPLE = "allows_multiple_categories"
UNIT_SCALE = {"type": "continuous", "min": 0, "max": 1, "categories": None}


def read(
    raw: Any,
    *,
    declared: Mapping[str, Mapping[str, Any]],
    existing: Mapping[str, RubricItem] | None = None,
) -> list[dict[str, Any]]:
    """Return the questions of a wire `rubric_items`, as `questions.set_rubric` takes them.

    `declared` are the workspace's feedback configs by key and by id, for items that bring none.
    What the wire cannot say (title, kind, measurement level) stays as it is in `existing`, also
    of a question that is only renamed. Raises InvalidFeedback naming the item.
    """
    if not isinstance(raw, list):
        raise InvalidFeedback("rubric_items", "must be an array")
    if len(raw) > MAX_ITEMS:
        raise InvalidFeedback("rubric_items", f"more than {MAX_ITEMS}")
    questions: dict[str, dict[str, Any]] = {}
    for place, item in enumerate(raw):
        try:
            question = _question(item, declared)
        except InvalidFeedback as error:
            raise InvalidFeedback(f"rubric_items.{place}.{error.field}", error.reason) from None
        key = question["feedback_key"]
        if key in questions:
            raise InvalidFeedback(f"rubric_items.{place}.feedback_key", f"{key!r} occurs twice")
        questions[key] = question
    known = existing or {}
    for key, before in {**known, **renamed(known.values(), list(questions.values()))}.items():
        if key in questions:
            questions[key]["title"] = before.title
            questions[key] |= _beyond_the_wire(before, questions[key])
    try:
        question_conditions.check((key, question["extra"]) for key, question in questions.items())
    except InvalidCondition as error:
        raise InvalidFeedback(f"rubric_items.{error.field}", error.reason) from None
    return list(questions.values())


def _beyond_the_wire(before: RubricItem, question: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a question keeps because no config can tell it: its kind, its level.

    A rating, say, is a continuous config to clients; it stays one while they leave the scale.
    """
    kind = kind_of(before)
    if kind.name == question["kind"]:
        return {"level": before.level}
    sent = [(category["value"], category["label"]) for category in question["categories"]]
    shown = [(c["value"], c["label"]) for c in kind.wire_categories(before) or []]
    is_scale_kept = kind.wire_type == KINDS[question["kind"]].wire_type and (
        (before.minimum, before.maximum, shown) == (question["minimum"], question["maximum"], sent)
    )
    fields = ("kind", "level", "categories")
    return {name: getattr(before, name) for name in fields} if is_scale_kept else {}


def _question(item: Any, declared: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise InvalidFeedback("item", "must be an object")
    key = judgement.parse_key(item.get("feedback_key"), "feedback_key")
    by_label = _texts("value_descriptions", item.get("value_descriptions"))
    by_score = _texts("score_descriptions", item.get("score_descriptions"))
    config = _config(item) or _named(item, declared) or declared.get(key)
    config = config or _implied(by_label, by_score)
    if item.get("is_assertion") is True and item.get("feedback_config") is None:
        kind: question_kinds.Kind = question_kinds.Boolean()
    else:
        kind = question_kinds.of_wire(config["type"])
    extra = _extra(item, kind.name)
    if config.get(MULTIPLE) and kind.has_categories:
        extra[MULTIPLE] = True
    categories = config.get("categories") if kind.has_categories else None
    return {
        "feedback_key": key,
        "description": _text("description", item.get("description")) or "",
        "kind": kind.name,
        "level": kind.level,
        "categories": [_category(category, by_label, by_score) for category in categories or []],
        "minimum": config.get("min") if kind.has_bounds else None,
        "maximum": config.get("max") if kind.has_bounds else None,
        "is_required": item.get("is_required") is True,
        "extra": {**extra, **({"score_descriptions": by_score} if by_score else {})},
    }


def _extra(item: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """Return what the wire says beyond the scale: conditions, pattern, assertion, config."""
    given = {name: item[name] for name in KEPT if item.get(name) not in (None, MISSING)}
    if not isinstance(given.get("is_assertion", False), bool):
        raise InvalidFeedback("is_assertion", "must be true or false")
    try:
        read = {
            **given,
            **{
                name: question_conditions.parse(name, given.get(name))
                for name in question_conditions.FIELDS
            },
            "regex_validator": question_conditions.parse_pattern(
                given.get("regex_validator"), kind
            ),
        }
    except InvalidCondition as error:
        raise InvalidFeedback(error.field, error.reason) from None
    return judgement.parse_object("item", {k: v for k, v in read.items() if v is not None}) or {}


def _text(field: str, raw: Any) -> str | None:
    if raw is None:
        return None
    if not isinstance(raw, str) or len(raw) > MAX_TEXT:
        raise InvalidFeedback(field, f"must be a text of at most {MAX_TEXT} characters")
    return clean_text(raw)


def _texts(field: str, raw: Any) -> dict[str, str]:
    texts = judgement.parse_object(field, raw) or {}
    if not all(isinstance(text, str) for text in texts.values()):
        raise InvalidFeedback(field, "must hold texts")
    return texts


def _config(item: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the item's scale: a config, or the record of one with the config inside."""
    raw = item.get("feedback_config")
    if isinstance(raw, Mapping) and isinstance(raw.get("feedback_config"), Mapping):
        raw = raw["feedback_config"]
    return judgement.parse_config(raw)


def _named(item: Mapping[str, Any], declared: Mapping[str, Mapping[str, Any]]) -> Any:
    """Return the scale that `feedback_config_id` names, by its id or by its key."""
    named = item.get("feedback_config_id")
    if named is None or named == item.get("feedback_key"):
        return None
    if not isinstance(named, str) or named not in declared:
        raise InvalidFeedback("feedback_config_id", "names no feedback config of the workspace")
    return declared[named]


def _implied(by_label: Mapping[str, str], by_score: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the scale that descriptions alone imply: one category each, else 0 to 1."""
    if by_label:
        labels = [{"value": place, "label": label} for place, label in enumerate(by_label)]
        return {"type": "categorical", "categories": labels}
    return UNIT_SCALE


def _category(
    category: Mapping[str, Any], by_label: Mapping[str, str], by_score: Mapping[str, str]
) -> dict[str, Any]:
    value = category["value"]
    label = category.get("label") or exact.digits_of(value)
    named = category.get("name")
    description = by_label.get(label) or (by_label.get(named) if named else None)
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
    }
