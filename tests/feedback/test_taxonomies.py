"""The words a workspace allows for the reason and the category of feedback."""

from __future__ import annotations

from datetime import timedelta

import pytest

from observatory.feedback import taxonomies
from observatory.feedback.judgement import FeedbackInput, InvalidFeedback
from observatory.feedback.models import FeedbackConfig
from observatory.feedback.record import record
from tests.conftest import NOON

REASONS = ["wrong_policy", "hallucination", "missing_context"]


def test_words_are_kept_in_order_without_blanks_and_repetitions(acme) -> None:
    declared = taxonomies.set_words(
        acme, "feedback_reason", [" b ", "", "a", "b"], is_enforced=False, now=NOON
    )
    assert [c["label"] for c in declared.config["categories"]] == ["b", "a"]
    assert taxonomies.of(acme) == {"feedback_reason": declared, "user_feedback_category": None}


def test_a_word_keeps_its_number_while_it_stays(acme) -> None:
    taxonomies.set_words(acme, "feedback_reason", REASONS, is_enforced=False, now=NOON)
    declared = taxonomies.set_words(
        acme, "feedback_reason", ["new", "missing_context"], is_enforced=True, now=NOON
    )
    numbers = {c["label"]: c["value"] for c in declared.config["categories"]}
    assert numbers == {"new": 3, "missing_context": 2}
    assert declared.is_enforced


def test_no_words_mean_any_word(acme) -> None:
    taxonomies.set_words(acme, "feedback_reason", REASONS, is_enforced=True, now=NOON)
    assert (
        taxonomies.set_words(
            acme, "feedback_reason", ["  "], is_enforced=True, now=NOON + timedelta(1)
        )
        is None
    )
    assert not FeedbackConfig.objects.exists()


@pytest.mark.parametrize(
    ("key", "words", "why"),
    [
        ("tone", ["a"], "key: must be one of feedback_reason, user_feedback_category"),
        ("feedback_reason", ["x" * 101], "longer than 100 characters"),
        ("feedback_reason", [str(n) for n in range(201)], "more than 200"),
    ],
)
def test_a_taxonomy_that_makes_no_sense_is_refused(acme, key, words, why) -> None:
    with pytest.raises(ValueError, match=why):
        taxonomies.set_words(acme, key, words, is_enforced=False, now=NOON)


def test_an_enforced_taxonomy_lists_allowed_words_and_binds_its_workspace_only(acme, rival) -> None:
    taxonomies.set_words(acme, "feedback_reason", REASONS, is_enforced=True, now=NOON)
    with pytest.raises(InvalidFeedback, match="use one of: wrong_policy, hallucination, missing"):
        taxonomies.check(acme, {"feedback_reason": "bad mood"})
    taxonomies.check(acme, {"feedback_reason": "hallucination", "user_feedback_category": "any"})
    taxonomies.check(rival, {"feedback_reason": "bad mood"})


def test_the_taxonomy_also_binds_direct_feedback(acme) -> None:
    taxonomies.set_words(acme, "feedback_reason", REASONS, is_enforced=True, now=NOON)
    project = acme.projects.create(name="p")
    sent = FeedbackInput(key="feedback_reason", session_id=project.uuid, value="bad mood")
    with pytest.raises(InvalidFeedback, match=r"wrong_policy, hallucination, missing_context"):
        record(acme, sent, now=NOON)
