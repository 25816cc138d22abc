"""The switchboard at work: its two connections, its user, and what it tells about them, line by line.

Lines are session events (`support/canonical.py`), and what the application itself did, in the order in
which its loop got them: tools that began and were cancelled, what the user had heard, what was raised,
the history at the end of each connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from agents.realtime import (
    RealtimeModel,
    RealtimeModelConfig,
    RealtimeModelListener,
    RealtimeModelSendRawMessage,
    RealtimePlaybackTracker,
    RealtimeRunner,
    RealtimeSession,
)
from realtape.cli.demo_conversation import Loudspeaker, speak
from realtape.provider import USER_INTERRUPTION, USER_QUESTION

from .canonical import line
from .noise import Noise
from .switchboard import ARCHIVES, agents

TURN_DETECTION: Any = {"type": "server_vad", "interrupt_response": True}
BAD_MESSAGE = {"type": "conversation.item.delete", "other_data": {"item_id": "item_nobody_knows"}}
ITS_ERROR = "item_not_found"
"""The code of the provider's answer: there is no such item."""


class Switchboard(RealtimeModelListener):
    """The application.

    Args:
        model: recorded, or a replay.
        url: of the provider.
        write: gets the lines.
        noise: made whenever this hears something.
    """

    def __init__(self, model: RealtimeModel, url: str, write: Callable[[str], None], noise: Noise) -> None:
        self._model = model
        self._url = url
        self._write = write
        self._noise = noise
        self._tracker = RealtimePlaybackTracker()
        self._player = Loudspeaker(self._tracker)
        self._turns = 0
        self._tools = 0
        self._errors = 0
        self._audio = 0
        self._news = asyncio.Event()
        self._group: asyncio.TaskGroup

    async def run(self) -> None:
        """Both connections."""
        self._model.add_listener(self)
        async with asyncio.TaskGroup() as self._group:
            playing = self._group.create_task(self._player.play())
            for user in (self._first_user, self._second_user):
                self._turns = self._tools = 0
                await self._converse(user)
            playing.cancel()

    async def _converse(self, user: Callable[[RealtimeSession], Any]) -> None:
        runner = RealtimeRunner(
            agents(self._noise, self._tell),
            model=self._model,
            config={
                "tracing_disabled": True,
                "guardrails_settings": {"debounce_text_length": 40},
            },
        )
        config: RealtimeModelConfig = {
            "url": self._url,
            "api_key": "sk-nobody",
            "playback_tracker": self._tracker,
            "initial_model_settings": {"turn_detection": TURN_DETECTION},
        }
        session = await runner.run(model_config=config)
        async with session:
            talking = self._group.create_task(user(session))
            try:
                await self._listen(session)
            except Exception as error:  # noqa: BLE001 - a line of its own
                self._tell("raised", error=error)
            talking.cancel()
            await asyncio.wait([talking])
            self._tell("history", items=session._history)  # pyright: ignore[reportPrivateUsage]

    async def _listen(self, session: RealtimeSession) -> None:
        async for event in session:
            self._noise()
            self._tell("event", event=event)
            match event.type:
                case "audio":
                    self._audio += 1
                    self._player.queue(event.item_id, event.content_index, event.audio.data)
                case "audio_interrupted":
                    self._player.stop()
                case "agent_end":
                    self._turns += 1
                case "tool_start":
                    self._tools += 1
                case "error" if event.error.code == ITS_ERROR:
                    self._errors += 1
                case "tool_approval_required":
                    self._group.create_task(self._decide(session, event.call_id, event.arguments))
                case _:
                    pass
            self._news.set()

    async def _decide(self, session: RealtimeSession, call_id: str, arguments: str) -> None:
        if "9" in arguments:
            await session.reject_tool_call(call_id, rejection_message="Nine are too many.")
        else:
            await asyncio.sleep(0.2)
            await session.approve_tool_call(call_id)

    async def _hang_up(self, session: RealtimeSession) -> None:
        await asyncio.sleep(0.05)
        await session.close()

    async def on_event(self, event: Any) -> None:
        """What the user has heard, at the moments at which the model cares."""
        self._noise()
        if event.type in ("audio_interrupted", "turn_ended"):
            self._tell("heard", at=event.type, state=self._tracker.get_state())

    # --- the user -------------------------------------------------------------------------------------

    async def _first_user(self, session: RealtimeSession) -> None:
        await session.send_message("Good morning!")
        await self._until(lambda: self._turns >= 1)
        await speak(session, USER_QUESTION.pcm)
        await self._until(lambda: self._turns >= 3)
        await self._until_heard(6)
        await session.interrupt()
        await session.send_message("To the desk, please.")
        await self._until(lambda: self._turns >= 9)
        await session.model.send_event(RealtimeModelSendRawMessage(message=BAD_MESSAGE))  # type: ignore[typeddict-item]
        await self._until(lambda: self._errors == 1)
        await asyncio.sleep(0.05)
        await session.send_message("Where is it?")
        await self._until(lambda: self._turns >= 10)
        await self._until_heard(6)
        await speak(session, USER_INTERRUPTION.pcm)
        await self._until(lambda: self._turns >= 12)
        await asyncio.sleep(0.05)
        await session.send_message("Thank you.")

    async def _second_user(self, session: RealtimeSession) -> None:
        await session.send_message("Are you there?")
        await self._until(lambda: self._turns >= 1)
        await asyncio.sleep(0.05)
        await session.send_message("All of history!")
        await self._until(lambda: self._tools == ARCHIVES)
        self._group.create_task(self._hang_up(session))

    async def _until(self, happened: Callable[[], bool]) -> None:
        while not happened():
            self._news.clear()
            await self._news.wait()

    async def _until_heard(self, more: int) -> None:
        """Until so many further pieces of audio have come."""
        audio = self._audio + more
        await self._until(lambda: self._audio >= audio)

    def _tell(self, what: str, **fields: Any) -> None:
        self._write(line({"what": what, **fields}))
