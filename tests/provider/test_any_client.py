"""Whatever a client sends, and whenever: nothing upsets the provider, and it answers alike."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue
from realtape.provider import FunctionCall, Reply, Speech, silence
from support.protocol_talk import (
    CLIENT_TYPES,
    Message,
    Shown,
    Talk,
    append,
    user_text,
)

LOUD = b"\x00\x20\x00\xe0" * 2_400
JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
ITEM_IDS = st.sampled_from(["item_0001", "item_0002", "item_0003", "root", "mine"])


@st.composite
def sensible(draw: st.DrawFn) -> Message:
    """What a client could mean."""
    type = draw(
        st.sampled_from(
            [
                *["input_audio_buffer.append"] * 3,
                *["response.create"] * 2,
                "response.cancel",
                "input_audio_buffer.commit",
                "input_audio_buffer.clear",
                "conversation.item.create",
                "conversation.item.retrieve",
                "conversation.item.delete",
                "conversation.item.truncate",
                "session.update",
            ]
        )
    )
    match type:
        case "input_audio_buffer.append":
            return append(draw(st.sampled_from([LOUD, LOUD, silence(300)])))
        case "conversation.item.create":
            return user_text(draw(st.text(max_size=5)), previous_item_id=draw(ITEM_IDS | st.none()))
        case "conversation.item.retrieve" | "conversation.item.delete":
            return {"type": type, "item_id": draw(ITEM_IDS)}
        case "conversation.item.truncate":
            end_ms = draw(st.integers(0, 900))
            return {"type": type, "item_id": draw(ITEM_IDS), "content_index": 0, "audio_end_ms": end_ms}
        case "session.update":
            kind = draw(st.sampled_from(["server_vad", "semantic_vad"]))
            on: JsonValue = {
                "type": kind,
                "interrupt_response": draw(st.booleans()),
                "create_response": draw(st.booleans()),
            }
            detection = draw(st.sampled_from([on, None]))
            modality = draw(st.sampled_from(["text", "audio"]))
            session: JsonValue = {
                "output_modalities": [modality],
                "audio": {"input": {"turn_detection": detection}},
            }
            return {"type": type, "session": session}
        case _:
            return {"type": type}


@st.composite
def spoilt(draw: st.DrawFn) -> Message:
    """A sensible message with one field that is anything."""
    names = ["type", "event_id", "item", "item_id", "audio", "response", "session"]
    return {**draw(sensible()), draw(st.sampled_from(names)): draw(JSON)}


NONSENSE = st.dictionaries(st.text(max_size=5), JSON, max_size=3)
CLIENT: st.SearchStrategy[Message] = st.one_of(sensible(), sensible(), spoilt(), NONSENSE)
REPLIES = st.lists(
    st.sampled_from(
        [
            Reply.speech("One two three.", audio=silence(900)),
            Reply.text("Four five."),
            Reply.function_call("look", {"at": "it"}),
            Reply((Speech("Well"), FunctionCall("look"))),
        ]
    ),
    max_size=4,
)


@given(REPLIES, st.lists(st.tuples(CLIENT, st.integers(0, 700)), max_size=25))
@settings(deadline=None)
def test_whatever_a_client_sends_the_protocol_holds(
    replies: list[Reply], sent: list[tuple[Message, int]]
) -> None:
    talk = Talk(*replies, transcripts=["Hm."])
    for message, pause_ms in sent:
        talk.send(message)
        talk.wait(pause_ms)
    talk.wait()

    event_ids = [m["event_id"] for m in talk.said]
    assert len(set(event_ids)) == len(event_ids)
    assert talk.times_ms == sorted(talk.times_ms)
    active: str | None = None
    for m in talk.said:
        CLIENT_TYPES.validate_python({**m, "previous_item_id": m.get("previous_item_id") or ""})
        if m["type"] == "response.created":
            assert active is None
            active = m["response"]["id"]
        elif m["type"] == "response.done":
            assert m["response"]["id"] == active
            active = None
        elif "response_id" in m:
            assert m["response_id"] == active
    assert active is None


@given(REPLIES, st.lists(st.tuples(sensible(), st.integers(0, 700)), max_size=15))
@settings(deadline=None)
def test_the_same_messages_at_the_same_times_give_the_same_answers(
    replies: list[Reply], sent: list[tuple[Message, int]]
) -> None:
    def run(steps_ms: int) -> list[Shown]:
        talk = Talk(*replies)
        for message, pause_ms in sent:
            talk.send(message)
            # How often the caller looks must not matter.
            for _ in range(pause_ms // steps_ms):
                talk.wait(steps_ms)
            talk.wait(pause_ms % steps_ms)
        talk.wait()
        return talk.said

    assert run(10_000) == run(70)
