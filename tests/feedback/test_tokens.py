"""Presigned tokens: derived, hashed, bounded in time, uses and scale."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Thread
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test import override_settings

from observatory.feedback import rates
from observatory.feedback.models import Feedback, PresignedToken, RateWindow
from observatory.feedback.record import FeedbackInput, InvalidFeedback, record
from observatory.feedback.tokens import (
    MAX_USES,
    TokenInput,
    UnknownToken,
    id_of,
    mint,
    redeem,
    revoke,
    secret_of,
)
from observatory.workspaces import keys
from tests.conftest import NOON

RUN = UUID(int=1)


def minted(workspace, **fields):
    (token,) = mint(workspace, [TokenInput(run_id=RUN, key="k", **fields)], now=NOON)
    return token, secret_of(workspace, token)


def test_a_repeated_id_updates_only_the_given_fields(acme) -> None:
    _, secret = minted(acme)
    same = uuid4()
    redeem(secret, {"score": 1.0, "comment": None}, now=NOON, feedback_id=same)
    redeem(secret, {"score": None, "comment": "thanks"}, now=NOON, feedback_id=same)
    last = redeem(secret, {"score": 0.0}, now=NOON + timedelta(hours=1), feedback_id=same)
    assert Feedback.objects.count() == 1
    assert (last.uuid, last.run_id, last.key) == (same, RUN, "k")
    assert (last.score, last.comment, last.source_type) == (0.0, "thanks", "api")


@pytest.mark.parametrize("chosen", [None, UUID(int=7)])
def test_each_redemption_is_feedback_of_its_own_unless_it_names_an_id(acme, chosen) -> None:
    token, secret = minted(acme, id=chosen)
    first = redeem(id_of(acme, token), {"score": 1.0}, now=NOON)
    second = redeem(secret, {"score": 1.0}, now=NOON)
    assert first.uuid != second.uuid
    assert chosen in {None, first.uuid}
    named = uuid4()
    redeem(secret, {"score": 0.0}, now=NOON, feedback_id=named)
    again = redeem(secret, {"comment": "sure"}, now=NOON, feedback_id=named)
    assert (again.uuid, again.score, again.comment) == (named, 0.0, "sure")
    assert Feedback.objects.count() == 3


def test_a_token_changes_no_feedback_that_was_not_given_by_one(acme) -> None:
    api_key, _ = keys.mint(acme, "a key")
    by_key = record(acme, FeedbackInput(run_id=RUN, key="k", score=1.0), now=NOON, api_key=api_key)
    _, secret = minted(acme)
    _, elsewhere = minted(acme, config=None)
    other = redeem(elsewhere, {"score": 1.0}, now=NOON)
    Feedback.objects.filter(pk=other.pk).update(key="other")
    for uuid in (by_key.uuid, other.uuid):
        with pytest.raises(InvalidFeedback, match="id: is the id of other feedback"):
            redeem(secret, {"score": 0.0}, now=NOON, feedback_id=uuid)
    assert set(Feedback.objects.values_list("score", flat=True)) == {1.0}


def test_the_id_of_a_token_is_its_secret_unless_its_maker_chose_one(acme) -> None:
    token, secret = minted(acme)
    assert id_of(acme, token) == secret
    chosen, other = minted(acme, id=uuid4())
    assert id_of(acme, chosen) == chosen.uuid != other
    assert redeem(chosen.uuid, {"score": 1.0}, now=NOON).run_id == RUN
    for uuid in (secret, chosen.uuid):
        assert revoke(acme, uuid, NOON)
        with pytest.raises(UnknownToken):
            redeem(uuid, {"score": 1.0}, now=NOON)


def test_an_id_that_two_workspaces_chose_opens_neither(acme, rival) -> None:
    same = uuid4()
    _, ours = minted(acme, id=same)
    minted(rival, id=same)
    with pytest.raises(UnknownToken):
        redeem(same, {"score": 1.0}, now=NOON)
    assert redeem(ours, {"score": 1.0}, now=NOON).workspace == acme


def test_unknown_expired_revoked_and_used_up_look_the_same(acme) -> None:
    token, secret = minted(acme)
    _, revoked = minted(acme)
    used, used_up = minted(acme)
    assert revoke(acme, PresignedToken.objects.order_by("pk")[1].uuid, NOON)
    PresignedToken.objects.filter(pk=used.pk).update(n_uses=MAX_USES)
    redeem(secret, {"score": 1.0}, now=token.expires_at - timedelta(microseconds=1))
    for dead, moment in (
        (secret, token.expires_at),
        (revoked, NOON),
        (used_up, NOON),
        (uuid4(), NOON),
    ):
        with pytest.raises(UnknownToken):
            redeem(dead, {"score": 0.0}, now=moment)
    assert Feedback.objects.count() == 1


def test_a_refused_redemption_uses_nothing_up(acme) -> None:
    token, secret = minted(
        acme, config={"type": "continuous", "min": 1, "max": 5, "categories": None}
    )
    for given in ({}, {"source_metadata": {"a": 1}}, {"score": 6.0}):
        with pytest.raises(InvalidFeedback):
            redeem(secret, given, now=NOON)
    token.refresh_from_db()
    assert token.n_uses == 0


def test_the_database_holds_no_usable_token(acme) -> None:
    _, secret = minted(acme)
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(t)::text FROM feedback_presignedtoken t")
        (stored,) = cursor.fetchone()
    assert str(secret) not in stored
    assert secret.hex not in stored
    assert secret.version == 4


def test_the_same_id_in_another_workspace_has_another_secret(acme, rival) -> None:
    same = uuid4()
    _, ours = minted(acme, id=same)
    _, theirs = minted(rival, id=same)
    assert ours != theirs
    assert redeem(theirs, {"score": 1.0}, now=NOON).workspace == rival


def test_an_id_sent_again_is_the_same_token_and_never_another_one(acme) -> None:
    token, secret = minted(acme, id=uuid4())
    again, same = minted(acme, id=token.uuid, expires_at=NOON + timedelta(days=2))
    assert same == secret
    assert PresignedToken.objects.get().expires_at == NOON + timedelta(days=2)
    with pytest.raises(InvalidFeedback, match="id: is the id of another token"):
        mint(acme, [TokenInput(id=again.uuid, run_id=uuid4(), key="k")], now=NOON)
    revoke(acme, token.uuid, NOON)
    with pytest.raises(InvalidFeedback, match="id: is the id of another token"):
        minted(acme, id=token.uuid)


def test_a_token_lives_three_hours_by_default_and_a_year_at_most(acme) -> None:
    assert minted(acme)[0].expires_at == NOON + timedelta(hours=3)
    assert minted(acme, expires_at=NOON + timedelta(days=365))[1]
    with pytest.raises(InvalidFeedback, match="more than 365 days"):
        minted(acme, expires_at=NOON + timedelta(days=365, seconds=1))


def test_a_changed_secret_key_keeps_tokens_working_and_shows_them_while_the_old_one_is_kept(
    acme, settings
) -> None:
    token, secret = minted(acme)
    old = settings.SECRET_KEY
    with override_settings(SECRET_KEY="n" * 50, SECRET_KEY_FALLBACKS=[old]):
        assert secret_of(acme, token) == secret
    with override_settings(SECRET_KEY="n" * 50, SECRET_KEY_FALLBACKS=[]):
        assert secret_of(acme, token) is None
        assert redeem(secret, {"score": 1.0}, now=NOON).score == 1.0


@pytest.mark.django_db(transaction=True)
def test_racing_redemptions_of_one_token_write_one_row_and_never_pass_the_limit(acme) -> None:
    token, secret = minted(acme)
    same = uuid4()
    PresignedToken.objects.filter(pk=token.pk).update(n_uses=MAX_USES - 3)
    gate, outcomes = Barrier(6), []

    def vote(number: int) -> None:
        gate.wait()
        try:
            redeem(secret, {"score": float(number)}, now=NOON, feedback_id=same)
            outcomes.append("kept")
        except UnknownToken:
            outcomes.append("unknown")
        finally:
            connection.close()

    threads = [Thread(target=vote, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["kept"] * 3 + ["unknown"] * 3
    assert Feedback.objects.count() == 1


@pytest.mark.django_db
def test_a_limit_counts_within_its_minute_and_opens_again(now) -> None:
    def ask(seconds: float) -> int:
        return rates.seconds_to_wait(
            rates.subject_of("address", "192.0.2.7"), 3, now + timedelta(seconds=seconds)
        )

    assert [ask(0), ask(1), ask(2)] == [0, 0, 0]
    assert ask(15) == 46
    assert ask(59.9) == 1
    assert ask(60) == 0
    assert rates.seconds_to_wait(rates.subject_of("address", "192.0.2.8"), 1, now) == 0


@pytest.mark.django_db
def test_ended_minutes_are_removed_by_new_ones(now) -> None:
    for number in range(30):
        rates.seconds_to_wait(rates.subject_of("address", str(number)), 1, now)
    later = now + timedelta(hours=2)
    for number in range(2):
        rates.seconds_to_wait(rates.subject_of("later", str(number)), 1, later)
    assert RateWindow.objects.count() == 2
