"""Events of frames: what the SDK's model makes of the same messages, and what readers make of them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from agents.realtime import RealtimeAgent, RealtimeRunner
from agents.realtime.openai_realtime import OpenAIRealtimeWebSocketModel
from agents.tool import function_tool
from hypothesis import given
from hypothesis import strategies as st
from realtape.integrations import openai_agents
from realtape.lab.invariants import check
from realtape.provider import FunctionCall, LocalProvider, Reply, Script
from realtape.recorder import InMemory
from realtape.schema import STANDARD, Codec, Kind
from realtape.session import Draft, Recording, WireEvents, with_events
from realtape.session.fields import frame_message
from realtape.wire import proxy, read_frames
from support.provider_sockets import PACE

_BELOW = ("connection_status", "end_of_stream", "exception")
"""Events of the transport, and not of a message."""


class RecorderInMemory(InMemory, openai_agents.Recorder): ...


def received(draft: Draft) -> list[Any]:
    """The events of a session, as plain as they can be compared."""
    with_values = Recording.of(draft, vocabulary=STANDARD)
    return [
        plain(entry.type or "", value) for entry, value in with_values.stream() if entry.kind == Kind.RECEIVED
    ]


def plain(type: str, event: Any) -> Any:
    if type == "item_updated":
        item = event.item
        parts = [
            (part.type, getattr(part, "text", None) or getattr(part, "transcript", None))
            for part in getattr(item, "content", [])
        ]
        facts = (item.item_id, item.type, getattr(item, "status", None), getattr(item, "output", None))
        return (type, facts, parts)
    if type == "error":
        return type
    return (type, vars(event))


@pytest.mark.real_time
async def test_they_are_what_the_sdk_makes_of_the_same_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tool call, a text, and a spoken answer that is interrupted."""
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")

    @function_tool
    def weather(city: str) -> str:
        return f"sunny in {city}"

    script = Script(
        [
            Reply(outputs=(FunctionCall("weather", {"city": "Prague"}),)),
            Reply.text("It is sunny."),
            Reply.speech("A long answer, of which not all is heard."),
        ]
    )
    recorder, store = RecorderInMemory("in memory"), tmp_path / "calls.db"
    model = recorder.wrap(OpenAIRealtimeWebSocketModel())
    runner = RealtimeRunner(RealtimeAgent(name="desk", tools=[weather]), model=model)
    async with LocalProvider(script, pace=PACE) as provider, proxy(provider.url, store) as url:
        config: Any = {"url": url, "api_key": "any"}
        async with asyncio.timeout(30), await runner.run(model_config=config) as session:
            await session.send_message("How is the weather in Prague?")
            ended, interrupted = 0, False
            async for event in session:
                if event.type == "raw_model_event" and event.data.type == "turn_ended":
                    ended += 1
                    if ended == 2:
                        await session.send_message("And tomorrow?")
                    if ended == 3:
                        break
                if event.type == "audio" and not interrupted:
                    interrupted = True
                    await session.interrupt()
    (above,) = recorder.drafts()
    async with await Recording.open(store) as recording:
        below = with_events(recording.drafts()[0])
    theirs = [one for one in received(above.sealed()) if one[0] not in _BELOW]
    ours = received(below)
    assert "events derived of its frames" in below.header.source
    kinds = {one[0] for one in ours}
    assert {"function_call", "item_updated", "audio", "audio_interrupted", "usage", "turn_ended"} <= kinds
    # An interruption is seen a moment earlier above, where it is asked for; and the SDK stops reading at its
    # close, when more has come.
    moved = "audio_interrupted"
    mine, its = ([one for one in each if one[0] != moved] for each in (ours, theirs))
    assert mine[: len(its)] == its
    assert [one for one in ours if one[0] == moved] == [one for one in theirs if one[0] == moved]


