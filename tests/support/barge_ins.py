"""A caller who breaks in again and again, on the SDK's own model, with listeners that take their time and no
tracker: what the model then cuts depends on its clock, and on rounds of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from agents.realtime import OpenAIRealtimeWebSocketModel, RealtimeAgent, RealtimeModelListener, RealtimeRunner
from realtape.integrations.openai_agents import Recorder
from realtape.provider import USER_INTERRUPTION, Reply, Script, chunks, silence
from support.memory_socket import in_memory

PACE = 0.1
"""Seconds that a second of the provider's audio takes."""
SLOWEST_S = 0.005
NOWHERE = "ws://127.0.0.1:9/nobody-listens-here"
SETTINGS: Any = {
    "turn_detection": {
        "type": "server_vad",
        "silence_duration_ms": 100,
        "interrupt_response": True,
        "create_response": True,
    },
    "modalities": ["audio"],
}
STORY = (
    "Once upon a time there was a train that left at nine fifteen, and nobody was on it but the driver, "
    "who did not know where it went, and did not care either."
)


@dataclass
class Slow(RealtimeModelListener):
    """Takes 0 to 5 ms for each event, by a seed."""

    random: Random
    audio: int = 0
    begun: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def on_event(self, event: Any) -> None:
        if self.random.random() < 0.5:
            await asyncio.sleep(self.random.random() * SLOWEST_S)
        self.audio += event.type == "audio"
        self.begun += event.type == "turn_started"
        self.wake.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.wake.clear()
            await self.wake.wait()


@dataclass(frozen=True)
class Caller:
    """`async def app(model)`: hears some of each answer, breaks in, and hangs up.

    Attributes:
        times: that the caller breaks in.
        seed: of how long the listeners take.
        url: of the provider.
        says: what the caller breaks in with, PCM16 of 200 ms.
    """

    times: int
    seed: int = 1
    url: str = NOWHERE
    says: bytes = USER_INTERRUPTION.pcm[:9_600]

    async def __call__(self, model: Any) -> None:
        slow = Slow(Random(self.seed))
        runner = RealtimeRunner(RealtimeAgent(name="desk"), model=model, config={"tracing_disabled": True})
        config: Any = {"url": self.url, "api_key": "sk-of-nobody", "initial_model_settings": SETTINGS}
        async with await runner.run(model_config=config) as session:
            model.add_listener(slow)
            await session.send_message("Tell me a story.")
            for time in range(self.times):
                heard, begun = slow.audio + 2 + time % 3, slow.begun
                await slow.until(lambda heard=heard: slow.audio >= heard)
                for piece in chunks(self.says + silence(200), 40):
                    await session.send_audio(piece)
                    await asyncio.sleep(0.002)
                await slow.until(lambda begun=begun: slow.begun > begun)
            await asyncio.sleep(0.02)


async def record(store: Path, caller: Caller) -> None:
    """Record it, on the loop that is running."""
    script = Script(replies=[Reply.speech(STORY)] * (caller.times + 2), transcripts=["Wait!"] * caller.times)
    async with Recorder(store) as recorder:
        inner = in_memory(OpenAIRealtimeWebSocketModel(), script, pace=PACE, seed=caller.seed)
        await caller(recorder.wrap(inner, depth="wire"))
