"""Types of members that read themselves, where a client may send more than the type's JSON.

    class Ids(metaclass=SelfReading):
        kinds = (list,)
        schema = {"type": "array", "items": {"type": "string", "format": "uuid"}}

        @staticmethod
        def read(value: Any) -> list[UUID]: ...

A wing declares its own in the same way. Type checkers see the type of the value that is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from observatory.wire_values import InvalidField

MAX_IDS = 1_000


class SelfReading(type):
    """A type whose values are those of `kinds`.

    `read` makes one of a JSON value that is not null, or raises ValueError with the reason, or
    InvalidField with a path below the member. `schema` is the JSON schema; where `shape` is set,
    that type describes the member instead.
    """

    kinds: tuple[type, ...]
    schema: dict[str, Any]
    shape: Any = None

    def read(cls, value: Any) -> Any:
        raise NotImplementedError

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, cls.kinds)


def uuid_of(value: Any) -> UUID:
    """Return a text as a UUID, in any spelling that Python reads. Raises ValueError."""
    try:
        return UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise ValueError("must be a UUID") from None


if TYPE_CHECKING:
    AnyUUID = UUID
    Flag = bool
    Id = UUID | None
    Ids = list[UUID] | None
    Names = list[str] | None
    NoTags = list[str]
else:

    class AnyUUID(metaclass=SelfReading):
        """A UUID in any spelling that Python reads, where msgspec takes two of them."""

        kinds = (UUID,)
        schema: ClassVar = {"type": "string", "format": "uuid"}
        read = staticmethod(uuid_of)

    class Flag(metaclass=SelfReading):
        """True or false, or 1 or 0 for them."""

        kinds = (bool,)
        schema: ClassVar = {"type": "boolean"}

        @staticmethod
        def read(value: Any) -> bool:
            if value in (0, 1):
                return bool(value)
            raise ValueError("must be true or false")

    class Id(metaclass=SelfReading):
        """A UUID, or a list of one. An empty text or list counts as absent."""

        kinds = (UUID, type(None))
        schema: ClassVar = {"type": "string", "format": "uuid"}

        @staticmethod
        def read(value: Any) -> UUID | None:
            if isinstance(value, list) and len(value) < 2:
                value = value[0] if value else ""
            return None if value == "" else uuid_of(value)

    class Ids(metaclass=SelfReading):
        """At most MAX_IDS UUIDs. One alone stands for a list of it, an empty text for none."""

        kinds = (list, type(None))
        schema: ClassVar = {
            "type": "array",
            "items": {"type": "string", "format": "uuid"},
            "maxItems": MAX_IDS,
        }

        @staticmethod
        def read(value: Any) -> list[UUID] | None:
            if not isinstance(value, list):
                return None if value == "" else [uuid_of(value)]
            if len(value) > MAX_IDS:
                raise ValueError(f"must have at most {MAX_IDS} values")
            ids = []
            for place, text in enumerate(value):
                try:
                    ids.append(uuid_of(text))
                except ValueError as error:
                    raise InvalidField(str(place), str(error)) from None
            return ids

    class Names(metaclass=SelfReading):
        """An array of names. Anything empty counts as absent."""

        kinds = (list, type(None))
        schema: ClassVar = {"type": "array", "items": {"type": "string"}}

        @staticmethod
        def read(value: Any) -> list[str] | None:
            if not value:
                return None
            if isinstance(value, list) and all(isinstance(name, str) for name in value):
                return value
            raise ValueError("must be an array of names")

    class NoTags(metaclass=SelfReading):
        """Resource tags: only an empty list is accepted. Anything empty counts as absent."""

        kinds = (type(None),)
        schema: ClassVar = {"const": []}

        @staticmethod
        def read(value: Any) -> None:
            if value:
                raise ValueError("this server keeps no resource tags")
