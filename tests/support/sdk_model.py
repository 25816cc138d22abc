"""A model of the SDK's interface without a provider, for any release of the SDK, and the log read back."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from agents.realtime import RealtimeModel, RealtimeModelConfig, RealtimeModelListener

PATIENCE = 10_000
"""Rounds of the event loop that `until` waits: none of these tests needs a clock."""


class FakeRealtimeModel(RealtimeModel):
    """Delivers what it is told, as the SDK's model does: in the read loop of its connection, listener
    by listener; and keeps what it is sent.

    Attributes:
        sent: events that reached it.
        replies: delivered inside `send_event`, by the sent event's class.
        raised: by listeners, as the read loop saw it.
        options: of each `connect`.
    """

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.replies: dict[type[Any], Sequence[Any]] = {}
        self.raised: list[BaseException] = []
        self.options: list[RealtimeModelConfig] = []
        self.retired: list[str] = []
        self._listeners: list[RealtimeModelListener] = []
        self._incoming: asyncio.Queue[Any] = asyncio.Queue()
        self._loop: asyncio.Task[None] | None = None

    async def connect(self, options: RealtimeModelConfig) -> None:
        """Begin a read loop."""
        assert self._loop is None, "Already connected"
        self.options.append(options)
        self._incoming = asyncio.Queue()
        self._loop = asyncio.create_task(self._read(self._incoming))

    def add_listener(self, listener: RealtimeModelListener) -> None:
        if listener not in self._listeners:
            self._listeners.append(listener)

    def remove_listener(self, listener: RealtimeModelListener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    async def send_event(self, event: Any) -> None:
        """Keep it, and answer."""
        await asyncio.sleep(0)
        self.sent.append(event)
        for reply in self.replies.get(cast("type[Any]", type(event)), ()):
            await self._deliver(reply)

    async def send_event_if(self, event: Any, send_if: Callable[[], bool]) -> bool:
        """The same, unless `send_if` has become false."""
        if not send_if():
            return False
        await self.send_event(event)
        return True

    def _retire_response_audio(self, response_id: str) -> None:
        self.retired.append(response_id)

    async def close(self) -> None:
        """End the read loop; from within it, once the event at hand is handled."""
        loop, self._loop = self._loop, None
        if loop is not None and loop is not asyncio.current_task():
            loop.cancel()

    async def emit(self, *events: Any) -> None:
        """Let the read loop deliver these, and wait until it has."""
        incoming = self._incoming
        for event in events:
            incoming.put_nowait(event)
        await incoming.join()

    async def _read(self, incoming: asyncio.Queue[Any]) -> None:
        while self._incoming is incoming:
            event = await incoming.get()
            try:
                await self._deliver(event)
            except Exception as error:  # noqa: BLE001 - kept for the test to look at
                self.raised.append(error)
            finally:
                incoming.task_done()

    async def _deliver(self, event: Any) -> None:
        for listener in list(self._listeners):
            await listener.on_event(event)


class Listener(RealtimeModelListener):
    """A listener made of a function, or one that only keeps what it gets."""

    def __init__(self, handler: Callable[[Any], Any] | None = None) -> None:
        self.events: list[Any] = []
        self._handler = handler

    async def on_event(self, event: Any) -> None:
        self.events.append(event)
        if self._handler is not None:
            await self._handler(event)


async def until(condition: Callable[[], Any]) -> None:
    """Let the loop run until the condition holds."""
    for _ in range(PATIENCE):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("did not happen")


@dataclass(frozen=True)
class Row:
    """An entry, as a SQL tool sees it."""

    session: int
    seq: int
    kind: str
    type: str | None
    method: str | None
    cause: int | None
    of: int | None
    payload: Any


def _row(*columns: Any) -> Row:
    *fields, payload = columns
    return Row(*fields, payload=json.loads(payload))


def rows(store: Path) -> list[Row]:
    """All entries of a store, in order."""
    query = "SELECT session, seq, kind, type, method, cause, of, payload FROM entries ORDER BY session, seq"
    connection = sqlite3.connect(store)
    try:
        return [_row(*row) for row in connection.execute(query)]
    finally:
        connection.close()


def find(entries: list[Row], kind: str, type: str | None = None, **fields: Any) -> list[Row]:
    """The entries of a kind, and of a type, whose columns are these."""
    return [
        row
        for row in entries
        if row.kind == kind
        and (type is None or row.type == type)
        and all(getattr(row, name) == value for name, value in fields.items())
    ]


def one(entries: list[Row], kind: str, type: str | None = None, **fields: Any) -> Row:
    """The only such entry."""
    [row] = find(entries, kind, type, **fields)
    return row
