"""Bodies and query parameters, declared once: the class that reads them is the one OpenAPI shows.

    class QueueCreate(Body):
        name: Annotated[str, Meta(min_length=1, max_length=200)]
        description: Prose | None = None

    queue = read(QueueCreate, request.data)

What is wrong is refused in one wording for each rule, and the sentence begins with the path of
the field: `rubric_items.0.feedback_key: is required`. Members that a class does not declare are
ignored. A field that tells null from absent is `X | None | UnsetType = UNSET`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from types import UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    Final,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
)

import msgspec
from django.http import QueryDict
from msgspec import Meta, Struct
from msgspec import inspect as types
from rest_framework.exceptions import APIException

from observatory import exact
from observatory.api.kit.errors import Unprocessable
from observatory.api.kit.members import NoTags, SelfReading
from observatory.feedback.judgement import parse_time
from observatory.wire_values import InvalidField, clean_text

if TYPE_CHECKING:
    Moment = datetime
    Bound = datetime
    Real = float
    JSONText = dict[str, Any]
else:

    class _Like(type):
        """A type of msgspec's custom kind, whose values are those of `kinds`."""

        kinds: tuple[type, ...]

        def __instancecheck__(cls, value: Any) -> bool:
            return isinstance(value, cls.kinds)

    class Moment(metaclass=_Like):
        """ISO 8601 text (no zone: UTC) or epoch milliseconds; read as an aware time."""

        kinds = (datetime,)

    class Bound(metaclass=_Like):
        """As Moment; the zero time of Go (0001-01-01), which bounds nothing, is None."""

        kinds = (datetime, type(None))

    class Real(metaclass=_Like):
        """A finite number, with the digits that were sent (see observatory.exact)."""

        kinds = (int, float)

    class JSONText(metaclass=_Like):
        """A JSON object that is sent as text, in a query parameter; read as the object."""

        kinds = (dict,)


_REPLACES_NUL: Final = "replaces_nul"
Prose = Annotated[str, Meta(extra={_REPLACES_NUL: True})]
"""A text in which NUL becomes U+FFFD. Any other text is refused for one: PostgreSQL stores none,
and a name without it would be another name."""

NOT_BLANK: Final = r"\S"  # a pattern: some character is no space
MISSING: Final = {"__missing__": "__missing__"}  # a generated client's word for an absent member
MAX_LISTED: Final = 1_000

_WHOLE: Final = re.compile(r"-?[0-9]+")

B = TypeVar("B", bound="Body")
Q = TypeVar("Q", bound="Query")


class Body(Struct, kw_only=True):
    """The JSON body of a request. `invalid` is the refusal of its dialect.

    With `reads_digits` a text of digits stands for a whole number, and an empty text for null. With
    `is_read_by_handler` the endpoint describes it only: the handler takes the bytes apart,
    because documents in it are stored as they were sent, or reads it after other checks.
    """

    invalid: ClassVar[type[APIException]] = Unprocessable
    reads_digits: ClassVar[bool] = False
    is_read_by_handler: ClassVar[bool] = False

    def given(self) -> dict[str, Any]:
        """Return the members that are neither absent nor null, by their names here."""
        members = {name: getattr(self, name) for name in self.__struct_fields__}
        return {n: v for n, v in members.items() if v is not None and v is not msgspec.UNSET}


class UntaggedBody(Body):
    """A body that could set resource tags, which this server refuses: it does not keep them."""

    tag_value_ids: NoTags | None = None


class Query(Struct, kw_only=True):
    """The query parameters of a request.

    An empty one counts as absent, unless `keeps_empty`. With `is_read_by_handler` the endpoint
    describes them only: the handler reads them once it has looked at the rest of the request.
    """

    invalid: ClassVar[type[APIException]] = Unprocessable
    keeps_empty: ClassVar[bool] = False
    is_read_by_handler: ClassVar[bool] = False


Limit = Annotated[int, Meta(ge=1, le=1_000, description="Rows of a page")]
Offset = Annotated[int, Meta(ge=0, le=10_000_000, description="Rows to skip")]


