"""Any call that the SDK's own model can have with the local provider: what the user and the application do is
drawn, and so is what the provider says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimePlaybackTracker, RealtimeRunner
from agents.realtime.model_inputs import RealtimeModelSendRawMessage
from realtape.provider import (
    USER_INTERRUPTION,
    Ending,
    FunctionCall,
    Reply,
    Script,
    Speech,
    Text,
    chunks,
    silence,
)

URL = "ws://127.0.0.1:9/nobody-listens-here"
PACE = 0.1
"""Seconds that a second of the provider's audio takes."""
SETTINGS: Any = {
    "turn_detection": {
        "type": "server_vad",
        "silence_duration_ms": 100,
        "interrupt_response": True,
        "create_response": True,
    },
}
WORDS = ("once", "upon", "a", "time", "there", "was", "a train", "that left", "at nine fifteen")
REFUSED: tuple[dict[str, Any], ...] = (
    {"type": "input_audio_buffer.commit"},
    {"type": "response.cancel"},
    {"type": "response.create"},
    {"type": "conversation.item.retrieve", "other_data": {"item_id": "item_nowhere"}},
    {"type": "conversation.item.delete", "other_data": {"item_id": "item_nowhere"}},
    {"type": "conversation.item.create", "other_data": {"item": {"type": "message", "role": "nobody"}}},
    {"type": "session.update", "other_data": {"session": {"type": "realtime", "audio": "loud"}}},
    {"type": "no.such.message"},
)
"""Messages that most providers refuse, most of the time."""


@dataclass(frozen=True)
class AnyCall:
    """`async def app(model)`, and the provider that it talks to.

    Attributes:
        seed: decides everything.
        waits_s: before the user hangs up: who does so by a timer, in the middle of what comes, hears more of
            it on a loop that is less busy than the recorded one was.
        script: what the provider says.
    """

    seed: int
    waits_s: float = 0.0
    sessions: int = 1
    script: Script = field(init=False)

    def __post_init__(self) -> None:
        random = Random(f"script {self.seed}")
        replies = tuple(_reply(random) for _ in range(12))
        object.__setattr__(self, "script", Script(replies, ("Wait!", "What?", "And then?")))

    async def __call__(self, model: Any) -> None:
        random = Random(f"app {self.seed}")
        for _ in range(self.sessions):
            await _call(model, random, self.waits_s)


def _reply(random: Random) -> Reply:
    said = " ".join(random.choices(WORDS, k=random.randint(1, 12)))
    kinds = random.choices(("speech", "text", "tool", "both"), (6, 2, 3, 1))[0]
    outputs: list[Any] = []
    if kinds in ("speech", "both"):
        outputs.append(Speech(said))
    if kinds == "text":
        outputs.append(Text(said))
    if kinds in ("tool", "both"):
        outputs.append(FunctionCall("departure", {"destination": random.choice(("Brno", "Graz"))}))
    ending = None
    if random.random() < 0.08:
        ending = Ending(random.choice((1000, 1011, None)), after_ms=random.choice((None, 0, 300)))
    return Reply(tuple(outputs), ending)


async def _call(model: Any, random: Random, waits_s: float) -> None:
    tool_s = random.choice((0.0, 0.001, 0.03))
    tracker = RealtimePlaybackTracker() if random.random() < 0.5 else None

    @function_tool
    async def departure(destination: str) -> str:
        """When the next train leaves."""
        await asyncio.sleep(tool_s)
        return f"9:15 to {destination}"

    agent = RealtimeAgent(name="desk", instructions="Be brief.", tools=[departure])
    config: Any = {"url": URL, "api_key": "sk-of-nobody", "initial_model_settings": SETTINGS}
    if tracker is not None:
        config["playback_tracker"] = tracker
    runner = RealtimeRunner(agent, model=model, config={"tracing_disabled": True})
    async with await runner.run(model_config=config) as session:
        listening = asyncio.create_task(_listen(session, tracker, Random(random.random())))
        try:
            for act in _acts(random):
                await _perform(session, act, random)
            await asyncio.sleep(waits_s)
        except Exception:  # noqa: BLE001 - the connection may have ended
            await asyncio.sleep(0.01)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def _acts(random: Random) -> Sequence[str]:
    kinds = ("text", "speak", "interrupt", "wait", "refused")
    return random.choices(kinds, (4, 4, 2, 5, 3), k=random.randint(2, 9))


async def _perform(session: Any, act: str, random: Random) -> None:
    if act == "text":
        await session.send_message(f"Tell me of number {random.randint(1, 99)}.")
    elif act == "interrupt":
        await session.interrupt()
    elif act == "wait":
        await asyncio.sleep(random.choice((0.0, 0.003, 0.02, 0.1)))
    elif act == "refused":
        message: Any = random.choice(REFUSED)
        await session.model.send_event(RealtimeModelSendRawMessage(message))
    else:
        for piece in chunks(USER_INTERRUPTION.pcm[:9_600] + silence(random.choice((0, 200))), 40):
            await session.send_audio(piece)
            await asyncio.sleep(0.004)


async def _listen(session: Any, tracker: Any, random: Random) -> None:
    """Reads the session's events, as fast as it can or not, and plays what is heard."""
    slow_s = random.choice((0.0, 0.0, 0.002))
    async for event in session:
        if slow_s:
            await asyncio.sleep(random.random() * slow_s)
        if event.type == "audio" and tracker is not None:
            for piece in chunks(event.audio.data, 20):
                tracker.on_play_bytes(event.item_id, event.content_index, piece)
                await asyncio.sleep(0.002)
