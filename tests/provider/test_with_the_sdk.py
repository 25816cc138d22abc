"""The local provider behind its socket: with the SDK's own model and session."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any, cast

import pytest
from agents import function_tool
from agents.realtime import (
    OpenAIRealtimeWebSocketModel,
    RealtimeAgent,
    RealtimeModelConfig,
    RealtimeModelEvent,
    RealtimeModelListener,
    RealtimeModelSendRawMessage,
    RealtimeModelSendUserInput,
    RealtimePlaybackTracker,
    RealtimeRunConfig,
    RealtimeSession,
    RealtimeSessionEvent,
)
from realtape.provider import (
    ASSISTANT_ANSWER,
    USER_INTERRUPTION,
    USER_QUESTION,
    ConnectionLog,
    Ending,
    LocalProvider,
    Reply,
    Script,
    chunks,
    silence,
)
from support.protocol_talk import HELLO, Shown
from support.provider_sockets import PACE, PATIENCE_S, until_closed
from websockets.exceptions import ConnectionClosedError

pytestmark = pytest.mark.real_time

RUN: RealtimeRunConfig = {"tracing_disabled": True}


@function_tool
def next_train(to: str) -> str:
    """When the next train leaves."""
    return f"The train to {to} leaves at 9:15."


class Visit:
    """An SDK session on the provider, and every event that it gave."""

    def __init__(
        self,
        provider: LocalProvider,
        tracker: RealtimePlaybackTracker | None = None,
        turn_detection: Shown | None = None,
    ) -> None:
        config: RealtimeModelConfig = {"url": provider.url, "api_key": "sk-any"}
        if turn_detection is not None:
            config["initial_model_settings"] = {"turn_detection": cast(Any, turn_detection)}
        if tracker is not None:
            config["playback_tracker"] = tracker
        self.agent = RealtimeAgent[None](name="guide", instructions="Be brief.", tools=[next_train])
        self.session = RealtimeSession(OpenAIRealtimeWebSocketModel(), self.agent, None, config, RUN)
        self._events = aiter(self.session)
        self._provider = provider

    @property
    def log(self) -> ConnectionLog:
        return self._provider.connections[0]

    async def until(self, wanted: Callable[[RealtimeSessionEvent], bool]) -> list[RealtimeSessionEvent]:
        """The session's events up to the first that is wanted."""
        seen: list[RealtimeSessionEvent] = []
        async with asyncio.timeout(PATIENCE_S):
            async for event in self._events:
                assert event.type != "error", event
                seen.append(event)
                if wanted(event):
                    return seen
        raise AssertionError("the session ended")

    async def until_frame(self, type: str, count: int = 1) -> list[RealtimeSessionEvent]:
        """The session's events up to the count-th server message of that type."""
        seen: list[RealtimeSessionEvent] = []
        for _ in range(count):
            seen += await self.until(lambda event: frame_of(event).get("type") == type)
        return seen

    async def until_all(self, types: set[str]) -> None:
        """Until a server message of each of these types has come, in any order."""
        missing = set(types)

        def complete(event: RealtimeSessionEvent) -> bool:
            missing.discard(frame_of(event).get("type", ""))
            return not missing

        await self.until(complete)

    async def speak(self, pcm: bytes) -> None:
        for chunk in chunks(pcm):
            await self.session.send_audio(chunk)


def frame_of(event: RealtimeSessionEvent) -> Shown:
    """The server's message in a raw event, or an empty one."""
    if event.type == "raw_model_event" and event.data.type == "raw_server_event":
        return event.data.data
    return {}


def sent_by(log: ConnectionLog, type: str) -> list[Shown]:
    """The client's messages of that type."""
    return [m for m in log.received if m["type"] == type]


async def test_the_sdk_holds_a_text_turn() -> None:
    async with LocalProvider(Script([HELLO]), pace=PACE) as provider:
        visit = Visit(provider)
        async with visit.session:
            await visit.session.send_message("Hello?")
            seen = await visit.until(lambda event: event.type == "agent_end")
            heard = b"".join(event.audio.data for event in seen if event.type == "audio")
            assert heard == ASSISTANT_ANSWER.pcm
            usage = [
                frame_of(e)["response"]["usage"] for e in seen if frame_of(e).get("type") == "response.done"
            ]
            assert usage[0]["output_token_details"]["audio_tokens"] == 53
            (update, *_) = sent_by(visit.log, "session.update")
            assert [tool["name"] for tool in update["session"]["tools"]] == ["next_train"]


async def test_the_sdk_updates_its_session_and_still_understands_it() -> None:
    async with LocalProvider(Script([Reply.text("Yes.")]), pace=PACE) as provider:
        visit = Visit(provider)
        async with visit.session:
            await visit.until_frame("session.updated")
            await visit.session.update_agent(RealtimeAgent(name="other", instructions="Be long."))
            seen = await visit.until_frame("session.updated")
            assert frame_of(seen[-1])["session"]["instructions"] == "Be long."
            assert frame_of(seen[-1])["session"]["tools"] == []


