"""Parse the text of a filter to a syntax tree, and write it back. Errors have a position.

    expr    := call | "(" expr ")" | expr "and" expr | expr "or" expr
    call    := name "(" [ arg { "," arg } ] ")"
    arg     := call | field | string | number | "true" | "false" | "null" | list
    list    := "[" [ arg { "," arg } ] "]"
    string  := '"' with the escapes of JSON '"'  |  "'" with only the escape \\' "'"

A field may be written as a string too: has("metadata", ..) is has(metadata, ..). The infix forms
are accepted as well: they give the tree of the calls and(..) and or(..). Arithmetic: no Django, no
clock, no database.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute

from observatory.runs.filters.fields import DOCUMENTS, FIELDS, THREAD_FIELDS, Field, Literal, typed
from observatory.wire_values import is_storable

MAX_BYTES = 10_240
MAX_NODES = 100
MAX_DEPTH = 10
MAX_NUMBER = 40  # characters
MAX_SEARCHES = 10
"""Terms of one filter that read the inputs or outputs of each run; no index helps them."""


_EVERY = THREAD_FIELDS | FIELDS  # fields of one name are of one kind
_IN_DOCUMENTS = {
    name
    for name, field in FIELDS.items()
    if name in DOCUMENTS.values() or field.family in DOCUMENTS
}


class FilterError(ValueError):
    """A filter that cannot be parsed. `position` counts characters from 0."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(f"{message} (at position {position})")
        self.message = message
        self.position = position


@dataclass(frozen=True)
class Term:
    """One comparison. `field` is None for search("text"), which searches several."""

    operator: str
    field: str | None
    value: Literal
    position: int = attribute(default=0, compare=False)

    @property
    def spec(self) -> Field | None:
        return _EVERY[self.field] if self.field else None

    @property
    def reads_documents(self) -> bool:
        """Whether evaluating it reads the inputs or outputs of each run."""
        return self.field is None or self.field in _IN_DOCUMENTS


@dataclass(frozen=True)
class And:
    args: tuple[Node, ...]


@dataclass(frozen=True)
class Or:
    args: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    arg: Node


Node = Term | And | Or | Not

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<mark>[(),\[\]])
      | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_WORDS: dict[str, Literal] = {"true": True, "false": False, "null": None}
_WORDS |= {"True": True, "False": False, "None": None}
_TERMS = ("eq", "neq", "gt", "gte", "lt", "lte", "in", "has", "exists", "search", "like")
FUNCTIONS = ("and", "or", "not", *_TERMS)
_SPACES = " \t\n\r\f\v"  # what `\s` matches in _TOKEN; str.lstrip() alone strips more


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while True:
        match = _TOKEN.match(text, position)
        if match is None:
            start = len(text) - len(text[position:].lstrip(_SPACES))
            quote = text[start] in "\"'"
            raise FilterError(
                "This string has no closing quote" if quote else f"Unexpected {text[start]!r}",
                start,
            )
        kind = str(match.lastgroup)
        yield _Token(kind, match[kind], match.start(kind))
        if kind == "end":
            return
        position = match.end()


def _string(token: _Token) -> str:
    """Return the content of a quoted token."""
    if token.text[0] == "'":
        value = token.text[1:-1].replace("\\'", "'")
    else:
        try:
            value = json.loads(token.text, strict=False)
        except ValueError:
            raise FilterError("This string has an unknown escape", token.position) from None
    if not is_storable(value):
        raise FilterError("This string contains a NUL or an unpaired surrogate", token.position)
    return str(value)


def _number(token: _Token) -> int | float:
    if len(token.text) > MAX_NUMBER:
        raise FilterError(f"A number has at most {MAX_NUMBER} characters", token.position)
    try:
        return int(token.text)
    except ValueError:
        value = float(token.text)
    if math.isinf(value):
        raise FilterError("This number is too large", token.position)
    return value


