"""A small voice application, as people write them on the bare model: it answers tools, and truncates.
Some of its versions have a bug."""

from __future__ import annotations

import asyncio
from typing import Any

from agents.realtime import RealtimePlaybackTracker
from agents.realtime.model import RealtimeModelListener
from agents.realtime.model_inputs import RealtimeModelSendRawMessage, RealtimeModelSendToolOutput

TOOL_SECONDS = 0.02


class Voice(RealtimeModelListener):
    """Attributes:
    truncates: it tells the server itself how much was heard.
    cuts_early: bug: an interruption in the first 100 ms truncates at a second.
    hangs_up: bug: it closes when the user speaks while a tool is at work, and the tool answers all the same.
    raises: bug: an interruption at 300 ms or later is more than it can take.
    """

    def __init__(
        self, model: Any, *, cuts_early: bool = False, hangs_up: bool = False, raises: bool = False
    ) -> None:
        self.model = model
        self.tracker = RealtimePlaybackTracker()
        self.cuts_early, self.hangs_up, self.raises = cuts_early, hangs_up, raises
        self.working = 0
        self.turns = 0
        self.over = asyncio.Event()
        self.failure: Exception | None = None
        self.tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        self.model.add_listener(self)
        await self.model.connect({"url": "ws://127.0.0.1:9/", "playback_tracker": self.tracker})
        await self.over.wait()
        await asyncio.gather(*self.tasks)
        await self.model.close()
        if self.failure is not None:
            raise self.failure

    async def on_event(self, event: Any) -> None:
        if event.type == "function_call":
            self.working += 1
            self.tasks.append(asyncio.create_task(self.answer(event)))
        elif event.type == "audio_interrupted":
            await self.interrupted(event)
        elif event.type in ("end_of_stream", "exception"):
            self.over.set()
        elif event.type == "turn_ended":
            self.turns += 1
            if self.turns == 4:
                self.over.set()
        elif event.type == "raw_server_event" and event.data["type"] == "input_audio_buffer.speech_started":
            await self.spoken_to()

    async def spoken_to(self) -> None:
        if self.hangs_up and self.working:
            self.over.set()
            await self.model.close()

    async def answer(self, call: Any) -> None:
        await asyncio.sleep(TOOL_SECONDS)
        output = RealtimeModelSendToolOutput(tool_call=call, output="9:15, platform 4", start_response=True)
        await self.model.send_event(output)
        self.working -= 1

    async def interrupted(self, event: Any) -> None:
        if self.over.is_set():
            return
        playing = self.tracker.get_state()  # the event names what came last, and may name what waits
        heard_ms = int(playing["elapsed_ms"] or 0)
        if self.raises and heard_ms >= 300:
            self.failure = RuntimeError("it was interrupted")
            self.over.set()
            return
        if self.cuts_early and heard_ms < 100:
            heard_ms = 1000
        message: Any = {
            "type": "conversation.item.truncate",
            "other_data": {
                "item_id": playing["current_item_id"] or event.item_id,
                "content_index": playing["current_item_content_index"] or event.content_index,
                "audio_end_ms": heard_ms,
            },
        }
        await self.model.send_event(RealtimeModelSendRawMessage(message=message))


async def sound(model: Any) -> None:
    """Without a bug."""
    await Voice(model).run()


async def cuts_early(model: Any) -> None:
    """Truncates beyond what came."""
    await Voice(model, cuts_early=True).run()


async def hangs_up(model: Any) -> None:
    """Answers a tool after it has closed."""
    await Voice(model, hangs_up=True).run()


async def twice(model: Any) -> None:
    """Without a bug; it connects again."""
    await _after_another(model, Voice(model))


async def cuts_early_again(model: Any) -> None:
    """Only on its second connection it truncates beyond what came."""
    await _after_another(model, Voice(model, cuts_early=True))


async def _after_another(model: Any, second: Voice) -> None:
    for one in (Voice(model), second):
        await one.run()
        model.remove_listener(one)
