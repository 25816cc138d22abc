"""What `realtape demo` does: a real conversation is recorded, replayed offline, and compared."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..integrations.openai_agents import Recorder, ReplayModel
from ..provider import LocalProvider
from ..replay import ReplayReport
from ..schema import same
from ..session import Recording
from .demo_conversation import PACE, SCRIPT, Story, converse

NOWHERE = "ws://127.0.0.1:9/nobody-listens-here"
"""The address that the replayed application is given: a replay opens no socket."""

GUARD_SECONDS = 60.0


@dataclass(frozen=True)
class Comparison:
    """One aspect of the two runs.

    Attributes:
        name: what was compared.
        count: how many of it there were when recorded.
        equal: whether the replay had the same, value by value and type by type.
    """

    name: str
    count: int
    equal: bool


async def record_demo(store: Path) -> Story:
    """Record the demo's conversation into a store: the SDK's own model, against the local provider."""
    from agents.realtime import OpenAIRealtimeWebSocketModel

    # The SDK uploads traces to its maker, unless it is told not to.
    os.environ.setdefault("OPENAI_AGENTS_DISABLE_TRACING", "1")
    logging.getLogger("openai.agents").setLevel(logging.ERROR)
    async with (
        asyncio.timeout(GUARD_SECONDS),
        LocalProvider(SCRIPT, pace=PACE) as provider,
        Recorder(store) as recorder,
    ):
        model = recorder.wrap(OpenAIRealtimeWebSocketModel(), labels={"demo": "timetable"})
        return await converse(model, provider.url)


async def replay_demo(store: Path) -> tuple[Story, ReplayReport, float]:
    """Replay it into a fresh session, offline; returns also how many seconds that took."""
    began = time.perf_counter()
    async with asyncio.timeout(GUARD_SECONDS), await Recording.open(store) as recording:
        model = ReplayModel(recording)
        story = await converse(model, NOWHERE)
        return story, await model.finished(), time.perf_counter() - began


def compare(recorded: Story, replayed: Story) -> list[Comparison]:
    """Hold the two runs against each other."""
    pairs: list[tuple[str, list[Any], list[Any]]] = [
        ("session events", recorded.events, replayed.events),
        ("history items", recorded.history, replayed.history),
        ("tool calls", recorded.tool_calls, replayed.tool_calls),
        ("playback states", recorded.heard, replayed.heard),
    ]
    return [Comparison(name, len(before), same(before, after)) for name, before, after in pairs]
