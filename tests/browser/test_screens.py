"""Every screen, light and dark, narrow and wide: axe finds nothing, nothing sticks out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe

from datasets_app import sharing as dataset_sharing
from observatory.runs import sharing, thread_sharing
from tests.web.test_pages import NAMES, pages

pytestmark = pytest.mark.django_db(transaction=True)
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


def complaints(page) -> list[str]:
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": TAGS}})
    return [
        f"{rule['id']}: {node['target']} {node['html'][:160]}"
        for rule in found.response["violations"]
        for node in rule["nodes"]
    ]


@pytest.fixture
def lived_in(scene, ada, grace, alan, now):
    """Two reviewers have judged items, one differently, and one of them is corrected."""
    answers = [(2, 2), (0, 0), (1, 2), (2, 2)]
    for place, (first, second) in enumerate(answers):
        at = now - timedelta(minutes=20 - place)
        more = (
            {"correction": {"outputs": {"answer": "You were charged once."}}} if place == 1 else {}
        )
        scene.answer(grace, scene.items[place], first, at, **more)
        scene.answer(
            alan, scene.items[place], second, at, note="see the invoice" if place == 2 else ""
        )
    return scene


def shared(scene) -> dict[str, str]:
    """Share a run, a thread with two turns and the dataset; return the pages that open them."""
    run = scene.runs[0]
    turns = scene.project.runs.filter(id__in=[one.id for one in scene.runs[:2]])
    turns.update(metadata={"thread_id": "a conversation"})
    thread = thread_sharing.share(scene.project, "a conversation").token
    return {
        "shared-run": f"/public/{sharing.share(scene.workspace, run.id).token}/r",
        "shared-thread": f"/public/{thread}/t",
        "shared-thread-run": f"/public/{thread}/t/{run.id}",
        "shared-dataset": f"/public/{dataset_sharing.share(scene.dataset).token}/d",
    }


@pytest.mark.parametrize("width", [1440, 360])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_screen_is_accessible_and_fits(
    width, theme, lived_in, grace, ada, page, live_server, sign_in, picture, watch
) -> None:
    for user in (ada, grace):
        user.theme = theme
        user.save()
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900 if width > 700 else 780})
    problems: list[str] = []

    def look(name: str, address: str) -> None:
        page.goto(live_server.url + address)
        watch.faults += page.evaluate("window.__violations || []")
        wide = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        if wide > 0:
            problems.append(f"{name}: {wide} px stick out")
        picture(page, f"{name}-{theme}-{width}")
        problems.extend(f"{name}: {text}" for text in complaints(page))
        page.evaluate("window.__violations = []")  # axe itself adds a style

    look("login", "/accounts/login/")
    for name, address in shared(lived_in).items():
        look(name, address)
    sign_in(page.context, ada)
    for name in NAMES:
        if name != "review":
            look(name, pages(lived_in)[name])
    sign_in(page.context, grace)
    look("review", pages(lived_in)["review"])
    look("home-reviewer", pages(lived_in)["home"])
    watch.allowed += ["403", "422"]
    look("refused", pages(lived_in)["keys"])
    for tab in ("io", "metadata", "feedback", "raw"):
        look(f"run-{tab}", f"{pages(lived_in)['run']}?tab={tab}")
    look("runs-mistake", f"{pages(lived_in)['runs']}?filter=and(eq(status,")
    assert problems == []


def test_the_empty_screens_say_what_to_do(acme, ada, page, live_server, sign_in, picture) -> None:
    sign_in(page.context, ada)
    for name in ("", "projects/", "queues/", "datasets/", "settings/keys/"):
        page.goto(f"{live_server.url}/w/acme/{name}")
        assert page.locator(".empty").count() == 1
        assert complaints(page) == []
        page.evaluate("window.__violations = []")
        picture(page, f"empty-{name.strip('/').replace('/', '-') or 'home'}")


def test_a_shared_thread_is_read_by_keyboard(scene, page, live_server) -> None:
    addresses = shared(scene)
    page.goto(live_server.url + addresses["shared-thread"])

    def press_to(name: str) -> None:
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent").strip().startswith(name):
                return
        raise AssertionError(f"no Tab leads to {name}")

    press_to("Turn 1")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{addresses['shared-thread']}/*")
    press_to("Thread a conversation")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{addresses['shared-thread']}")


def test_the_sheet_of_keys_opens_and_gives_the_focus_back(
    scene, grace, page, live_server, sign_in, picture
) -> None:
    sign_in(page.context, grace)
    page.goto(live_server.url + pages(scene)["review"])
    page.keyboard.press("?")
    assert page.locator("#help-dialog").is_visible()
    picture(page, "keys")
    assert complaints(page) == []
    page.evaluate("window.__violations = []")
    page.keyboard.press("Escape")
    assert not page.locator("#help-dialog").is_visible()
