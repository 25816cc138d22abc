"""Replaying below the interface of the OpenAI Agents SDK: its own model, on the frames that were recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from agents.realtime import (
    OpenAIRealtimeWebSocketModel,
    RealtimeModel,
    RealtimeModelListener,
    RealtimeSession,
    model_events,
)

from ...schema import UsageError
from ...session import Recording
from ...wire import ApplicationPart, TransportBase, connections_of
from .forwarding import Relay, forward_the_rest
from .socket_seam import Connecting, connect_by, read_clock_by, unknown_shape
from .vocabulary import VOCABULARY

NOBODYS_KEY = "sk-replayed-offline"


@forward_the_rest(TransportBase, lambda model: model.inner)
class WireReplayModel(TransportBase, RealtimeModel):
    """The SDK's own model, whose socket is a recording.

    Its code runs; the frames are those that its provider sent. What it sends is held against the recording.
    """

    vocabulary = VOCABULARY
    inner_class: ClassVar[type[RealtimeModel]] = OpenAIRealtimeWebSocketModel
    """Makes the model."""

    @classmethod
    def can_play(cls, recording: Recording) -> bool:
        """Whether all of a recording can be played below the interface; blocking.

        Not where it was made of another one, whose frames it may still hold, nor where this release's model
        has a shape that we do not know.
        """
        source = recording.header.source
        if source != "recorder" and not source.startswith("redacted ("):
            return False
        whole = all(connection.frames and not connection.weaker for connection in connections_of(recording))
        return whole and unknown_shape(cls.inner_class()) is None

    def make(self) -> RealtimeModel:
        model = type(self).inner_class()
        unknown = unknown_shape(model)
        if unknown is not None:
            raise UsageError(f'depth="wire": {unknown}; replay it at depth="interface"')
        return model

    def connect_by(self, connecting: Connecting) -> None:
        connect_by(self.inner, connecting)

    def clock(self, part: ApplicationPart) -> None:
        read_clock_by(part, part.read_clock)

    def relay(self, handler: Callable[[Any], Any]) -> RealtimeModelListener:
        return Relay(handler)

    async def let_go(self) -> None:
        """Before 0.21.1 a model says nothing of a clean end, and a session waits for ever."""
        if not hasattr(model_events, "RealtimeModelEndOfStreamEvent"):
            for listener in self.listeners:
                if isinstance(listener, RealtimeSession):
                    await listener.close()

    def options_of(self, options: Mapping[str, Any]) -> Mapping[str, Any]:
        """Offline nobody needs a key; the model wants one."""
        if options.get("api_key") or options.get("headers") is not None or os.environ.get("OPENAI_API_KEY"):
            return options
        return {**options, "api_key": NOBODYS_KEY}
