"""Types of members of feedback. They are read by the rules of `observatory.feedback.judgement`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NotRequired, TypedDict

from observatory import exact
from observatory.api.kit.members import SelfReading
from observatory.feedback import judgement, scales


class Category(TypedDict):
    """A category of a scale."""

    value: float
    label: NotRequired[str | None]


class Scale(TypedDict):
    """The scores and values that a key takes."""

    type: Literal["continuous", "categorical", "freeform"]
    min: NotRequired[float | None]
    max: NotRequired[float | None]
    categories: NotRequired[list[Category] | None]
    allows_multiple_categories: NotRequired[bool | None]


def _score_in_link(text: str) -> float | None:
    """Return the score of a link: a number, true or false, or nothing. Raises ValueError."""
    if not text:
        return None
    try:
        score = exact.loads(text.lower())
    except exact.NotJSON:
        score = text
    return judgement.parse_score(score)


def _length(value: Any) -> float:
    """Return a number of days, hours or minutes; anything empty is none. Raises ValueError."""
    if not value:
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError("must be a number, 0 or more")
    return min(value, 1e6)


def _few(value: Any) -> list[Any]:
    """Return a list of as many values as a scale may have categories. Raises ValueError."""
    values = value or []
    if not isinstance(values, list) or len(values) > scales.MAX_CATEGORIES:
        raise ValueError(f"must be a list of at most {scales.MAX_CATEGORIES} values")
    cleaned: list[Any] = judgement.storable_document(values)
    return cleaned


if TYPE_CHECKING:
    Score = float
    LinkScore = float | None
    Value = Any
    Correction = Any
    Comment = str
    Document = dict[str, Any]
    Source = str
    IsTrue = bool
    Config = dict[str, Any]
    Length = float
    Categories = list[Any]
    CategoryValues = list[Any]
else:

    class Score(metaclass=SelfReading):
        """A number; true is 1, false is 0."""

        kinds = (float,)
        schema: ClassVar = {"anyOf": [{"type": "number"}, {"type": "boolean"}]}
        read = staticmethod(judgement.parse_score)

    class LinkScore(metaclass=SelfReading):
        """A score in a link."""

        kinds = (float, type(None))
        schema: ClassVar = {"type": "string"}
        read = staticmethod(_score_in_link)

    class Value(metaclass=SelfReading):
        """A number, boolean, text or object."""

        kinds = (object,)
        schema: ClassVar = {
            "anyOf": [{"type": kind} for kind in ("number", "boolean", "string", "object")]
        }
        read = staticmethod(judgement.parse_value)

    class Correction(metaclass=SelfReading):
        """An object or a text."""

        kinds = (dict, str)
        schema: ClassVar = {"anyOf": [{"type": "object"}, {"type": "string"}]}
        read = staticmethod(judgement.parse_correction)

    class Comment(metaclass=SelfReading):
        """A text of at most judgement.MAX_COMMENT bytes."""

        kinds = (str,)
        schema: ClassVar = {"type": "string"}
        read = staticmethod(judgement.parse_comment)

    class Document(metaclass=SelfReading):
        """An object of at most judgement.MAX_DOCUMENT bytes."""

        kinds = (dict,)
        schema: ClassVar = {"type": "object"}
        read = staticmethod(judgement.parse_document)

    class Source(metaclass=SelfReading):
        """A type of source. Anything empty stands for `api`."""

        kinds = (str,)
        schema: ClassVar = {"type": "string", "enum": sorted(judgement.SOURCES)}
        read = staticmethod(judgement.parse_source)

    class IsTrue(metaclass=SelfReading):
        """True; anything else counts as false."""

        kinds = (bool,)
        schema: ClassVar = {"type": "boolean"}
        read = staticmethod(lambda value: value is True)

    class Config(metaclass=SelfReading):
        """A scale, read as `scales.parse` returns it."""

        kinds = (dict,)
        shape = Scale
        read = staticmethod(judgement.parse_scale)

    class Length(metaclass=SelfReading):
        """A number of days, hours or minutes, at most a million."""

        kinds = (int, float)
        schema: ClassVar = {"type": "number", "minimum": 0}
        read = staticmethod(_length)

    class Categories(metaclass=SelfReading):
        """Categories to add. Anything empty stands for none."""

        kinds = (list,)
        shape = list[Category]
        read = staticmethod(_few)

    class CategoryValues(metaclass=SelfReading):
        """Values of categories to remove. Anything empty stands for none."""

        kinds = (list,)
        schema: ClassVar = {"type": "array", "items": {"type": "number"}}
        read = staticmethod(_few)
