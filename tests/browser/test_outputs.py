"""What is to be judged stands on the workbench's first tab, whatever its shape."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from annotations.models import Review, ReviewDraft
from annotations.queues import queue_items
from observatory.runs import sharing
from tests import scenes
from tests.browser.test_review import settle

pytestmark = pytest.mark.django_db(transaction=True)
ASKED = {"question": "Read this invoice"}
CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "lookup", "arguments": '{"id": 44710}'},
}
PIXELS = "iVBORw0KGgo" * 4_000
# What a run gives back, and the texts of it that have to be seen.
OUTPUTS = {
    "an object": ({"invoice": {"number": "A-4711", "total": 12.5}}, ["A-4711", "12.5"]),
    "a list in an object": ({"labels": ["refund", "angry"]}, ["refund", "angry"]),
    "a list": (["first", "second"], ["first", "second"]),
    "an empty list": ([], ["[]"]),
    "an empty object": ({}, ["{}"]),
    "a number": (42, ["42"]),
    "zero": ({"score": 0}, ["score", "0"]),
    "false": ({"is_spam": False}, ["is_spam", "false"]),
    "nothing under a key": ({"output": None}, ["output", "null"]),
    "an empty text": ({"output": ""}, ["output"]),
    "a text": ("Just so.", ["Just so."]),
    "a text that looks like JSON": ({"output": '{"a": 4711}'}, ["4711"]),
    "a text with something beside": (
        {"answer": "Within 30 days.", "sources": ["policy.md"]},
        ["Within 30 days.", "More of the output"],
    ),
    "a message with tool calls only": (
        {"messages": [{"role": "assistant", "content": None, "tool_calls": [CALL]}]},
        ["lookup", "44710"],
    ),
    "a refusal": ({"role": "assistant", "content": None, "refusal": "I cannot."}, ["I cannot."]),
    "an image": (
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Here it is."},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXELS}"}},
            ],
        },
        ["Here it is.", "image_url", "characters"],
    ),
    "items of the Responses API": (
        {"output": [{"type": "function_call", "name": "refund", "arguments": '{"id": 4711}'}]},
        ["refund", "4711"],
    ),
    "parts of Gemini": (
        {"role": "model", "parts": [{"text": "From parts."}]},
        ["From parts."],
    ),
    "messages and more": (
        {"messages": [{"role": "assistant", "content": "Hello."}], "confidence": 0.3},
        ["Hello.", "More of the output"],
    ),
    "a list with something that is no message": (
        [{"role": "assistant", "content": "Hello."}, {"chart": "sales"}],
        ["Hello.", "More of the output"],
    ),
    "a long text": ({"output": "word " * 60_000}, ["word", "300,000 characters"]),
}


@pytest.fixture
def given(acme, now):
    """Return a queue and its items by the name of their outputs, those of failed runs too."""
    scene = scenes.build(acme, now, n_items=1)
    runs = {
        name: scenes.make_run(acme, scene.project, now, inputs=ASKED, outputs=outputs)
        for name, (outputs, _) in OUTPUTS.items()
    }
    runs["an error"] = scenes.make_run(
        acme, scene.project, now, inputs=ASKED, status="error", error="RateLimitError: slow down"
    )
    runs["null"] = scenes.make_run(acme, scene.project, now, inputs=ASKED)
    runs["null"].outputs = json.dumps(None)
    runs["null"].save()
    runs["inputs of no shape"] = scenes.make_run(
        acme, scene.project, now, inputs={"a": 17, "b": [18]}, outputs={"c": [19]}
    )
    items = queue_items.add_runs(
        scene.queue, [run.id for run in runs.values()], source="person", now=now
    )
    return scene, runs, dict(zip(runs, items, strict=True))


EXPECTED = {name: texts for name, (_, texts) in OUTPUTS.items()} | {
    "an error": ["RateLimitError: slow down", "No output."],
    "null": ["No output."],
    "inputs of no shape": ["17", "18", "19"],
}


def test_the_first_tab_ends_with_the_output_whatever_it_is(
    given, grace, page, live_server, sign_in, picture
) -> None:
    scene, _, items = given
    sign_in(page.context, grace)
    for name, texts in EXPECTED.items():
        page.goto(
            f"{live_server.url}/w/acme/queues/{scene.queue.uuid}/review/?item={items[name].uuid}"
        )
        shown = page.locator("#ctx .tab-body")
        for text in texts:
            expect(shown, name).to_contain_text(text)
        expect(page.locator("#ctx #answer"), name).to_be_in_viewport()
        expect(page.locator("#ctx [data-tab=conversation][aria-current]")).to_be_visible()
        assert len(page.content()) < 900_000, name
        picture(page, f"output-{name.replace(' ', '-')}")


def test_other_pages_show_the_output_as_well(given, grace, page, live_server, sign_in) -> None:
    scene, runs, items = given
    sign_in(page.context, grace)
    for name, texts in EXPECTED.items():
        addresses = [
            f"/w/acme/runs/{runs[name].id}/",
            f"/w/acme/queues/{scene.queue.uuid}/items/{items[name].uuid}/",
            f"/public/{sharing.share(scene.workspace, runs[name].id).token}/r",
        ]
        for address in addresses:
            page.goto(live_server.url + address)
            for text in texts:
                expect(page.locator("main"), f"{name} on {address}").to_contain_text(text)


@pytest.mark.parametrize("text", ["\nBegins with a line", "\n\n  and spaces", "ends\n\n", "a\r\nb"])
def test_an_answer_is_in_the_editor_as_it_is_and_no_correction_by_itself(
    text, acme, now, grace, page, live_server, sign_in
) -> None:
    scene = scenes.build(acme, now, n_items=1, reviewers=1)
    run = scenes.make_run(acme, scene.project, now, inputs=ASKED, outputs={"answer": text})
    (item,) = queue_items.add_runs(scene.queue, [run.id], source="person", now=now)
    sign_in(page.context, grace)
    page.goto(f"{live_server.url}/w/acme/queues/{scene.queue.uuid}/review/?item={item.uuid}")
    editor = page.locator("#correction")
    expect(editor).to_have_value(text.replace("\r\n", "\n"))
    expect(page.locator("[data-changed]")).to_have_text("no change")
    page.locator("#note").fill("fine")  # and the draft that comes back changes nothing either
    settle(lambda: ReviewDraft.objects.count() == 1)
    page.reload()
    expect(page.locator("[data-changed]")).to_have_text("no change")
    editor.press("Control+Home")
    editor.press_sequentially("Well: ")
    expect(page.locator("[data-changed]")).to_have_text("changed")
    page.get_by_role("button", name="Revert all").click()
    expect(editor).to_have_value(text.replace("\r\n", "\n"))
    page.keyboard.press("Escape")
    page.keyboard.press("3")
    page.locator("[data-key=polite] .choice").first.click()
    page.wait_for_timeout(450)
    page.keyboard.press("Control+Enter")
    settle(lambda: Review.objects.count() == 1)
    assert Review.objects.get().correction is None
