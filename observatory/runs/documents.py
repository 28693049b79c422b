"""Arithmetic on JSON documents that are kept as the bytes that were sent.

Nothing here builds the objects of a document: 25 MiB of `[{},{},..]` would take 600 MiB.
`msgspec.Raw` walks the bytes and checks the syntax without an allocation.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Raw

from observatory.exact import MAX_DIGITS, MAX_EXPONENT

MAX_DEPTH: Final = 200
_SLICE: Final = 1 << 20

_syntax = msgspec.json.Decoder(Raw)
_members = msgspec.json.Decoder(dict[str, Raw])
_DIGIT = bytes.maketrans(b"123456789", b"000000000")  # every digit becomes 0
_STRIDE: Final = 64
_LONG_RUN: Final = b"0" * (MAX_DIGITS // _STRIDE)
_MANY: Final = 1_000  # candidates (`1e000x`) that are checked one by one
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_LIST_NAME = re.compile(rb'\s*"([^"]{1,64})"\s*:\s*', re.DOTALL)
_EXPONENT = re.compile(rb"-?[0-9.]+[eE][-+]?[0-9]{3,}")
_LIKE_EXPONENT = re.compile(rb"[0-9][eE][-+]?[0-9]{3,}(?:[,}\]\s]|$)")
_DIGITS = re.compile(rb"[0-9]{%d}" % (MAX_DIGITS + 1))
_ODD_ESCAPE = re.compile(rb"\\u(?:0000|[dD])")
_BACKSLASHES = re.compile(rb"\\\\")
_HIDDEN = re.compile(rb"\x00\x00")
_NUL = re.compile(rb"\\u0000")
_LONE_HIGH = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})", re.DOTALL
)
_LONE_LOW = re.compile(
    rb"(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}", re.DOTALL
)
_REPLACEMENT = rb"\ufffd"


class BadItem(ValueError):
    """An item that cannot be stored. `code` is a stable word, `reason` a sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Suspicion(NamedTuple):
    """What a quick scan of many bytes could not rule out for the documents among them."""

    escapes: bool = True  # \\u0000 or a surrogate
    text: bool = True  # bytes that may not be UTF-8
    numbers: bool = True  # digits or an exponent beyond what JSON readers accept


SUSPECT: Final = Suspicion()


def look(content: bytes) -> Suspicion:
    """Return what must be checked document by document in `content` (1 ms per MiB)."""
    escapes = _ODD_ESCAPE.search(content) is not None
    return Suspicion(escapes, not content.isascii(), _has_odd_numbers(content))


def sanitize(document: bytes) -> tuple[bytes, bool]:
    r"""Return `document` with \u0000 and lone surrogates as U+FFFD, and whether any occurred.

    PostgreSQL stores neither, and models do write them. Memory: two copies at most.
    """
    if b"\\u0000" not in document and b"\\ud" not in document and b"\\uD" not in document:
        return document, False
    if b"\x00" in document:
        raise BadItem("invalid_json", "A raw NUL byte is not JSON")
    text = _mended(document, _NUL, _LONE_HIGH, _LONE_LOW)
    return text, text != document


def mend_surrogates(document: bytes) -> bytes:
    """Replace lone surrogates in `document`, which JavaScript may write, by U+FFFD."""
    if b"\\u" not in document or b"\x00" in document:
        return document
    return _mended(document, _LONE_HIGH, _LONE_LOW)


def _mended(document: bytes, *patterns: re.Pattern[bytes]) -> bytes:
    # An escaped backslash hides what follows it: "\\u0000" is six plain characters.
    # In place: each replacement is as long as what it replaces.
    text = bytearray(document)
    replacements = [(pattern, _REPLACEMENT) for pattern in patterns]
    for pattern, replacement in (
        (_BACKSLASHES, b"\x00\x00"),
        *replacements,
        (_HIDDEN, b"\\\\"),
    ):
        for match in pattern.finditer(text):
            text[match.start() : match.end()] = replacement
    return bytes(text)


