"""A gold item, from the item's page to the report: made gold, answered unawares, missed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from annotations.models import DriftAlarm, QueueItem, Review
from annotations.quality import gold
from tests.browser.test_review import settle, submit
from tests.browser.test_screens import complaints
from tests.factories import member

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_gold_item_that_is_missed_shows_in_the_report(
    scene, page, live_server, sign_in, picture, ada, grace, alan, now
) -> None:
    gold.set_rate(scene.queue, 1.0)
    item = scene.items[-1]
    linus = member(scene.workspace, "linus", "reviewer")
    for person in (alan, linus):  # two answers complete it, so that they can be read
        scene.answer(person, item, 2, now)
    base = f"{live_server.url}/w/acme/queues/{scene.queue.uuid}"
    sign_in(page.context, ada)
    page.goto(f"{base}/items/{item.uuid}/")
    page.get_by_label("Expect the answers of").select_option("alan")
    page.get_by_label("Why these are right").fill("The policy, section 4")
    page.get_by_role("button", name="Make it gold").click()
    expect(page.get_by_text("version 1", exact=True)).to_be_visible()
    assert QueueItem.objects.get(pk=item.pk).state == QueueItem.State.GOLD

    sign_in(page.context, grace)
    page.goto(f"{base}/review/")
    expect(page.locator("#item")).to_have_attribute("data-item", str(item.uuid))
    assert "gold" not in page.content().lower()
    page.keyboard.press("1")  # wrong
    page.keyboard.press("1")
    submit(page)
    settle(lambda: Review.objects.filter(item=item, reviewer=grace).exists())
    review = Review.objects.get(item=item, reviewer=grace)
    assert review.is_gold
    assert not review.is_counted

    DriftAlarm.objects.create(
        queue=scene.queue,
        reviewer=grace,
        rubric_item=scene.queue.rubric_items.first(),
        kind="agreement",
        week=now.date(),
        p_value=0.0004,
        before=0.91,
        after=0.72,
        n_before=230,
        n_after=80,
        raised_at=now - timedelta(days=1),
    )
    sign_in(page.context, ada)
    for width, theme in ((1440, "light"), (360, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=theme)
        ada.theme = theme
        ada.save()
        page.goto(f"{base}/quality/")
        row = page.get_by_role("row", name="grace").filter(has_text="0%")
        expect(row).to_contain_text("0% to 79%")
        expect(page.get_by_text("agrees less with the others: 72%, 91% before")).to_be_visible()
        assert complaints(page) == []
        width_used = page.evaluate("document.documentElement.scrollWidth")
        assert width_used <= width
        picture(page, f"quality-{width}-{theme}")
        page.goto(f"{base}/items/{item.uuid}/")
        assert complaints(page) == []
        picture(page, f"gold-item-{width}-{theme}")
