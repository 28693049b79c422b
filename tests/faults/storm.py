"""A storm over a running installation: senders that never give up, and a saboteur.

`python -m tests.faults` rides the full storm of the acceptance (5,000 runs, the broker away for
30 s) and prints what it found; the suite rides a smaller one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import psutil

from observatory.console.demo import wire
from observatory.console.demo.traces import DemoTrace, make_traces
from tests.live import Live, live_server

PROJECT = "storm"

PREPARE = """
from django.utils import timezone
from annotations.queues.queues import create_queue
from annotations.routing.presets import install_presets
from annotations.routing.rules import RuleDefinition, set_rule
from observatory.workspaces.models import Workspace
workspace, now = Workspace.objects.get(), timezone.now()
first = create_queue(workspace, "first", now=now, reviewers_per_item=2)
second = create_queue(workspace, "second", now=now)
install_presets(workspace, first, now=now)
half = RuleDefinition("Half", "eq(is_root, true)", second, sampling_rate=0.5)
set_rule(workspace, half, now=now, is_enabled=True)
every = RuleDefinition("Steps", 'eq(run_type, "tool")', second, sampling_rate=0.2)
set_rule(workspace, every, now=now, is_enabled=True)
"""

# What is stored and queued, compared with the rules read in Python, run by run.
COMPARE = """
import json, sys
from collections import Counter
from annotations.models import QueueItem, RoutingDecision, RoutingRule, Seat
from annotations.routing import sampling
from observatory.feedback.models import Feedback
from observatory.runs.facts import facts_of
from observatory.runs.filters.explain import matches
from observatory.runs.filters.grammar import parse
from observatory.runs.models import Change, Rejected, Run
acked = json.load(open({path!r}))
stored = {{str(i) for i in Run.objects.values_list("id", flat=True)}}
judged = {{str(i) for i in Feedback.objects.values_list("uuid", flat=True)}}
expected = set()
for rule in RoutingRule.objects.filter(is_enabled=True):
    node = parse(rule.filter)
    for run_id, fact in facts_of(rule.workspace_id, list(stored)).items():
        if fact.end_time and matches(node, fact):
            if sampling.is_selected(rule.uuid, run_id, rule.sampling_rate):
                expected.add((rule.queue_id, run_id))
