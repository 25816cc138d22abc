"""A small session and an application that answers it, recorded and replayed on a plain event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from realtape.recorder import Recorder
from realtape.replay import ReplayModel, ReplayReport
from realtape.schema import (
    RealtimeModel,
    RealtimeModelAudioEvent,
    RealtimeModelTranscriptDeltaEvent,
    RealtimeModelTurnEndedEvent,
    RealtimeModelTurnStartedEvent,
)
from realtape.session import Recording
from support.scripted import Listening, Scripted, ScriptedModel, tool_call, tool_output

App = Callable[[RealtimeModel], Awaitable[Any]]
AUDIO = RealtimeModelAudioEvent(data=b"\1\2" * 240, response_id="r", item_id="item_1", content_index=0)


async def record(store: Path, script: Callable[[Scripted], Awaitable[None]], app: App, **inner: Any) -> Any:
    async with Recorder(store) as recorder:
        return await app(recorder.wrap(ScriptedModel(script, **inner)))


async def replay(
    store: Path, app: App, session: str | None = None, **options: Any
) -> tuple[Any, ReplayReport]:
    async with await Recording.open(store, session) as recording:
        model = ReplayModel(recording, **options)
        result = await app(model)
        await model.finished()
        return result, model.report


async def greeting(model: Scripted) -> None:
    """A turn, with an event that was emitted by the way, and a tool call."""
    await model.emit(RealtimeModelTurnStartedEvent(response_id="r"), AUDIO)
    await model.emit(tool_call(1))
    await model.until_sent(1, "ToolOutput")
    await model.emit(RealtimeModelTranscriptDeltaEvent(item_id="item_1", delta="Hi", response_id="r"))
    await model.emit(RealtimeModelTurnEndedEvent(response_id="r"))


def answers(output: str | None = None, *, closes: bool = True, sends: tuple[Any, ...] = ()) -> App:
    """An application that answers a tool call, and sends some more."""

    async def app(model: RealtimeModel) -> Listening:
        async def react(event: Any) -> None:
            if event.type == "function_call":
                await model.send_event(tool_output(event, output))
                for send in sends:
                    await model.send_event(send)

        listening = Listening(react)
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        if closes:
            await model.close()
        return listening

    return app
