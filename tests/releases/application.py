"""A small voice application for any release of the SDK: its conversation, and what its user saw of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from agents.realtime import (
    OpenAIRealtimeWebSocketModel,
    RealtimeAgent,
    RealtimeModel,
    RealtimeRunner,
    RealtimeSession,
    RealtimeSessionEvent,
)
from realtape.provider import Script

GUARD_SECONDS = 30.0


@dataclass(frozen=True)
class Seen:
    """What the application was told: plain values, so that another process can look at them.

    Attributes:
        events: the session's events in order, without the model's own, and with names for objects.
        history: the items of the last history that an event held.
    """

    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    history: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


async def _nothing(_: RealtimeSession, __: RealtimeSessionEvent) -> None:
    """Let the session do its work."""


@dataclass(frozen=True)
class Application:
    """The same for the recording and for every replay.

    Attributes:
        script: what the provider says.
        agent: makes the agent who answers first.
        turns: the user hangs up after so many `agent_end` events.
        react: what the application does about an event.
        model: makes the model that is recorded.
    """

    script: Script
    agent: Callable[[], RealtimeAgent[Any]]
    turns: int
    react: Callable[[RealtimeSession, RealtimeSessionEvent], Awaitable[None]] = _nothing
    model: Callable[[], RealtimeModel] = OpenAIRealtimeWebSocketModel

    async def run(self, model: RealtimeModel, url: str) -> Seen:
        """Talk until the user hangs up.

        Raises:
            TimeoutError: there were fewer turns.
        """
        seen = Seen()
        runner = RealtimeRunner(self.agent(), model=model, config={"tracing_disabled": True})
        turns = 0
        async with (
            asyncio.timeout(GUARD_SECONDS),
            await runner.run(model_config={"url": url, "api_key": "sk-of-nobody"}) as session,
        ):
            await session.send_message("Hello!")
            async for event in session:
                if event.type == "history_updated":
                    seen.history[:] = [item.model_dump(mode="json") for item in event.history]
                elif event.type != "raw_model_event":
                    seen.events.append(told(event))
                await self.react(session, event)
                turns += event.type == "agent_end"
                if turns == self.turns:
                    break
        return seen


def told(event: RealtimeSessionEvent) -> dict[str, Any]:
    """A session event as plain values."""
    names: dict[str, Any] = {}
    for name, value in vars(event).items():
        if name in ("agent", "from_agent", "to_agent", "tool"):
            names[name] = value.name
        elif isinstance(value, str | int):
            names[name] = value
    return {"type": event.type, **names}