class _Parser:
    """Recursive descent; depth and nodes are limited on the way."""

    def __init__(self, text: str, fields: Mapping[str, Field]) -> None:
        self.tokens = list(_tokens(text))
        self.fields = fields
        self.index = 0
        self.n_nodes = 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.index]

    def take(self) -> _Token:
        token = self.token
        self.index += 1
        return token

    def is_next(self, text: str) -> bool:
        return self.token.kind in {"mark", "name"} and self.token.text == text

    def expect(self, mark: str) -> None:
        if not self.is_next(mark):
            actual = repr(self.token.text) if self.token.text else "the end"
            raise FilterError(f"Expected {mark!r}, found {actual}", self.token.position)
        self.take()

    def count(self, position: int) -> None:
        self.n_nodes += 1
        if self.n_nodes > MAX_NODES:
            raise FilterError(f"A filter has at most {MAX_NODES} calls", position)

    def infix(self, depth: int, word: str = "or") -> Node:
        """expr "or" expr, each of them expr "and" expr."""
        start = self.token.position
        args = [self.operand(depth, word)]
        while self.is_next(word):
            self.take()
            args.append(self.operand(depth, word))
        if len(args) == 1:
            return args[0]
        self.count(start)
        return Or(tuple(args)) if word == "or" else And(tuple(args))

    def operand(self, depth: int, word: str) -> Node:
        return self.infix(depth, "and") if word == "or" else self.primary(depth)

    def primary(self, depth: int) -> Node:
        token = self.take()
        if depth > MAX_DEPTH:
            raise FilterError(f"A filter nests at most {MAX_DEPTH} deep", token.position)
        if token.kind == "mark" and token.text == "(":
            inner = self.infix(depth + 1)
            self.expect(")")
            return inner
        if token.kind != "name":
            actual = repr(token.text) if token.text else "the end"
            raise FilterError(f"Expected a call such as eq(..), found {actual}", token.position)
        name = token.text.lower()
        if name not in FUNCTIONS:
            raise FilterError(
                f"Unknown function {token.text!r}; known are {', '.join(FUNCTIONS)}",
                token.position,
            )
        self.count(token.position)
        self.expect("(")
        if name in {"and", "or", "not"}:
            return self.logic(name, token, depth)
        return self.term(name, token)

    def logic(self, name: str, token: _Token, depth: int) -> Node:
        args = [self.infix(depth + 1)]
        while self.is_next(","):
            self.take()
            args.append(self.infix(depth + 1))
        self.expect(")")
        if name == "not":
            if len(args) != 1:
                raise FilterError("not takes one argument", token.position)
            return Not(args[0])
        return And(tuple(args)) if name == "and" else Or(tuple(args))

    def term(self, name: str, token: _Token) -> Term:
        subject = self.take()
        is_of_runs = self.fields is FIELDS  # the fields that search("text") looks through
        if name == "search" and subject.kind == "string" and self.is_next(")") and is_of_runs:
            self.take()
            return Term(name, None, _string(subject), token.position)
        field = self.field(name, subject)
        self.expect(",")
        position = self.token.position
        value = self.literal()
        self.expect(")")
        try:
            typed(field, name, value)
        except ValueError as error:
            raise FilterError(f"{field.name} {error}", position) from None
        return Term(name, field.name, value, token.position)

    def field(self, function: str, subject: _Token) -> Field:
        """Return the field that `subject` names, with or without quotes."""
        is_named = subject.kind == "name" or (subject.kind == "string" and self.is_next(","))
        if not is_named or subject.text in _WORDS:
            raise FilterError(f"{function} expects a field first", subject.position)
        name = _string(subject) if subject.kind == "string" else subject.text
        field = self.fields.get(name)
        if field is None:
            known = ", ".join(self.fields)
            raise FilterError(f"Unknown field {name!r}; known are {known}", subject.position)
        return field

    def literal(self) -> Literal:
        token = self.take()
        if token.kind == "string":
            return _string(token)
        if token.kind == "number":
            return _number(token)
        if token.kind == "name" and token.text in _WORDS:
            return _WORDS[token.text]
        if token.kind == "mark" and token.text == "[":
            return self.items(token)
        actual = repr(token.text) if token.text else "the end"
        raise FilterError(
            f'Expected "text", a number, true, false, null or a list, found {actual}',
            token.position,
        )

    def items(self, opening: _Token) -> tuple[Literal, ...]:
        values: list[Literal] = []
        while not self.is_next("]"):
            if self.is_next("["):
                raise FilterError("A list must not contain lists", self.token.position)
            values.append(self.literal())
            if not self.is_next("]"):
                self.expect(",")
        self.take()
        return tuple(values)


def parse(text: str, fields: Mapping[str, Field] = FIELDS) -> Node:
    """Return the syntax tree of `text`, which may name `fields`.

    Raises FilterError, with the position in characters, when it is not a filter, names an unknown
    field, compares a field with a literal of the wrong type, is larger than MAX_BYTES, MAX_NODES or
    MAX_DEPTH, or searches documents with more than MAX_SEARCHES terms.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise FilterError(f"A filter has at most {MAX_BYTES} bytes", MAX_BYTES)
    parser = _Parser(text, fields)
    node = parser.infix(1)
    if parser.token.kind != "end":
        raise FilterError(f"Unexpected {parser.token.text!r}", parser.token.position)
    if _depth(node) > MAX_DEPTH:
        raise FilterError(f"A filter nests at most {MAX_DEPTH} deep", 0)
    searches = [term for term in comparisons(node) if term.reads_documents]
    if len(searches) > MAX_SEARCHES:
        raise FilterError(
            f"A filter has at most {MAX_SEARCHES} searches of inputs and outputs"
            " (search, like, has and exists on them, and the fields input_ and output_)",
            searches[MAX_SEARCHES].position,
        )
    return node


def comparisons(node: Node) -> Iterator[Term]:
    """Yield the comparisons of a tree, from left to right."""
    if isinstance(node, Term):
        yield node
        return
    for arg in (node.arg,) if isinstance(node, Not) else node.args:
        yield from comparisons(arg)


def _depth(node: Node) -> int:
    if isinstance(node, Term):
        return 1
    args = (node.arg,) if isinstance(node, Not) else node.args
    return 1 + max(_depth(arg) for arg in args)


def _literal_text(value: Literal) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_literal_text(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)


def unparse(node: Node) -> str:
    """Return text that parses to `node` again."""
    if isinstance(node, Term):
        subject = f"{node.field}, " if node.field else ""
        return f"{node.operator}({subject}{_literal_text(node.value)})"
    if isinstance(node, Not):
        return f"not({unparse(node.arg)})"
    word = "and" if isinstance(node, And) else "or"
    return f"{word}({', '.join(unparse(arg) for arg in node.args)})"