class PageQuery(Query):
    """A page of a list. It is never shorter than asked while there are rows."""

    limit: Limit = 100
    offset: Offset = 0

    @property
    def window(self) -> slice:
        return slice(self.offset, self.offset + self.limit)


def read(kind: type[B], body: Any) -> B:
    """Return a parsed JSON `body` as `kind`.

    Raises `kind.invalid` with a sentence that names the field and its limit.
    """
    return cast(B, _read(kind, kind, body))


def read_list(kind: Any, body: Any) -> list[Any]:
    """Return a parsed JSON `body` as `kind`, an array of bodies. Raises as `read`."""
    item = body_in(kind)
    assert item is not None
    return cast(list[Any], _read(kind, item, body))


def _read(kind: Any, dialect: type[Body], body: Any) -> Any:
    try:
        value = _present(body, _type_of(kind))
        if dialect.reads_digits and isinstance(value, dict):
            value = {name: _number(dialect, name, item) for name, item in value.items()}
        return _converted(kind, value, is_strict=True)
    except InvalidField as error:
        raise dialect.invalid(str(error)) from None


def body_in(kind: Any) -> type[Body] | None:
    """Return the class of bodies that `kind` is, or is an array of; None if it is neither."""
    if get_origin(kind) in {Annotated, list, Union, UnionType}:
        return next(filter(None, map(body_in, get_args(kind))), None)
    return kind if isinstance(kind, type) and issubclass(kind, Body) else None


def _present(value: Any, kind: types.Type) -> Any:
    """Return `value` without the members that are MISSING, in the objects that classes declare."""
    if not isinstance(value, (dict, list)):
        return value
    for member in _members(kind):
        if isinstance(member, types.StructType) and isinstance(value, dict):
            kinds = {field.encode_name: field.type for field in member.fields}
            return {
                name: _present(item, kinds[name]) if name in kinds else item
                for name, item in value.items()
                if item != MISSING
            }
        if isinstance(member, types.ListType) and isinstance(value, list):
            return [_present(item, member.item_type) for item in value]
    return value


def read_query(kind: type[Q], parameters: QueryDict) -> Q:
    """Return query parameters as `kind`; of a repeated one the last counts unless it is a list.

    Raises `kind.invalid` with a sentence that names the parameter and its limit.
    """
    sent: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        values = [value for value in parameters.getlist(name) if value or kind.keeps_empty]
        if not values:
            continue
        is_list = _may_be(kind, field.name, types.ListType)
        sent[name] = values if is_list else _mended(kind, field, values[-1])
        if is_list and len(values) > MAX_LISTED:
            raise kind.invalid(f"{name}: must have at most {MAX_LISTED} values")
        if not _is_whole(kind, field.name, sent[name]):
            raise kind.invalid(f"{name}: must be a whole number")
    try:
        return cast(Q, _converted(kind, sent, is_strict=False))
    except InvalidField as error:
        raise kind.invalid(str(error)) from None


def _number(kind: type[Body], name: str, value: Any) -> Any:
    """Return `value`; a text of digits as a number, an empty one as null, if `name` is a number."""
    if not isinstance(value, str) or name not in _numbers(kind):
        return value
    return int(value) if value.isascii() and value.isdigit() and len(value) < 12 else value or None


@cache
def _numbers(kind: type[Body]) -> frozenset[str]:
    """Return the members of a body that are whole numbers."""
    fields = msgspec.structs.fields(kind)
    return frozenset(f.encode_name for f in fields if _may_be(kind, f.name, types.IntType))


def _converted(kind: Any, value: Any, *, is_strict: bool) -> Any:
    root = "body" if isinstance(value, list) else ""
    try:
        read = msgspec.convert(value, kind, strict=is_strict, dec_hook=_special)
    except msgspec.ValidationError as error:
        raise _refusal(kind, error, root) from None
    _clean(read, _type_of(kind), root)
    return read


def _special(kind: Any, value: Any) -> Any:
    """Read the types that msgspec does not know. Raises ValueError with the reason."""
    if isinstance(kind, SelfReading):
        return kind.read(value)
    if kind is Bound and isinstance(value, str) and value.startswith("0001-01-01"):
        return None
    if kind in (Moment, Bound):
        try:
            return parse_time("", value)
        except InvalidField as error:
            raise ValueError(error.reason) from None
    if kind is JSONText:
        return _object_of(value)
    if kind is Real and isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise ValueError("must be a number")


