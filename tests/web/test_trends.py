"""The trends page, and the words that managers allow for feedback."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from observatory.feedback import taxonomies
from observatory.feedback.models import Feedback
from tests import scenes
from tests.factories import ProjectFactory

pytestmark = pytest.mark.django_db
PART = {"HX-Request": "true"}
TRENDS, WORDS = "/w/acme/trends/", "/w/acme/settings/feedback/"


def give(workspace, key, score=None, days_ago=0, **fields) -> Feedback:
    at = timezone.now() - timedelta(days=days_ago)
    return Feedback.objects.create(
        workspace=workspace, run_id=uuid4(), key=key, score=score, created_at=at, **fields
    )


def test_a_key_is_drawn_and_listed_in_figures(acme, ada, as_user) -> None:
    for score, ago in ((1, 0), (0, 0), (1, 1), (1, 40)):
        give(acme, "helpful", score, ago)
    text = as_user(ada).get(TRENDS).content.decode()
    assert "helpful" in text
    assert '<svg class="trend spaced"' in text
    assert "style=" not in text
    assert text.count("<polyline") == 2
    (card,) = as_user(ada).get(TRENDS, {"days": "30"}).context["cards"]
    assert card["trend"].whole.share_positive == pytest.approx(2 / 3)
    assert [row["figures"].n for row in card["rows"]] == [2, 1]
    (card,) = as_user(ada).get(TRENDS, {"days": "90"}).context["cards"]
    assert [row["figures"].n for row in card["rows"]] == [2, 1, 1]


def test_the_page_is_narrowed_by_project_key_and_source(acme, ada, as_user) -> None:
    project = ProjectFactory(workspace=acme, name="support")
    give(acme, "helpful", 1, project=project, source_type="app")
    give(acme, "tone", 1, project=project, source_type="model")
    give(acme, "elsewhere", 1)
    client = as_user(ada)

    def shown(**query: str) -> set[str]:
        cards = client.get(TRENDS, query, headers=PART).context["cards"]
        return {card["trend"].key for card in cards}

    assert shown() == {"helpful", "tone", "elsewhere"}
    assert shown(project=str(project.uuid)) == {"helpful", "tone"}
    assert shown(project=str(project.uuid), source="model") == {"tone"}
    assert shown(key="elsewhere") == {"elsewhere"}
    assert shown(key="elsewhere", source="model") == set()
    assert "Show everything" in client.get(TRENDS, {"key": "none"}).content.decode()
    linked = client.get(f"/w/acme/projects/{project.uuid}/").content.decode()
    assert f"{TRENDS}?project={project.uuid}" in linked


@pytest.mark.parametrize("query", [{"project": "x"}, {"project": str(uuid4())}])
def test_an_unknown_project_is_404(acme, ada, as_user, query) -> None:
    assert as_user(ada).get(TRENDS, query).status_code == 404


@pytest.mark.parametrize("query", [{"days": "9999"}, {"source": "x"}, {"key": "\x00" * 500}])
def test_invalid_parameters_use_the_default(acme, ada, as_user, query) -> None:
    assert as_user(ada).get(TRENDS, query).status_code == 200


def test_a_chart_does_not_reveal_a_blind_review(acme, ada, grace, as_user) -> None:
    scene = scenes.build(acme, timezone.now(), n_items=2)
    scene.answer(grace, scene.items[0], 2, timezone.now())
    key = Feedback.objects.filter(user=grace).values_list("key", flat=True)[0]

    def n_shown(user) -> int:
        cards = as_user(user).get(TRENDS, {"key": key}).context["cards"]
        return sum(card["trend"].whole.n for card in cards)

    assert n_shown(grace) == n_shown(ada) == 0
    scene.answer(ada, scene.items[0], 2, timezone.now())
    assert n_shown(grace) == n_shown(ada) == 2


def test_words_are_set_a_line_each_and_enforced(acme, ada, as_user) -> None:
    client = as_user(ada)
    body = {
        "key": "feedback_reason",
        "words": "wrong_policy\n\nhallucination\n",
        "is_enforced": "1",
    }
    assert client.post(WORDS, body).status_code == 302
    declared = taxonomies.of(acme)["feedback_reason"]
    assert [c["label"] for c in declared.config["categories"]] == ["wrong_policy", "hallucination"]
    assert declared.is_enforced
    page = client.get(WORDS).content.decode()
    assert "wrong_policy\nhallucination" in page
    client.post(WORDS, {"key": "feedback_reason", "words": ""})
    assert taxonomies.of(acme)["feedback_reason"] is None


def test_too_long_word_is_rejected_with_reason(acme, ada, as_user) -> None:
    answer = as_user(ada).post(WORDS, {"key": "feedback_reason", "words": "x" * 101})
    assert answer.status_code == 422
    assert "longer than 100 characters" in answer.content.decode()
    assert "x" * 101 in answer.content.decode()
    assert as_user(ada).post(WORDS, {"key": "tone", "words": "a"}).status_code == 422


def test_reviewers_do_not_set_words(acme, grace, as_user) -> None:
    assert as_user(grace).get(WORDS).status_code == 403
    assert as_user(grace).post(WORDS, {"key": "feedback_reason", "words": "a"}).status_code == 403
