"""Where the body of a request ends, however its bytes are cut on the way."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observatory.server.framing import BadFraming, Chunked, Counted, Framing


def fed(framing: Framing, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """Return the body and what follows it."""
    body, rest = b"", b""
    for piece in pieces:
        if framing.is_complete:
            rest += piece
            continue
        part, rest = framing.feed(piece)
        body += part
    return body, rest


def cut(content: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(content) + 1) for place in places} | {0, len(content)})
    return [content[a:b] for a, b in itertools.pairwise(ends)]


PLACES = st.lists(st.integers(0, 10_000), max_size=12)


@given(st.lists(st.binary(min_size=1, max_size=300)), st.binary(max_size=20), PLACES)
def test_a_chunked_body_is_the_same_however_it_is_cut(chunks, after, places) -> None:
    wire = b"".join(b"%x;a=b\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\nX-T: 1\r\n\r\n"
    framing = Chunked()
    assert fed(framing, cut(wire + after, places)) == (b"".join(chunks), after)
    assert framing.is_complete


@given(st.binary(max_size=300), st.binary(max_size=20), PLACES)
def test_a_counted_body_ends_where_its_length_says(body, after, places) -> None:
    framing = Counted(len(body))
    pieces = cut(body + after, places)
    assert fed(framing, pieces) == (body, after)
    assert framing.is_complete


def test_a_chunked_body_is_not_complete_before_its_last_line() -> None:
    framing = Chunked()
    assert framing.feed(b"3\r\nabc\r\n0\r\n") == (b"abc", b"")
    assert not framing.is_complete
    framing.feed(b"\r\n")
    assert framing.is_complete


@pytest.mark.parametrize(
    "wire",
    [
        b"-5\r\nabcde\r\n",
        b"+5\r\nabcde\r\n",
        b"0x5\r\nabcde\r\n",
        b"5 \r\nabcde\r\n",
        b"\r\nabcde\r\n",
        b"zz\r\n",
        b"1_0\r\n",
        b"fffffffffffffffffffffffff\r\n",
        b"3\nabc\n0\n\n",
        b"3\r\nabcd\r\n0\r\n\r\n",
        b"3\r\nabc0\r\n\r\n",
        b"3\rx\r\nabc\r\n",
        b"1" * 5_000,
        b"0\r\n" + b"X-Trailer: 1\r\n" * 5_000,
    ],
)
def test_a_body_that_is_not_chunked_right_is_refused(wire: bytes) -> None:
    with pytest.raises(BadFraming):
        Chunked().feed(wire)