async def test_the_sdk_holds_a_spoken_turn_with_a_tool() -> None:
    script = Script(
        [Reply.function_call("next_train", {"to": "Leeds"}), HELLO], transcripts=[USER_QUESTION.text]
    )
    async with LocalProvider(script, pace=PACE) as provider:
        visit = Visit(provider)
        async with visit.session:
            await visit.speak(silence(200) + USER_QUESTION.pcm + silence(400))
            seen = await visit.until_frame("response.done", 2)
            (ended,) = (event for event in seen if event.type == "tool_end")
            assert ended.output == "The train to Leeds leaves at 9:15."
            transcripts = [
                event.data.transcript
                for event in seen
                if event.type == "raw_model_event"
                and event.data.type == "input_audio_transcription_completed"
            ]
            assert transcripts == [USER_QUESTION.text]
            assert (
                b"".join(event.audio.data for event in seen if event.type == "audio") == ASSISTANT_ANSWER.pcm
            )
            (output,) = sent_by(visit.log, "conversation.item.create")
            assert output["item"]["output"] == ended.output


@pytest.mark.parametrize("server_interrupts", [True, False])
@pytest.mark.parametrize("tracked", [True, False])
async def test_the_sdk_user_interrupts(server_interrupts: bool, tracked: bool) -> None:
    tracker = RealtimePlaybackTracker() if tracked else None
    detection: Shown = {"type": "server_vad", "interrupt_response": server_interrupts}
    # Slow enough for the user to be heard while the answer is still being sent.
    async with LocalProvider(Script([HELLO]), pace=0.3) as provider:
        visit = Visit(provider, tracker, turn_detection=detection)
        async with visit.session:
            await visit.until_frame("session.updated")
            await visit.session.send_message("Hello?")
            played = (await visit.until(lambda event: event.type == "audio"))[-1]
            assert played.type == "audio"
            if tracker is not None:
                tracker.on_play_ms(played.item_id, played.content_index, 80.0)
            await visit.speak(USER_INTERRUPTION.pcm)
            await visit.until(lambda event: event.type == "audio_interrupted")
            await visit.until_all({"conversation.item.truncated", "response.done"})
            log = visit.log
            (truncate,) = sent_by(log, "conversation.item.truncate")
            assert truncate["item_id"] == played.item_id
            assert truncate["audio_end_ms"] <= audio_sent_ms(log) < 2_607
            if tracked:
                assert truncate["audio_end_ms"] == 80
            (done,) = (m for m in log.sent if m["type"] == "response.done")
            assert isinstance(done["response"], dict)
            reason = "turn_detected" if server_interrupts else "client_cancelled"
            assert done["response"]["status_details"] == {"type": "cancelled", "reason": reason}
            assert len(sent_by(log, "response.cancel")) == (0 if server_interrupts else 1)


def audio_sent_ms(log: ConnectionLog) -> float:
    deltas = [m["delta"] for m in log.sent if m["type"] == "response.output_audio.delta"]
    return sum(len(base64.b64decode(str(delta))) for delta in deltas) / 48


class Events(RealtimeModelListener):
    """Everything that a model gives its listeners."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[RealtimeModelEvent] = asyncio.Queue()

    async def on_event(self, event: RealtimeModelEvent) -> None:
        self.queue.put_nowait(event)

    async def until(self, type: str) -> RealtimeModelEvent:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                event = await self.queue.get()
                if event.type == type:
                    return event

    def left(self) -> list[str]:
        return [self.queue.get_nowait().type for _ in range(self.queue.qsize())]


async def test_the_sdk_is_told_what_it_did_wrong() -> None:
    async with LocalProvider(Script(), pace=PACE) as provider:
        model, events = OpenAIRealtimeWebSocketModel(), Events()
        model.add_listener(events)
        await model.connect({"url": provider.url, "api_key": "sk-any"})
        await model.send_event(RealtimeModelSendRawMessage({"type": "response.cancel"}))
        error = await events.until("error")
        assert error.type == "error"
        assert error.error.code == "response_cancel_not_active"
        await model.close()


@pytest.mark.parametrize(
    ("reply", "raised"),
    [
        (Reply.close(1000), None),
        (Reply.close(1011, "Broken."), ConnectionClosedError),
        (Reply.cut(), ConnectionClosedError),
        (Reply.speech("a", audio=silence(900), ending=Ending(1011, after_ms=300)), ConnectionClosedError),
    ],
)
async def test_the_sdk_sees_every_ending(reply: Reply, raised: type[Exception] | None) -> None:
    async with LocalProvider(Script([reply]), pace=PACE) as provider:
        model, events = OpenAIRealtimeWebSocketModel(), Events()
        model.add_listener(events)
        await model.connect({"url": provider.url, "api_key": "sk-any"})
        await model.send_event(RealtimeModelSendUserInput("Hello?"))
        if raised is not None:
            event = await events.until("exception")
            assert event.type == "exception"
            assert isinstance(event.exception, raised)
        await until_closed(provider.connections[0])
        await model.close()
        # Releases before 0.22 say nothing at all of a normal end.
        assert "exception" not in events.left()
