"""Arithmetic: which scores a feedback_config allows, and where a score lies on its scale.

A config is the wire's `{type: continuous|categorical|freeform, min, max, categories}`, as `parse`
returns it: numbers are finite, categories are a list of `{value: number, label, name}`, and
`allows_multiple_categories` is present where it is true: a run may get several of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from observatory.exact import digits_of, double

KINDS = frozenset({"continuous", "categorical", "freeform"})
MAX_CATEGORIES = 200
MAX_LABEL = 1_000


def _number(field: str, number: Any) -> float | int | None:
    if number is None:
        return None
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        raise ValueError(f"{field}: must be a number")
    try:
        nearest = double(number)
    except ValueError as error:
        raise ValueError(f"{field}: {error}") from None
    if abs(nearest) > 1e308:
        raise ValueError(f"{field}: must be finite and within 1e308")
    return number if isinstance(number, int) else nearest


def _category(position: int, raw: Any) -> dict[str, Any]:
    """Return one category with a number as its value.

    The Python SDK reads a category's value as a number, the JavaScript one also sends words. A
    word keeps its place on the scale (0-based) as its value and stays known as `name`.
    """
    field = f"categories.{position}"
    if not isinstance(raw, Mapping):
        raise ValueError(f"{field}: must be an object with a value and a label")
    value, label = raw.get("value"), raw.get("label")
    if label is not None and not isinstance(label, str):
        raise ValueError(f"{field}.label: must be a text")
    if len(label or "") > MAX_LABEL or (isinstance(value, str) and len(value) > MAX_LABEL):
        raise ValueError(f"{field}: longer than {MAX_LABEL} characters")
    if isinstance(value, bool):
        return {"value": int(value), "label": label}
    if value is None and label:
        return {"value": position, "label": label}
    if not isinstance(value, str):
        number = _number(f"{field}.value", value)
        if number is None:
            raise ValueError(f"{field}.value: is missing")
        return {"value": number, "label": label}
    try:
        return {"value": _number(f"{field}.value", float(value)), "label": label}
    except ValueError:
        return {"value": position, "label": label or value, "name": value}


def parse(raw: Any) -> dict[str, Any]:
    """Return the validated config. Raises ValueError with the invalid field."""
    if not isinstance(raw, Mapping):
        raise ValueError("must be an object")
    kind = raw.get("type") or ("categorical" if raw.get("categories") else "continuous")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"type: must be one of {', '.join(sorted(KINDS))}")
    low, high = _number("min", raw.get("min")), _number("max", raw.get("max"))
    if low is not None and high is not None and low > high:
        raise ValueError("min: is above max")
    categories = raw.get("categories")
    if categories is not None and not isinstance(categories, list):
        raise ValueError("categories: must be a list")
    if len(categories or []) > MAX_CATEGORIES:
        raise ValueError(f"categories: more than {MAX_CATEGORIES}")
    if kind == "categorical" and not categories:
        raise ValueError("categories: a categorical scale needs at least one")
    parsed = None
    if categories is not None:
        parsed = [_category(position, category) for position, category in enumerate(categories)]
    several = raw.get("allows_multiple_categories")
    if several is not None and not isinstance(several, bool):
        raise ValueError("allows_multiple_categories: must be true or false")
    more = {"allows_multiple_categories": True} if several else {}
    return {"type": kind, "min": low, "max": high, "categories": parsed, **more}


def kept(config: Mapping[str, Any], *, is_lower_better: bool | None = None) -> dict[str, Any]:
    """Return the part of its scale that feedback stores, from a config of any age.

    `type`, `min`, `max`, the categories' values and labels, and where they are known `level`
    (nominal, ordinal, interval) and `is_lower_score_better`. So a later change of the scale does
    not change earlier feedback.
    """
    categories = config.get("categories")
    known = {
        "level": config.get("level"),
        "is_lower_score_better": is_lower_better,
    }
    return {
        "type": config["type"],
        "min": config.get("min"),
        "max": config.get("max"),
        "categories": None
        if categories is None
        else [
            {"value": category["value"], "label": category.get("label") or category.get("name")}
            for category in categories
        ],
        **{name: value for name, value in known.items() if value is not None},
    }


def recategorised(
    config: Mapping[str, Any], added: Sequence[Any], removed: Sequence[Any]
) -> dict[str, Any]:
    """Return a categorical `config` with categories `added` at its end and values `removed`.

    Raises ValueError naming the field when it is not categorical, a value or label would be
    there twice, a value to remove is not there, or fewer than two categories would remain.
    """
    if config["type"] != "categorical":
        raise ValueError("feedback_config: is not categorical, so it has no categories")
    kept = list(config.get("categories") or [])
    for value in removed:
        left = [category for category in kept if category["value"] != value]
        if isinstance(value, bool) or len(left) == len(kept):
            raise ValueError(f"remove_categories: {value!r} is not the value of a category")
        kept = left
    if removed and len(kept) < 2:
        raise ValueError("remove_categories: at least two categories must remain")
    for position, raw in enumerate(added):
        category = _category(len(kept), raw)
        for part in ("value", "label"):
            if category[part] is not None and any(category[part] == other[part] for other in kept):
                raise ValueError(f"add_categories.{position}: the {part} is there already")
        kept.append(category)
    if len(kept) > MAX_CATEGORIES:
        raise ValueError(f"add_categories: more than {MAX_CATEGORIES} categories")
    return {**config, "categories": kept}


def complaint(config: Mapping[str, Any], score: float | None, value: Any) -> str | None:
    """Return why `score` and `value` do not fit `config`, or None when they do.

    Nothing given fits every scale. A categorical score must be one of the values; a text value
    one of the labels (or the word the category was declared by).
    """
    if config["type"] == "continuous":
        low, high = config.get("min"), config.get("max")
        if score is None:
            return None
        if low is not None and score < low:
            return f"score: {digits_of(score)} is below the minimum {digits_of(low)}"
        if high is not None and score > high:
            return f"score: {digits_of(score)} is above the maximum {digits_of(high)}"
        return None
    if config["type"] == "freeform":
        return None
    categories = config.get("categories") or []
    if score is not None and not any(score == category["value"] for category in categories):
        known = ", ".join(digits_of(category["value"]) for category in categories[:20])
        return f"score: {digits_of(score)} is none of the categories ({known})"
    if isinstance(value, str):
        words = {text for c in categories for text in (c.get("label"), c.get("name")) if text}
        words |= {digits_of(category["value"]) for category in categories}
        if value not in words:
            known = ", ".join(words_of(config)[:20])
            return f"value: {value[:80]!r} is none of the categories ({known})"
    return None


def words_of(config: Mapping[str, Any]) -> list[str]:
    """Return the words of a categorical scale in its order: what a text value may be."""
    categories = config.get("categories") or []
    return [c.get("label") or c.get("name") or digits_of(c["value"]) for c in categories]


def normalise(config: Mapping[str, Any] | None, score: float) -> float | None:
    """Return where `score` lies on its scale, in [0, 1]; 0 is the lower end.

    Without a config a score in [0, 1] is taken as it is. None when the scale has no two ends,
    is freeform, or the score lies outside it.
    """
    if config is None:
        low, high = 0.0, 1.0
    elif config["type"] == "categorical":
        values = [category["value"] for category in config.get("categories") or []]
        if not values:
            return None
        low, high = min(values), max(values)
    elif config["type"] == "continuous":
        if config.get("min") is None or config.get("max") is None:
            return None
        low, high = config["min"], config["max"]
    else:
        return None
    if high <= low or not low <= score <= high:
        return None
    part, width = score - low, high - low
    if math.isinf(width):  # as of a scale from -1e308 to 1e308
        part, width = score / 2 - low / 2, high / 2 - low / 2
    fraction = part / width
    return min(max(fraction, 0.0), 1.0)
