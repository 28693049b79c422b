"""Pairs judged by keyboard in their drawn order, and questions that appear as they are needed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from annotations.models import QueueItem, Review, Seat
from annotations.queues import queue_items, queues
from observatory.feedback.models import Feedback
from observatory.runs.models import Project
from tests import kinds, scenes
from tests.browser.test_review import settle, submit, wait_for_next
from tests.browser.test_screens import complaints

pytestmark = pytest.mark.django_db(transaction=True)

ANSWERS = [
    ("You were charged once. The second line is a hold.", "We see two charges and refund one."),
    ("Yes, within **30 days**, in any condition.", "No."),
    ("It arrives tomorrow.", "Let me look that up for you:\n\n1. the order\n2. the carrier"),
]


@pytest.fixture
def pairs(acme, now):
    items = kinds.pairs(acme, now, ANSWERS)
    QueueItem.objects.filter(pk=items[1].pk).update(is_swapped=True)
    return list(QueueItem.objects.order_by("pk"))


def accessible(page) -> bool:
    """Return whether axe finds nothing; what it adds to the page itself is no violation."""
    before = page.evaluate("window.__violations")
    found = complaints(page)
    page.evaluate("(before) => { window.__violations = before; }", before)
    assert found == []
    return True


def open_queue(page, live_server, sign_in, user, queue):
    sign_in(page.context, user)
    page.goto(f"{live_server.url}/w/acme/queues/{queue.uuid}/review/")
    expect(page.locator("#item-title")).to_be_focused()


def scores_of(item):
    return (
        Feedback.objects.get(run_id=item.first_run_id).score,
        Feedback.objects.get(run_id=item.second_run_id).score,
    )


def test_pairs_are_judged_by_keyboard_as_a_b_and_tie(
    pairs, grace, page, live_server, sign_in, picture
) -> None:
    queue = pairs[0].queue
    open_queue(page, live_server, sign_in, grace, queue)
    expect(page.locator("#item-title")).to_contain_text("Which is better?")
    expect(page.locator("#side-A + *")).to_contain_text("You were charged once")
    expect(page.locator("#side-B + *")).to_contain_text("We see two charges")
    expect(page.locator("#correction")).to_have_count(0)
    assert "secret" not in page.content()
    assert "prompt-1" not in page.content()
    wait_for_next(page)
    picture(page, "pair")
    assert accessible(page)
    page.keyboard.press("b")
    expect(page.locator("#item input:checked + span")).to_contain_text("B is better")
    submit(page)
    expect(page.locator("#side-A + *")).to_contain_text("No.")  # swapped: the second is A
    page.keyboard.press("a")
    submit(page)
    page.keyboard.press("t")
    submit(page)
    settle(lambda: Review.objects.count() == 3)
    assert [scores_of(item) for item in pairs] == [(0.0, 1.0), (0.0, 1.0), (0.5, 0.5)]
    page.keyboard.press("z")
    expect(page.locator("#item input:checked + span")).to_contain_text("Tie")
    settle(lambda: Feedback.objects.count() == 4)

    page.goto(f"{live_server.url}/w/acme/queues/{queue.uuid}/items/{pairs[1].uuid}/")
    expect(page.locator("#answers")).to_contain_text("A")
    expect(page.locator("#answers td").first).to_have_text("A")
    page.goto(f"{live_server.url}/w/acme/queues/{queue.uuid}/")
    expect(page.locator("#queue-items")).to_contain_text("Pair: Why was I charged twice")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_a_pair_fits_every_screen(
    pairs, grace, page, live_server, sign_in, picture, watch, theme, width
) -> None:
    grace.theme = theme
    grace.save()
    page.set_viewport_size({"width": width, "height": 900})
    open_queue(page, live_server, sign_in, grace, pairs[0].queue)
    picture(page, f"pair-{width}-{theme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    watch.allowed.append("Content Security Policy")  # axe adds a style
    assert accessible(page)


def test_a_pair_is_judged_without_a_script(pairs, grace, browser, live_server, sign_in) -> None:
    context = browser.new_context(java_script_enabled=False)
    sign_in(context, grace)
    page = context.new_page()
    page.goto(f"{live_server.url}/w/acme/queues/{pairs[0].queue.uuid}/review/")
    page.get_by_label("A is better").check(force=True)
    page.get_by_role("button", name="Submit and next").click()
    settle(lambda: Review.objects.count() == 1)
    assert scores_of(pairs[0]) == (1.0, 0.0)
    context.close()


WHEN_WRONG = {"join": "all", "rules": [{"key": "correct", "op": "is", "values": [0]}]}
CONDITIONAL = [
    {
        "feedback_key": "correct",
        "title": "Correct",
        "kind": "categorical",
        "is_required": True,
        "categories": [{"value": 0, "label": "Wrong"}, {"value": 1, "label": "Right"}],
    },
    {
        "feedback_key": "ticket",
        "title": "Ticket",
        "kind": "freeform",
        "level": "text",
        "extra": {
            "visible_if": WHEN_WRONG,
            "required_if": WHEN_WRONG,
            "regex_validator": r"^[A-Z]+-\d+$",
        },
    },
    {
        "feedback_key": "polite",
        "title": "Polite",
        "kind": "boolean",
        "is_required": True,
        "extra": {"is_assertion": True},
    },
]


@pytest.fixture
def conditional(acme, now):
    project = Project.objects.create(workspace=acme, name="support")
    queue = queues.create_queue(acme, "Conditional", now=now, rubric=CONDITIONAL)
    runs = [
        scenes.make_run(acme, project, now, inputs={"question": q}, outputs={"answer": a})
        for q, a in scenes.QUESTIONS[:3]
    ]
    queue_items.add_runs(queue, [run.id for run in runs], source="api", now=now)
    return queue


def test_a_question_appears_when_its_condition_holds_and_is_enforced(
    conditional, grace, page, live_server, sign_in, picture
) -> None:
    open_queue(page, live_server, sign_in, grace, conditional)
    ticket = page.locator('[data-key="ticket"]')
    expect(ticket).to_be_hidden()
    wait_for_next(page)
    page.keyboard.press("2")  # right: the ticket stays away, the next question is marked
    expect(ticket).to_be_hidden()
    expect(page.locator('[data-key="polite"]')).to_be_focused()
    page.keyboard.press("1")
    submit(page)
    settle(lambda: Review.objects.count() == 1)
    assert Review.objects.get().scores.keys() == {"correct", "polite"}

    page.keyboard.press("1")  # wrong
    expect(ticket).to_be_visible()
    expect(ticket).to_be_focused()
    expect(ticket.locator("[data-req]")).to_be_visible()
    picture(page, "conditional")
    assert accessible(page)
    page.wait_for_timeout(450)
    page.keyboard.press("Control+Enter")
    expect(ticket.locator("[data-error]")).to_have_text("An answer is needed.")
    page.keyboard.press("Enter")
    page.keyboard.type("soon")
    page.keyboard.press("Control+Enter")
    expect(ticket.locator("[data-error]")).to_contain_text("must match")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+a")
    page.keyboard.type("ABC-12")
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("1")
    submit(page)
    settle(lambda: Review.objects.count() == 2)
    scores = Review.objects.order_by("pk").last().scores
    assert (scores["correct"]["score"], scores["ticket"]["value"]) == (0.0, "ABC-12")


def test_a_thread_shows_its_turns(acme, grace, page, live_server, sign_in, now, picture) -> None:
    queue = kinds.thread(acme, now, CONDITIONAL[:1])
    open_queue(page, live_server, sign_in, grace, queue)
    expect(page.locator("#item-title")).to_have_text("Thread chat-7")
    for question, _ in scenes.QUESTIONS[:3]:
        expect(page.locator("#ctx")).to_contain_text(question)
    picture(page, "thread")
    page.keyboard.press("2")
    page.wait_for_timeout(450)
    page.keyboard.press("Control+Enter")
    settle(lambda: Review.objects.count() == 1)
    judged = Feedback.objects.get()
    assert (judged.feedback_thread_id, judged.score) == ("chat-7", 1.0)
    assert not Seat.objects.filter(is_taken=False).exists()
