"""The main job by keyboard alone: judge, correct, take back, skip; and what must not go wrong."""

from __future__ import annotations

import re
import time

import langsmith
import pytest
from django.utils import timezone
from playwright.sync_api import expect

from annotations.models import Deferral, Review, ReviewDraft, Seat
from datasets_app import harvest
from observatory.workspaces import keys
from tests import scenes
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
DWELL = 450  # ms: the page refuses to submit faster than a reviewer can read


@pytest.fixture
def workbench(scene, page, live_server, sign_in):
    """Open the workbench as a reviewer: `workbench(grace)`."""

    def open_it(user, on=page):
        sign_in(on.context, user)
        on.goto(f"{live_server.url}/w/acme/queues/{scene.queue.uuid}/review/")
        expect(on.locator("#item-title")).to_be_focused()
        return on

    return open_it


def title(page) -> str:
    return page.locator("#item-title").inner_text()


def until(page, condition: str, arg=None) -> None:
    """Wait for a condition of the page. (`wait_for_function` needs eval, which the CSP refuses.)"""
    end = time.monotonic() + 10
    while not page.evaluate(condition, arg):
        assert time.monotonic() < end, condition
        page.wait_for_timeout(25)


def wait_for_next(page) -> None:
    until(page, "() => !!document.getElementById('next').content.querySelector('[data-item]')")


def submit(page) -> None:
    """Press Ctrl+Enter once the item may be submitted, and wait for another."""
    before = page.locator("#item").get_attribute("data-item")
    page.wait_for_timeout(DWELL)
    page.keyboard.press("Control+Enter")
    until(page, "(id) => document.getElementById('item').dataset.item !== id", before)


