"""Gemini's messages: what they say is what OpenAI's say, and is read the same way."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.schema import Kind
from realtape.session import Draft, LanesReader, entries_with_events, with_events
from realtape.session.derived import derive_draft
from realtape.session.fixture import write_fixture
from realtape.session.fixture.wav import sound_of
from realtape.session.gemini_messages import GEMINI_KEYS, GeminiMessages, Told
from realtape.session.redaction import redacted
from realtape.wire import DIALECTS, connections_of, read_frames

Line = tuple[str, dict[str, Any]]


def sound(ms: int, rate_hz: int, *, urlsafe: bool = False) -> str:
    data = (b"\xff\xef\xbe\x20" * rate_hz)[: ms * rate_hz // 1000 * 2]
    return (base64.urlsafe_b64encode if urlsafe else base64.b64encode)(data).decode()


def content(**fields: Any) -> Line:
    return "<", {"serverContent": fields}


def spoken(ms: int, mime: str = "audio/pcm;rate=24000") -> Line:
    parts = [{"inlineData": {"mimeType": mime, "data": sound(ms, 24_000)}}]
    return content(modelTurn={"parts": parts})


def microphone(ms: int, rate_hz: int = 16_000, *, urlsafe: bool = False) -> Line:
    data = sound(ms, rate_hz, urlsafe=urlsafe)
    return ">", {"realtimeInput": {"audio": {"data": data, "mimeType": f"audio/pcm;rate={rate_hz}"}}}


CALL = {"id": "c1", "name": "weather", "args": {"city": "Prague"}}
CONVERSATION: list[Line] = [
    (">", {"setup": {"model": "m"}}),
    ("<", {"setupComplete": {}}),
    microphone(100),
    microphone(100),
    content(inputTranscription={"text": "How is "}),
    content(inputTranscription={"text": "it?"}),
    ("<", {"toolCall": {"functionCalls": [CALL]}}),
    (">", {"toolResponse": {"functionResponses": [{"id": "c1", "name": "weather", "response": {"a": 1}}]}}),
    spoken(200),
    content(outputTranscription={"text": "Sunny, "}),
    spoken(300),
    microphone(100),
    content(interrupted=True),
    content(inputTranscription={"text": "Wait.", "finished": True}),
    ("<", {"serverContent": {"turnComplete": True}, "usageMetadata": {"promptTokenCount": 7}}),
    (
        ">",
        {
            "client_content": {
                "turns": [{"parts": [{"text": "Go on"}]}],
                "turn_complete": True,
            }
        },
    ),
    content(modelTurn={"parts": [{"text": "thinking", "thought": True}, {"text": "Rain"}]}),
    content(generationComplete=True),
    content(turnComplete=True),
]


def recorded(path: Path, lines: list[Line]) -> Draft:
    told = [
        {"dir": "server" if way == "<" else "client", "ms": 100 * place, "event": what}
        for place, (way, what) in enumerate(lines)
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in told))
    return read_frames(path)


def test_they_come_to_the_same_events(tmp_path: Path) -> None:
    draft = recorded(tmp_path / "a.jsonl", CONVERSATION)
    entries = list(entries_with_events(draft))
    events = [one.type for one in entries if one.kind == Kind.RECEIVED and one.type != "raw_server_event"]
    assert events == [
        *("input_audio_transcription_completed", "turn_started", "item_updated"),  # the model's item, empty
        *("item_updated", "function_call", "item_updated"),
        *("audio", "transcript_delta", "audio", "audio_interrupted", "input_audio_transcription_completed"),
        *("item_updated", "usage", "turn_ended"),
        *("item_updated", "turn_started", "item_updated", "output_text_delta", "item_updated", "turn_ended"),
    ]


def test_their_sound_lies_on_the_lanes_at_its_rate(tmp_path: Path) -> None:
    """The model's is cut off where the user broke in."""
    reader = LanesReader()
    for entry in entries_with_events(recorded(tmp_path / "a.jsonl", CONVERSATION)):
        reader.read(entry)
    user, again, *models = reader.lanes().stretches
    assert (user.lane, user.format.rate_hz, user.length, again.length) == ("user", 16_000, 6_400, 3_200)
    assert user.end_ns - user.begin_ns == 200_000_000
    assert {(one.lane, one.part, one.format.rate_hz) for one in models} == {("model", ("model-1", 0), 24_000)}
    assert sum(one.length for one in models) == 24_000


