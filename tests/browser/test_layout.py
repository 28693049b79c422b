"""Every page at every width: nothing sticks out, nothing is cut off, no page scrolls for nothing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from annotations.models import AnnotationQueue, QueueItem, RubricItem
from datasets_app.models import Dataset
from observatory.feedback.models import Feedback
from observatory.prompts.models import PromptRepo
from observatory.runs.models import Project
from tests import scenes
from tests.browser.test_screens import shared
from tests.factories import member
from tests.web.test_pages import NAMES, pages

pytestmark = pytest.mark.django_db(transaction=True)
SIZES = [(360, 780), (768, 1024), (1024, 768), (1280, 800), (1440, 900)]
# The height that the page's visible parts need, against the height one can scroll to.
MEASURE = """() => {
  const root = document.documentElement;
  let bottom = 0;
  for (const part of document.body.children) {
    const style = getComputedStyle(part);
    if (style.display === "none" || style.position === "fixed" || style.position === "absolute") continue;
    bottom = Math.max(bottom, part.getBoundingClientRect().bottom + scrollY);
  }
  return {
    wide: root.scrollWidth - root.clientWidth,
    high: root.scrollHeight - Math.max(root.clientHeight, Math.ceil(bottom)),
  };
}"""


def misfits(page, name: str) -> list[str]:
    """Return what is wrong with the measures of the page at each size."""
    found = []
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        measures = page.evaluate(MEASURE)
        if measures["wide"] > 0:
            found.append(f"{name} at {width}: {measures['wide']} px wider than the window")
        if measures["high"] > 0:
            found.append(f"{name} at {width}: {measures['high']} px of nothing below")
    return found


def test_no_page_overflows_the_window_or_has_empty_height(
    scene, ada, grace, page, live_server, sign_in, watch
) -> None:
    scene.answer(grace, scene.items[0], 2, scene.runs[0].start_time)
    found: list[str] = []

    def walk(name: str, address: str) -> None:
        page.goto(live_server.url + address)
        watch.faults += page.evaluate("window.__violations || []")
        found.extend(misfits(page, name))

    walk("login", "/accounts/login/")
    for name, address in shared(scene).items():
        walk(name, address)
    sign_in(page.context, ada)
    for name in NAMES:
        if name != "review":
            walk(name, pages(scene)[name])
    for tab in ("io", "metadata", "feedback", "raw"):
        walk(f"run-{tab}", f"{pages(scene)['run']}?tab={tab}")
    watch.allowed += ["404", "422"]
    walk("no such page", "/w/acme/nowhere/")
    walk("a mistaken filter", f"{pages(scene)['runs']}?filter=and(eq(status,")
    sign_in(page.context, grace)
    walk("review", pages(scene)["review"])
    walk("reviewer's home", pages(scene)["home"])
    assert found == []


def test_no_page_is_wider_than_the_window_for_a_long_word(
    acme, ada, grace, now, page, live_server, sign_in
) -> None:
    word = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerk" * 4
    scene = scenes.build(acme, now, mark=word)
    for place, item in enumerate(RubricItem.objects.filter(queue=scene.queue)):
        item.feedback_key, item.title, item.description = f"{place}{word}"[:150], word[:190], word
        item.categories = [{**answer, "label": word[:150]} for answer in item.categories]
        item.save()
    Feedback.objects.filter(workspace=acme).update(key=word[:150])
    Feedback.objects.filter(workspace=acme, run_id=scene.runs[1].id).update(
        key="reason",
        value=word,
        scale={
            "type": "categorical",
            "level": "nominal",
            "categories": [{"value": 0.2, "label": word}],
        },
    )
    found: list[str] = []
    for user, names in ((ada, NAMES), (grace, ["home", "review"])):
        sign_in(page.context, user)
        for name in names:
            page.goto(live_server.url + pages(scene)[name])
            found += misfits(page, name)
    assert found == []


def test_no_empty_page_is_wider_or_higher_than_the_window(
    acme, ada, page, live_server, sign_in
) -> None:
    project = Project.objects.create(workspace=acme, name="support bot " * 12)
    sign_in(page.context, ada)
    found = []
    names = ["", "projects/", "queues/", "datasets/", "prompts/", "trends/", "settings/keys/"]
    for name in [*names, f"projects/{project.uuid}/"]:
        page.goto(f"{live_server.url}/w/acme/{name}")
        found += misfits(page, f"empty {name}")
    assert not PromptRepo.objects.exists()
    assert not Dataset.objects.exists()
    assert found == []


@pytest.mark.parametrize("size", [(1280, 800), (1024, 768), (360, 780)])
def test_the_menu_of_the_first_and_the_last_row_is_whole(
    size, scene, ada, page, live_server, sign_in, picture
) -> None:
    sign_in(page.context, ada)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(live_server.url + pages(scene)["queue"])
    for place in ("first", "last"):
        row = getattr(page.locator("#queue-items tbody tr"), place)
        page.evaluate("(bottom) => scrollTo(0, bottom)", 9_999 if place == "last" else 400)
        expect(row.locator("summary")).to_be_in_viewport()  # without scrolling sideways
        row.locator("summary").click()
        buttons = row.locator(".menu-list button")
        expect(buttons).to_have_count(3)
        for button in buttons.all():
            # Hit by a real pointer in the middle of each: nothing covers it or cuts it off.
            button.click(trial=True)
        picture(page, f"menu-{place}-{size[0]}")
        page.keyboard.press("Escape")
        expect(buttons.first).to_be_hidden()


def test_an_item_that_was_removed_by_mistake_comes_back_with_undo(
    scene, ada, page, live_server, sign_in
) -> None:
    sign_in(page.context, ada)
    page.goto(live_server.url + pages(scene)["queue"])
    page.locator("#queue-items tbody tr").first.locator("summary").click()
    page.get_by_role("button", name="Remove from the queue").click()
    expect(page.get_by_text("The item was removed from the queue.")).to_be_visible()
    assert QueueItem.objects.filter(state="removed").count() == 1
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("The item is back in the queue.")).to_be_visible()
    assert QueueItem.objects.filter(state="open").count() == len(scene.items)


def test_a_key_is_not_revoked_by_one_click(acme, ada, page, live_server, sign_in) -> None:
    sign_in(page.context, ada)
    page.goto(f"{live_server.url}/w/acme/settings/keys/")
    page.get_by_label("Name").fill("support bot")
    page.get_by_role("button", name="Create key").click()
    page.get_by_text("Revoke", exact=False).first.click()
    expect(page.locator("tbody")).to_contain_text("live")
    page.get_by_role("button", name="Revoke it now").click()
    expect(page.locator("tbody")).to_contain_text("revoked")


@pytest.mark.parametrize("size", SIZES)
def test_a_toast_covers_no_button_of_the_workbench(
    size, scene, grace, page, live_server, sign_in
) -> None:
    sign_in(page.context, grace)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.goto(live_server.url + pages(scene)["review"])
    page.evaluate("""async () => {
      const { toast } = await import("/static/obs/core/announce.js");
      toast("Undone. The item is here again with your answers.");
      toast("Waiting for the server: 3 reviews are not saved yet.", { isBad: true });
    }""")
    expect(page.locator(".toast")).to_have_count(2)
    toasts = [box.bounding_box() for box in page.locator(".toast").all()]
    for button in page.locator(".bar .button:visible").all():
        at = button.bounding_box()
        for toast in toasts:
            assert (
                toast["x"] + toast["width"] <= at["x"]
                or at["x"] + at["width"] <= toast["x"]
                or toast["y"] + toast["height"] <= at["y"]
                or at["y"] + at["height"] <= toast["y"]
            ), (size, button.inner_text())


def test_on_a_phone_the_next_item_begins_at_its_top(
    scene, grace, browser, live_server, sign_in, watch
) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 780}, has_touch=True)
    sign_in(context, grace)
    page = context.new_page()
    watch.follow(page)
    page.goto(live_server.url + pages(scene)["review"])
    for _ in range(2):
        before = page.locator("#item").get_attribute("data-item")
        page.wait_for_timeout(450)
        page.locator("[data-key=correctness] .choice").last.tap()
        page.locator("[data-key=polite] .choice").first.tap()
        page.locator("#note").scroll_into_view_if_needed()
        assert page.evaluate("scrollY") > 300
        page.locator("[data-submit]").tap()
        expect(page.locator("#item")).not_to_have_attribute("data-item", before)
        assert page.evaluate("scrollY") == 0
        assert page.locator("#item-title").bounding_box()["y"] < 780
    assert watch.faults == []
    context.close()


def test_a_person_who_may_not_review_is_offered_no_review(
    scene, acme, page, live_server, sign_in
) -> None:
    viewer, lead = member(acme, "viola", "viewer"), member(acme, "lena", "manager")
    AnnotationQueue.objects.update(access=AnnotationQueue.Access.ASSIGNED)
    for user in (viewer, lead):
        sign_in(page.context, user)
        for name in ("queues", "queue", "home", "item"):
            if user == viewer and name in ("queue", "item"):
                continue  # not assigned: there is no such queue for them
            page.goto(live_server.url + pages(scene)[name])
            assert page.get_by_role("link", name=re.compile("^Review")).count() == 0, (user, name)
            assert "waiting for me" not in page.locator("main").inner_text(), (user, name)
    page.goto(live_server.url + pages(scene)["queue"])
    expect(page.locator(".stats").first).to_contain_text("open")
    AnnotationQueue.objects.update(access=AnnotationQueue.Access.ANY)
    sign_in(page.context, viewer)
    for name in ("queues", "queue", "home", "item"):
        page.goto(live_server.url + pages(scene)[name])
        assert page.get_by_role("link", name=re.compile("^Review")).count() == 0, name


def test_the_first_run_guide_is_there_until_a_run_is(
    acme, ada, page, live_server, sign_in, now
) -> None:
    project = Project.objects.create(workspace=acme, name="default")
    sign_in(page.context, ada)
    for address in ("/w/acme/", f"/w/acme/projects/{project.uuid}/"):
        page.goto(live_server.url + address)
        expect(page.get_by_role("heading", name="Send your first trace")).to_be_visible()
        expect(page.locator("#snippet")).to_contain_text(
            f"LANGSMITH_ENDPOINT={live_server.url}/api"
        )
    expect(page.locator("#snippet")).to_contain_text("LANGSMITH_PROJECT=default")
    page.goto(f"{live_server.url}/w/acme/")
    scenes.make_run(acme, project, now, inputs={"question": "Is anybody there?"})
    expect(page.get_by_role("heading", name="All clear")).to_be_visible(timeout=20_000)


def test_on_a_phone_no_button_covers_the_lines_to_copy(
    acme, ada, page, live_server, sign_in
) -> None:
    Project.objects.create(workspace=acme, name="default")
    sign_in(page.context, ada)
    page.set_viewport_size({"width": 360, "height": 780})
    page.goto(f"{live_server.url}/w/acme/")
    snippets = page.locator(".snippet").all()
    assert snippets
    for snippet in snippets:
        lines = snippet.locator("pre").bounding_box()
        assert snippet.get_by_role("button").bounding_box()["y"] >= lines["y"] + lines["height"]


def test_every_kind_of_page_has_an_icon(acme, ada, page, live_server, sign_in) -> None:
    sign_in(page.context, ada)
    ada.is_superuser = ada.is_staff = True
    ada.save()
    answer = page.request.get(f"{live_server.url}/favicon.ico")
    assert answer.status == 200
    assert answer.headers["content-type"] == "image/svg+xml"
    for address in ("/w/acme/", "/admin/", "/admin/annotations/annotationqueue/add/"):
        page.goto(live_server.url + address)
        assert page.locator("link[rel=icon]").count() == 1, address