def settle(check, seconds: float = 10) -> None:
    """Wait until the server has what the page sent in the background."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "the server did not get it"
        time.sleep(0.05)


def test_a_reviewer_works_by_keyboard_from_sign_in_to_the_dataset(
    scene, grace, alan, page, live_server, picture
) -> None:
    page.goto(live_server.url)
    page.keyboard.type("grace")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Hello, grace")
    page.keyboard.press("r")
    expect(page.locator("#item-title")).to_be_focused()
    seen = []
    for number in range(5):
        seen.append(title(page))
        page.keyboard.press("1" if number == 1 else "3")
        page.keyboard.press("1")
        if number in (1, 3):
            page.keyboard.press("Escape")
            page.keyboard.press("e")
            page.keyboard.press("Control+End")
            page.keyboard.type(" I am sorry.")
            expect(page.locator("#diff ins").last).to_contain_text("I am sorry.")
            if number == 3:
                picture(page, "correcting")
            page.keyboard.press("Escape")
        submit(page)
    settle(lambda: Review.objects.filter(retracted_at=None).count() == 5)
    assert len(set(seen)) == 5

    page.keyboard.press("z")
    expect(page.locator("#item-title")).to_have_text(seen[-1])
    assert page.locator("#item input[type=radio]:checked").count() == 2
    assert Review.objects.filter(retracted_at=None).count() == 4
    submit(page)
    settle(lambda: Review.objects.filter(retracted_at=None).count() == 5)

    skipped = title(page)
    page.keyboard.press("s")
    page.keyboard.press("2")
    until(
        page, "(was) => document.getElementById('item-title').textContent.trim() !== was", skipped
    )
    settle(lambda: Deferral.objects.filter(reason="not_my_field").count() == 1)
    assert Review.objects.exclude(correction=None).filter(retracted_at=None).count() == 2
    expect(page.locator("#progress")).to_contain_text("5 /")

    _second_opinion(scene, alan)
    _as_the_sdk_reads_it(scene, live_server.url)
    page.goto(f"{live_server.url}/w/acme/queues/{scene.queue.uuid}/agreement/")
    expect(page.locator("#key-1")).to_contain_text("Correctness")
    expect(page.locator(".key-card").first).to_contain_text("weighted kappa")
    expect(page.locator(".key-card").first).to_contain_text("5 items rated by two or more")


def _second_opinion(scene, alan) -> None:
    """The other reviewer answers the same items, and those they agree on become examples.

    They agree on the two that were corrected.
    """
    done = list(Review.objects.filter(retracted_at=None).order_by("pk"))
    for place, review in enumerate(done):
        scene.answer(alan, review.item, 2 if place == 3 else 0, timezone.now())
    harvest.harvest([review.item_id for review in done], now=timezone.now())


def _as_the_sdk_reads_it(scene, address: str) -> None:
    _, token = keys.mint(scene.workspace, "sdk")
    sdk = langsmith.Client(api_url=address, api_key=token, auto_batch_tracing=False)
    rows = list(
        sdk.list_feedback(run_ids=[run.id for run in scene.runs], feedback_key=["correctness"])
    )
    assert len(rows) == 10
    assert {row.feedback_source.type for row in rows} == {"app"}
    examples = list(sdk.list_examples(dataset_name=scene.dataset.name))
    assert sum("I am sorry." in str(example.outputs) for example in examples) == 2


def test_ten_rapid_submits_store_one_review(workbench, scene, grace) -> None:
    page = workbench(grace)
    page.keyboard.press("3")
    page.keyboard.press("1")
    wait_for_next(page)
    page.wait_for_timeout(DWELL)
    for _ in range(10):
        page.keyboard.press("Control+Enter")
    settle(lambda: Review.objects.count() == 1)
    page.wait_for_timeout(600)
    assert Review.objects.count() == 1


def test_a_held_key_submits_nothing_that_was_not_read(workbench, scene, grace) -> None:
    page = workbench(grace)
    page.keyboard.press("3")
    page.keyboard.press("1")
    wait_for_next(page)
    page.wait_for_timeout(DWELL)
    page.keyboard.down("Control")
    for _ in range(8):
        page.keyboard.down("Enter")  # without up in between: the browser says repeat
    page.keyboard.up("Enter")
    page.keyboard.up("Control")
    settle(lambda: Review.objects.count() == 1)
    page.wait_for_timeout(300)
    assert Review.objects.count() == 1


def test_the_next_item_is_on_the_screen_before_the_server_has_answered(
    workbench, scene, grace
) -> None:
    page = workbench(grace)
    wait_for_next(page)
    held = []

    def hold(route) -> None:
        held.append(route)

    page.route(re.compile("/submit$"), hold)
    before = title(page)
    page.keyboard.press("2")
    page.keyboard.press("2")
    submit(page)
    assert title(page) != before
    assert Review.objects.count() == 0
    assert page.locator("#item-title").evaluate("(h) => h === document.activeElement")
    held[0].continue_()
    settle(lambda: Review.objects.count() == 1)


def test_a_required_answer_that_is_missing_is_named_and_focused(workbench, grace) -> None:
    page = workbench(grace)
    page.keyboard.press("3")
    page.wait_for_timeout(DWELL)
    page.keyboard.press("Control+Enter")
    polite = page.locator("[data-ask][data-key=polite]")
    expect(polite.locator("[data-error]")).to_have_text("An answer is needed.")
    expect(polite).to_be_focused()
    expect(page.locator("#alert")).to_have_text("An answer is needed.")
    assert Review.objects.count() == 0


def test_what_was_typed_survives_a_reload(workbench, scene, grace) -> None:
    page = workbench(grace)
    page.keyboard.press("2")
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    page.keyboard.type(" Ask the bank.")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.keyboard.type("second time this week")
    settle(lambda: ReviewDraft.objects.filter(content__note="second time this week").exists())
    page.reload()
    expect(page.locator("#correction")).to_have_value(re.compile(r"Ask the bank\.$"))
    expect(page.locator("#note")).to_have_value("second time this week")
    assert page.locator("[data-key=correctness] input:checked").get_attribute("value") == "1"
    expect(page.locator("[data-changed]")).to_have_text("changed")


def test_two_reviewers_at_once_never_get_the_same_seat(
    workbench, scene, grace, alan, page, browser, watch
) -> None:
    other = browser.new_context().new_page()
    watch.follow(other)
    workbench(grace)
    workbench(alan, other)
    wait_for_next(page)
    wait_for_next(other)
    seats = list(Seat.objects.exclude(reviewer=None).values_list("item", "number"))
    assert len(seats) == len(set(seats)) == 4
    per_item = Seat.objects.exclude(reviewer=None).values_list("item", "reviewer")
    assert len(set(per_item)) == 4
    other.context.close()


def test_one_free_seat_goes_to_one_of_two_and_the_other_gets_a_message(
    acme, now, grace, alan, page, browser, live_server, sign_in, watch
) -> None:
    scene = scenes.build(acme, now, n_items=1, reviewers=1)
    address = f"{live_server.url}/w/acme/queues/{scene.queue.uuid}/review/"
    sign_in(page.context, grace)
    page.goto(address)
    expect(page.locator("#item-title")).to_be_focused()
    other = browser.new_context().new_page()
    watch.follow(other)
    sign_in(other.context, alan)
    other.goto(address)
    expect(other.locator("h2", has_text="Other reviewers hold the remaining items")).to_be_visible()
    page.keyboard.press("3")
    page.keyboard.press("1")
    submit_last = page.locator("h2", has_text="Nothing is left for you here")
    page.wait_for_timeout(DWELL)
    page.keyboard.press("Control+Enter")
    expect(submit_last).to_be_visible()
    assert Review.objects.get().reviewer == grace
    other.context.close()


def test_a_server_error_loses_nothing_and_can_be_retried(workbench, scene, grace, watch) -> None:
    watch.allowed.append("500")
    page = workbench(grace)
    wait_for_next(page)
    page.route(re.compile("/submit$"), lambda route: route.fulfill(status=500, body="no"))
    page.keyboard.press("3")
    page.keyboard.press("1")
    submit(page)
    expect(page.locator("#failed")).to_contain_text("1 review is not saved")
    page.unroute(re.compile("/submit$"))
    page.get_by_role("button", name="Retry").click()
    settle(lambda: Review.objects.count() == 1)
    expect(page.locator("#failed")).to_be_hidden()


def test_the_same_item_in_two_tabs_asks_which_draft_to_keep(
    workbench, scene, grace, page, watch
) -> None:
    watch.allowed.append("409")
    workbench(grace)
    second = page.context.new_page()
    watch.follow(second)
    second.goto(page.url)
    page.locator("#note").fill("from the first tab")
    settle(lambda: ReviewDraft.objects.count() == 1)
    second.locator("#note").fill("from the second tab")
    expect(second.locator("#conflict")).to_be_visible()
    second.get_by_role("button", name="Keep what is here").click()
    settle(lambda: ReviewDraft.objects.filter(content__note="from the second tab").exists())
    second.close()


def test_the_workbench_works_without_scripts(
    scene, grace, browser, live_server, sign_in, watch
) -> None:
    context = browser.new_context(java_script_enabled=False)
    sign_in(context, grace)
    page = context.new_page()
    page.goto(f"{live_server.url}/w/acme/queues/{scene.queue.uuid}/review/")
    before = title(page)
    page.get_by_role("button", name="Submit and next").click()
    assert "An answer is needed." in page.locator("#form-errors").inner_text()
    page.locator("[data-key=correctness] input").nth(2).check(force=True)
    page.locator("[data-key=polite] input").nth(0).check(force=True)
    page.locator("#correction").fill("Quite another answer.")
    page.get_by_role("button", name="Compare").click()
    assert page.locator("#diff ins").count() >= 1
    page.get_by_role("button", name="Submit and next").click()
    assert title(page) != before
    assert Review.objects.get().correction == {"outputs": {"answer": "Quite another answer."}}
    page.locator("#rail [data-undo]").first.click()
    assert title(page) == before
    context.close()


def test_arrows_walk_the_trace_and_tabs_keep_the_form(workbench, scene, grace, page) -> None:
    workbench(grace)
    page.keyboard.press("3")
    page.keyboard.press("t")
    tree = page.locator("#ctx [role=treeitem]")
    expect(tree).to_have_count(3)
    tree.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#ctx h3").first).to_contain_text("search")
    assert page.locator("[data-key=correctness] input:checked").count() == 1
    page.keyboard.press("t")
    expect(page.locator("#answer")).to_be_visible()


def test_single_keys_can_be_switched_off(workbench, scene, grace, page) -> None:
    grace.has_single_key_shortcuts = False
    grace.save()
    workbench(grace)
    page.keyboard.press("3")
    page.keyboard.press("?")
    assert page.locator("#item input[type=radio]:checked").count() == 0
    assert not page.locator("#help-dialog").is_visible()
