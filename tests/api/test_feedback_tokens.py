"""/feedback/tokens: made with a key, redeemed without."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from observatory.feedback.models import Feedback, PresignedToken

RUN = str(UUID(int=1))


@pytest.fixture
def public(db) -> Client:
    """A browser without any credential."""
    return Client(raise_request_exception=False)


def made(api, **fields):
    answer = api.post("/feedback/tokens", {"run_id": RUN, "feedback_key": "k", **fields})
    assert answer.status_code == 200, answer.content
    return answer.json()


def path_of(token) -> str:
    return token["url"].split("testserver", 1)[1]


def post(public, token, body):
    return public.post(path_of(token), body, content_type="application/json")


def test_a_token_is_a_url_that_ends_in_a_uuid_with_its_expiry(api) -> None:
    same = str(uuid4())
    token = made(api, id=same, expires_in={"days": 1, "minutes": 30}, expires_at=None)
    assert token["id"] == same
    assert token["url"].startswith("http://testserver/api/feedback/tokens/")
    UUID(token["url"].rsplit("/", 1)[1])
    left = datetime.fromisoformat(token["expires_at"]) - timezone.now()
    assert timedelta(hours=24, minutes=29) < left <= timedelta(hours=24, minutes=30)


def test_an_array_is_answered_by_an_array_in_its_order(api) -> None:
    wanted = [
        {"run_id": RUN, "feedback_key": "a", "expires_in": None, "expires_at": None},
        {
            "run_id": RUN,
            "feedback_key": "b",
            "expires_at": (timezone.now() + timedelta(days=3)).isoformat(),
        },
        {"run_id": RUN, "feedback_key": "c", "expires_in": {"hours": 2}, "expires_at": None},
    ]
    answers = api.post("/feedback/tokens", wanted).json()
    assert [token["feedback_key"] for token in answers] == ["a", "b", "c"]
    assert len({token["url"] for token in answers}) == 3


def test_tokens_of_a_run_are_listed_with_the_urls_they_were_made_with(api) -> None:
    first, second = made(api), made(api, feedback_key="other")
    made(api, run_id=str(uuid4()))
    listed = api.get("/feedback/tokens", run_id=RUN, limit=10, offset=0).json()
    assert {token["url"] for token in listed} == {first["url"], second["url"]}
    assert len(api.get("/feedback/tokens", run_id=RUN, limit=1).json()) == 1


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"run_id": None}, "run_id"),
        ({"run_id": "x"}, "run_id"),
        ({"feedback_key": ""}, "feedback_key"),
        ({"expires_in": {"days": 366}}, "expires_at"),
        ({"expires_in": {"days": -1}}, "expires_in.days"),
        ({"expires_in": {"days": 1e300}}, "expires_at"),
        ({"expires_in": "soon"}, "expires_in"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"feedback_config": {"type": "x"}}, "feedback_config"),
    ],
)
def test_a_token_that_makes_no_sense_is_422(api, fields, name) -> None:
    answer = api.post("/feedback/tokens", {"run_id": RUN, "feedback_key": "k", **fields})
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(name)


def test_the_url_gives_one_feedback_that_can_be_changed(api, public) -> None:
    token, same = made(api), str(uuid4())
    nulls = {"id": same, "value": None, "comment": None, "correction": None, "metadata": None}
    for score in (1, 0):
        assert post(public, token, {"score": score, **nulls}).status_code == 200
    (kept,) = api.get("/feedback", run=RUN).json()
    assert (kept["key"], kept["score"]) == ("k", 0.0)
    post(
        public,
        token,
        {"id": same, "score": True, "comment": "fine", "correction": "so", "metadata": {"page": 3}},
    )
    (kept,) = api.get("/feedback", run=RUN).json()
    assert (kept["score"], kept["comment"], kept["correction"]) == (1.0, "fine", "so")
    assert kept["feedback_source"]["metadata"] == {"page": 3}


def test_the_id_of_a_token_is_redeemed_like_its_url(api, public) -> None:
    token = made(api)
    path = f"/feedback/tokens/{token['id']}"
    for body in ({"score": 1}, {"score": 0}):
        answer = public.post(path, body, content_type="application/json")
        assert answer.status_code == 200, answer.content
    assert sorted(each["score"] for each in api.get("/feedback", run=RUN).json()) == [0, 1]
    named = {"id": str(uuid4()), "score": 0.5}
    for _ in range(2):
        assert public.post(path, named, content_type="application/json").status_code == 200
    assert len(api.get("/feedback", run=RUN).json()) == 3
    assert api.delete(path).status_code == 200
    assert public.post(path, named, content_type="application/json").status_code == 404
    assert post(public, token, named).status_code == 404


def test_a_link_in_a_mail_votes_when_it_is_opened(api, public) -> None:
    token = made(api)
    assert public.get(path_of(token), {"score": "0.5", "comment": "good"}).status_code == 200
    (kept,) = api.get("/feedback", run=RUN).json()
    assert (kept["score"], kept["comment"]) == (0.5, "good")
    assert public.get(path_of(token), {"score": "True"}).status_code == 200
    assert public.get(path_of(token), {"score": "many"}).status_code == 422
    assert public.get(path_of(token)).status_code == 422


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-purpose": "prefetch;prerender"},
        {"purpose": "prefetch"},
        {"user-agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"},
        {"user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1)"},
        {"user-agent": "WhatsApp/2.23"},
    ],
)
def test_prefetching_and_link_previews_do_not_vote(api, public, headers) -> None:
    token = made(api)
    assert public.get(path_of(token), {"score": "1"}, headers=headers).status_code == 200
    assert public.head(path_of(token)).status_code == 200
    assert Feedback.objects.count() == 0


def test_unknown_expired_revoked_and_garbage_are_the_same_404(api, public) -> None:
    expired, revoked = made(api, id=str(uuid4())), made(api)
    PresignedToken.objects.filter(uuid=expired["id"]).update(expires_at=timezone.now())
    assert api.delete(f"/feedback/tokens/{revoked['id']}").status_code == 200
    answers = [post(public, token, {"score": 1}) for token in (expired, revoked)]
    answers += [
        public.post(f"/feedback/tokens/{name}", {"score": 1}, content_type="application/json")
        for name in (uuid4(), "x")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {
        (404, answers[0].content)
    }
    assert Feedback.objects.count() == 0
    assert revoked["id"] not in [
        token["id"] for token in api.get("/feedback/tokens", run_id=RUN).json()
    ]


def test_revoking_needs_a_key_of_the_workspace(api, rival_api, public) -> None:
    token = made(api)
    assert public.delete(f"/feedback/tokens/{token['id']}").status_code == 401
    assert rival_api.delete(f"/feedback/tokens/{token['id']}").status_code == 404
    assert post(public, token, {"score": 1}).status_code == 200


def test_pages_of_any_origin_may_post(api, public) -> None:
    token = made(api)
    preflight = public.options(
        path_of(token),
        headers={
            "origin": "https://app.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type",
        },
    )
    assert preflight.status_code == 204
    assert "POST" in preflight["access-control-allow-methods"]
    assert preflight["access-control-allow-headers"] == "Content-Type"
    for answer in (
        preflight,
        post(public, token, {"score": 1}),
        post(public, token, {"score": "x"}),
    ):
        assert answer["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in api.get("/feedback")


def test_redemptions_are_limited_to_10_per_token_and_60_per_address(api, public) -> None:
    token = made(api)
    answers = [post(public, token, {"score": 1}) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert 1 <= int(answers[-1]["retry-after"]) <= 60
    assert answers[-1].json()["code"] == "throttled"
    statuses = [
        public.post(f"/feedback/tokens/{uuid4()}", {}, content_type="application/json").status_code
        for _ in range(50)
    ]
    assert statuses == [404] * 49 + [429]


def test_a_redemption_must_fit_the_scale_of_its_token(api, public) -> None:
    token = made(api, feedback_config={"type": "continuous", "min": 1, "max": 5})
    refused = post(public, token, {"score": 6})
    assert (refused.status_code, refused.json()["detail"]) == (
        422,
        "score: 6 is above the maximum 5",
    )
    assert post(public, token, {"score": 5}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"[]", 422),
        (b"{", 400),
        (b'{"comment": "%s"}' % (b"x" * 3_000_000), 413),
        (b'{"value": [1]}', 422),
    ],
)
def test_hostile_bodies_without_a_credential_get_a_clear_answer(api, public, body, status) -> None:
    token = made(api)
    assert (
        public.generic("POST", path_of(token), body, content_type="application/json").status_code
        == status
    )


def test_the_feedback_of_a_token_has_the_id_it_was_made_with(api, public) -> None:
    wanted = str(uuid4())
    token = made(api, id=wanted)
    assert token["id"] == wanted
    assert post(public, token, {"score": 1}).status_code == 200
    assert api.get(f"/feedback/{wanted}").json()["score"] == 1
    other = api.post("/feedback", {"run_id": str(uuid4()), "key": "k", "score": 0}).json()
    body = {"run_id": str(uuid4()), "feedback_key": "k", "id": other["id"]}
    refused = api.post("/feedback/tokens", body)
    assert (refused.status_code, refused.json()["detail"]) == (
        422,
        "id: is the id of other feedback",
    )
