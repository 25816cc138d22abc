"""A hotel's front desk: two tools, of which the second relies on the first; a timer that asks whether
somebody is still there; and a player. Each of its two bugs can be mended alone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from realtape.lab.invariants import Found, rule
from realtape.schema import (
    Entry,
    RealtimeModelAudioEvent,
    RealtimeModelEndOfStreamEvent,
    RealtimeModelListener,
    RealtimeModelSendToolOutput,
    RealtimeModelSendUserInput,
    RealtimeModelToolCallEvent,
    RealtimeModelTurnEndedEvent,
    RealtimeModelTurnStartedEvent,
    RealtimePlaybackTracker,
)

from .scripted import Scripted, ScriptedModel

ASKED = "Are you still there?"
ASKS_AFTER_SECONDS = 5.0
CHUNK = bytes(9_600)  # 200 ms
SECONDS = {"call_reserve": 0.1, "call_confirm": 0.4}


async def script(model: Scripted) -> None:
    """One healthy call."""
    await asyncio.sleep(0.1)
    await model.emit(
        RealtimeModelTurnStartedEvent(response_id="resp_1"),
        RealtimeModelToolCallEvent(name="reserve", call_id="call_reserve", arguments="{}", id="item_1"),
        RealtimeModelToolCallEvent(name="confirm", call_id="call_confirm", arguments="{}", id="item_2"),
        RealtimeModelTurnEndedEvent(response_id="resp_1"),
    )
    await model.until_sent(2)
    await say(model, "resp_2", "item_3")
    await model.until_sent(3)  # nobody answers: he is asked
    await say(model, "resp_3", "item_4")
    await asyncio.sleep(3)
    await model.emit(RealtimeModelEndOfStreamEvent())


async def say(model: Scripted, response_id: str, item_id: str) -> None:
    """Two seconds of sound, which come at once."""
    await model.emit(RealtimeModelTurnStartedEvent(response_id=response_id))
    for _ in range(10):
        event = RealtimeModelAudioEvent(data=CHUNK, response_id=response_id, item_id=item_id, content_index=0)
        await model.emit(event)
    await model.emit(RealtimeModelTurnEndedEvent(response_id=response_id))


def model() -> ScriptedModel:
    """What is recorded."""
    return ScriptedModel(script)


@dataclass
class FrontDesk:
    """The application.

    Attributes:
        seconds: how long each call of a tool takes, by its id.
        waits: mended: `confirm` waits for `reserve`.
        stops: mended: who speaks is not asked whether he is there.
    """

    seconds: Mapping[str, float]
    waits: bool = False
    stops: bool = False

    async def __call__(self, model: Any) -> None:
        """One call."""
        await _Call(model, self).run()


async def as_recorded(model: Any) -> None:
    """`--app support.front_desk:as_recorded`: with both bugs."""
    await FrontDesk(SECONDS)(model)


async def mended(model: Any) -> None:
    """`--app support.front_desk:mended`."""
    await FrontDesk(SECONDS, waits=True, stops=True)(model)


class _Call(RealtimeModelListener):
    def __init__(self, model: Any, desk: FrontDesk) -> None:
        self.model = model
        self.desk = desk
        self.tracker = RealtimePlaybackTracker()
        self.room: int | None = None
        self.reserved = asyncio.Event()
        self.over = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []
        self.playing: asyncio.Task[None] | None = None
        self.asking: asyncio.TimerHandle | None = None
        self.left_ms = 0

    async def run(self) -> None:
        self.model.add_listener(self)
        await self.model.connect({"playback_tracker": self.tracker})
        await self.over.wait()
        self.hush()
        for task in (*self.tasks, self.playing):
            if task is not None:
                task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.model.close()

    def hush(self) -> None:
        if self.asking is not None:
            self.asking.cancel()

    async def on_event(self, event: Any) -> None:
        if event.type == "function_call":
            self.tasks.append(asyncio.create_task(self.work(event)))
        elif event.type == "audio":
            self.left_ms += len(event.data) // 48
            if self.playing is None or self.playing.done():
                self.playing = asyncio.create_task(self.play(event.item_id))
        elif event.type == "audio_interrupted":
            self.left_ms = 0
            if self.playing is not None:
                self.playing.cancel()
            if self.desk.stops:
                self.hush()
        elif event.type == "turn_started":
            self.hush()
        elif event.type == "turn_ended":
            self.asking = asyncio.get_running_loop().call_later(ASKS_AFTER_SECONDS, self.ask)
        elif event.type in ("end_of_stream", "exception"):
            self.over.set()

    def ask(self) -> None:
        self.tasks.append(
            asyncio.create_task(self.model.send_event(RealtimeModelSendUserInput(user_input=ASKED)))
        )

    async def play(self, item_id: str) -> None:
        while self.left_ms > 0:
            await asyncio.sleep(0.1)
            self.left_ms -= 100
            self.tracker.on_play_ms(item_id, 0, 100)

    async def work(self, call: Any) -> None:
        if call.name == "confirm" and self.desk.waits:
            await self.reserved.wait()
        await asyncio.sleep(self.desk.seconds.get(call.call_id, 0.0))
        if call.name == "reserve":
            self.room = 12
            self.reserved.set()
        output = f"room {self.room}" if call.name == "confirm" else "reserved"
        await self.model.send_event(
            RealtimeModelSendToolOutput(tool_call=call, output=output, start_response=True)
        )


@rule("a confirmation names the room")
def names_the_room(entries: Sequence[Entry]) -> Iterator[Found]:
    """`confirm` relies on `reserve`."""
    for entry in entries:
        if entry.type == "send_tool_output" and "room None" in entry.payload:
            yield Found("a room was confirmed before it was reserved", (entry.seq,))


@rule("who speaks is not asked whether he is there")
def speaks(entries: Sequence[Entry]) -> Iterator[Found]:
    """The timer is one of silence."""
    spoken = None
    for entry in entries:
        if entry.type == "audio_interrupted":
            spoken = entry
        elif entry.type == "turn_started":
            spoken = None
        elif spoken is not None and entry.type == "send_user_input" and ASKED in entry.payload:
            yield Found("he had just begun to speak", (spoken.seq, entry.seq))


RULES = (names_the_room, speaks)
