"""CSV: the only module that writes and reads it. A file is read in full, or rejected by line.

Written cells are exact. A file for spreadsheets is `guarded`: a text that a spreadsheet would run
as a formula gets an apostrophe in front, which `unguarded` removes again.
"""

from __future__ import annotations

import codecs
import csv
import io
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from observatory import exact

FORMULA: Final = "=+-@"
_PIECE: Final = 65_536  # characters per piece
_UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

csv.field_size_limit(sys.maxsize)  # the API bounds the body as a whole


class BadFile(ValueError):
    """A file that cannot be read without loss, with the line and the reason."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line


# Writing ----------------------------------------------------------------------------------------


def cell(value: Any) -> str:
    """Return a value as the text of a cell: a text as it is, nothing for None, else JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else exact.dumps(value).decode()


def guarded(text: str) -> str:
    """Return `text` with an apostrophe before it if a spreadsheet could run it as a formula."""
    return f"'{text}" if _is_formula(text.lstrip("'")) else text


def unguarded(text: str) -> str:
    """Return the text that `guarded` was given."""
    return text[1:] if text[:1] == "'" and _is_formula(text.lstrip("'")) else text


def _is_formula(text: str) -> bool:
    """Return whether `text` begins like a formula, after spaces and in full width, too."""
    for letter in text:
        if unicodedata.category(letter)[0] in "ZC":  # spaces, controls, invisible marks
            continue
        return text[0] in "\t\r\n" or unicodedata.normalize("NFKC", letter)[0] in FORMULA
    return False


def written(rows: Iterable[Iterable[Any]], *, is_guarded: bool) -> Iterator[bytes]:
    """Yield a CSV file (RFC 4180, UTF-8) of `rows`, in pieces; only texts need a guard."""
    text = io.StringIO()
    lines = csv.writer(text)
    for row in rows:
        lines.writerow(
            [
                guarded(value) if is_guarded and isinstance(value, str) else cell(value)
                for value in row
            ]
        )
        if text.tell() >= _PIECE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


# Reading ----------------------------------------------------------------------------------------


def read(content: bytes, *, is_guarded: bool = False) -> tuple[list[str], Iterator[Row]]:
    """Return the names of the columns and the rows below them. Raises BadFile.

    Accepts UTF-8 and UTF-16 with a byte order mark, and any line ending. Rejects what would be
    lost: two columns of one name, a column without a name, a line with more or fewer cells than the
    header, an open quote, NUL, and content that is not text. Blank lines are skipped where they
    cannot be a cell.
    """
    records = _records(_decoded(content))
    _, names = next(records, (1, []))
    if is_guarded:
        names = [unguarded(name) for name in names]
    if not names:
        raise BadFile(1, "the header with the column names is missing")
    for column, name in enumerate(names):
        if not name.strip():
            raise BadFile(1, f"column {column + 1} has no name")
        if name in names[:column]:
            raise BadFile(1, f"two columns are called {name[:100]!r}")
    return names, _rows(records, len(names), is_guarded=is_guarded)


class Row:
    """The cells of one row; `line` is its first line, counted from 1."""

    __slots__ = ("cells", "line")

    def __init__(self, line: int, cells: Sequence[str]) -> None:
        self.line = line
        self.cells = cells


def _rows(
    records: Iterator[tuple[int, list[str]]], n_columns: int, *, is_guarded: bool
) -> Iterator[Row]:
    blank: int | None = None
    for line, cells in records:
        if not cells:
            blank = line if blank is None else blank
            continue
        if blank is not None and n_columns == 1:
            raise BadFile(blank, 'is empty; an empty cell is written ""')
        if len(cells) != n_columns:
            raise BadFile(line, f"has {len(cells)} of the {n_columns} cells that the header names")
        yield Row(line, [unguarded(text) for text in cells] if is_guarded else cells)


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content.startswith(_UTF_16) else "utf-8-sig"
    if content.startswith(codecs.BOM_UTF32_LE):
        raise BadFile(1, "is UTF-32; save the file as UTF-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadFile(
            line, f"is not {encoding.removesuffix('-sig').upper()}; save the file as UTF-8"
        ) from None
    if (position := text.find("\x00")) >= 0:
        raise BadFile(text.count("\n", 0, position) + 1, "contains a NUL character")
    return text


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = lines.line_num + 1
        try:
            cells = next(lines)
        except StopIteration:
            return
        except csv.Error as error:
            reason = "a quote is not closed" if "end of data" in str(error) else str(error)
            raise BadFile(line, reason) from None
        yield line, cells
