"""The provider's half of the protocol, without a socket: the session, and what it says in a turn."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Any

import pytest
from pydantic import JsonValue
from realtape.provider import AFTERWARDS, ASSISTANT_ANSWER, Ending, FunctionCall, Reply, Speech, silence
from support.protocol_talk import (
    HELLO,
    RESPOND,
    Message,
    Talk,
    audio_of,
    only,
    types,
    user_text,
)


def test_the_session_is_announced_unasked() -> None:
    (created,) = Talk().said
    assert created["type"] == "session.created"
    assert created["session"]["output_modalities"] == ["audio"]
    assert created["session"]["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 200


def test_a_text_turn_is_answered_in_the_order_of_the_real_protocol() -> None:
    talk = Talk(HELLO)
    talk.said.clear()
    talk.send(user_text("Hi."), RESPOND)
    talk.wait()
    assert types(talk.said) == [
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    assert audio_of(talk.said) == ASSISTANT_ANSWER.pcm
    words = [m["delta"] for m in talk.said if m["type"] == "response.output_audio_transcript.delta"]
    assert "".join(words) == "Hello there."
    response = only(talk.said, "response.done")["response"]
    assert response["status"] == "completed"
    assert response["output"][0]["content"] == [{"type": "output_audio", "transcript": "Hello there."}]
    assert response["usage"]["total_tokens"] == 1 + 2 + 53


def test_audio_comes_in_bursts_of_100_ms_deltas_at_the_pace_of_speech() -> None:
    talk = Talk(HELLO)
    talk.send(RESPOND)
    talk.wait()
    times_ms = [
        t for t, m in zip(talk.times_ms, talk.said, strict=True) if m["type"] == "response.output_audio.delta"
    ]
    assert [times_ms.count(t) for t in sorted(set(times_ms))] == [4, 4, 4, 4, 4, 4, 3]
    assert {later - earlier for earlier, later in pairwise(times_ms)} == {0, 400}
    first = next(m for m in talk.said if m["type"] == "response.output_audio.delta")
    assert len(base64.b64decode(first["delta"])) == 4_800
    burst = [m["type"] for t, m in zip(talk.times_ms, talk.said, strict=True) if t == times_ms[0]]
    assert burst[-5:].count("response.output_audio_transcript.delta") == 1, "words come among the audio"


@pytest.mark.parametrize(
    "talk_of",
    [
        (HELLO, {"session": {"output_modalities": ["text"]}}, RESPOND),
        (HELLO, {"session": {}}, {**RESPOND, "response": {"output_modalities": ["text"]}}),
        (Reply.text("Hello there."), {"session": {}}, RESPOND),
    ],
)
def test_a_reply_is_written_when_the_session_the_response_or_the_script_says_so(
    talk_of: tuple[Reply, Message, Message],
) -> None:
    reply, update, respond = talk_of
    talk = Talk(reply)
    talk.send({"type": "session.update", **update}, respond)
    talk.wait()
    assert only(talk.said, "response.output_text.done")["text"] == "Hello there."
    assert audio_of(talk.said) == b""


def test_an_exhausted_script_has_one_sentence_left() -> None:
    talk = Talk()
    for _ in range(2):
        talk.send(RESPOND)
        done = only(talk.wait(), "response.output_audio_transcript.done")
        assert AFTERWARDS.outputs == (Speech(done["transcript"]),)


def test_an_update_changes_what_it_names_and_a_refused_one_nothing() -> None:
    talk = Talk()
    tool: JsonValue = {"type": "function", "name": "look", "description": None, "parameters": {}}
    talk.send({"type": "session.update", "session": {"tools": [tool], "instructions": "Be brief."}})
    talk.update(turn_detection={"type": "semantic_vad"}, transcription={"model": "any"})
    (refused,) = talk.send(
        {"type": "session.update", "session": {"instructions": "No.", "audio": {"output": {"speed": "fast"}}}}
    )
    assert refused["error"]["param"] == "session.audio.output.speed"
    session = only(talk.update(noise_reduction={"type": "near_field"}), "session.updated")["session"]
    assert (session["tools"], session["instructions"]) == ([tool], "Be brief.")
    assert session["audio"]["input"]["transcription"] == {"model": "any"}
    assert session["audio"]["input"]["turn_detection"] == {
        "type": "semantic_vad",
        "eagerness": "auto",
        "create_response": True,
        "interrupt_response": True,
    }


def test_a_tool_round() -> None:
    talk = Talk(Reply.function_call("next_train", {"to": "Leeds"}), HELLO)
    talk.send(user_text("When?"), RESPOND)
    talk.wait()
    call = only(talk.said, "response.function_call_arguments.done")
    assert (call["name"], call["arguments"]) == ("next_train", '{"to": "Leeds"}')
    deltas = [m["delta"] for m in talk.said if m["type"] == "response.function_call_arguments.delta"]
    assert "".join(deltas) == call["arguments"]
    assert only(talk.said, "response.output_item.done")["item"]["status"] == "completed"
    result: Message = {"type": "function_call_output", "call_id": call["call_id"], "output": "At nine."}
    talk.send({"type": "conversation.item.create", "item": result}, RESPOND)
    assert "response.output_audio.done" in types(talk.wait())
    (error,) = talk.send({"type": "conversation.item.create", "item": {**result, "call_id": "call_x"}})
    assert error["error"]["param"] == "item.call_id"


def test_one_response_may_hold_several_outputs() -> None:
    both = Reply((Speech("One moment."), FunctionCall("a"), FunctionCall("b", "not { JSON")))
    talk = Talk(both)
    talk.send(RESPOND)
    output = only(talk.wait(), "response.done")["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "function_call"]
    assert [item["arguments"] for item in output[1:]] == ["{}", "not { JSON"]
    assert len({item["call_id"] for item in output[1:]}) == 2


def test_a_response_may_stay_out_of_the_conversation() -> None:
    talk = Talk(HELLO)
    options: JsonValue = {"conversation": "none", "metadata": {"topic": "x"}}
    talk.send({"type": "response.create", "response": options})
    talk.wait()
    assert not [t for t in types(talk.said) if t.startswith("conversation.")]
    response = only(talk.said, "response.done")["response"]
    assert (response["conversation_id"], response["metadata"]) == (None, {"topic": "x"})


@pytest.mark.parametrize(
    ("reply", "ending", "audio_ms"),
    [
        (Reply.close(1011, "Broken."), Ending(1011, "Broken."), 0),
        (Reply.cut(), Ending(), 0),
        (
            Reply.speech("a", audio=silence(900), ending=Ending(1000, after_ms=300)),
            Ending(1000, after_ms=300),
            400,
        ),
        (Reply.speech("a", audio=silence(900), ending=Ending(1000)), Ending(1000), 900),
    ],
)
def test_a_script_ends_the_connection(reply: Reply, ending: Ending, audio_ms: int) -> None:
    talk = Talk(reply)
    talk.send(RESPOND)
    talk.wait()
    assert talk.ending == ending
    assert len(audio_of(talk.said)) == audio_ms * 48
    assert (talk.send(RESPOND), talk.protocol.next_due_ms) == ([], None)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: Ending(1005),
        lambda: Ending(1000, "x" * 124),
        lambda: Ending(after_ms=-1),
        lambda: Reply(),
        lambda: Reply.speech("a", audio=b"odd"),
    ],
)
def test_a_script_that_cannot_be_played_is_refused_when_it_is_written(misuse: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        misuse()
