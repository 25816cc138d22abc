"""A whole conversation for the command line's tests: an inner model, and applications for it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from realtape.lab.invariants import Found, rule
from realtape.recorder import Recorder
from realtape.replay import run
from realtape.schema import (
    Entry,
    RealtimeModel,
    RealtimeModelAudioEvent,
    RealtimeModelAudioInterruptedEvent,
    RealtimeModelErrorEvent,
    RealtimeModelItemDeletedEvent,
    RealtimeModelListener,
    RealtimeModelRawServerEvent,
    RealtimeModelSendAudio,
    RealtimeModelSendInterrupt,
    RealtimeModelSendToolOutput,
    RealtimeModelSendUserInput,
    RealtimeModelToolCallEvent,
    RealtimeModelTranscriptDeltaEvent,
    RealtimeModelTurnEndedEvent,
    RealtimeModelTurnStartedEvent,
    RealtimePlaybackTracker,
)

ITEM = "item_0123456789abcdef"
CHUNK = bytes(range(240)) * 20  # 100 ms


class Telephone(RealtimeModel):
    """Says something, asks for a tool, and says that it has heard the answer."""

    def __init__(self) -> None:
        self.listeners: list[RealtimeModelListener] = []
        self.sent: list[Any] = []
        self._news = asyncio.Condition()
        self._read_loop: asyncio.Task[None] | None = None

    async def connect(self, options: Any) -> None:
        if options.get("url") == "ws://down":
            raise ConnectionRefusedError("nobody answers")
        self._read_loop = asyncio.create_task(self._read())

    def add_listener(self, listener: RealtimeModelListener) -> None:
        self.listeners.append(listener)

    def remove_listener(self, listener: RealtimeModelListener) -> None:
        self.listeners.remove(listener)

    async def emit(self, event: Any) -> None:
        for listener in list(self.listeners):
            await listener.on_event(event)

    async def send_event(self, event: Any) -> None:
        await asyncio.sleep(0)
        if getattr(event, "user_input", None) == "fail":
            raise ConnectionResetError("the line is dead")
        if getattr(event, "user_input", None) == "wait":
            await asyncio.Event().wait()
        if isinstance(event, RealtimeModelSendInterrupt):
            await self.emit(RealtimeModelAudioInterruptedEvent(item_id=ITEM, content_index=0))
        async with self._news:
            self.sent.append(event)
            self._news.notify_all()

    async def send_event_if(self, event: Any, send_if: Callable[[], bool]) -> bool:
        if not send_if():
            return False
        await self.send_event(event)
        return True

    async def close(self) -> None:
        await self.emit(RealtimeModelItemDeletedEvent(item_id=ITEM))
        if self._read_loop is not None and self._read_loop is not asyncio.current_task():
            self._read_loop.cancel()
            await asyncio.gather(self._read_loop, return_exceptions=True)

    async def _until(self, count: int, cls: type[Any]) -> None:
        async with self._news:
            await self._news.wait_for(lambda: sum(isinstance(one, cls) for one in self.sent) >= count)

    async def _read(self) -> None:
        await self.emit(RealtimeModelTurnStartedEvent(response_id="r1"))
        for word in ("Good ", "morning."):
            delta = {"type": "response.output_audio_transcript.delta", "delta": word}
            await self.emit(RealtimeModelRawServerEvent(data=delta))
            await self.emit(RealtimeModelTranscriptDeltaEvent(item_id=ITEM, delta=word, response_id="r1"))
            audio = {
                "type": "response.output_audio.delta",
                "delta": base64.b64encode(CHUNK).decode(),
            }
            await self.emit(RealtimeModelRawServerEvent(data=audio))
            await self.emit(
                RealtimeModelAudioEvent(data=CHUNK, response_id="r1", item_id=ITEM, content_index=0)
            )
        await self.emit(RealtimeModelRawServerEvent(data={"type": "rate_limits.updated"}))
        await asyncio.sleep(0.01)
        call = RealtimeModelToolCallEvent(name="departure", call_id="call_1", arguments='{"to": "Brno"}')
        await self.emit(call)
        await self._until(1, RealtimeModelSendToolOutput)
        await self.emit(RealtimeModelTurnEndedEvent(response_id="r1"))
        with contextlib.suppress(ValueError):
            await self.emit(RealtimeModelErrorEvent(error={"message": "[bold]odd\x1b[31m request[/bold]"}))
        await self.emit(RealtimeModelTurnStartedEvent(response_id="r2"))


class Application(RealtimeModelListener):
    """Plays what it hears, runs the tool in a task of its own, interrupts, fails here and there."""

    def __init__(self, model: RealtimeModel, platform: str = "platform 4") -> None:
        self.model = model
        self.platform = platform
        self.tracker = RealtimePlaybackTracker()
        self.over = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    async def on_event(self, event: Any) -> None:
        if event.type == "audio":
            self.tracker.on_play_bytes(event.item_id, event.content_index, event.data)
        elif event.type == "function_call":
            self.spawn(self.answer(event))
        elif event.type == "turn_ended":
            await self.model.send_event(RealtimeModelSendInterrupt())
            with contextlib.suppress(ConnectionResetError):
                await self.model.send_event(RealtimeModelSendUserInput(user_input="fail"))
            await self.model.send_event_if(RealtimeModelSendUserInput(user_input="no"), lambda: False)
            await self.model.send_event_if(RealtimeModelSendUserInput(user_input="yes"), lambda: True)
        elif event.type == "error":
            raise ValueError("I did not expect that")
        elif event.type == "turn_started" and event.response_id == "r2":
            self.spawn(self.hang_up())

    def spawn(self, work: Any) -> None:
        self.tasks.add(asyncio.create_task(work))

    async def answer(self, call: Any) -> None:
        await asyncio.sleep(0.01)
        await self.model.send_event(
            RealtimeModelSendToolOutput(tool_call=call, output=self.platform, start_response=True)
        )

    async def hang_up(self) -> None:
        waiting = RealtimeModelSendUserInput(user_input="wait")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.model.send_event(waiting), 0.01)
        await asyncio.sleep(0)
        self.over.set()


class Remembering(Application):
    """It waits for more only if it was wished a good morning, in the turn before."""

    greeted = False

    async def on_event(self, event: Any) -> None:
        self.greeted = self.greeted or event.type == "transcript_delta"
        if event.type == "turn_started" and event.response_id == "r2" and not self.greeted:
            self.over.set()
        else:
            await super().on_event(event)


async def app(
    model: RealtimeModel,
    url: str = "ws://up",
    platform: str = "platform 4",
    greeting: str | None = "hello",
    application_class: type[Application] | None = None,
) -> None:
    """`--app support.telephone:app`: what was recorded."""
    application = (application_class or Application)(model, platform)
    model.add_listener(application)
    await model.connect({"url": url, "api_key": "sk-1234567890", "playback_tracker": application.tracker})
    if greeting is not None:
        await model.send_event(RealtimeModelSendUserInput(user_input=greeting))
    for _ in range(3):
        await model.send_event(RealtimeModelSendAudio(audio=bytes(480)))
    await application.over.wait()
    await asyncio.gather(*application.tasks)
    await model.close()
    model.remove_listener(application)


async def twice(model: RealtimeModel) -> None:
    """Two sessions, one after the other."""
    await app(model)
    await app(model)


async def twice_and_other_then(model: RealtimeModel) -> None:
    """As `twice`, but the second time as `other`."""
    await app(model)
    await other(model)


async def other(model: RealtimeModel) -> None:
    """It answers something else than what was recorded."""
    await app(model, platform="platform 5")


async def looking_up(model: RealtimeModel) -> None:
    """Its tool answers with an id and a time of its own, each time."""
    told = {"id": str(uuid.uuid4()), "looked_up_at": time.time_ns(), "platform": 4}
    await app(model, platform=json.dumps(told))


NAMING = '{"for": "Anna Nov\u00e1k", "platform": %d}'
"""What the tool of an application answers that names somebody."""


async def naming(model: RealtimeModel) -> None:
    """It names whom it answers, and another platform than was recorded."""
    await app(model, platform=NAMING % 5)


def hide_platform(text: str) -> str:
    """A redactor."""
    return text.replace("platform 4", "[hidden]").replace("platform 5", "[hidden]")


async def telling_the_time(model: RealtimeModel) -> None:
    """As `other`; and it tells the time."""
    print(f"it is {int(time.time())}")  # noqa: T201
    await other(model)


async def remembering(model: RealtimeModel) -> None:
    """It carries something over from one turn to the next."""
    await app(model, application_class=Remembering)


async def silent(model: RealtimeModel) -> None:
    """It does not greet."""
    await app(model, greeting=None)


async def careless(model: RealtimeModel) -> None:
    """As `app`; it does not care what fails."""
    with contextlib.suppress(Exception):
        await app(model)


async def failing(model: RealtimeModel) -> None:
    """It raises."""
    model.add_listener(Application(model))
    await model.connect({})
    raise ValueError("this is my own fault")


async def printing(model: RealtimeModel) -> None:
    """It prints, and leaves the rest to the replay."""
    print("hello from the application")  # noqa: T201
    await app(model)


async def unconnected(model: RealtimeModel) -> None:
    """It forgets to connect."""


async def holding(model: RealtimeModel) -> None:
    """It does what was recorded but closing, and never returns."""
    application = Application(model)
    model.add_listener(application)
    await model.connect({"playback_tracker": application.tracker})
    print("connected", flush=True)  # noqa: T201
    await asyncio.Event().wait()


def plain(model: RealtimeModel) -> None:
    """Not async."""


def record(
    store: Path,
    labels: Mapping[str, str] | None = None,
    *,
    sessions: int = 1,
    url: str = "ws://up",
    recorder_class: type[Recorder] = Recorder,
    platform: str = "platform 4",
    **options: Any,
) -> None:
    """Record sessions of one model object into a store, on virtual time."""

    async def main() -> None:
        async with recorder_class(store, **options) as recorder:
            inner = Telephone()
            model = recorder.wrap(inner, labels=labels)
            for _ in range(sessions):
                inner.sent.clear()
                with contextlib.suppress(ConnectionRefusedError):
                    await app(model, url, platform)

    run(main())


def typed_by_the_user(entry: Entry) -> bool | None:
    """`--expect support.telephone:typed_by_the_user`."""
    return False if entry.type == "send_user_input" else None


@rule("trains leave from platform 4")
def on_platform_4(entries: Sequence[Entry]) -> Iterator[Found]:
    """A rule: `--rule support.telephone:on_platform_4`."""
    for entry in entries:
        if entry.type == "send_tool_output" and "platform 4" not in entry.payload:
            yield Found("from another", (entry.seq,))
