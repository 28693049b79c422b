"""The kinds of rubric questions: how an answer is read, counted, drawn and put in words.

A kind is one class here, in KINDS. It is drawn by the template of its `input`, in
templates/annotations/answers/. No other module distinguishes kinds: the readers of answers,
agreement, the API, the admin and the workbench call the kind.

Arithmetic: no table is read.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, Protocol

from observatory.exact import digits_of

MAX_TEXT: Final = 20_000  # characters of a free answer, a comment or a reason

MAX_STEPS: Final = 20  # of a rating


class Question(Protocol):
    """The fields of a rubric item that a kind reads."""

    @property
    def kind(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def categories(self) -> Any: ...
    @property
    def minimum(self) -> float | None: ...
    @property
    def maximum(self) -> float | None: ...


class Complaint(ValueError):
    """Why an answer is rejected, in words for its reviewer."""


@dataclass(frozen=True)
class Rated:
    """An answer in numbers: position on the declared scale (0-based), or a number."""

    code: int | None = None
    number: float | None = None


@dataclass(frozen=True)
class Choice:
    """A choice in the form: the number it sends, its label and its description."""

    value: str
    label: str
    description: str = ""


class Kind:
    """A kind of question. The answers of most are a `score`, those of texts a `value`."""

    name: ClassVar[str]
    label: ClassVar[str]
    level: ClassVar[str]  # of measurement, unless the question has its own
    input: ClassVar[Literal["choices", "number", "text"]]
    wire_type: ClassVar[str]  # of its feedback config
    is_of_wire: ClassVar[bool] = True  # kinds declared by a config of `wire_type`
    is_text: ClassVar[bool] = False  # not counted in agreement
    is_number: ClassVar[bool] = False  # agreement takes the numbers, not places on a scale
    has_categories: ClassVar[bool] = False  # in the question's own order
    has_bounds: ClassVar[bool] = False

    def read(self, question: Question, score: Any, value: Any) -> dict[str, Any] | None:
        """Return the input as a canonical answer, None for none. Raises Complaint."""
        raise NotImplementedError

    def pairs(self, question: Question) -> list[tuple[float, str]]:
        """Return (number, label) of each place of the scale in order; empty when it has none."""
        return []

    def choices(self, question: Question) -> list[Choice]:
        """Return what the form offers, in the order it is shown in."""
        return [Choice(digits_of(number), label) for number, label in self.pairs(question)]

    def rate(self, question: Question, score: float) -> Rated | None:
        """Return a canonical score in numbers, None when it is not on the scale."""
        numbers = [number for number, _ in self.pairs(question)]
        return Rated(code=numbers.index(score)) if score in numbers else None

    def labels(self, question: Question) -> tuple[str, ...]:
        """Return the labels of the scale's places; empty when it has none."""
        return tuple(label for _, label in self.pairs(question))

    def distances(self, question: Question) -> list[float] | None:
        """Return the numbers of an interval scale, None where its places are equidistant."""
        return None

    def wire_categories(self, question: Question) -> list[dict[str, Any]] | None:
        """Return the categories of its feedback config, None when it has none."""
        return None

    def scale(self, question: Question) -> dict[str, Any]:
        """Return the scale as a feedback config, with its level of measurement."""
        categories = [{"value": n, "label": label} for n, label in self.pairs(question)]
        return {"type": self.wire_type, "categories": categories, "level": question.level}

    def in_words(self, score: float | None, value: Any) -> str:
        """Return an answer in words; "-" for none."""
        if value not in (None, ""):
            return str(value)
        return "-" if score is None else digits_of(score)

    def errors(self, fields: Mapping[str, Any]) -> dict[str, str]:
        """Return the errors in the `fields` of a rubric item of this kind, by field."""
        return {}