def _object_of(text: Any) -> dict[str, Any]:
    try:
        value = exact.loads(text)
    except exact.NotJSON:
        value = None
    if not isinstance(value, dict):
        raise ValueError("must be a JSON object")
    return value


def schema_of(kind: type) -> dict[str, Any]:
    """Return the JSON schema of a type that msgspec does not know. Raises NotImplementedError."""
    if isinstance(kind, SelfReading):
        return kind.schema
    if kind in (Moment, Bound):
        return {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "number"}]}
    if kind is Real:
        return {"type": "number"}
    if kind is JSONText:
        return {"type": "string", "description": "A JSON object, as text"}
    raise NotImplementedError(kind)


# Texts ----------------------------------------------------------------------------------------


@cache
def _type_of(kind: Any) -> types.Type:
    return types.type_info(kind)


def _members(kind: types.Type) -> Iterator[types.Type]:
    """Yield what a value of `kind` may be, unions taken apart."""
    if isinstance(kind, types.UnionType):
        for member in kind.types:
            yield from _members(member)
    elif isinstance(kind, types.Metadata) and not _replaces_nul(kind):
        yield from _members(kind.type)
    else:
        yield kind


def _clean(value: Any, kind: types.Type, path: str) -> Any:
    """Return `value` with the texts of `kind` as PostgreSQL can hold them. Raises InvalidField.

    Documents (`Any`, `dict[str, Any]`) are left to what stores them.
    """
    if not isinstance(value, (str, list, dict, Struct)):
        return value
    if isinstance(value, str):
        if "\x00" in value and not any(map(_replaces_nul, _members(kind))):
            raise InvalidField(path, "must not contain a NUL character")
        return clean_text(value)
    for member in _members(kind):
        if isinstance(member, types.StructType) and isinstance(value, member.cls):
            for field in member.fields:
                before = getattr(value, field.name)
                after = _clean(before, field.type, _join(path, field.encode_name))
                if after is not before:
                    setattr(value, field.name, after)
        elif isinstance(member, types.ListType) and isinstance(value, list):
            if not isinstance(member.item_type, types.AnyType):
                value[:] = [
                    _clean(item, member.item_type, _join(path, str(index)))
                    for index, item in enumerate(value)
                ]
        elif (
            isinstance(member, types.DictType)
            and isinstance(value, dict)
            and not isinstance(member.value_type, types.AnyType)
        ):
            return {
                _clean(key, member.key_type, path): _clean(item, member.value_type, path)
                for key, item in value.items()
            }
    return value


def _replaces_nul(kind: types.Type) -> bool:
    return isinstance(kind, types.AnyType) or (
        isinstance(kind, types.Metadata) and bool((kind.extra or {}).get(_REPLACES_NUL))
    )


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _may_be(kind: Any, name: str, type_: type[types.Type]) -> bool:
    """Return whether the member `name` of a class may be of a type of msgspec.inspect."""
    for member in _members(_field(kind, name)):
        bare = member.type if isinstance(member, types.Metadata) else member
        if isinstance(bare, type_):
            return True
    return False


def _is_whole(kind: Any, name: str, text: Any) -> bool:
    """Return whether `text` may stand for its parameter: a whole number is not written 1e3."""
    return not _may_be(kind, name, types.IntType) or _WHOLE.fullmatch(text) is not None


@cache
def _field(kind: Any, name: str) -> types.Type:
    struct = _type_of(kind)
    assert isinstance(struct, types.StructType)
    return next(field.type for field in struct.fields if field.name == name)


def _mended(kind: Any, field: Any, text: str) -> str:
    """Return `text` so that it is read as it was sent.

    In a time, the space that an unencoded "+" of a zone arrives as is mended. The word null,
    which msgspec takes for an absent value, is refused like any other word.
    """
    members = list(_members(_field(kind, field.name)))
    if any(isinstance(member, types.StrType) for member in members):
        return text
    if any(
        isinstance(member, types.CustomType) and member.cls in (Moment, Bound) for member in members
    ):
        text = text[:19] + text[19:].replace(" ", "+")
    return f"{text}?" if text.lower() == "null" else text


