"""The embedded broker survives the loss of its folder."""

from __future__ import annotations

import shutil

from kombu import Connection, Exchange, Queue

from observatory.embedded import broker

QUEUE = Queue("nudges", Exchange("nudges", type="direct"), routing_key="nudges")


def test_a_removed_folder_is_made_again_by_the_next_message(tmp_path) -> None:
    broker.install()
    folder = tmp_path / "broker"
    options = {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
    }
    for part in ("messages", "control"):
        (folder / part).mkdir(parents=True)
    with Connection("filesystem://localhost", transport_options=options) as connection:
        producer = connection.Producer()
        waiting = connection.SimpleQueue(QUEUE)
        for text in ("before", "after"):
            producer.publish(text, exchange=QUEUE.exchange, routing_key="nudges", declare=[QUEUE])
            message = waiting.get(timeout=10)
            assert message.payload == text
            message.ack()
            shutil.rmtree(folder)
        producer.publish("alone", exchange=QUEUE.exchange, routing_key="nudges")
        assert waiting.get(timeout=10).payload == "alone"
        waiting.close()
