"""The local provider behind its socket: with bare websockets, and with the SDK's own model and session."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Iterator
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
from realtape.integrations.local_provider import (
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
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from websockets.typing import Subprotocol

PACE = 0.02
HELLO = Reply.speech("Hello there.", audio=ASSISTANT_ANSWER.pcm)
RUN: RealtimeRunConfig = {"tracing_disabled": True}
PATIENCE_S = 5.0

Shown = dict[str, Any]


@pytest.fixture(autouse=True)
def _quiet_and_valid(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No traces leave the machine, and nothing that was sent failed the SDK's own validation."""
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")
    caplog.set_level(logging.WARNING)
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


# With bare websockets


async def ask(client: ClientConnection, *messages: Shown) -> None:
    for message in messages:
        await client.send(json.dumps(message))


async def until(client: ClientConnection, type: str) -> list[Shown]:
    """What comes up to the first message of that type."""
    seen: list[Shown] = []
    async with asyncio.timeout(PATIENCE_S):
        while not seen or seen[-1]["type"] != type:
            seen.append(json.loads(await client.recv()))
    return seen


async def test_a_turn_over_a_bare_socket() -> None:
    async with LocalProvider(Script([HELLO]), pace=PACE) as provider, connect(provider.url) as client:
        (created,) = await until(client, "session.created")
        assert created["session"]["model"] == "local"
        await ask(client, {"type": "response.create"})
        seen = await until(client, "response.done")
        audio = [base64.b64decode(m["delta"]) for m in seen if m["type"] == "response.output_audio.delta"]
        assert b"".join(audio) == ASSISTANT_ANSWER.pcm
        (log,) = provider.connections
        assert [m["type"] for m in log.received] == ["response.create"]
        assert list(log.sent)[: 1 + len(seen)] == [created, *seen]


async def test_a_burst_is_there_at_once() -> None:
    async with LocalProvider(Script([HELLO]), pace=PACE) as provider, connect(provider.url) as client:
        await ask(client, {"type": "response.create"})
        await until(client, "response.output_audio.delta")
        # Three more deltas of the burst can be had without waiting for the network.
        for _ in range(3):
            receiving = asyncio.ensure_future(client.recv())
            await asyncio.sleep(0)
            assert receiving.done()


async def test_the_pace_is_real_time_per_second_of_audio() -> None:
    loop = asyncio.get_running_loop()
    script = Script([Reply.speech("a", audio=silence(1_000))])
    async with LocalProvider(script, pace=0.1) as provider, connect(provider.url) as client:
        await ask(client, {"type": "response.create"})
        begin_s = loop.time()
        await until(client, "response.done")
        assert 0.1 <= loop.time() - begin_s < 1.0


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [(None, None), (["realtime", "openai-insecure-api-key.x"], "realtime"), (["other"], None)],
)
async def test_the_subprotocol_realtime_is_answered(offered: list[str] | None, agreed: str | None) -> None:
    subprotocols = None if offered is None else [Subprotocol(name) for name in offered]
    async with LocalProvider(Script()) as provider:
        async with connect(provider.url, subprotocols=subprotocols) as client:
            assert client.subprotocol == agreed
            await until(client, "session.created")
            assert provider.connections[0].subprotocol == agreed


@pytest.mark.parametrize(
    "frame",
    ["{", "[]", "3", b"{}", '{"type": NaN}', '{"a": 1e999}', "[" * 100_000, '{"a":' * 70 + "1" + "}" * 70],
)
async def test_a_frame_without_a_message_is_answered_and_the_connection_stays(frame: str | bytes) -> None:
    async with LocalProvider(Script()) as provider, connect(provider.url) as client:
        await client.send(frame)
        error = (await until(client, "error"))[-1]["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_json")
        await ask(client, {"type": "input_audio_buffer.clear", "session": "\ud800"})
        await until(client, "input_audio_buffer.cleared")


@pytest.mark.parametrize(
    ("reply", "expected", "code"),
    [
        (Reply.close(1000), ConnectionClosedOK, 1000),
        (Reply.close(1011, "Broken."), ConnectionClosedError, 1011),
        (Reply.cut(), ConnectionClosedError, None),
        (Reply.speech("a", audio=silence(900), ending=Ending(after_ms=300)), ConnectionClosedError, None),
    ],
)
async def test_the_script_ends_the_connection(
    reply: Reply, expected: type[ConnectionClosed], code: int | None
) -> None:
    async with LocalProvider(Script([reply]), pace=PACE) as provider, connect(provider.url) as client:
        await ask(client, {"type": "response.create"})
        with pytest.raises(expected) as closed:
            await until(client, "response.done")
        assert (closed.value.rcvd.code if closed.value.rcvd else None) == code
        await until_closed(provider.connections[0])


async def until_closed(log: ConnectionLog) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not log.closed:
            await asyncio.sleep(0.001)


async def test_each_connection_has_its_script_and_its_ids() -> None:
    scripts = [Script([Reply.text("First.")]), Script([Reply.text("Second.")])]
    async with LocalProvider(lambda number: scripts[number - 1], pace=PACE) as provider:
        said: list[tuple[str, str]] = []
        for _ in scripts:
            async with connect(provider.url) as client:
                await ask(client, {"type": "response.create"})
                done = (await until(client, "response.output_text.done"))[-1]
                said.append((done["text"], done["item_id"]))
        assert said == [("First.", "item_0001"), ("Second.", "item_c2_0001")]
        assert [log.number for log in provider.connections] == [1, 2]


async def test_leaving_closes_what_is_open() -> None:
    provider = LocalProvider(Script())
    async with provider:
        client = await connect(provider.url)
    with pytest.raises(ConnectionClosedOK) as closed:
        await until(client, "error")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert provider.connections[0].closed
    with pytest.raises(RuntimeError):
        _ = provider.url


@pytest.mark.parametrize("pace", [0.0, -1.0, float("nan")])
def test_without_a_pace_there_is_no_provider(pace: float) -> None:
    with pytest.raises(ValueError, match="pace"):
        LocalProvider(Script(), pace=pace)


# With the SDK


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
