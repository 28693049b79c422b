"""Nothing a reviewer typed or submitted is lost: sign-out, reload, no network, a wrong key."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import expect

from annotations.models import Deferral, Review, ReviewDraft
from tests import scenes
from tests.browser.test_review import DWELL, settle, submit, title, until, wait_for_next
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def workbench(scene, page, live_server, sign_in):
    def open_it(user, query: str = ""):
        sign_in(page.context, user)
        page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
        page.goto(f"{live_server.url}/w/acme/queues/{scene.queue.uuid}/review/{query}")
        expect(page.locator("#item-title")).to_be_focused()
        return page

    return open_it


def sign_in_by_hand(page, name: str) -> None:
    page.locator("#id_username").fill(name)
    page.locator("#id_password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def end_session(page) -> None:
    page.context.clear_cookies(name="sessionid")


def answer(page) -> None:
    page.keyboard.press("3")
    page.keyboard.press("1")


def standing() -> int:
    return Review.objects.filter(retracted_at=None).count()


def test_reviews_of_an_ended_session_are_stored_after_signing_in_in_another_tab(
    workbench, grace, watch
) -> None:
    watch.allowed += ["401", "403"]
    page = workbench(grace)
    wait_for_next(page)
    end_session(page)
    answer(page)
    submit(page)
    expect(page.locator("#failed")).to_contain_text("1 review is not saved: you are signed out.")
    page.locator("#note").fill("typed while signed out")
    expect(page.locator("#saved")).to_have_text("Signed out, kept here")
    with page.expect_popup() as opened:
        page.locator("#failed").get_by_role("link", name="Sign in").click()
    other = opened.value
    watch.follow(other)
    sign_in_by_hand(other, "grace")
    expect(other.locator("h1")).to_have_text("Hello, grace")
    # By itself: the first tab notices, takes the new token and sends what it holds.
    settle(lambda: standing() == 1)
    settle(lambda: ReviewDraft.objects.filter(content__note="typed while signed out").exists())
    expect(page.locator("#failed")).to_be_hidden()
    expect(page.locator("#note")).to_have_value("typed while signed out")
    answer(page)
    submit(page)
    settle(lambda: standing() == 2)
    other.close()


def test_reviews_of_an_ended_session_are_stored_after_a_reload_and_signing_in(
    workbench, grace, watch
) -> None:
    watch.allowed += ["401", "403"]
    page = workbench(grace)
    wait_for_next(page)
    end_session(page)
    answer(page)
    submit(page)
    expect(page.locator("#failed")).to_contain_text("you are signed out")
    page.locator("#note").fill("typed while signed out")
    page.locator("[data-key=polite] .choice").first.click()
    page.reload()
    expect(page.locator("#id_username")).to_be_visible()
    sign_in_by_hand(page, "grace")
    expect(page.locator("#note")).to_have_value("typed while signed out")
    assert page.locator("[data-key=polite] input:checked").count() == 1
    settle(lambda: standing() == 1)
    settle(lambda: ReviewDraft.objects.filter(content__note="typed while signed out").exists())
    expect(page.locator("#failed")).to_be_hidden()


def test_the_last_item_of_an_ended_session_is_not_lost_either(
    workbench, scene, grace, watch
) -> None:
    watch.allowed += ["401", "403"]
    page = workbench(grace)
    page.route(re.compile(r"/review/next"), lambda route: route.abort())
    watch.allowed.append("ERR_FAILED")
    page.reload()  # without a next item at hand the form stays while the review is on its way
    end_session(page)
    answer(page)
    page.wait_for_timeout(DWELL)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#failed")).to_contain_text("you are signed out")
    page.unroute(re.compile(r"/review/next"))
    page.reload()
    sign_in_by_hand(page, "grace")
    settle(lambda: standing() == 1)
    assert Review.objects.get().scores["correctness"]["score"] == 2


def test_an_unsent_review_is_never_sent_as_another_user(
    workbench, grace, alan, watch, sign_in
) -> None:
    watch.allowed += ["401"]
    page = workbench(grace)
    wait_for_next(page)
    sign_in(page.context, alan)  # in another tab of the same browser
    answer(page)
    submit(page)
    expect(page.locator("#failed")).to_contain_text("alan has signed in")
    page.reload()
    expect(page.locator("#failed")).to_be_hidden()
    page.wait_for_timeout(500)
    assert Review.objects.count() == 0
    sign_in(page.context, grace)
    page.reload()
    settle(lambda: standing() == 1)
    assert Review.objects.get().reviewer == grace


@pytest.mark.parametrize("delay", [0, 50, 300, 600, 900])
def test_a_reload_right_after_typing_keeps_the_text_and_sees_no_other_tab(
    delay, workbench, scene, grace
) -> None:
    page = workbench(grace)
    page.locator("#note").fill("first")
    settle(lambda: ReviewDraft.objects.filter(content__note="first").exists())
    page.locator("#note").fill("second")
    page.wait_for_timeout(delay)
    page.reload()
    expect(page.locator("#note")).to_have_value("second")
    page.locator("#note").fill("third")
    settle(lambda: ReviewDraft.objects.filter(content__note="third").exists())
    expect(page.locator("#conflict")).to_be_hidden()
    page.reload()
    expect(page.locator("#note")).to_have_value("third")
    expect(page.locator("#conflict")).to_be_hidden()


def test_a_page_rendered_before_the_last_save_shows_the_saved_text(workbench, scene, grace) -> None:
    page = workbench(grace)
    held = []

    def hold_pages(route) -> None:
        if route.request.is_navigation_request():
            held.append((route, route.fetch()))
        else:
            route.continue_()

    page.route("**/review/**", hold_pages)
    page.locator("#note").fill("saved while the reload waits")
    page.evaluate("() => { setTimeout(() => location.reload()); }")
    end = time.monotonic() + 10
    while not (held and ReviewDraft.objects.exists()):
        assert time.monotonic() < end, "no reload, or no draft"
        page.wait_for_timeout(25)
    page.wait_for_timeout(300)  # the answer to the save arrives in the page that is leaving
    [(route, stale)] = held
    assert "saved while the reload waits" not in stale.text()
    route.fulfill(response=stale)
    expect(page.locator("#note")).to_have_value("saved while the reload waits")
    page.locator("#note").fill("typed on")
    settle(lambda: ReviewDraft.objects.filter(content__note="typed on").exists())
    expect(page.locator("#conflict")).to_be_hidden()


def test_a_refused_review_can_be_typed_on_without_a_false_conflict(
    workbench, scene, grace, watch
) -> None:
    watch.allowed.append("422")
    page = workbench(grace)
    answer(page)
    page.evaluate("document.querySelector('#note').value = 'x'.repeat(200_000)")
    page.wait_for_timeout(DWELL)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#failed")).to_contain_text("The note is longer")
    open_link = page.locator("#failed").get_by_role("link")
    open_link.click()
    expect(page.locator("#note")).to_have_value("x" * 200_000)
    page.locator("#note").fill("shorter")
    settle(lambda: ReviewDraft.objects.filter(content__note="shorter").exists())
    expect(page.locator("#conflict")).to_be_hidden()


def test_a_skip_and_a_requeue_are_undone_before_the_review_that_came_earlier(
    workbench, scene, grace
) -> None:
    page = workbench(grace)
    reviewed = title(page)
    answer(page)
    submit(page)
    settle(lambda: standing() == 1)
    skipped = title(page)
    page.keyboard.press("n")
    page.keyboard.type("half a thought")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    page.keyboard.press("3")
    expect(page.locator("#item-title")).not_to_have_text(skipped)
    settle(lambda: Deferral.objects.filter(kind="skip").count() == 1)
    expect(page.locator("#rail li").first).to_contain_text("skipped")
    requeued = title(page)
    page.keyboard.press("Shift+S")
    expect(page.locator("#item-title")).not_to_have_text(requeued)
    settle(lambda: Deferral.objects.filter(kind="requeue").count() == 1)
    expect(page.locator("#rail li")).to_have_count(3)

    page.keyboard.press("z")
    expect(page.locator("#item-title")).to_have_text(requeued)
    assert not Deferral.objects.filter(kind="requeue").exists()
    page.keyboard.press("z")
    expect(page.locator("#item-title")).to_have_text(skipped)
    expect(page.locator("#note")).to_have_value("half a thought")
    assert not Deferral.objects.exists()
    assert standing() == 1
    page.keyboard.press("z")
    expect(page.locator("#item-title")).to_have_text(reviewed)
    assert standing() == 0
    assert page.locator("#item input[type=radio]:checked").count() == 2


def test_an_offer_to_undo_ends_with_the_next_thing_that_is_done(workbench, grace) -> None:
    page = workbench(grace)
    wait_for_next(page)
    page.keyboard.press("s")
    page.keyboard.press("3")
    offers = page.locator(".toast").filter(has=page.get_by_role("button", name="Undo"))
    expect(offers).to_have_count(1)
    settle(lambda: Deferral.objects.count() == 1)
    wait_for_next(page)
    answer(page)
    submit(page)
    settle(lambda: standing() == 1)
    expect(offers).to_have_count(0)
    wait_for_next(page)
    requeued = title(page)
    page.keyboard.press("Shift+S")
    expect(offers).to_have_count(1)
    offers.get_by_role("button").click()
    expect(page.locator("#item-title")).to_have_text(requeued)
    assert standing() == 1


def test_a_reload_after_an_undo_opens_the_item_that_came_back(workbench, grace) -> None:
    page = workbench(grace)
    wait_for_next(page)
    titles = []
    for place in range(2):
        titles.append(title(page))
        answer(page)
        submit(page)
        settle(lambda done=place + 1: standing() == done)
        wait_for_next(page)
    first = titles[0]
    for expected in reversed(titles):
        page.locator("body").press("z")
        expect(page.locator("#item-title")).to_have_text(expected)
    page.locator("#note").fill("typed after the undo")
    page.reload()
    expect(page.locator("#item-title")).to_have_text(first)
    expect(page.locator("#note")).to_have_value("typed after the undo")
    answer(page)
    wait_for_next(page)
    submit(page)
    settle(lambda: standing() == 1)
    following = title(page)
    page.reload()
    expect(page.locator("#item-title")).to_have_text(following)


@pytest.mark.parametrize("width", [1024, 360])
def test_undo_is_a_button_in_the_bar_where_there_is_no_rail(width, workbench, grace, page) -> None:
    page.set_viewport_size({"width": width, "height": 768})
    workbench(grace)
    undo = page.locator("[data-undo-last]")
    expect(undo).to_be_hidden()
    skipped = title(page)
    page.keyboard.press("s")
    page.keyboard.press("1")
    expect(page.locator("#item-title")).not_to_have_text(skipped)
    settle(lambda: Deferral.objects.count() == 1)
    expect(undo).to_be_visible()
    undo.click()
    expect(page.locator("#item-title")).to_have_text(skipped)
    assert not Deferral.objects.exists()


def test_undo_works_without_scripts(scene, grace, browser, live_server, sign_in) -> None:
    context = browser.new_context(java_script_enabled=False)
    sign_in(context, grace)
    page = context.new_page()
    page.goto(f"{live_server.url}/w/acme/queues/{scene.queue.uuid}/review/")
    skipped = title(page)
    page.locator("[data-skip-menu] summary").click()
    page.locator("[data-skip]").first.click()
    assert title(page) != skipped
    page.locator("[data-undo-last]").click()
    assert title(page) == skipped
    context.close()


def test_what_was_submitted_offline_is_stored_when_the_network_returns(
    workbench, grace, watch
) -> None:
    watch.allowed += ["ERR_INTERNET_DISCONNECTED"]
    page = workbench(grace)
    wait_for_next(page)
    page.context.set_offline(True)
    answer(page)
    submit(page)
    expect(page.locator("#failed")).to_contain_text("1 review is not saved: no connection.")
    page.locator("#note").fill("typed offline")
    page.context.set_offline(False)  # the browser says "online"; without a click on Retry
    settle(lambda: standing() == 1)
    settle(lambda: ReviewDraft.objects.filter(content__note="typed offline").exists())
    expect(page.locator("#failed")).to_be_hidden()


def test_requests_are_retried_while_the_server_fails(workbench, grace, watch) -> None:
    watch.allowed.append("503")
    page = workbench(grace)
    wait_for_next(page)
    left = [2]

    def fail(route) -> None:
        left[0] -= 1
        if left[0] < 0:
            route.continue_()
        else:
            route.fulfill(status=503, body="no")

    page.route(re.compile("/submit$"), fail)
    answer(page)
    submit(page)
    expect(page.locator("#failed")).to_be_visible()
    expect(page.locator("#failed")).to_be_hidden(timeout=60_000)
    settle(lambda: standing() == 1)


def test_an_answer_that_is_changed_after_it_failed_is_not_sent_as_it_was(
    workbench, grace, watch
) -> None:
    watch.allowed += ["ERR_INTERNET_DISCONNECTED", "ERR_FAILED"]
    page = workbench(grace)
    page.route(re.compile("/review/next"), lambda route: route.abort())
    page.reload()
    page.context.set_offline(True)
    answer(page)
    page.wait_for_timeout(DWELL)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#failed")).to_contain_text("no connection")
    page.locator("[data-key=correctness] .choice").first.click()
    page.context.set_offline(False)
    page.unroute(re.compile("/review/next"))
    settle(lambda: ReviewDraft.objects.count() == 1)
    assert Review.objects.count() == 0
    submit(page)
    settle(lambda: standing() == 1)
    assert Review.objects.get().scores["correctness"]["score"] == 0


def test_the_live_region_has_the_newest_message_and_question(workbench, scene, grace) -> None:
    page = workbench(grace)
    wait_for_next(page)
    live = page.locator("#live")
    page.keyboard.press("3")
    page.keyboard.press("1")
    expect(live).to_have_text("Polite: Yes")
    submit(page)
    following = title(page)
    expect(live).to_have_text(f"Submitted 1. {following}")
    assert following in [question for question, _ in scenes.QUESTIONS]
    until(page, "(name) => document.title.startsWith(name)", following)


PLAIN_FORMS = [
    ("settings/keys/", "#id_name", "support bot, production", "Create key"),
    ("settings/", "#id_first_name", "Augusta Ada", "Save"),
    ("settings/feedback/", "textarea >> nth=0", "too slow\nwrong", "Save >> nth=0"),
]


@pytest.mark.parametrize(("path", "field", "text", "button"), PLAIN_FORMS)
def test_a_form_of_an_ended_session_has_its_text_again_after_signing_in(
    path, field, text, button, acme, ada, page, live_server, sign_in, watch
) -> None:
    watch.allowed.append("403")
    sign_in(page.context, ada)
    page.goto(f"{live_server.url}/w/acme/{path}")
    page.locator(field).fill(text)
    end_session(page)
    name, _, place = button.partition(" >> nth=")
    page.locator("main").get_by_role("button", name=name).nth(int(place or 0)).click()
    sign_in_by_hand(page, "ada")
    expect(page).to_have_url(f"{live_server.url}/w/acme/{path}")
    expect(page.locator(field)).to_have_value(text)
    expect(page.locator(".toast")).to_contain_text("It is not saved yet")
    page.locator("main").get_by_role("button", name=name).nth(int(place or 0)).click()
    expect(page.locator(".toast")).to_have_count(0)


@pytest.mark.parametrize(("path", "field", "text", "button"), PLAIN_FORMS)
def test_a_form_opened_before_signing_in_again_is_accepted(
    path, field, text, button, acme, ada, page, live_server, sign_in
) -> None:
    sign_in(page.context, ada)
    page.goto(f"{live_server.url}/w/acme/{path}")
    other = page.context.new_page()
    end_session(page)
    other.goto(live_server.url)
    sign_in_by_hand(other, "ada")
    expect(other.locator("h1")).to_have_text("Hello, ada")
    other.close()
    page.locator(field).fill(text)
    name, _, place = button.partition(" >> nth=")
    with page.expect_response(lambda response: response.request.method == "POST") as sent:
        page.locator("main").get_by_role("button", name=name).nth(int(place or 0)).click()
    assert sent.value.status in (200, 302)


def test_a_workbench_left_with_unsaved_reviews_is_named_on_other_pages(
    workbench, grace, watch, live_server
) -> None:
    watch.allowed += ["503"]
    page = workbench(grace)
    wait_for_next(page)
    page.route(re.compile("/submit$"), lambda route: route.fulfill(status=503, body="no"))
    answer(page)
    submit(page)
    expect(page.locator("#failed")).to_be_visible()
    page.goto(f"{live_server.url}/w/acme/")
    expect(page.locator(".toast")).to_contain_text("1 review is not saved yet.")
    page.unroute(re.compile("/submit$"))
    page.get_by_role("button", name="Save now").click()
    expect(page.locator("#item-title")).to_be_visible()
    settle(lambda: standing() == 1)
    page.goto(f"{live_server.url}/w/acme/")
    expect(page.locator(".toast")).to_have_count(0)
