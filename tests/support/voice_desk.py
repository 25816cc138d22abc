"""A small voice application for tests, sound unless it is told to have a bug."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from realtape import schema

Bug = Literal["unanswered", "twice", "after close"]

TOOL_SECONDS = 0.3


class VoiceDesk(schema.RealtimeModelListener):
    """Answers tool calls in tasks; closes at the end of the stream, and connects again after a loss.

    Args:
        model: recorded, or a replay.
        bug: what it does wrong. `unanswered`: a call that comes while another one is being answered.
            `twice`: a call that the user talks into. `after close`: it says good-bye after it has closed.
        plays: it tells its tracker that all that comes is heard at once. If not, it tells nothing.
    """

    def __init__(self, model: Any, bug: Bug | None = None, *, plays: bool = False) -> None:
        self._model = model
        self._bug = bug
        self._plays = plays
        self._tracker = schema.RealtimePlaybackTracker()
        self._hung_up = False
        self._working: dict[str, asyncio.Task[None]] = {}
        self._ended: asyncio.Queue[bool] = asyncio.Queue()  # whether to connect again

    async def run(self) -> None:
        """Until the provider ends the connection, or is lost three times."""
        self._model.add_listener(self)
        for _ in range(3):
            self._hung_up = False
            await self._model.connect({"playback_tracker": self._tracker})
            again = await self._ended.get()
            self._hung_up = True
            for task in self._working.values():
                task.cancel()
            await self._model.close()
            if not again:
                break
        self._model.remove_listener(self)
        if self._bug == "after close":
            try:
                await self._model.send_event(schema.RealtimeModelSendUserInput(user_input="Good-bye."))
            except AssertionError:
                pass  # the model is closed: nobody noticed

    async def on_event(self, event: Any) -> None:
        """What the model says."""
        match event.type:
            case "function_call":
                if self._bug == "unanswered" and self._working:
                    return
                task = asyncio.create_task(self._answer(event))
                self._working[event.call_id] = task
                task.add_done_callback(lambda _: self._working.pop(event.call_id, None))
            case "raw_server_event" if self._bug == "twice" and "speech_started" in event.data["type"]:
                for task in self._working.values():
                    task.cancel()
            case "audio" if self._plays:
                self._tracker.on_play_bytes(event.item_id, event.content_index, event.data)
            case "exception":
                self._ended.put_nowait(True)
            case "end_of_stream":
                self._ended.put_nowait(False)
            case _:
                pass

    async def _answer(self, call: Any) -> None:
        output = schema.RealtimeModelSendToolOutput(tool_call=call, output="done", start_response=True)
        try:
            await asyncio.sleep(TOOL_SECONDS)
        except asyncio.CancelledError:
            if self._bug != "twice" or self._hung_up:
                raise
            await self._model.send_event(output)  # the user has waited long enough
        await self._model.send_event(output)