def check(document: bytes, suspicion: Suspicion = SUSPECT) -> None:
    """Raise BadItem unless every JSON reader can read `document`.

    Strict JSON in UTF-8 without lone surrogates, at most MAX_DEPTH deep, no number of more than
    MAX_DIGITS digits or with an exponent that makes it infinite as a double.
    """
    try:
        _syntax.decode(document)
    except RecursionError:
        raise BadItem("too_deep", f"Nested deeper than {MAX_DEPTH}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadItem("invalid_json", str(error)) from None
    if suspicion.text:
        check_text(document)
    if (
        len(document) > 2 * MAX_DEPTH  # a shorter one cannot hold enough brackets
        and document.count(b"[") + document.count(b"{") > MAX_DEPTH
        and depth(document) > MAX_DEPTH
    ):
        raise BadItem("too_deep", f"Nested deeper than {MAX_DEPTH}")
    if suspicion.numbers:
        _check_numbers(document)


def check_text(document: bytes) -> None:
    """Raise BadItem unless `document` is UTF-8."""
    if document.isascii():
        return
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(document), _SLICE):
            decoder.decode(document[start : start + _SLICE])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise BadItem("invalid_utf8", f"Not UTF-8: {error.reason}") from None


def depth(document: bytes) -> int:
    """Return how deep the valid JSON `document` nests: 0 for `1`, 1 for `[]`, 2 for `{"a":[]}`."""
    return max((int(part.levels.max()) for part in _structure(document)), default=0)


class _Part(NamedTuple):
    """A slice of a document, with two facts about each of its bytes.

    `outside`: not in a string. `levels`: how deep the document nests after the byte.
    """

    offset: int
    text: npt.NDArray[np.uint8]
    outside: npt.NDArray[np.bool_]
    opens: npt.NDArray[np.bool_]
    closes: npt.NDArray[np.bool_]
    levels: npt.NDArray[np.int32]

    @property
    def ends_inside(self) -> bool:
        """Whether the piece ends within a string."""
        return not self.outside[-1]


def _structure(document: bytes) -> Iterator[_Part]:
    """Yield `document` in slices of _SLICE bytes. Brackets and quotes are counted, not matched."""
    plain = document.replace(b"\\\\", b"__").replace(b'\\"', b"__")  # same length
    inside, level = 0, 0
    for offset in range(0, len(plain), _SLICE):
        text = np.frombuffer(plain[offset : offset + _SLICE], dtype=np.uint8)
        quotes = np.cumsum(text == ord('"'), dtype=np.int32) + inside
        outside = (quotes & 1) == 0
        opens = ((text == ord("[")) | (text == ord("{"))) & outside
        closes = ((text == ord("]")) | (text == ord("}"))) & outside
        levels = np.cumsum(opens.astype(np.int8) - closes.astype(np.int8), dtype=np.int32) + level
        inside, level = int(quotes[-1]) & 1, int(levels[-1])
        yield _Part(offset, text, outside, opens, closes, levels)


def _has_odd_numbers(content: bytes) -> bool:
    """Return whether a number of `content` may have too many digits or too large an exponent.

    False is certain. 0.3 us per KiB: a hundred documents are cheaper to scan together.
    """
    if len(content) > MAX_DIGITS and _LONG_RUN in content[::_STRIDE].translate(_DIGIT):
        return True  # a sample every 64 bytes found digits only
    n_hits = 0
    for start in range(0, len(content), _SLICE):  # slices overlap: none is cut
        text = np.frombuffer(content[start : start + _SLICE + 8], dtype=np.uint8)
        is_digit = (text - ord("0")) < 10
        # A digit, an e, a sign or a digit, two more digits: identifiers may contain that, too.
        likely = is_digit[:-4] & is_digit[3:-1] & is_digit[4:]
        likely &= (text[1:-3] | 0x20) == ord("e")
        for position in np.flatnonzero(likely).tolist():
            n_hits += 1
            if n_hits > _MANY or _LIKE_EXPONENT.match(content, start + position):
                return True
    return False