def test_the_names_of_the_beta_are_ours_to_read() -> None:
    reading = WireEvents()
    ids = {"response_id": "r", "item_id": "i", "content_index": 0}
    made = [
        *reading.server({"type": "response.audio.delta", **ids, "delta": "AAAA"}),
        *reading.server({"type": "response.audio_transcript.delta", **ids, "delta": "Hi"}),
        *reading.server({"type": "response.text.delta", **ids, "delta": "Hi"}),
        *reading.server({"type": "response.audio.done", **ids}),
    ]
    types = [event.type for event in made if event.type != "raw_server_event"]
    assert types == ["audio", "transcript_delta", "output_text_delta", "audio_done"]


def test_speech_interrupts_what_was_heard_last_and_once() -> None:
    reading = WireEvents()
    delta = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "content_index": 1}
    started = {"type": "input_audio_buffer.speech_started", "item_id": "u"}
    assert [event.type for event in reading.server(started)] == ["raw_server_event"]
    reading.server({**delta, "delta": "AAAA"})
    (_, interrupted) = reading.server(started)
    assert (interrupted.item_id, interrupted.content_index) == ("i", 1)
    assert len(reading.server(started)) == 1


def test_audio_is_not_kept_once_more(tmp_path: Path) -> None:
    delta = {"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "content_index": 0}
    messages: list[Any] = [{"type": "session.created", "session": {}}, {**delta, "delta": "AQID" * 100}]
    lines: list[Any] = [{"dir": "server", "event": message} for message in messages]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    draft = with_events(read_frames(path))
    assert [entry.type for entry in draft.entries if entry.kind == Kind.RECEIVED] == [
        "raw_server_event",
        "raw_server_event",
        "audio",
    ]
    assert sum(map(len, draft.segments.values())) == 300
    assert with_events(draft) is draft, "it has events of its own by now"


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
TYPES = st.sampled_from(
    [
        *("response.output_audio.delta", "response.output_text.delta", "response.done", "response.created"),
        *("response.output_item.added", "response.output_item.done", "conversation.item.added", "error"),
        *("conversation.item.retrieved", "conversation.item.truncate", "conversation.item.create"),
        *("input_audio_buffer.speech_started", "input_audio_buffer.timeout_triggered"),
    ]
)
NAMES = ("item", "item_id", "response", "response_id", "delta", "content_index", "error", "transcript")


@given(st.lists(st.tuples(st.booleans(), TYPES, st.dictionaries(st.sampled_from(NAMES), JSON)), max_size=6))
def test_no_message_at_all_breaks_it(messages: list[tuple[bool, str, dict[str, Any]]]) -> None:
    reading, codec = WireEvents(), Codec(STANDARD)
    for by_server, type, fields in messages:
        message = {**fields, "type": type}
        for event in reading.server(message) if by_server else reading.client(message):
            assert codec.encode(event, lambda data: (0, 0, len(data))).payload


def test_rules_look_at_them(tmp_path: Path) -> None:
    """A response that begins while another one is active is found in a recording of frames alone."""
    responses = [{"type": "response.created", "response": {"id": f"resp_{one}"}} for one in range(2)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f"{json.dumps({'dir': 'server', 'event': one})}\n" for one in responses))
    found = check(read_frames(path))
    assert "the response resp_1 was created while resp_0 was active" in [
        violation.summary for violation in found.violations
    ]


def test_an_error_that_is_a_message_and_an_event_is_one_violation(tmp_path: Path) -> None:
    error = {"type": "invalid_request_error", "message": "Audio content of 0ms is already shorter than 9ms"}
    path = tmp_path / "a.jsonl"
    lines = [{"dir": "server", "event": {"type": "error", "error": error}} for _ in range(2)]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    found = [one for one in check(read_frames(path)).violations if "refused to truncate" in one.summary]
    assert len(found) == 2


@pytest.mark.parametrize("text", ["\ue000", "\ue0000", "\ue000x"])
def test_no_text_is_taken_for_the_place_of_bytes(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    message = {"type": "x", "said": text, "delta": "AQID" * 100, "held": [{"data": "AQID" * 100}, text]}
    path.write_text(f"{json.dumps({'dir': 'server', 'event': message})}\n")
    found = frame_message(read_frames(path).entries[-1])
    assert (found["said"], found["held"][1]) == (text, text)
    assert found["delta"] == {"$": "base64", "at": [0, 0, 300]} == found["held"][0]["data"]