class Categorical(Kind):
    """One of several categories: `score` its number, `value` its label, or both if they agree."""

    name, label, level = "categorical", "Categorical", "nominal"
    input = "choices"
    wire_type = "categorical"
    has_categories = True

    def read(self, question: Question, score: Any, value: Any) -> dict[str, Any]:
        categories = _categories(question)
        by_label = [pair for pair in categories if value is not None and pair[1] == value]
        if score is None and not by_label:
            score, value = value, None  # a number where the label may stand
        chosen = by_label
        if score is not None:
            number = finite(score)
            chosen = [pair for pair in categories if pair[0] == number]
            if value not in (None, "") and value != number and by_label != chosen:
                raise Complaint("The number and the label name different answers.")
        if not chosen:
            labels = ", ".join(label or digits_of(number) for number, label in categories)
            raise Complaint(f"Choose one of: {labels}.")
        number, label = chosen[0]
        return {"score": number, "value": label}

    def pairs(self, question: Question) -> list[tuple[float, str]]:
        return [(n, str(label or digits_of(n))) for n, label in _categories(question)]

    def choices(self, question: Question) -> list[Choice]:
        return [
            Choice(digits_of(number), label, str(category.get("description") or ""))
            for (number, label), category in zip(
                self.pairs(question), question.categories or [], strict=True
            )
        ]

    def labels(self, question: Question) -> tuple[str, ...]:
        return tuple(str(c.get("label") or c.get("value")) for c in question.categories or [])

    def distances(self, question: Question) -> list[float] | None:
        numbers = [category.get("value") for category in question.categories or []]
        return numbers if all(isinstance(number, (int, float)) for number in numbers) else None

    def wire_categories(self, question: Question) -> list[dict[str, Any]]:
        return [{"value": c["value"], "label": c.get("label")} for c in question.categories]

    def scale(self, question: Question) -> dict[str, Any]:
        categories = [{"value": n, "label": label} for n, label in _categories(question)]
        return {"type": self.wire_type, "categories": categories, "level": question.level}

    def errors(self, fields: Mapping[str, Any]) -> dict[str, str]:
        if len(fields.get("categories") or []) < 2:
            return {"categories": "A categorical question has two answers or more"}
        return {}


class Boolean(Kind):
    """Yes or no: `score` 0 or 1, or `value` true or false."""

    name, label, level = "boolean", "Boolean", "nominal"
    input = "choices"
    wire_type = "categorical"
    is_of_wire = False

    def read(self, question: Question, score: Any, value: Any) -> dict[str, Any]:
        words = {str(word).lower() for word in (score, value) if word is not None and word != ""}
        if words and words <= {"true", "yes", "1", "1.0"}:
            return {"score": 1.0}
        if words and words <= {"false", "no", "0", "0.0"}:
            return {"score": 0.0}
        raise Complaint("Answer yes or no.")

    def pairs(self, question: Question) -> list[tuple[float, str]]:
        return list(zip((0.0, 1.0), self.labels(question), strict=True))

    def choices(self, question: Question) -> list[Choice]:
        named = {
            str(category.get("value")): category
            for category in question.categories or []
            if isinstance(category, dict)
        }
        yes, no = named.get("1", {}), named.get("0", {})
        return [
            Choice("1", yes.get("label") or "Yes", yes.get("description") or ""),
            Choice("0", no.get("label") or "No", no.get("description") or ""),
        ]

    def labels(self, question: Question) -> tuple[str, ...]:
        if len(question.categories or []) != 2:
            return ("No", "Yes")
        return tuple(str(c.get("label") or c.get("value")) for c in question.categories)

    def wire_categories(self, question: Question) -> list[dict[str, Any]]:
        return [{"value": 0, "label": "No"}, {"value": 1, "label": "Yes"}]

    def in_words(self, score: float | None, value: Any) -> str:
        return super().in_words(score, value) if score is None else "Yes" if score else "No"


class Continuous(Kind):
    """A finite number within the bounds."""

    name, label, level = "continuous", "Continuous", "interval"
    input = "number"
    wire_type = "continuous"
    is_number = True
    has_bounds = True

    def read(self, question: Question, score: Any, value: Any) -> dict[str, Any]:
        number = finite(value if score is None else score)
        # As doubles: a frozen rubric reads 1e308 back as an integer, less than the double.
        low, high = finite(question.minimum), finite(question.maximum)
        if number is None:
            raise Complaint("Give a number.")
        if (low is not None and number < low) or (high is not None and number > high):
            raise Complaint(f"Give a number {_bounds(low, high)}.")
        return {"score": number}

    def rate(self, question: Question, score: float) -> Rated:
        return Rated(number=score)

    def scale(self, question: Question) -> dict[str, Any]:
        bounds = {"min": question.minimum, "max": question.maximum}
        return {"type": self.wire_type, **bounds, "level": question.level}


