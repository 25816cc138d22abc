"""A real session of the SDK against the local provider: recorded with a user, replayed without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.realtime import (
    OpenAIRealtimeWebSocketModel,
    RealtimeAgent,
    RealtimeModel,
    RealtimeRunner,
    RealtimeSession,
)
from realtape.cli.demo_conversation import facts
from realtape.integrations.openai_agents import Recorder, ReplayModel
from realtape.provider import LocalProvider, Script
from realtape.session import Recording

PACE = 0.05
"""Seconds that a second of the provider's audio takes."""

GUARD_SECONDS = 30.0
TURN_DETECTION = {"type": "server_vad", "interrupt_response": True}


@dataclass
class Told:
    """What one run came to.

    Attributes:
        events: the session's, as data.
        history: the session's items at the end.
        turns: that the model has ended.
    """

    events: list[Any] = field(default_factory=list[Any])
    history: list[Any] = field(default_factory=list[Any])
    turns: int = 0

    @property
    def heard(self) -> list[Any]:
        """The events that two runs have in common, with any release: less the end of the stream, which
        a replay gives where nobody closes; and as they came, before 0.18 wrote '' over a None in them."""
        found: list[Any] = []
        for event in self.events:
            data = event.get("data")
            kinds = {getattr(data, "type", ""), getattr(data, "status", "")}
            if kinds & {"end_of_stream", "disconnected"}:
                continue
            if "raw_server_event" in kinds and data.data.get("previous_item_id") == "":
                event = {**event, "data": {**data.data, "previous_item_id": None}}
            elif "raw_server_event" in kinds:
                event = {**event, "data": {**data.data}}
            found.append(event)
        return found

    async def until_turn(self, number: int) -> None:
        """Wait for the end of the model's turn; what is done after it is not caused by it."""
        while self.turns < number:
            await asyncio.sleep(0.002)


User = Callable[[RealtimeSession, Told], Awaitable[None]]
Answer = Callable[[RealtimeSession, Any], Awaitable[None]]


@asynccontextmanager
async def running(
    model: RealtimeModel, agent: RealtimeAgent[Any], told: Told, *, url: str, answer: Answer | None = None
) -> AsyncGenerator[tuple[RealtimeSession, asyncio.Task[None]]]:
    """A session whose events are listened to, by a task that is given with it."""
    config: Any = {
        "url": url,
        "api_key": "sk-nobody",
        "initial_model_settings": {"turn_detection": TURN_DETECTION},
    }
    runner = RealtimeRunner(agent, model=model, config={"tracing_disabled": True})
    session = await runner.run(model_config=config)

    async def listen() -> None:
        async for event in session:
            told.events.append(facts(event))
            told.turns += event.type == "agent_end"
            if answer is not None and event.type == "tool_approval_required":
                await answer(session, event)

    async with session:
        listening = asyncio.create_task(listen())
        yield session, listening
        told.history = list(session._history)
    await listening


async def record(
    store: Path,
    script: Script,
    agent: RealtimeAgent[Any],
    user: User,
    *,
    answer: Answer | None = None,
    pace: float = PACE,
) -> Told:
    """Record what a user does in a session."""
    told = Told()
    async with (
        asyncio.timeout(GUARD_SECONDS),
        LocalProvider(script, pace=pace) as provider,
        Recorder(store) as recorder,
    ):
        model = recorder.wrap(OpenAIRealtimeWebSocketModel())
        async with running(model, agent, told, url=provider.url, answer=answer) as (session, _):
            await user(session, told)
    return told


@asynccontextmanager
async def replaying(
    store: Path, agent: RealtimeAgent[Any], told: Told, **options: Any
) -> AsyncGenerator[tuple[RealtimeSession, ReplayModel]]:
    """A replay of it, without the user; left when everything was played and heard."""
    async with asyncio.timeout(GUARD_SECONDS), await Recording.open(store) as recording:
        model = ReplayModel(recording, **options)
        async with running(model, agent, told, url="ws://127.0.0.1:9/nobody") as (session, listening):
            yield session, model
            # Older releases know no end of the stream: there it is the close that ends the listening.
            while not (model.report.finished or listening.done()):
                await asyncio.sleep(0.002)
            await asyncio.sleep(0.01)
        await model.finished()
