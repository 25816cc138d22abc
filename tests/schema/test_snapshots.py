"""A snapshot is what `encode` would have written at that moment, whatever becomes of the value afterwards."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from realtape.integrations.openai_agents.vocabulary import VOCABULARY
from realtape.schema import Codec, EncodingError, Frame, RealtimeModelRawServerEvent
from realtape.schema.codec import FlatPayloads, Secrets
from realtape.schema.codec.json_text import quickly_written, to_json
from support.changing import changed
from support.examples import CODEC
from support.failures import exceptions
from support.strategies import events, sends, values

SDK = Codec(VOCABULARY)


Put = Callable[[bytes], tuple[int, int, int]]


def outcome(make: Callable[[Put], Any]) -> Any:
    """What comes of it: the payload, what is told of it, and the bytes, each at its place; or no more than
    that it cannot be encoded."""
    held = bytearray()

    def put(data: bytes) -> tuple[int, int, int]:
        held.extend(data)
        return (0, len(held) - len(data), len(data))

    try:
        return make(put), bytes(held)
    except EncodingError:
        return None


def later(codec: Codec, snapshot: Any) -> Any:
    """What comes of a snapshot."""
    found = outcome(lambda put: codec.encode_snapshot(snapshot, put))
    return None if found and found[0].payload.startswith('{"unrecordable":') else found


@given(
    st.one_of(
        st.tuples(st.just(CODEC), st.one_of(values(exceptions), events(), sends())),
        st.tuples(st.just(SDK), st.one_of(events(VOCABULARY), sends(VOCABULARY))),
    )
)
def test_what_is_taken_is_what_would_be_encoded_now(made: Any):
    codec, value = made
    expected = outcome(lambda put: codec.encode(value, put))
    snapshot = codec.snapshots.take(value)
    changed(value)
    assert later(codec, snapshot) == expected


TEXTS = st.one_of(
    st.sampled_from(
        ["", "response.output_audio.delta", "item_0123456789abcdefghi", "sk-proj-0123456789abcdef", "\ud800"]
    ),
    st.text(max_size=40),
    st.binary(max_size=60).map(lambda data: base64.b64encode(data).decode()),
)
KEYS = st.sampled_from(
    ["type", "delta", "audio", "event_id", "api_key", "authorization", "$", "a b", "é", ""]
)
FLAT = st.dictionaries(
    KEYS | st.text(max_size=5),
    st.one_of(TEXTS, st.integers(-(1 << 64), 1 << 64), st.booleans(), st.none(), st.floats(), st.binary()),
    max_size=8,
)


@given(st.lists(FLAT, min_size=1, max_size=3))
@example([{"type": "response.output_text.delta", "delta": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="}])
@example([{"delta": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo=", "type": "response.output_text.delta"}])
@example([{"type": "x", "delta": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="}])
@example([{"type": "a.text.delta", "delta": "QUJD" * 8}, {"type": "a.audio.delta", "delta": "QUJD" * 8}])
@example([{"delta": "a" * 24, "audio": "b" * 24}, {"b": 1}, {}])
@example(
    [{"delta": "a", "n": 1}, {"delta": "b", "n": True}, {"delta": "c", "n": 1}, {"delta": "d", "n": 1.0}]
)
@example([{"delta": "a", "item_id": f"item_{number}"} for number in range(6)])
def test_flat_payloads_are_those_that_are_encoded_with_care(told: list[dict[str, Any]]):
    secrets = Secrets()
    secrets.add(["sk-proj-0123456789abcdef"])
    held = bytearray()

    def put(data: bytes) -> tuple[int, int, int]:
        held.extend(data)
        return (0, len(held) - len(data), len(data))

    flat_payloads = FlatPayloads(SDK.vocabulary, secrets, put)
    for data in [*told, *told]:  # again: by then each text is known
        snapshot = SDK.snapshots.take(SDK.vocabulary.make("raw_server_event", data=data))
        held.clear()
        flat = flat_payloads.payload(snapshot[0], *snapshot[2:]) if snapshot[0] < 0 else None
        if flat is not None:
            found = flat[0], bytes(held)
            held.clear()
            encoded = SDK.encode_snapshot(snapshot, put, secrets)
            assert found == (encoded.payload, bytes(held))
            assert (encoded.redacted, encoded.lossy) == (False, False)


IDS = st.sampled_from(
    ["event_1", "item_0123456789abcdefghi", "resp_AKIA0123456789ABCDEF", "sk-proj-0123456789abcdef"]
)


def message(told: dict[str, str], audio: bytes) -> str:
    return json.dumps({**told, "delta": base64.b64encode(audio).decode()})


MESSAGES = st.builds(
    message,
    st.dictionaries(
        st.sampled_from(["type", "event_id", "item_id", "token", "api_key", "password", "é"]),
        st.one_of(IDS, IDS, st.sampled_from(["response.output_audio.delta", "a.text.delta", "\ud800"])),
    ),
    st.binary(max_size=60),
)


@given(
    st.lists(st.tuples(MESSAGES | st.text(), st.sampled_from([None, True, False])), min_size=1, max_size=4)
)
@example(
    [('{"event_id": "event_1", "delta": "QUJD"}', None), ('{"event_id": "sk-proj-0123456789abcdef"}', None)]
)
@example([('{"item_id": "event_1"}', None), ('{"api_key": "event_1"}', None)])
@example([('{"item_id": "resp_AKIA0123456789ABCDEF", "delta": ""}', None)])
def test_so_are_frames(told: list[tuple[str, bool | None]]) -> None:
    secrets = Secrets()
    secrets.add(["sk-proj-0123456789abcdef", *(f"another-key-{number}" for number in range(30))])
    held = bytearray()

    def put(data: bytes) -> tuple[int, int, int]:
        held.extend(data)
        return (0, len(held) - len(data), len(data))

    flat_payloads = FlatPayloads(SDK.vocabulary, secrets, put)
    for message, suspended in [*told, *told]:
        snapshot = SDK.snapshots.take(Frame.of(message, suspended=suspended))
        held.clear()
        flat = flat_payloads.payload(snapshot[0], *snapshot[2:])
        if flat is not None:
            found = flat[0], bytes(held)
            held.clear()
            encoded = SDK.encode_snapshot(snapshot, put, secrets)
            assert found == (encoded.payload, bytes(held))
            assert (encoded.redacted, encoded.lossy) == (False, False)


def test_a_frame_that_differs_in_its_ids_alone_is_known() -> None:
    flat_payloads = FlatPayloads(SDK.vocabulary, Secrets(), lambda data: (0, 0, len(data)))

    def payload(event: str) -> str | None:
        told = {"type": "response.output_audio.delta", "event_id": event, "delta": "QUJD" * 8}
        form, _, first, others = SDK.snapshots.take(Frame.of(json.dumps(told)))
        flat = flat_payloads.payload(form, first, others)
        return None if flat is None else flat[0]

    first, second = payload("event_1"), payload("event_2")
    assert first is not None
    assert second == first.replace("event_1", "event_2")


def test_a_delta_says_which_text_it_is_a_piece_of():
    flat_payloads = FlatPayloads(SDK.vocabulary, Secrets(), lambda data: (0, 0, len(data)))

    def piece(**said: str) -> Any:
        raw = {"type": "response.output_text.delta", "event_id": "event_1", "item_id": "item_1", **said}
        form, _, flat, held = SDK.snapshots.take(SDK.vocabulary.make("raw_server_event", data=raw))
        written = flat_payloads.payload(form, flat, held)
        return None if written is None else written[1]

    first, again, other = (
        piece(delta="a"),
        piece(delta="b", event_id="event_2"),
        piece(delta="c", item_id="i"),
    )
    assert [first[1], again[1], other[1]] == ["a", "b", "c"]
    assert first[0] == again[0] != other[0]
    assert piece(text="a") is None
    assert piece(delta="QUJD" * 8)[1] == "QUJD" * 8
    assert piece(delta="QUJD" * 8, type="response.output_audio.delta") is None


plain = st.recursive(
    st.one_of(st.text(), st.integers(-(1 << 63), (1 << 63) - 1), st.booleans(), st.none()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(plain)
@example({"a": '\x00\x1f\x7f\x80\u2028"\\/é😀', "b": -(1 << 63), "": [{}, []]})
@example(["\ud800", "\udc00\ud83d"])
@example("\ud83d\ude00")
def test_the_quick_writer_spells_as_the_other(tree: Any):
    text = quickly_written(tree)
    if all(not "\ud800" <= character <= "\udfff" for character in text):
        assert text == to_json(tree)


@pytest.mark.parametrize("times", [1, 2])
def test_what_has_no_end_is_refused_at_once(times: int):
    endless: list[Any] = []
    endless += [endless] * times
    snapshot = CODEC.snapshots.take(RealtimeModelRawServerEvent(data={"endless": endless}))
    assert later(CODEC, snapshot) is None


def test_one_text_many_times_over_is_not_copied_as_often():
    text = "x" * 60_000
    snapshot = CODEC.snapshots.take([text] * 100_000)
    assert later(CODEC, snapshot) is None
    assert snapshot[1] < 1_000_000
