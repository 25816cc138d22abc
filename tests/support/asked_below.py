"""A question that is asked of the SDK's own model, on its socket; and the application that asks it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from agents.realtime import OpenAIRealtimeWebSocketModel, RealtimeModelSendUserInput
from realtape.integrations.openai_agents import Recorder
from realtape.provider import Reply, Script
from realtape.replay import run
from support.barge_ins import NOWHERE
from support.memory_socket import in_memory
from support.sdk_model import Listener

SCRIPT = Script(replies=[Reply.text("From platform four, at nine.")])


async def app(model: Any) -> None:
    """Ask, and hang up when it is answered, or over."""
    listener = Listener()
    model.add_listener(listener)
    await model.connect({"url": NOWHERE, "api_key": "sk-any"})
    await model.send_event(RealtimeModelSendUserInput("When does my train leave?"))
    for _ in range(1000):
        if any(event.type in ("turn_ended", "end_of_stream", "exception") for event in listener.events):
            break
        await asyncio.sleep(0.001)
    await model.close()


def record(store: Path) -> None:
    """Record it, with its frames."""

    async def recorded() -> None:
        async with Recorder(store) as recorder:
            await app(recorder.wrap(in_memory(OpenAIRealtimeWebSocketModel(), SCRIPT, SCRIPT), depth="wire"))

    run(recorded())
