"""B1: a nudge never costs the caller anything."""

from __future__ import annotations

import threading
import time

import pytest

from observatory import nudges
from observatory.nudges import Nudger
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(nudges, "PAUSE_S", 0.01)
    monkeypatch.setattr(nudges, "SPACING_S", 0.01)


def test_b1_a_broker_that_hangs_does_not_hold_up_the_caller() -> None:
    is_free, has_begun = threading.Event(), threading.Event()
    sent = []

    def hang() -> None:
        has_begun.set()
        is_free.wait()
        sent.append(1)

    nudger = Nudger(hang)
    nudger.nudge()
    has_begun.wait()
    for _ in range(1_000):  # would be a thousand hangs in the caller
        nudger.nudge()
    assert sent == []
    is_free.set()
    wait_until(lambda: len(sent) == 2)
    time.sleep(0.1)
    assert len(sent) == 2  # all of the thousand were one more message


def test_b1_a_broker_that_fails_is_tried_again_at_the_next_nudge(caplog) -> None:
    answers = [ConnectionError("no broker"), ConnectionError("no broker"), None]
    tried = []

    def publish() -> None:
        answer = answers[len(tried)]
        tried.append(answer)
        if answer is not None:
            raise answer

    nudger = Nudger(publish)
    for n in range(1, 4):
        nudger.nudge()
        wait_until(lambda n=n: len(tried) == n)
        time.sleep(0.03)
    wait_until(lambda: "accepts nudges again" in caplog.text)
    assert caplog.text.count("accepts no nudge") == 1


def test_a_forked_process_gets_a_thread_of_its_own(monkeypatch) -> None:
    sent = []
    nudger = Nudger(lambda: sent.append(threading.current_thread()))
    nudger.nudge()
    wait_until(lambda: len(sent) == 1)
    monkeypatch.setattr(nudges.os, "getpid", lambda: -1)  # what a fork looks like from inside
    nudger.nudge()
    wait_until(lambda: len(sent) == 2)
    assert nudger._pid == -1


def test_messages_do_not_pile_up_in_the_folder_of_the_filesystem_broker(tmp_path, settings) -> None:
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"data_folder_out": str(tmp_path)}
    assert not nudges.is_backlogged()
    for number in range(nudges.MAX_UNREAD_FILES + 1):
        (tmp_path / f"{number}.observatory.msg").touch()
    assert nudges.is_backlogged()
    settings.CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300}
    assert not nudges.is_backlogged()
