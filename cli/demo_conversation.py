"""The conversation of the demo: a small voice application of the OpenAI Agents SDK, its script, and how it is
recorded, replayed and compared.

It is a whole application: text turns, a spoken question, a tool, a player that reports what the user
has heard, and a user who interrupts. It runs unchanged against the local provider and a recording.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import os
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents import function_tool
from agents.realtime import (
    OpenAIRealtimeWebSocketModel,
    RealtimeAgent,
    RealtimeModel,
    RealtimeModelConfig,
    RealtimeModelEvent,
    RealtimeModelListener,
    RealtimePlaybackTracker,
    RealtimeRunner,
    RealtimeSession,
    RealtimeSessionEvent,
)

from ..integrations.openai_agents import Recorder, replay
from ..provider import (
    ASSISTANT_ANSWER,
    USER_INTERRUPTION,
    USER_QUESTION,
    FunctionCall,
    LocalProvider,
    Reply,
    Script,
    Speech,
    chunks,
    silence,
)
from ..replay import ReplayReport
from ..schema import audio_length_ms, same

API_KEY = "sk-demo-key-of-nobody"
PACE = 0.1
"""Seconds that a second of audio takes: the demo is told ten times faster than people talk."""

PLAYER_CHUNK_MS = 20
CHUNK_MS = 100
INTERRUPTS_AFTER_MS = 800
TURNS = 4

SCRIPT = Script(
    replies=(
        Reply(outputs=(Speech("Good morning. I know the timetable."),)),
        Reply(outputs=(FunctionCall("departure", {"destination": "Brno"}),)),
        Reply(outputs=(Speech(ASSISTANT_ANSWER.text, audio=ASSISTANT_ANSWER.pcm),)),
        Reply(outputs=(Speech("Platform four, on the left."),)),
    ),
    transcripts=(USER_QUESTION.text, USER_INTERRUPTION.text),
)
"""A greeting, a spoken question that needs a tool, an answer that is interrupted, a last answer."""


NOWHERE = "ws://127.0.0.1:9/nobody-listens-here"
"""The address that the replayed application is given: a replay opens no socket."""

GUARD_SECONDS = 60.0

TOOL_EVENTS = ("tool_start", "tool_end")


@dataclass
class Story:
    """What one run of the application came to: what must be the same in the replay.

    Attributes:
        events: the session's events, in order, less what is no data (contexts, agents, tools).
        history: the session's history at the end.
        tool_calls: what the tool was called with.
        heard: the tracker's state whenever the model ended a turn or was interrupted.
    """

    events: list[Any] = field(default_factory=list[Any])
    history: list[Any] = field(default_factory=list[Any])
    tool_calls: list[str] = field(default_factory=list[str])
    heard: list[Any] = field(default_factory=list[Any])


async def converse(model: RealtimeModel, url: str) -> Story:
    """Run the application; the same code for the recording and for every replay.

    Args:
        model: the SDK's own model, recorded; or a replay.
        url: of the provider; a replay ignores it.
    """
    story = Story()
    tracker = RealtimePlaybackTracker()

    @function_tool
    async def departure(destination: str) -> str:
        """When the next train leaves."""
        story.tool_calls.append(destination)
        await asyncio.sleep(0.01)
        return "9:15, platform 4"

    agent = RealtimeAgent(name="Timetable", instructions="Answer briefly.", tools=[departure])
    config: RealtimeModelConfig = {
        "url": url,
        "api_key": API_KEY,
        "playback_tracker": tracker,
        "initial_model_settings": {"turn_detection": {"type": "server_vad", "interrupt_response": True}},
    }
    model.add_listener(_Ear(tracker, story))
    runner = RealtimeRunner(agent, model=model, config={"tracing_disabled": True})
    async with await runner.run(model_config=config) as session, asyncio.TaskGroup() as group:
        player = Loudspeaker(tracker)
        playing = group.create_task(player.play())
        await session.send_message("Good morning!")
        await _listen(session, player, story, group)
        playing.cancel()
        story.history = list(session._history)  # pyright: ignore[reportPrivateUsage]
    return story


async def _listen(
    session: RealtimeSession, player: Loudspeaker, story: Story, group: asyncio.TaskGroup
) -> None:
    """The user: asks by voice after the greeting, and interrupts the answer."""
    turns = 0
    interrupted = False
    async for event in session:
        story.events.append(facts(event))
        if event.type == "audio":
            player.queue(event.item_id, event.content_index, event.audio.data)
            if turns == 2 and not interrupted:
                interrupted = True
                group.create_task(speak(session, USER_INTERRUPTION.pcm, after_ms=INTERRUPTS_AFTER_MS))
        elif event.type == "audio_interrupted":
            player.stop()
        elif event.type == "agent_end":
            turns += 1
            if turns == 1:
                group.create_task(speak(session, USER_QUESTION.pcm))
            if turns == TURNS:
                return


async def speak(session: RealtimeSession, pcm: bytes, *, after_ms: int = 0) -> None:
    """A microphone: what the user says, in chunks, and the silence after it."""
    await asyncio.sleep(after_ms / 1000 * PACE)
    clock = asyncio.get_running_loop().time
    due = clock()  # by the sound, whatever the calls take: a microphone does not slow down
    for chunk in chunks(pcm + silence(1000), CHUNK_MS):
        await session.send_audio(chunk)
        due += CHUNK_MS / 1000 * PACE
        await asyncio.sleep(max(due - clock(), 0))


class Loudspeaker:
    """A loudspeaker that plays at the demo's pace, and reports what was heard."""

    def __init__(self, tracker: RealtimePlaybackTracker) -> None:
        self._tracker = tracker
        self._chunks: deque[tuple[str, int, bytes]] = deque()
        self._arrived = asyncio.Event()

    def queue(self, item_id: str, content_index: int, audio: bytes) -> None:
        """Play this after what is queued."""
        self._chunks += ((item_id, content_index, chunk) for chunk in chunks(audio, PLAYER_CHUNK_MS))
        self._arrived.set()

    def stop(self) -> None:
        """The user interrupts: what is queued will not be heard."""
        self._chunks.clear()

    async def play(self) -> None:
        """Play until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            due = clock()
            while self._chunks:
                item_id, content_index, chunk = self._chunks.popleft()
                due += audio_length_ms("pcm16", chunk) / 1000 * PACE
                await asyncio.sleep(max(due - clock(), 0))
                self._tracker.on_play_bytes(item_id, content_index, chunk)
            self._arrived.clear()
            await self._arrived.wait()


class _Ear(RealtimeModelListener):
    """Notes what the user has heard at the moments at which the model cares."""

    def __init__(self, tracker: RealtimePlaybackTracker, story: Story) -> None:
        self._tracker = tracker
        self._story = story

    async def on_event(self, event: RealtimeModelEvent) -> None:
        if event.type in ("audio_interrupted", "turn_ended"):
            self._story.heard.append((event.type, dict(self._tracker.get_state())))


def facts(event: RealtimeSessionEvent) -> dict[str, Any]:
    """A session event as data: what of it two runs can have in common."""
    hidden = ("info", "agent", "tool", "from_agent", "to_agent", "guardrail_results")
    found = {name.name: getattr(event, name.name) for name in dataclasses.fields(event)}
    return {name: value for name, value in found.items() if name not in hidden}


@dataclass(frozen=True)
class Compared:
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
    """Replay it into a fresh session, offline; returns also how many seconds that took.

    Raises:
        DivergenceError: the replay diverged.
    """
    stories: list[Story] = []

    async def app(model: RealtimeModel) -> None:
        stories.append(await converse(model, NOWHERE))

    began = time.perf_counter()
    async with asyncio.timeout(GUARD_SECONDS):
        played = await replay(store, app)
    played.report.raise_for_divergence()
    if played.failure is not None:
        raise played.failure
    return stories[0], played.report, time.perf_counter() - began


def compare(recorded: Story, replayed: Story) -> list[Compared]:
    """Hold the two runs against each other."""
    given, tools = _parts(recorded.events)
    given_again, tools_again = _parts(replayed.events)
    pairs: list[tuple[str, list[Any], list[Any]]] = [
        ("session events", given, given_again),
        ("history items", recorded.history, replayed.history),
        ("tool calls", [*tools, *recorded.tool_calls], [*tools_again, *replayed.tool_calls]),
        ("playback states", recorded.heard, replayed.heard),
    ]
    return [Compared(name, len(before), same(before, after)) for name, before, after in pairs]


def _parts(events: list[Any]) -> tuple[list[Any], list[Any]]:
    """What the session passed on of its model, and what it told of its tools: in which round one of these
    begins is the event loop's affair."""
    passed_on = [event for event in events if event["type"] not in TOOL_EVENTS]
    return passed_on, [event for event in events if event["type"] in TOOL_EVENTS]
