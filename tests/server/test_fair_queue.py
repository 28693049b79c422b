"""A client that sends much does not keep the others from a thread."""

from __future__ import annotations

from observatory.server.fair_queue import FairQueue


def test_clients_are_served_in_turn() -> None:
    queue: FairQueue[int] = FairQueue(100)
    for number in range(5):
        queue.put("greedy", number)
    queue.put("ada", 10)
    queue.put("grace", 20)
    served = [queue.get() for _ in range(7)]
    assert served[:3] == [("greedy", 0), ("ada", 10), ("grace", 20)]
    assert [job for _, job in served[3:]] == [1, 2, 3, 4]


def test_one_client_never_holds_every_thread() -> None:
    queue: FairQueue[int] = FairQueue(2)
    for number in range(3):
        queue.put("greedy", number)
    assert [queue.get(), queue.get()] == [("greedy", 0), ("greedy", 1)]
    queue.put("ada", 10)
    assert queue.get() == ("ada", 10), "the third of the greedy client waits"
    queue.done("greedy")
    assert queue.get() == ("greedy", 2)
