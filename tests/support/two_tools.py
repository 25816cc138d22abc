"""A desk that uses two tools at once; and one that hangs up when the second is done."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from realtape import schema

from .scripted import Scripted, ScriptedModel

HEALTHY = {"call_find": 0.02, "call_book": 0.06}
"""How long the tools take, in seconds, by the id of their calls."""


async def script(model: Scripted) -> None:
    """The model's side: it asks for two tools."""
    ask = schema.RealtimeModelToolCallEvent
    await asyncio.sleep(0.1)
    await model.emit(
        schema.RealtimeModelTurnStartedEvent(response_id="resp_1"),
        ask(name="find", call_id="call_find", arguments="{}", id="item_find"),
        ask(name="book", call_id="call_book", arguments="{}", id="item_book"),
        schema.RealtimeModelTurnEndedEvent(response_id="resp_1"),
    )


def model() -> ScriptedModel:
    """What is recorded."""
    return ScriptedModel(script)


class Desk(schema.RealtimeModelListener):
    """Answers each call when its tool is done, and hangs up.

    Args:
        seconds: how long each tool takes, by the id of its call.
        hasty: bug: it hangs up when `book` is done, as if `find` always were by then.
    """

    def __init__(self, model: Any, seconds: Mapping[str, float], *, hasty: bool) -> None:
        self.model = model
        self.seconds = seconds
        self.hasty = hasty
        self.over = asyncio.Event()
        self.tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        self.model.add_listener(self)
        await self.model.connect({})
        await self.over.wait()
        if not self.hasty:
            await asyncio.gather(*self.tasks)
        await self.model.close()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def on_event(self, event: Any) -> None:
        if event.type == "function_call":
            self.tasks.append(asyncio.create_task(self.work(event)))
        elif event.type in ("end_of_stream", "exception"):
            self.over.set()

    async def work(self, call: Any) -> None:
        await asyncio.sleep(self.seconds.get(call.call_id, 0.0))
        output = f"{call.name} is done"
        await self.model.send_event(
            schema.RealtimeModelSendToolOutput(tool_call=call, output=output, start_response=False)
        )
        if call.name == "book":
            self.over.set()
