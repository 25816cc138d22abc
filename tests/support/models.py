"""The smallest inner model: what is sent comes back as an event."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from realtape.schema import RealtimeModel, RealtimeModelAudioEvent, RealtimeModelListener


class EchoModel(RealtimeModel):
    """Gives every sent value back to the listeners, as audio, inside `send_event`."""

    def __init__(self) -> None:
        self._listeners: list[RealtimeModelListener] = []
        self.options: list[Mapping[str, Any]] = []

    async def connect(self, options: Any) -> None:
        self.options.append(options)

    def add_listener(self, listener: RealtimeModelListener) -> None:
        self._listeners.append(listener)

    def remove_listener(self, listener: RealtimeModelListener) -> None:
        self._listeners.remove(listener)

    async def send_event(self, event: Any) -> None:
        await asyncio.sleep(0)
        data = event if isinstance(event, bytes) else b"audio of an echo"
        echo = RealtimeModelAudioEvent(data=data, response_id="r", item_id="i", content_index=0)
        for listener in list(self._listeners):
            await listener.on_event(echo)

    async def close(self) -> None:
        pass


class Ignoring(RealtimeModelListener):
    """A listener that does nothing."""

    async def on_event(self, event: Any) -> None:
        pass
