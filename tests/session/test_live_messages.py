"""The Live protocol's messages: sound, words and calls are read as those of the realtime protocol are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pybase64 import b64encode_as_string
from realtape.provider import FunctionCall, LiveScript, LiveTurn, Speech
from realtape.provider.live import LiveProtocol
from realtape.provider.protocol import Outgoing
from realtape.schema import Entry, Kind
from realtape.session import LanesReader, entries_with_events
from realtape.session.derived import derive_draft
from realtape.session.frame_messages import FrameMessages
from realtape.session.live_messages import LIVE_TYPES
from realtape.wire import read_frames

TURNS = [
    LiveTurn(200, Speech("It is sunny."), "How is it?", FunctionCall("weather", {"city": "Prague"})),
    LiveTurn(900, Speech("Not at all."), "Thank you!"),
]


def recorded(path: Path) -> Any:
    """A client that appends a second and a half, and answers the call at once."""
    protocol, lines, asked = LiveProtocol(LiveScript(TURNS)), list[dict[str, Any]](), list[str]()

    def send(message: dict[str, Any]) -> None:
        lines.append({"dir": "client", "ms": 100 * len(lines), "event": message})
        for step in protocol.receive(message, 0):
            assert isinstance(step, Outgoing)
            lines.append({"dir": "server", "ms": 100 * len(lines), "event": step.message})
            nested: Any = step.message.get("event", {})
            if "call_id" in nested.get("item", {}):
                asked.append(nested["item"]["call_id"])

    format = {"type": "audio/pcm", "rate": 24_000}
    send({"type": "session.start", "session": {"model": "m", "audio": {"format": format}}})
    for _ in range(15):
        send({"type": "session.input_audio.append", "audio": b64encode_as_string(bytes(4_800))})
        if asked:
            output = {"type": "function_call_output", "call_id": asked.pop(), "output": "sunny"}
            send({"type": "response.item.create", "item": output})
            send({"type": "response.create"})
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return read_frames(path)


def test_sound_words_and_calls(tmp_path: Path) -> None:
    draft = recorded(tmp_path / "a.jsonl")
    reader, types = LanesReader(), list[str | None]()
    for entry in entries_with_events(draft):
        reader.read(entry)
        if entry.kind == Kind.RECEIVED and entry.type not in ("raw_server_event", "audio"):
            types.append(entry.type)
    assert types == [
        *("item_updated", "function_call", "item_updated"),  # the call, and its answer
        *("input_audio_transcription_completed", "transcript_delta"),
        *("input_audio_transcription_completed", "transcript_delta"),
    ]
    assert sum(one.length for one in reader.lanes().of("user")) == 15 * 4_800
    assert {one.part for one in reader.lanes().of("model")} <= {("model-1", 0), ("model-2", 0)}
    derived = derive_draft(draft)
    assert derived.heard[0].text == "It is sunny."
    assert [(one.name, one.output) for one in derived.tools] == [("weather", "sunny")]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Kind.FRAME_IN, Kind.FRAME_OUT]),
            st.sampled_from(sorted(LIVE_TYPES)),
            st.dictionaries(st.sampled_from(["delta", "event", "item", "audio"]), st.none() | st.text()),
        ),
        max_size=5,
    )
)
def test_no_message_at_all_breaks_it(messages: list[tuple[Kind, str, dict[str, Any]]]) -> None:
    reading = FrameMessages()
    for kind, type, fields in messages:
        entry = Entry(0, 0, None, None, kind)
        assert all(one["type"] for _, one in reading.of(entry, {**fields, "type": type}))
