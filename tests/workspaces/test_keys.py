"""S2: the secret of a key is shown once; what is stored opens nothing."""

from __future__ import annotations

import base64

import pytest
from django.db import connection

from observatory.workspaces import keys

N_STEPS = 6  # of 8 bytes: any longer piece of a secret is most of it


def _dump() -> str:
    """Return every row of every table as text, like a dump of the database."""
    with connection.cursor() as cursor:
        texts = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            texts += [row[0] for row in cursor.fetchall()]
    return "\n".join(texts)


def test_s2_a_dump_of_the_database_holds_no_piece_of_a_key(acme, ada, now) -> None:
    key, token = keys.mint(acme, "app", created_by=ada)
    assert keys.find(token, now) is not None
    dump = _dump()
    assert str(key.pk) in dump
    hidden = token[len(key.prefix) :].encode()
    for start in range(0, len(hidden) - 8, N_STEPS):
        piece = hidden[start : start + 8]
        assert piece.decode() not in dump
        assert piece.hex() not in dump
        assert base64.b64encode(piece).decode().rstrip("=")[:-1] not in dump


def test_s2_what_is_stored_is_not_accepted_as_a_key(acme, now) -> None:
    key, token = keys.mint(acme, "app")
    stored = bytes(key.digest)
    assert len(stored) == 32
    for attempt in (stored.hex(), base64.b64encode(stored).decode(), key.prefix):
        assert keys.find(attempt, now) is None
    assert keys.find(token, now) is not None


@pytest.mark.parametrize("change", [str.upper, lambda t: t[:-1], lambda t: t + " ", lambda t: ""])
def test_s2_only_the_exact_secret_opens(acme, now, change) -> None:
    _, token = keys.mint(acme, "app")
    assert keys.find(change(token), now) is None


def test_t5_a_revoked_key_is_unknown_at_the_next_request(acme, now) -> None:
    key, token = keys.mint(acme, "app")
    assert keys.find(token, now) is not None
    keys.revoke(key, now)
    assert keys.find(token, now) is None
