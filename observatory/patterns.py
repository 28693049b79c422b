r"""Regular expressions from clients, in schemas and rubrics, in bounded time and memory.

Patterns have the semantics of JSON Schema (ECMA-262): `\d`, `\w` and `\b` know ASCII only, `\s`
every space, `$` is the very end, and a match may be anywhere in the text. They run on RE2, whose
time is linear in the text. What RE2 cannot run (lookaround, backreferences, counts above 1,000)
runs on a backtracking engine with a time limit, on texts of at most MAX_BACKTRACKED characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import re2
import regex

MAX_PATTERN: Final = 1_000  # characters
MAX_TEXT: Final = 1_000_000  # characters of a text to match
MAX_BACKTRACKED: Final = 100_000  # characters
MAX_MEMORY: Final = 1 << 18  # bytes of a compiled pattern
MATCH_S: Final = 0.2
"""How long a pattern may backtrack over one text, in seconds."""

_SPACES: Final = r"\t\n\x0b\f\r \x{a0}\x{feff}\x{2028}\x{2029}\p{Zs}"
_ANY: Final = r"[\x00-\x{10ffff}]"
_ESCAPE: Final = re.compile(
    r"\\(?:u(?P<high>[dD][89abAB][0-9a-fA-F]{2})\\u(?P<low>[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|u(?P<unit>[0-9a-fA-F]{4})|u\{(?P<point>[0-9a-fA-F]{1,6})\}"
    r"|c(?P<control>[A-Za-z])|(?P<nul>0)(?![0-9])|(?P<letter>.))",
    re.DOTALL,
)


class BadPattern(ValueError):
    """A text that is not a regular expression, or that cannot be run; has the reason."""


class TooSlow(Exception):
    """A pattern exceeded its time limit, or the text is too long for it."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `is_linear`: on RE2, without a time limit."""

    source: str
    program: Any
    is_linear: bool

    def occurs_in(self, text: str, *, limit_s: float = MATCH_S) -> bool:
        """Return whether the pattern matches somewhere in `text`. Raises TooSlow."""
        longest = MAX_TEXT if self.is_linear else MAX_BACKTRACKED
        if len(text) > longest:
            raise TooSlow(
                f"The pattern {self.source} is matched against {longest:,} characters at most."
            )
        if self.is_linear:
            return self.program.search(text.encode("utf-8", "replace")) is not None
        try:
            return self.program.search(text, timeout=limit_s) is not None
        except TimeoutError:
            raise TooSlow(f"The pattern {self.source} takes too long on this text.") from None


@lru_cache(maxsize=512)
def like(pattern: str) -> Callable[[str], bool]:
    """Return a predicate: whether a text matches the SQL LIKE `pattern`, in linear time."""
    parts = []
    letters = iter(pattern)
    for letter in letters:
        if letter == "\\":
            parts.append(re2.escape(next(letters)))
        else:
            parts.append({"%": ".*", "_": "."}.get(letter) or re2.escape(letter))
    options = re2.Options()
    options.dot_nl = True
    program = re2.compile("".join(parts), options)
    return lambda text: program.fullmatch(text) is not None


@lru_cache(maxsize=512)
def compiled(source: str) -> Pattern:
    """Return the compiled pattern of `source`. Raises BadPattern."""
    if len(source) > MAX_PATTERN:
        raise BadPattern(f"is longer than {MAX_PATTERN:,} characters")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    try:
        program = re2.compile(_translated(source, end=r"\z").encode(), options)
        return Pattern(source, program, is_linear=True)
    except UnicodeEncodeError:
        raise BadPattern("contains an unpaired surrogate") from None
    except re2.error:
        pass  # not a pattern, or one that needs backtracking
    try:
        program = regex.compile(_translated(source, end=r"\Z", is_backtracked=True), regex.ASCII)
    except (regex.error, OverflowError) as error:
        raise BadPattern(f"is not a regular expression: {error}") from None
    except (RecursionError, MemoryError):
        raise BadPattern("is nested too deeply") from None
    return Pattern(source, program, is_linear=False)


def _translated(source: str, *, end: str, is_backtracked: bool = False) -> str:
    """Return an ECMA-262 pattern in the syntax of the engine; `end` is its end of the text."""
    parts: list[str] = []
    position, in_set = 0, False
    while position < len(source):
        letter = source[position]
        if letter == "\\" and (match := _ESCAPE.match(source, position)):
            parts.append(_escape(match, in_set=in_set))
            position = match.end()
            continue
        if not in_set and source.startswith(("[]", "[^]"), position):
            is_any = source[position + 1] == "^"
            parts.append(_ANY if is_any else f"[^{_ANY[1:]}")
            position += 3 if is_any else 2
            continue
        if letter == "[" and in_set:
            letter = r"\["
        elif letter in "[]":
            in_set = letter == "["
        elif letter == "$" and not in_set:
            letter = end
        parts.append(letter)
        position += 1
    text = "".join(parts)
    return re.sub(r"\\x\{([0-9a-f]+)\}", _long_escape, text) if is_backtracked else text


def _escape(match: re.Match[str], *, in_set: bool) -> str:
    groups = match.groupdict()
    if groups["high"]:
        high, low = int(groups["high"], 16), int(groups["low"], 16)
        return rf"\x{{{0x10000 + ((high & 0x3FF) << 10) + (low & 0x3FF):x}}}"
    if code := groups["unit"] or groups["point"]:
        return rf"\x{{{int(code, 16):x}}}"
    if groups["control"]:
        return rf"\x{{{ord(groups['control']) % 32:x}}}"
    if groups["nul"]:
        return r"\x00"
    letter = groups["letter"]
    if letter == "s":
        return _SPACES if in_set else f"[{_SPACES}]"
    if letter == "S" and not in_set:
        return f"[^{_SPACES}]"
    if letter == "Z":
        return r"\z"
    return letter if letter == "_" or not letter.isascii() else match[0]


def _long_escape(match: re.Match[str]) -> str:
    return rf"\U{int(match[1], 16):08x}"