# Words ----------------------------------------------------------------------------------------

_WORDS: Final = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "an array",
    "object": "an object",
    "uuid": "a UUID",
    "datetime": "a time",
    "null": "null",
}
_AT = re.compile(r"^(?P<reason>.*?)(?: - at (?:`key` in )?`\$\.?(?P<path>.*)`)?$", re.DOTALL)
_TYPES_EXPECTED = re.compile(r"^Expected `(?P<types>[^`]+)`, got `[^`]+`$")
_LENGTH = re.compile(r"^Expected `(?P<type>\w+)` of length (?P<sign>[<>]=|==) (?P<n>\d+)$")
_BOUND = re.compile(r"^Expected `(?:int|float)` (?P<sign>[<>]=?) (?P<n>\S+)$")
_REQUIRED = re.compile(r"^Object missing required field `(?P<name>[^`]+)`$")


def _refusal(kind: Any, error: msgspec.ValidationError, root: str) -> InvalidField:
    """Return msgspec's error in the words of the wire, its path below `root`."""
    cause = error.__cause__  # what a __post_init__ or `_special` raised
    said = "" if cause is None else str(cause)  # it may contain any input
    match = _AT.match(str(error).removeprefix(said))
    assert match is not None
    reason, path = said or match["reason"], (match["path"] or "").replace("[...]", "")
    path = re.sub(r"\[(\d+)\]", r".\1", path).strip(".")
    above = _join(root, path) if path else root
    if isinstance(cause, InvalidField):
        return InvalidField(_join(above, cause.field), cause.reason)
    if cause is not None:
        return InvalidField(above or "body", reason)
    if missing := _REQUIRED.match(reason):
        return InvalidField(_join(above, missing["name"]), "is required")
    return InvalidField(above or "body", _in_words(kind, path, reason))


def _in_words(kind: Any, path: str, reason: str) -> str:
    if choices := _choices(kind, path):
        return f"must be {_listed(choices)}"
    if expected := _TYPES_EXPECTED.match(reason):
        names = [name for name in expected["types"].split(" | ") if name != "null"]
        return f"must be {_listed([_WORDS.get(name, 'a number') for name in names])}"
    if length := _LENGTH.match(reason):
        what = {"str": "characters", "array": "values"}.get(length["type"], "members")
        return f"must have {_bound(length['sign'], length['n'])} {what}"
    if bound := _BOUND.match(reason):
        return f"must be {_bound(bound['sign'], bound['n'])}"
    if reason.startswith("Invalid UUID"):
        return "must be a UUID"
    if reason == f"Expected `str` matching regex {NOT_BLANK!r}":
        return "must not be blank"
    if reason.startswith("Expected `str` matching regex"):
        return f"must match {reason.removeprefix('Expected `str` matching regex ')}"
    return reason


def _listed(words: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _bound(sign: str, number: str) -> str:
    words = {">=": "at least", "<=": "at most", ">": "more than", "<": "less than", "==": "exactly"}
    return f"{words[sign]} {number}"


def _choices(kind: Any, path: str) -> list[str]:
    """Return the values of the enumeration that stands at `path` of `kind`, in words."""
    reached = [_type_of(kind)]
    for name in path.split("."):
        reached = [step for one in reached for step in _below(one, name)]
    members = [member for one in reached for member in _members(one)]
    enumerations = [member for member in members if isinstance(member, types.LiteralType)]
    choices = [str(value) for enumeration in enumerations for value in enumeration.values]
    choices = list(filter(None, choices))  # an empty text, which stands for none
    if choices and any(isinstance(member, types.BoolType) for member in members):
        choices += ["true", "false"]
    return choices


def _below(kind: types.Type, name: str) -> Iterator[types.Type]:
    for member in _members(kind):
        if isinstance(member, types.StructType):
            yield from (field.type for field in member.fields if field.encode_name == name)
        elif isinstance(member, types.ListType):
            yield member.item_type
        elif isinstance(member, types.DictType):
            yield from _below(member.value_type, name)