items = Counter(QueueItem.objects.values_list("queue_id", "run_id"))
wanted_seats = sum(2 if q == 1 else 1 for q, _ in items)
print(json.dumps({{
    "runs_acknowledged": len(acked["runs"]),
    "feedback_acknowledged": len(acked["feedback"]),
    "lost": len(set(acked["runs"]) - stored) + len(set(acked["feedback"]) - judged),
    "unfinished": Run.objects.filter(end_time=None).count(),
    "expected_items": len(expected),
    "unrouted": len(expected - set(items)),
    "surplus": len(set(items) - expected),
    "duplicates": sum(n - 1 for n in items.values()),
    "items_without_reason": QueueItem.objects.filter(decisions=None).count(),
    "wrong_seats": Seat.objects.count() - wanted_seats,
    "changes_left": Change.objects.count(),
    "rejected": Rejected.objects.count(),
}}))
"""


@dataclass
class Weather:
    """How bad it gets. `kills` of web, worker and both, `calm_s` apart."""

    n_traces: int = 1_000  # of five runs each
    n_senders: int = 4
    kills: int = 10
    calm_s: float = 2.0
    broker_away_s: float = 30.0
    seed: int = 1


@dataclass
class Found:
    """What was left after the storm. All but the first three and `expected_items` must be 0."""

    runs_acknowledged: int
    feedback_acknowledged: int
    expected_items: int
    lost: int
    unfinished: int
    unrouted: int
    surplus: int
    duplicates: int
    items_without_reason: int
    wrong_seats: int
    changes_left: int
    rejected: int

    def faults(self) -> dict[str, int]:
        """Return what should be 0 and is not."""
        figures = {"runs_acknowledged", "feedback_acknowledged", "expected_items"}
        return {name: n for name, n in asdict(self).items() if name not in figures and n}


@dataclass
class Ledger:
    """The ids that the server acknowledged."""

    runs: list[str] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def ride(live: Live, weather: Weather, say: Callable[[str], None] = lambda line: None) -> Found:
    """Send, kill, take the broker away, wait for calm and count."""
    shell(live, PREPARE)
    now = datetime.now(UTC)
    traces = make_traces(weather.n_traces, weather.seed, now, PROJECT)
    ledger = Ledger()
    senders = [
        threading.Thread(
            target=_send, args=(live, traces[n :: weather.n_senders], ledger, weather), daemon=True
        )
        for n in range(weather.n_senders)
    ]
    is_over = threading.Event()
    saboteur = threading.Thread(target=_sabotage, args=(live, weather, is_over, say), daemon=True)
    away = threading.Thread(target=_take_broker, args=(live, weather, say), daemon=True)
    for thread in (*senders, saboteur, away):
        thread.start()
    for thread in senders:
        thread.join()
    say(f"all sent: {len(ledger.runs):,} runs acknowledged")
    for thread in (saboteur, away):
        thread.join()
    assert ledger.errors == []
    wait_for_calm(live, say)
    return count(live, ledger)


def _send(live: Live, traces: list[DemoTrace], ledger: Ledger, weather: Weather) -> None:
    """Send as an SDK whose buffer is never full: the same request until it is acknowledged."""
    # The saboteur's time is spread over the sending, so that kills meet work.
    pause_s = weather.kills * weather.calm_s / max(1, len(traces) * 5 // wire.BATCH) * 0.8
    runs = [run for trace in traces for run in trace.runs]
    feedback = [row for trace in traces for row in trace.feedback]
    try:
        with wire.Sender(live.url, live.key, patience_s=120.0) as sender:
            for _ in sender.send_feedback(feedback[::2]):  # some of it before its run
                pass
            for n_sent in sender.send_runs(runs):
                with ledger.lock:
                    ledger.runs += [run["id"] for run in runs[n_sent - wire.BATCH : n_sent]]
                time.sleep(pause_s)
            for _ in sender.send_feedback(feedback[1::2]):
                pass
    except Exception as error:
        ledger.errors.append(repr(error))
        raise
    with ledger.lock:
        ledger.runs = list({*ledger.runs, *(run["id"] for run in runs)})
        ledger.feedback += [row["id"] for row in feedback]


def programs(live: Live, *words: str) -> list[psutil.Process]:
    """Return the processes below `up` whose command line has all of `words`."""
    found = []
    for child in psutil.Process(live.process.pid).children(recursive=True):
        try:
            line = " ".join(child.cmdline())
        except psutil.NoSuchProcess:
            continue
        if all(word in line for word in words):
            found.append(child)
    return found


def _sabotage(
    live: Live, weather: Weather, is_over: threading.Event, say: Callable[[str], None]
) -> None:
    dice = random.Random(weather.seed)
    victims = [("celery", "worker"), ("gunicorn",)]
    for number in range(weather.kills):
        time.sleep(weather.calm_s * (0.5 + dice.random()))
        words = victims[number % 2]
        running = programs(live, *words)
        if not running:
            continue
        # The first is the master; a kill of the rest leaves it to start new ones.
        chosen = running[0] if dice.random() < 0.4 else dice.choice(running)
        say(f"kill -9 {' '.join(words)} ({chosen.pid})")
        try:
            os.kill(chosen.pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    is_over.set()


def _take_broker(live: Live, weather: Weather, say: Callable[[str], None]) -> None:
    """Put a file where the broker's folder is, and the folder back."""
    time.sleep(weather.calm_s)
    folder = live.data / "broker" / "messages"
    aside = folder.with_name("messages-away")
    folder.rename(aside)
    folder.write_text("not a folder")
    say("the broker is away")
    time.sleep(weather.broker_away_s)
    folder.unlink()
    aside.rename(folder)
    say("the broker is back")


def shell(live: Live, code: str) -> str:
    """Run Python in the installation and return what it printed."""
    done = live.observatory("shell", "-v", "0", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_for_calm(live: Live, say: Callable[[str], None], patience_s: float = 120.0) -> None:
    """Wait until the server answers and the outbox is empty."""
    begun_at = time.monotonic()
    code = "from observatory.runs.models import Change; print(Change.objects.count())"
    while live.status("/readyz") != 200 or int(shell(live, code)):
        assert time.monotonic() < begun_at + patience_s, live.log[-5_000:]
        time.sleep(0.5)
    say(f"calm after {time.monotonic() - begun_at:.0f} s")


def count(live: Live, ledger: Ledger) -> Found:
    """Compare what was acknowledged with what is stored, and the queues with the rules."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"runs": ledger.runs, "feedback": ledger.feedback}, file)
        file.flush()
        answer: dict[str, Any] = json.loads(shell(live, COMPARE.format(path=file.name)))
    return Found(**answer)


def main() -> int:
    """Ride the full storm and print the figures; the status says whether anything was lost."""

    def say(line: str) -> None:
        print(f"{datetime.now(UTC):%H:%M:%S} {line}", file=sys.stderr, flush=True)

    with live_server() as live:
        found = ride(live, Weather(), say)
    print(json.dumps(asdict(found), indent=2))
    return 1 if found.faults() else 0