class Rating(Kind):
    """A whole number from the least to the greatest, 1 to 5 by default."""

    name, label, level = "rating", "Rating", "ordinal"
    input = "choices"
    wire_type = "continuous"
    is_of_wire = False
    has_bounds = True

    def read(self, question: Question, score: Any, value: Any) -> dict[str, Any]:
        number = finite(value if score is None else score)
        steps = self._steps(question.minimum, question.maximum)
        if number is None or number not in steps:
            raise Complaint(f"Give a whole number from {steps[0]} to {steps[-1]}.")
        return {"score": number}

    def pairs(self, question: Question) -> list[tuple[float, str]]:
        return [(float(n), str(n)) for n in self._steps(question.minimum, question.maximum)]

    def scale(self, question: Question) -> dict[str, Any]:
        steps = self._steps(question.minimum, question.maximum)
        bounds = {"min": steps[0], "max": steps[-1]}
        return {"type": self.wire_type, **bounds, "level": question.level}

    def errors(self, fields: Mapping[str, Any]) -> dict[str, str]:
        low, high = fields.get("minimum"), fields.get("maximum")
        bounds = [bound for bound in (low, high) if bound is not None]
        if any(bound != int(bound) for bound in bounds):
            return {"minimum": "The bounds of a rating are whole numbers"}
        if not 2 <= len(self._steps(low, high)) <= MAX_STEPS:
            return {"maximum": f"A rating has 2 to {MAX_STEPS} steps"}
        return {}

    @staticmethod
    def _steps(low: float | None, high: float | None) -> range:
        return range(1 if low is None else int(low), (5 if high is None else int(high)) + 1)


class Freeform(Kind):
    """A text."""

    name, label, level = "freeform", "Freeform", "text"
    input = "text"
    wire_type = "freeform"
    is_text = True

    def read(self, question: Question, score: Any, value: Any) -> dict[str, Any] | None:
        text = clean(value, "The answer")
        return {"value": text} if text else None

    def rate(self, question: Question, score: float) -> None:
        return None

    def scale(self, question: Question) -> dict[str, Any]:
        return {"type": self.wire_type}


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind for kind in (Categorical(), Continuous(), Boolean(), Rating(), Freeform())
}


def choices() -> list[tuple[str, str]]:
    """Return the choices of the form, in display order."""
    return [(kind.name, kind.label) for kind in KINDS.values()]


def kind_of(question: Question) -> Kind:
    return KINDS[question.kind]


def of_wire(wire_type: str) -> Kind:
    """Return the kind of question that a feedback config of `wire_type` declares."""
    return next(k for k in KINDS.values() if k.wire_type == wire_type and k.is_of_wire)


# Values ---------------------------------------------------------------------------------------


def finite(value: Any) -> float | None:
    """Return `value` as a number if it is one, or a text of one; booleans are not."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def clean(value: Any, what: str) -> str:
    """Return a text without spaces around it, "" for None. Raises Complaint about `what`."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Complaint(f"{what} must be a text.")
    if len(value) > MAX_TEXT:
        raise Complaint(f"{what} is longer than {MAX_TEXT:,} characters.")
    return value.strip()


def _categories(question: Question) -> list[tuple[float, str | None]]:
    """Return (number, label) of each category, in order; one without a number has its place."""
    categories: Sequence[Mapping[str, Any]] = question.categories or []
    numbers = [category.get("value") for category in categories]
    return [
        (float(position if number is None else number), category.get("label"))
        for position, (number, category) in enumerate(zip(numbers, categories, strict=True))
    ]


def _bounds(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return " ".join(
            f"of {words} {digits_of(bound)}"
            for words, bound in (("at least", low), ("at most", high))
            if bound is not None
        )
    return f"from {digits_of(low)} to {digits_of(high)}"
