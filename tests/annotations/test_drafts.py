"""What was typed and not submitted."""

from __future__ import annotations

import pytest

from annotations.reviewing import drafts, reviews
from annotations.reviewing.reviewer_sessions import Unavailable
from observatory.feedback.judgement import InvalidFeedback
from tests.annotations.test_reviews import submission
from tests.conftest import NOON
from tests.factories import QueueItemFactory


@pytest.fixture
def item(acme):
    return QueueItemFactory(queue__workspace=acme)


def test_a_draft_is_restored_as_it_was_saved_last(item, ada, grace) -> None:
    assert drafts.load(item, ada) is None
    first = drafts.save(item, ada, {"note": "a"}, 0, NOON)
    second = drafts.save(item, ada, {"note": "ab"}, first.version, NOON)
    assert (first.version, second.version) == (1, 2)
    assert drafts.load(item, ada).content == {"note": "ab"}
    assert drafts.load(item, grace) is None


def test_two_tabs_conflict_and_neither_text_is_lost(item, ada) -> None:
    drafts.save(item, ada, {"note": "one"}, 0, NOON)
    for stale in (0, 7):
        with pytest.raises(drafts.DraftConflict) as conflict:
            drafts.save(item, ada, {"note": "two"}, stale, NOON)
        assert conflict.value.current.content == {"note": "one"}
        assert conflict.value.typed == {"note": "two"}


def test_a_late_autosave_does_not_bring_back_the_draft_of_a_submitted_review(item, ada) -> None:
    reviews.submit(item, ada, submission({}), NOON)
    with pytest.raises(Unavailable):
        drafts.save(item, ada, {"note": "late"}, 0, NOON)


def test_a_draft_that_jsonb_cannot_hold_is_cleaned_or_refused(item, ada) -> None:
    assert drafts.save(item, ada, {"note": "a\x00b"}, 0, NOON).content == {"note": "a\ufffdb"}
    with pytest.raises(InvalidFeedback):
        drafts.save(item, ada, {"note": "x" * 1_100_000}, 1, NOON)


def test_a_later_text_of_the_same_tab_never_conflicts(item, ada) -> None:
    first = drafts.save(item, ada, {"note": "a"}, 0, NOON, writer=drafts.Writer("tab one", 10))
    again = drafts.save(item, ada, {"note": "ab"}, 0, NOON, writer=drafts.Writer("tab one", 11))
    assert (again.version, again.content["note"]) == (first.version + 1, "ab")
    third = drafts.save(item, ada, {"note": "abc"}, 1, NOON, writer=drafts.Writer("tab one", 12))
    assert third.version == again.version + 1


def test_an_earlier_text_that_arrives_late_does_not_replace_a_later_one(item, ada) -> None:
    drafts.save(item, ada, {"note": "late"}, 0, NOON, writer=drafts.Writer("tab one", 20))
    with pytest.raises(drafts.DraftConflict):
        drafts.save(item, ada, {"note": "early"}, 0, NOON, writer=drafts.Writer("tab one", 19))
    with pytest.raises(drafts.DraftConflict):
        drafts.save(item, ada, {"note": "other"}, 0, NOON, writer=drafts.Writer("tab two", 30))
    stored = drafts.load(item, ada)
    assert stored is not None
    assert stored.content["note"] == "late"