def test_figures_are_read_of_them(tmp_path: Path) -> None:
    derived = derive_draft(recorded(tmp_path / "a.jsonl", CONVERSATION))
    first, second = derived.responses
    assert (first.asked_by, first.status, second.asked_by, second.status) == (
        *("speech", "cancelled"),
        *("text", "completed"),
    )
    (heard,) = derived.heard
    assert (heard.item_id, heard.generated_ms, heard.text) == ("model-1", 500.0, "Sunny, ")
    assert [turn.text for turn in derived.turns] == ["How is it?", "Wait.", "Go on"]
    assert [(tool.name, tool.call_id) for tool in derived.tools] == [("weather", "c1")]


@pytest.mark.parametrize(
    ("key", "held"),
    [
        ("realtimeInput", {"audio": {"data": "AAAA"}}),
        ("realtimeInput", {"mediaChunks": [{"data": "AAAA", "mimeType": "audio/pcm"}]}),
        ("realtime_input", {"media_chunks": [{"data": "AAAA", "mime_type": "audio/pcm"}]}),
        ("realtimeInput", {"video": {"data": "AAAA"}}),
    ],
)
def test_what_streams_is_no_frame_to_wait_for(key: str, held: dict[str, Any]) -> None:
    gemini = DIALECTS["gemini-live"]
    message = {key: held}
    assert gemini.type_of(message) == key
    assert [one for one, _ in gemini.media(key, message)] == ["AAAA"]
    assert list(gemini.appended(key, message)) == ([] if "video" in held else ["AAAA"])
    assert list(gemini.media("realtimeInput", {"realtimeInput": {"text": "a"}})) == []


def test_the_users_sound_in_the_other_alphabet_is_sound_too(tmp_path: Path) -> None:
    """Google's clients write it so; and it is silenced with the rest."""
    line = microphone(100, urlsafe=True)
    assert "_" in line[1]["realtimeInput"]["audio"]["data"]
    draft = recorded(tmp_path / "a.jsonl", [line])
    reader = LanesReader()
    for entry in entries_with_events(draft):
        reader.read(entry)
    (user,) = reader.lanes().stretches
    assert user.length == 3_200
    (one,) = connections_of([draft])
    assert one.frames[0].message == line[1]
    (silent,) = redacted([draft], audio="silence")
    assert {byte for data in silent.segments.values() for byte in data} == {0}


@pytest.mark.parametrize("derived", [False, True])
def test_their_sound_is_a_file_of_a_fixture_and_lies_there_once(tmp_path: Path, derived: bool) -> None:
    draft = recorded(tmp_path / "a.jsonl", CONVERSATION)
    write_fixture([with_events(draft) if derived else draft], tmp_path / "fixture")
    files = sorted((tmp_path / "fixture").glob("*/*"))
    sizes = {file.name: len(sound_of(file.read_bytes())) for file in files}
    assert sizes == {"01-user.wav": 6_400, "02-assistant-model-1.wav": 24_000, "03-user.wav": 3_200}


def test_pictures_are_no_sound(tmp_path: Path) -> None:
    picture = {"data": sound(20, 16_000), "mimeType": "image/jpeg"}
    lines: list[Line] = [(">", {"realtimeInput": {"mediaChunks": [picture], "video": picture}})]
    reader = LanesReader()
    for entry in entries_with_events(recorded(tmp_path / "a.jsonl", lines)):
        reader.read(entry)
    assert reader.lanes().stretches == ()


def test_turns_of_two_connections_have_names_of_their_own() -> None:
    named = Counter[str]()
    begun: list[Told] = [GeminiMessages(named).server(spoken(1)[1]) for _ in range(2)]
    assert [one[0][1]["response"]["id"] for one in begun] == ["turn-1", "turn-2"]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    *("parts", "modelTurn", "inlineData", "data", "text", "turns", "functionCalls", "audio"),
                    *("functionResponses", "turnComplete", "interrupted", "outputTranscription", "args"),
                ]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(GEMINI_KEYS), JSON), max_size=6))
def test_no_message_at_all_breaks_it(messages: list[tuple[bool, str, Any]]) -> None:
    reading = GeminiMessages(Counter())
    for by_server, key, held in messages:
        message = {key: held}
        for _, one in reading.server(message) if by_server else reading.client(message):
            assert one["type"]
