"""Hostile text in every field, every page opened: nothing runs, nothing is loaded (promise R1).

The guards of conftest.py see CSP violations, script errors and requests to elsewhere.
"""

from __future__ import annotations

import pytest
from django.utils import timezone

from tests import scenes
from tests.hostile import STORABLE
from tests.web.test_pages import NAMES, pages

pytestmark = pytest.mark.django_db(transaction=True)
LOOK = """() => {
  const rules = {
    "script without a source": 'script:not([src])',
    "image": 'img, video, audio, object, embed, iframe, base, meta[http-equiv], link[rel=import]',
    "foreign svg part": 'svg script, svg animate, svg foreignObject, math',
    "style": 'style, [style]',
    "link": 'a[href^="javascript:" i], a[href^="data:" i], a[href^="//"]',
    "form": 'form[action^="//"], form[action^="http"]',
    "handler": '[onerror], [onload], [onclick], [onfocus], [ontoggle], [onmouseover], [onbegin]',
    "htmx in a payload": '.payload [hx-get], .payload [data-hx-post], .msg [hx-get], .json [hx-get], [hx-trigger="load"]',
  };
  return Object.entries(rules).filter(([, rule]) => document.querySelector(rule)).map(([name]) => name);
}"""


def test_hostile_text_runs_nothing_and_loads_nothing(
    acme, ada, grace, page, live_server, sign_in, watch
) -> None:
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    ours = 0

    def count(request) -> None:
        nonlocal ours
        ours += request.method == "POST" or "hx-request" in request.headers

    page.on("request", count)
    sign_in(page.context, ada)
    found: list[str] = []
    size = -(-len(STORABLE) // 3)
    for start in range(0, len(STORABLE), size):
        mark = "\n".join(STORABLE[start : start + size])
        scene = scenes.build(acme, timezone.now(), n_items=1, reviewers=2, mark=mark)
        scene.answer(
            grace,
            scene.items[0],
            1,
            timezone.now(),
            note=mark,
            correction={"outputs": {"answer": mark}},
        )
        addresses = [pages(scene)[name] for name in NAMES]
        addresses += [
            f"{pages(scene)['run']}?tab={tab}" for tab in ("io", "metadata", "feedback", "raw")
        ]
        addresses.append(f"{pages(scene)['review']}?item={scene.items[0].uuid}&tab=trace")
        for address in addresses:
            page.goto(live_server.url + address)
            found += [f"{address}: {what}" for what in page.evaluate(LOOK)]
            watch.faults += page.evaluate("window.__violations")
    assert found == []
    assert dialogs == []
    assert ours == 0
