"""The embedded broker: kombu's filesystem transport, safe against reading partial messages.

A message is written under another name and renamed when complete, and claimed by a rename within
its own directory. The original lets a worker read a message that is half written, and moves it
through /tmp, which may be another file system.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from queue import Empty
from typing import Any
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads

NAME = "filesystem"


class Channel(filesystem.Channel):
    """Messages are files: `messages/<number>.<queue>.msg`."""

    @property
    def _messages(self) -> Path:
        return Path(self.data_folder_in)

    def get_table(self, exchange: str) -> Any:
        """Return the queues of an exchange; their file is created again when it was removed."""
        table = super().get_table(exchange)
        if table:
            return table
        Path(self.control_folder).mkdir(parents=True, exist_ok=True)
        for binding in list(self.state.bindings or ()):
            if binding.exchange == exchange:
                self._queue_bind(exchange, binding.routing_key, None, binding.queue)
        return super().get_table(exchange)

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]
        """Add a message. Raises OSError when the directory cannot be written.

        A directory that was removed is created again, or every nudge would fail from then on.
        """
        number = uuid4().hex
        draft = self._written(f"{number}.draft", dumps(payload))
        draft.rename(self._messages / f"{number}.{queue}.msg")

    def check(self) -> None:
        """Write a message and remove it. Raises OSError when that fails."""
        self._written(f"{uuid4().hex}.check", "{}").unlink()

    def _written(self, name: str, text: str) -> Path:
        path = self._messages / name
        try:
            path.write_text(text)
        except FileNotFoundError:
            self._messages.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return path

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        """Take a message, in no particular order. Raises Empty.

        A missing directory counts as empty: an error would end the worker, and its sweeper with it.
        """
        ending = f".{queue}.msg"
        try:
            entries = os.scandir(self._messages)
        except (FileNotFoundError, NotADirectoryError):
            raise Empty from None
        with entries:
            for entry in entries:
                number, _, rest = entry.name.partition(".")
                if f".{rest}" != ending:
                    continue
                claimed = self._messages / f"{number}.claimed"
                with contextlib.suppress(FileNotFoundError):  # another worker was quicker
                    os.rename(entry.path, claimed)
                    text = claimed.read_text()
                    claimed.unlink()
                    return loads(text)
        raise Empty


class Transport(filesystem.Transport):
    """The transport that kombu uses for the scheme `filesystem`, see `install`."""

    Channel = Channel


def install() -> None:
    """Register this transport for `filesystem://`."""
    TRANSPORT_ALIASES[NAME] = f"{__name__}:Transport"