def _check_numbers(document: bytes) -> None:
    """Raise BadItem for numbers that some reader cannot take."""
    if not _has_odd_numbers(document):
        return
    numbers = _STRING.sub(b'""', document)
    if _DIGITS.search(numbers):
        raise BadItem("number_too_long", f"A number has more than {MAX_DIGITS} digits")
    for match in _EXPONENT.finditer(numbers):
        exponent = abs(int(re.split(rb"[eE]", match.group())[1]))
        if exponent > MAX_EXPONENT or abs(float(match.group())) == float("inf"):
            raise BadItem("number_out_of_range", "A number's exponent is out of range")


def raw_members(document: bytes) -> dict[str, Raw]:
    """Return the members of the JSON object `document`, each as the text that was sent.

    The last of a repeated key counts. Raises BadItem when `document` is not an object.
    """
    try:
        return _members.decode(document)
    except RecursionError:
        raise BadItem("too_deep", f"Nested deeper than {MAX_DEPTH}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadItem("invalid_json", str(error)) from None


def members(document: bytes) -> dict[str, bytes]:
    """Return `raw_members` as bytes of their own. Raises BadItem."""
    return {key: bytes(raw) for key, raw in raw_members(document).items()}


def compose(parts: dict[str, bytes]) -> bytes:
    """Return the JSON object with the members `parts`: the reverse of `members`."""
    return msgspec.json.encode({key: Raw(value) for key, value in parts.items()})


def elements(document: bytes) -> Iterator[bytes]:
    """Yield the elements of the valid JSON list `document` one at a time, each as it was sent."""
    begin = document.index(b"[") + 1
    for part in _structure(document):
        commas = part.outside & (part.text == ord(",")) & (part.levels == 1)
        for index in np.flatnonzero(commas | (part.closes & (part.levels == 0))).tolist():
            end = part.offset + index
            if member := document[begin:end].strip():
                yield member
            begin = end + 1


def lists_of(document: bytes) -> dict[str, list[bytes]]:
    """Return the lists in the JSON object `document`: name -> elements, each as it was sent.

    For a document that is invalid as a whole because of one element: only brackets and strings must
    match. Raises BadItem when they do not.
    """
    if document[:64].lstrip()[:1] != b"{":
        raise BadItem("invalid_json", "Not an object")
    opened: tuple[str, int] | None = None
    begin = 0  # after the last comma or brace of the object itself
    lists: dict[str, list[bytes]] = {}
    level, is_inside = 0, False
    for part in _structure(document):
        text, levels = part.text, part.levels
        level, is_inside = int(levels[-1]), part.ends_inside
        outer = part.outside & (
            (part.opens & (levels <= 2))
            | (part.closes & (levels <= 1))
            | ((text == ord(",")) & (levels <= 2))
        )
        for index in np.flatnonzero(outer):
            position, sign = part.offset + int(index), int(text[index])
            depth_after = int(levels[index])
            if depth_after == 2 and sign == ord("["):
                match = _LIST_NAME.fullmatch(document[begin:position])
                if match is None:
                    raise BadItem("invalid_json", "Not an object of lists")
                opened = (match.group(1).decode(errors="replace"), position + 1)
                lists[opened[0]] = []
            elif opened and (depth_after == 2 or (depth_after == 1 and sign == ord("]"))):
                name, start = opened
                member = document[start:position].strip()
                if member or depth_after == 2:
                    lists[name].append(member)
                opened = (name, position + 1) if depth_after == 2 else None
            elif depth_after == 1:
                begin = position + 1
    if level != 0 or is_inside:
        raise BadItem("invalid_json", "Brackets or quotes do not match")
    return lists
