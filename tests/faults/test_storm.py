"""Acceptance 4, scaled to a suite: kills and a broker outage lose nothing and double nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from observatory.console.demo import wire
from observatory.console.demo.traces import make_traces
from observatory.embedded.broker import Channel
from tests.faults.storm import PREPARE, Weather, ride, shell, wait_for_calm
from tests.live import live_server

pytestmark = pytest.mark.faults

LIGHT = Weather(n_traces=240, n_senders=3, kills=5, calm_s=1.5, broker_away_s=6.0)


def test_a1_b1_kills_and_a_broker_outage_lose_no_run_and_queue_each_match_once() -> None:
    with live_server() as live:
        found = ride(live, LIGHT)
    assert found.faults() == {}
    assert found.runs_acknowledged == 5 * LIGHT.n_traces
    assert found.expected_items > LIGHT.n_traces / 2


def test_b1_with_no_broker_at_all_the_workers_route_by_themselves() -> None:
    """No process listens on port 1: no nudge and no beat ever arrives."""
    with live_server(CELERY_BROKER_URL="redis://127.0.0.1:1/0") as live:
        shell(live, PREPARE)
        run = make_traces(1, 3, datetime.now(UTC), "alone")[0].runs[0] | {"error": "TimeoutError"}
        with wire.Sender(live.url, live.key) as sender:
            assert list(sender.send_runs([run])) == [1]
        wait_for_calm(live, lambda line: None)
        items = (
            "from annotations.models import QueueItem as Q; print(Q.objects.get(queue=1).run_id)"
        )
        assert shell(live, items).strip() == run["id"]


def test_a_folder_that_is_away_is_an_empty_one_to_the_worker(tmp_path) -> None:
    from queue import Empty

    class Away(Channel):
        data_folder_in = str(tmp_path / "absent")

        def __init__(self) -> None:
            pass

    with pytest.raises(Empty):
        Away()._get("observatory")
    (tmp_path / "absent").write_text("a file")
    with pytest.raises(Empty):
        Away()._get("observatory")
