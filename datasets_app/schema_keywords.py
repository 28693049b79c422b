"""Arithmetic: JSON Schema's keywords, each counted against a budget, so that any schema ends.

The validators are jsonschema's. Replaced are the keywords that run a client's pattern or compare
every item with every other, and the switch to an unbounded validator at an inner `$schema`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any, Final

from jsonschema import FormatChecker
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing.jsonschema import lookup_recursive_ref

from observatory import exact, patterns

MAX_MESSAGE: Final = 300  # characters
_STRIDE: Final = 500  # steps between two checks of the clock
_LETTERS: Final = 64  # characters per step: quoted in a message, matched with a pattern

Errors = Iterator[ValidationError]
Keyword = Callable[[Any, Any, Any, Any], Errors | None]


class TooMuch(Exception):
    """The budget is spent, or a pattern cannot be matched with a text."""


class Budget:
    """How much CPU validation may still take, in seconds of this thread."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self._ends_at = time.thread_time() + limit_s
        self._until_look = _STRIDE

    def spend(self, steps: int) -> None:
        """Check the clock every few steps. Raises TooMuch."""
        self._until_look -= steps
        if self._until_look < 0:
            self._until_look = _STRIDE
            if time.thread_time() > self._ends_at:
                raise TooMuch(f"validation takes longer than {self.limit_s:g} s of CPU")

    def occurs(self, pattern: str, text: str) -> bool:
        """Return whether `pattern` matches somewhere in `text`. Raises TooMuch."""
        self.spend(1 + len(text) // _LETTERS)
        try:
            return patterns.compiled(pattern).occurs_in(text)
        except (patterns.TooSlow, patterns.BadPattern) as error:
            raise TooMuch(f"pattern {pattern[:100]!r}: {error}"[:MAX_MESSAGE]) from None


_budget: ContextVar[Budget] = ContextVar("budget")


@contextmanager
def spending(budget: Budget) -> Iterator[None]:
    """Charge bounded validators in this block to `budget`."""
    token = _budget.set(budget)
    try:
        yield
    finally:
        _budget.reset(token)


@cache
def bounded(kind: Any) -> Any:
    """Return the validator class `kind` with every keyword counted; use it within `spending`."""
    own = {name: check for name, check in _REPLACED.items() if name in kind.VALIDATORS}
    counted = {name: _counted(check) for name, check in (kind.VALIDATORS | own).items()}
    made = extend(kind, validators=counted)
    made.evolve = _evolved
    return made


def _evolved(validator: Any, **changes: Any) -> Any:
    """Return a copy of `validator`, of the same class whatever `$schema` an inner schema names."""
    kept = {
        "schema": validator.schema,
        "registry": validator._registry,
        "_resolver": validator._resolver,
        "format_checker": validator.format_checker,
    }
    return type(validator)(**(kept | changes))


def _counted(check: Keyword) -> Keyword:
    def counted(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:
        budget = _budget.get()
        budget.spend(1 + len(value) if isinstance(value, list | dict) else 1)
        for error in check(validator, value, instance, schema) or ():
            if len(error.message) > MAX_MESSAGE:  # it quotes the instance, at every level anew
                budget.spend(len(error.message) // _LETTERS)
                error.message = f"{error.message[:MAX_MESSAGE]}..."
            yield error

    return counted


# Patterns ---------------------------------------------------------------------------------------


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Errors:
    if validator.is_type(instance, "string") and not _budget.get().occurs(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:
    if not validator.is_type(instance, "object"):
        return
    for pattern, inner in value.items():
        for name, member in instance.items():
            if _budget.get().occurs(pattern, name):
                yield from validator.descend(member, inner, path=name, schema_path=pattern)


def _extras(instance: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Return the names that neither `properties` nor `patternProperties` covers."""
    named, shapes = schema.get("properties", {}), schema.get("patternProperties", {})
    budget = _budget.get()
    return [
        name
        for name in instance
        if name not in named and not any(budget.occurs(shape, name) for shape in shapes)
    ]


def _additional_properties(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:
    if not validator.is_type(instance, "object"):
        return
    extras = _extras(instance, schema)
    _budget.get().spend(len(instance))
    if value is False and extras:
        yield ValidationError(f"Additional properties are not allowed: {_listed(extras)}")
        return
    for name in extras:
        yield from validator.descend(instance[name], value, path=name)


def _unevaluated_properties(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:
    if not validator.is_type(instance, "object"):
        return
    rest = {name: part for name, part in schema.items() if name != "unevaluatedProperties"}
    known = _evaluated(validator, instance, rest)
    bad = [
        name
        for name in instance
        if name not in known and not _fits(validator.descend(instance[name], value))
    ]
    if bad:
        yield ValidationError(f"Unevaluated properties are not allowed: {_listed(bad)}")


def _evaluated(validator: Any, instance: Mapping[str, Any], schema: Any) -> set[str]:
    """Return the names of `instance` that `schema` covers, where it holds."""
    if not isinstance(schema, dict):
        return set()
    budget = _budget.get()
    budget.spend(1 + len(instance))
    names: set[str] = schema.get("properties", {}).keys() & instance.keys()
    shapes = schema.get("patternProperties", {})
    names |= {name for name in instance for shape in shapes if budget.occurs(shape, name)}
    for keyword in ("additionalProperties", "unevaluatedProperties"):
        if keyword in schema:
            inner = schema[keyword]
            names |= {
                name for name, value in instance.items() if _fits(validator.descend(value, inner))
            }
    for target in _targets(validator, schema):
        followed = validator.evolve(schema=target.contents, _resolver=target.resolver)
        names |= _evaluated(followed, instance, target.contents)
    for inner in _applied(validator, instance, schema):
        names |= _evaluated(validator, instance, inner)
    return names


def _targets(validator: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    for keyword in ("$ref", "$dynamicRef"):
        if keyword in schema:
            yield validator._resolver.lookup(schema[keyword])
    if "$recursiveRef" in schema:
        yield lookup_recursive_ref(validator._resolver)


def _applied(validator: Any, instance: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the schemas inside `schema` that hold for the same instance."""
    for name, inner in schema.get("dependentSchemas", {}).items():
        if name in instance:
            yield inner
    for keyword in ("allOf", "oneOf", "anyOf"):
        for inner in schema.get(keyword, ()):
            if _fits(validator.descend(instance, inner)):
                yield inner
    if "if" in schema:
        holds = _fits(validator.descend(instance, schema["if"]))
        if holds:
            yield schema["if"]
        if (branch := "then" if holds else "else") in schema:
            yield schema[branch]


def _fits(errors: Errors) -> bool:
    return next(errors, None) is None


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name[:100]) for name in sorted(names)[:10])


# Numbers and items ------------------------------------------------------------------------------


def _multiple_of(validator: Any, step: Any, instance: Any, schema: Any) -> Errors:
    """Check the digits as written: 0.3 is three times 0.1, and no long integer overflows."""
    if not validator.is_type(instance, "number"):
        return
    if (Fraction(str(instance)) / Fraction(str(step))).denominator != 1:
        yield ValidationError(f"{instance!r} is not a multiple of {step}")


def _unique_items(validator: Any, value: Any, instance: Any, schema: Any) -> Errors:
    if not value or not validator.is_type(instance, "array"):
        return
    _budget.get().spend(len(instance))
    seen = set()
    for item in instance:
        if (text := canonical(item)) in seen:
            yield ValidationError(
                f"{text[:100].decode(errors='replace')} is more than once in the array"
            )
            return
        seen.add(text)


def canonical(value: Any) -> bytes:
    """Return one value for all values that JSON Schema calls equal: 1 and 1.0, any key order."""
    return exact.dumps(_plain(value), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if not isinstance(value, float):
        return value
    number = Decimal(str(value))  # the digits as sent
    if number == number.to_integral_value():
        return int(number)
    return exact.Fragment(f"{number:f}".rstrip("0"))


_REPLACED: Final[dict[str, Keyword]] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "unevaluatedProperties": _unevaluated_properties,
    "multipleOf": _multiple_of,
    "divisibleBy": _multiple_of,
    "uniqueItems": _unique_items,
}

# Schemas about schemas --------------------------------------------------------------------------

FORMATS: Final = FormatChecker(formats=())
"""Checks that a schema's patterns can be run."""


def _is_pattern(text: object) -> bool:
    if isinstance(text, str):
        patterns.compiled(text)
    return True


FORMATS.checks("regex", raises=patterns.BadPattern)(_is_pattern)
