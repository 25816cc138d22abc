"""Inner models for tests: a read loop that follows a script, behind our interface or the SDK's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from realtape import schema


class Scripted:
    """Emits from a task of its own, as a socket's read loop does; the script may wait for sends.

    Attributes:
        sent: what was sent so far.
        inside: makes the events that are emitted inside a send, as the SDK's model does.
    """

    def __init__(
        self,
        script: Callable[[Any], Awaitable[None]],
        inside: Callable[[Any], list[Any]] = lambda event: [],
    ) -> None:
        self._script = script
        self._listeners: list[Any] = []
        self._read_loop: asyncio.Task[None] | None = None
        self.sent: list[Any] = []
        self.inside = inside
        self._arrived = asyncio.Condition()

    async def connect(self, options: Any) -> None:
        if self._read_loop is not None:
            raise AssertionError("Already connected")
        self._read_loop = asyncio.create_task(self._read())

    async def _read(self) -> None:
        await asyncio.sleep(0)
        await self._script(self)

    async def emit(self, *events: Any) -> None:
        for event in events:
            for listener in list(self._listeners):
                await listener.on_event(event)

    async def until_sent(self, count: int, kind: str = "") -> None:
        """Wait until so many sends whose class name contains `kind` have come."""
        async with self._arrived:
            await self._arrived.wait_for(
                lambda: sum(kind in type(event).__name__ for event in self.sent) >= count
            )

    def add_listener(self, listener: Any) -> None:
        if listener not in self._listeners:
            self._listeners.append(listener)

    def remove_listener(self, listener: Any) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    async def send_event(self, event: Any) -> None:
        await asyncio.sleep(0)
        await self.emit(*self.inside(event))
        async with self._arrived:
            self.sent.append(event)
            self._arrived.notify_all()

    async def close(self) -> None:
        read_loop, self._read_loop = self._read_loop, None
        if read_loop is not None and read_loop is not asyncio.current_task():
            read_loop.cancel()
            await asyncio.wait([read_loop])  # unlike `gather`, in as many rounds on every Python


class ScriptedModel(Scripted, schema.RealtimeModel):
    """Behind our own interface."""


class Listening(schema.RealtimeModelListener):
    """Notes the events that it hears, and does something about each.

    Attributes:
        heard: the events.
        react: does something about an event.
        over: set once `until` was heard.
    """

    def __init__(
        self, react: Callable[[Any], Awaitable[None]] | None = None, until: str = "turn_ended"
    ) -> None:
        self.heard: list[Any] = []
        self.over = asyncio.Event()
        self.react = react
        self._until = until

    @property
    def types(self) -> list[str]:
        """The types of what was heard."""
        return [event.type for event in self.heard]

    async def on_event(self, event: Any) -> None:
        self.heard.append(event)
        if self.react is not None:
            await self.react(event)
        if event.type == self._until:
            self.over.set()


def tool_call(number: int) -> schema.RealtimeModelToolCallEvent:
    """A call of a tool; its id is `call_<number>`."""
    return schema.RealtimeModelToolCallEvent(
        name="look_up", call_id=f"call_{number}", arguments=f'{{"number": {number}}}', id=f"item_{number}"
    )


def tool_output(call: Any, output: str | None = None) -> schema.RealtimeModelSendToolOutput:
    """What the application answers to it."""
    text = output or f"found {call.call_id}"
    return schema.RealtimeModelSendToolOutput(tool_call=call, output=text, start_response=True)
