"""/repos as both SDKs list prompts: what is found, by whom, at what cost."""

from __future__ import annotations

import pytest


def made(api, handle: str, **body) -> dict:
    answer = api.post("/repos/", {"repo_handle": handle, "is_public": False, **body})
    assert answer.status_code == 200, answer.content
    return answer.json()["repo"]


@pytest.mark.django_db
def test_a_page_of_prompts_costs_the_same_however_long(api, django_assert_num_queries) -> None:
    for n in range(12):
        made(api, f"prompt-{n}")
    api.get("/repos", limit=1)
    for limit in (1, 12):
        with django_assert_num_queries(3):  # the key, the page, the total
            told = api.get("/repos", limit=limit).json()
        assert (len(told["repos"]), told["total"]) == (limit, 12)


@pytest.mark.django_db
def test_words_are_found_anywhere_or_by_their_beginning(api, rival_api) -> None:
    made(api, "support-answer", description="Kind (and brief)")
    made(api, "rag.query", description="of a+b")
    made(rival_api, "support-rival")

    def found(query: str, **more) -> list[str]:
        told = api.get("/repos", query=query, **more).json()
        return [one["repo_handle"] for one in told["repos"]]

    assert found("pport") == ["support-answer"]
    assert found("pport", match_prefix="true") == []
    for query in ("ANSW", "support-a", "(and", "brief)"):
        assert found(query, match_prefix="true") == ["support-answer"]
    for query in ("query", "a+b", "rag."):
        assert found(query, match_prefix="true") == ["rag.query"]
    assert found("rag.*", match_prefix="true") == []  # letters, no pattern
