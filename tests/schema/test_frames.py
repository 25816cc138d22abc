"""Frames: a text cut at its base64 joins to the very text, and comes back out of a payload as it went in."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.schema import STANDARD, Codec, EncodingError, Frame
from realtape.schema.codec import Secrets, references
from realtape.schema.frames import MIN_URLSAFE_LENGTH, Base64, cut
from support.small_logs import Segments

AUDIO = b"\1\2\3" * 30
BASE64 = base64.b64encode(AUDIO).decode()
URLSAFE = base64.urlsafe_b64encode(b"\xff\xef\xbe" * 200).decode()

JSON_TEXTS = st.builds(
    json.dumps,
    st.dictionaries(
        st.sampled_from(["delta", "audio", "data", "payload", "type", "text"]),
        st.one_of(
            st.binary(max_size=90).map(lambda data: base64.b64encode(data).decode()),
            st.text(max_size=40),
            st.sampled_from([URLSAFE, f"+{URLSAFE[1:]}", BASE64 * 5]),
            st.text("AQx=/+", max_size=60),
            st.dictionaries(st.sampled_from(["data", "x"]), st.just(BASE64)),
        ),
    ),
    ensure_ascii=st.booleans(),
    indent=st.sampled_from([None, 2]),
)
UTF8 = st.text(st.characters(exclude_categories=["Cs"]))


def joined(pieces: list[Any]) -> str:
    return "".join(written(piece) if isinstance(piece, Base64) else piece for piece in pieces)


def written(piece: Base64) -> str:
    return (base64.urlsafe_b64encode if piece.urlsafe else base64.b64encode)(piece.data).decode()


def came_back(frame: Frame) -> Frame:
    segments = Segments()
    return Codec(STANDARD).decode(Codec(STANDARD).encode(frame, segments.put).payload, segments.get).value


@given(st.one_of(JSON_TEXTS, UTF8))
def test_the_pieces_joined_are_the_very_text(text: str) -> None:
    assert joined(cut(text)) == text


@given(
    st.one_of(JSON_TEXTS, UTF8, st.binary(), UTF8.map(str.encode), JSON_TEXTS.map(str.encode)), st.booleans()
)
def test_a_frame_comes_back_as_it_crossed_the_wire(message: str | bytes, suspended: bool) -> None:
    frame = came_back(Frame.of(message, suspended=suspended))
    assert frame == Frame.of(message, suspended=suspended)
    assert frame.message == message


def test_base64_is_cut_out_wherever_the_protocols_have_it() -> None:
    for text in (
        json.dumps({"type": "response.output_audio.delta", "delta": BASE64}),
        json.dumps({"realtimeInput": {"mediaChunks": [{"data": BASE64, "mimeType": "audio/pcm"}]}}),
        json.dumps({"event": "media", "media": {"payload": BASE64}}, indent=1),
    ):
        assert [piece.data for piece in cut(text) if isinstance(piece, Base64)] == [AUDIO]


def test_base64_of_the_other_alphabet_is_cut_out_and_comes_back() -> None:
    """As Google's clients for Python write it."""
    text = json.dumps({"realtime_input": {"audio": {"data": URLSAFE, "mime_type": "audio/pcm"}}})
    frame = Frame(text)
    segments = Segments()
    assert came_back(frame) == frame
    payload = Codec(STANDARD).encode(frame, segments.put).payload
    assert '{"$":"base64url","at":[0,0,600]}' in payload
    assert segments.data == [base64.urlsafe_b64decode(URLSAFE)]
    assert references(payload) == [(0, 0, 600)]


@pytest.mark.parametrize(
    "base64_text",
    [
        *(BASE64[:-1], BASE64[:20], BASE64 + "=", BASE64[:-2] + "x=", BASE64 + "\\n", "-" + BASE64[1:]),
        *(URLSAFE[: MIN_URLSAFE_LENGTH - 4], f"+{URLSAFE[1:]}", f"{URLSAFE[:-1]}", f"{URLSAFE[:-2]}x="),
    ],
)
def test_what_would_not_come_back_is_not_cut(base64_text: str) -> None:
    text = f'{{"delta":"{base64_text}"}}'
    assert cut(text) == [text]


@pytest.mark.parametrize(
    "type",
    [
        "response.output_text.delta",
        "response.output_audio_transcript.delta",
        "response.mcp_call_arguments.delta",
    ],
)
def test_a_piece_of_a_text_stays_text_whatever_it_looks_like(type: str) -> None:
    for message in ({"type": type, "delta": BASE64}, {"delta": BASE64, "type": type}):
        assert cut(json.dumps(message)) == [json.dumps(message)]
    for pieces in (cut(json.dumps({"type": type, "audio": BASE64})), cut(json.dumps({"delta": BASE64}))):
        assert [piece.data for piece in pieces if isinstance(piece, Base64)] == [AUDIO]


def test_the_payload_can_be_read_with_any_tool() -> None:
    segments = Segments()
    frame = Frame.of(json.dumps({"type": "x", "delta": BASE64}), suspended=False)
    payload = json.loads(Codec(STANDARD).encode(frame, segments.put).payload)
    assert payload == {
        "$": "frame",
        "opcode": "text",
        "pieces": ['{"type": "x", "delta": "', {"$": "base64", "at": [0, 0, len(AUDIO)]}, '"}'],
        "suspended": False,
    }
    assert segments.data == [AUDIO]


def test_a_filter_is_given_the_texts_of_a_message_and_not_those_of_the_protocol() -> None:
    codec = Codec(STANDARD, [lambda text: text.replace("a", "*")])
    payload = codec.encode(Frame("{a}"), Segments().put, None).payload
    assert json.loads(payload)["pieces"] == ["{a}"]
    assert codec.filtered({"a": ["ba", 1]}) == {"*": ["b*", 1]}
    with pytest.raises(EncodingError, match="a redactor"):
        Codec(STANDARD, [lambda text: text[9]]).filtered(["short"])


def test_a_secret_is_scrubbed_in_a_frame_too() -> None:
    secrets = Secrets()
    secrets.add(["sk-secret-key"])
    encoded = Codec(STANDARD).encode(Frame('{"token":"sk-secret-key"}'), Segments().put, secrets)
    assert encoded.redacted
    assert "sk-secret-key" not in encoded.payload


def test_a_frame_is_held_as_it_is_and_cut_later() -> None:
    """Its text is cut where the event loop does not wait."""
    codec, segments = Codec(STANDARD), Segments()
    frame = Frame(json.dumps({"type": "x", "delta": BASE64}), suspended=True, redacted=True)
    snapshot = codec.snapshots.take(frame)
    assert snapshot[3] == (frame.data, "text", True, True)
    encoded = codec.encode_snapshot(snapshot, segments.put)
    assert encoded.redacted
    assert encoded == codec.encode(frame, Segments().put)
    assert codec.decode(encoded.payload, segments.get).value == frame
