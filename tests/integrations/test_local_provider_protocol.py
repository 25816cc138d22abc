"""The local provider's protocol without a socket: what it answers, when, and that nothing upsets it."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Annotated, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, JsonValue, TypeAdapter
from realtape.integrations import local_provider
from realtape.integrations.local_provider import (
    AFTERWARDS,
    ASSISTANT_ANSWER,
    USER_INTERRUPTION,
    USER_QUESTION,
    Ended,
    Ending,
    FunctionCall,
    RealtimeProtocol,
    Reply,
    Script,
    Speech,
    chunks,
    silence,
)

Message = dict[str, JsonValue]
Shown = dict[str, Any]

CLIENT_TYPES: TypeAdapter[object] = TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")])
FOREVER_MS = 10_000_000
HELLO = Reply.speech("Hello there.", audio=ASSISTANT_ANSWER.pcm)
RESPOND: Message = {"type": "response.create"}


class Talk:
    """A session, the time in it, and everything that the provider said."""

    def __init__(self, *replies: Reply, transcripts: Sequence[str] = ()) -> None:
        self.protocol = RealtimeProtocol(Script(replies, transcripts))
        self.now_ms = 0
        self.said: list[Shown] = []
        self.times_ms: list[int] = []
        self.ending: Ending | None = None
        self.wait(0)

    def send(self, *messages: Message) -> list[Shown]:
        """What comes back at once."""
        begin = len(self.said)
        for message in messages:
            self._note(self.protocol.receive(message, self.now_ms))
        return self.said[begin:]

    def wait(self, ms: int = FOREVER_MS) -> list[Shown]:
        """What comes within that time."""
        begin = len(self.said)
        self.now_ms += ms
        self._note(self.protocol.advance(self.now_ms))
        return self.said[begin:]

    def hear(self, pcm: bytes) -> list[Shown]:
        """Speak into the microphone, and wait as long as that takes."""
        begin = len(self.said)
        for chunk in chunks(pcm):
            self.send(append(chunk))
            self.wait(len(chunk) // 48)
        return self.said[begin:]

    def update(self, **audio_input: JsonValue) -> list[Shown]:
        return self.send({"type": "session.update", "session": {"audio": {"input": audio_input}}})

    def _note(self, steps: Iterable[object]) -> None:
        for step in steps:
            if isinstance(step, Ended):
                assert self.ending is None
                self.ending = step.ending
            else:
                shown = cast(Any, step)
                assert self.ending is None, "nothing comes after the end"
                self.said.append(shown.message)
                self.times_ms.append(shown.due_ms)


def append(pcm: bytes) -> Message:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}


def user_text(text: str, **more: JsonValue) -> Message:
    item: Message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return {"type": "conversation.item.create", "item": item, **more}


def types(messages: Iterable[Shown], *, deltas: bool = False) -> list[str]:
    return [m["type"] for m in messages if deltas or not m["type"].endswith(".delta")]


def only(messages: Iterable[Shown], type: str) -> Shown:
    (found,) = (m for m in messages if m["type"] == type)
    return found


def audio_of(messages: Iterable[Shown]) -> bytes:
    return b"".join(
        base64.b64decode(m["delta"]) for m in messages if m["type"] == "response.output_audio.delta"
    )


def test_the_front_door() -> None:
    assert sorted(local_provider.__all__) == [
        "AFTERWARDS",
        "ASSISTANT_ANSWER",
        "ConnectionLog",
        "Ended",
        "Ending",
        "FunctionCall",
        "LocalProvider",
        "Outgoing",
        "RealtimeProtocol",
        "Reply",
        "Script",
        "Speech",
        "Text",
        "USER_INTERRUPTION",
        "USER_QUESTION",
        "Utterance",
        "chunks",
        "silence",
    ]


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


def test_a_spoken_turn_is_detected_transcribed_and_answered() -> None:
    talk = Talk(HELLO, transcripts=[USER_QUESTION.text])
    talk.update(transcription={"model": "any"})
    talk.said.clear()
    talk.hear(silence(1_000) + USER_QUESTION.pcm + silence(400))
    talk.wait(100)
    begun = talk.said[:8]
    assert types(begun, deltas=True)[:6] == [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "conversation.item.added",
        "conversation.item.done",
        "response.created",
    ]
    started, stopped, committed, added = begun[:4]
    assert started["audio_start_ms"] == 700, "the onset, less the prefix of 300 ms"
    assert 2_200 <= stopped["audio_end_ms"] <= 2_480, "the end, and 200 ms of silence"
    assert {started["item_id"], stopped["item_id"], committed["item_id"]} == {added["item"]["id"]}
    talk.wait()
    heard = only(talk.said, "conversation.item.input_audio_transcription.completed")
    assert heard["transcript"] == USER_QUESTION.text
    assert only(talk.said, "response.done")["response"]["status"] == "completed"
    (retrieved,) = talk.send({"type": "conversation.item.retrieve", "item_id": started["item_id"]})
    (part,) = retrieved["item"]["content"]
    turn_ms = stopped["audio_end_ms"] - started["audio_start_ms"]
    assert len(base64.b64decode(part["audio"])) == turn_ms * 48
    assert part["transcript"] == USER_QUESTION.text


def test_a_turn_is_found_alike_however_the_audio_is_cut() -> None:
    pcm = silence(250) + USER_QUESTION.pcm + silence(500) + USER_INTERRUPTION.pcm + silence(500)
    found: list[list[Shown]] = []
    for ms in (7, 100, 10_000):
        talk = Talk()
        talk.update(turn_detection={"type": "server_vad", "create_response": False})
        for chunk in chunks(pcm, ms):
            talk.send(append(chunk))
        found.append(talk.said)
    assert found[0] == found[1] == found[2]
    assert types(found[0]).count("input_audio_buffer.committed") == 2


def test_neither_noise_nor_a_click_is_speech() -> None:
    talk = Talk()
    click = b"\x00\x40\x00\xc0" * 240
    assert talk.hear(silence(300) + click + silence(300) + b"\x40\x00\xc0\xff" * 12_000) == []


def test_without_turn_detection_the_client_commits() -> None:
    talk = Talk(transcripts=["One.", "Two."])
    talk.update(turn_detection=None)
    commit: Message = {"type": "input_audio_buffer.commit"}
    (error,) = talk.send(append(silence(99)), commit)
    assert error["error"]["code"] == "input_audio_buffer_commit_empty"
    assert types(talk.send({"type": "input_audio_buffer.clear"})) == ["input_audio_buffer.cleared"]
    assert types(talk.send(commit)) == ["error"]
    assert types(talk.hear(USER_QUESTION.pcm)) == []
    assert types(talk.send(commit))[0] == "input_audio_buffer.committed"
    assert talk.wait() == [], "no transcription was asked for, and no response"


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


def test_the_user_interrupts() -> None:
    talk = Talk(HELLO, HELLO)
    talk.send(RESPOND)
    talk.wait(600)
    before = len(audio_of(talk.said))
    assert 0 < before < len(ASSISTANT_ANSWER.pcm)
    cut = talk.send(append(USER_INTERRUPTION.pcm[:9_600]))
    assert types(cut) == [
        "input_audio_buffer.speech_started",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
        "rate_limits.updated",
    ]
    response = only(cut, "response.done")["response"]
    assert response["status_details"] == {"type": "cancelled", "reason": "turn_detected"}
    assert response["output"][0]["status"] == "incomplete"
    assert talk.wait() == []
    assert len(audio_of(talk.said)) == before


def test_an_interrupted_response_may_have_said_nothing_yet() -> None:
    talk = Talk(HELLO)
    talk.send(RESPOND)
    (done, _) = talk.send({"type": "response.cancel"})
    assert done["response"]["output"] == []
    assert talk.wait() == []


def test_the_session_may_forbid_to_interrupt() -> None:
    talk = Talk(HELLO, HELLO)
    talk.update(turn_detection={"type": "server_vad", "interrupt_response": False})
    talk.send(RESPOND)
    talk.wait(200)
    talk.hear(USER_INTERRUPTION.pcm + silence(300))
    error = only(talk.said, "error")["error"]
    assert error["code"] == "conversation_already_has_active_response"
    talk.wait()
    assert audio_of(talk.said) == ASSISTANT_ANSWER.pcm


def test_only_the_active_response_is_cancelled() -> None:
    talk = Talk(HELLO)
    (error,) = talk.send({"type": "response.cancel", "event_id": "mine"})
    assert error["error"]["code"] == "response_cancel_not_active"
    assert error["error"]["event_id"] == "mine"
    (created,) = talk.send(RESPOND)
    (busy,) = talk.send(RESPOND)
    assert busy["error"]["code"] == "conversation_already_has_active_response"
    assert types(talk.send({"type": "response.cancel", "response_id": "resp_x"})) == ["error"]
    cancelled = talk.send({"type": "response.cancel", "response_id": created["response"]["id"]})
    details = only(cancelled, "response.done")["response"]["status_details"]
    assert details == {"type": "cancelled", "reason": "client_cancelled"}


def test_a_truncated_item_holds_what_was_heard() -> None:
    talk = Talk(HELLO)
    talk.send(RESPOND)
    talk.wait(600)
    item_id = only(talk.said, "response.output_item.added")["item"]["id"]
    truncate: Message = {"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0}
    (beyond,) = talk.send({**truncate, "audio_end_ms": 801})
    assert beyond["error"]["param"] == "audio_end_ms"
    (cut,) = talk.send({**truncate, "audio_end_ms": 333})
    assert (cut["type"], cut["audio_end_ms"]) == ("conversation.item.truncated", 333)
    talk.wait()
    (retrieved,) = talk.send({"type": "conversation.item.retrieve", "item_id": item_id})
    (part,) = retrieved["item"]["content"]
    assert base64.b64decode(part["audio"]) == ASSISTANT_ANSWER.pcm[: 333 * 48]
    assert part["transcript"] is None


def test_items_stand_where_the_client_puts_them() -> None:
    talk = Talk()
    talk.send(user_text("b"), user_text("a", previous_item_id="root"))
    added = talk.send(user_text("c", previous_item_id="item_0002"))[0]
    assert added["previous_item_id"] == "item_0002"
    own: Message = {"type": "message", "id": "item_0004", "role": "system", "content": []}
    assert talk.send({"type": "conversation.item.create", "item": own})[0]["item"]["id"] == "item_0004"
    assert types(talk.send({"type": "conversation.item.create", "item": own})) == ["error"]
    assert talk.send(user_text("d"))[0]["item"]["id"] == "item_0005", "minted ids avoid the client's"
    delete: Message = {"type": "conversation.item.delete", "item_id": "item_0001"}
    assert types(talk.send(delete)) == ["conversation.item.deleted"]
    assert talk.send(delete)[0]["error"]["code"] == "item_not_found"


def test_a_client_may_bring_an_earlier_conversation_along() -> None:
    talk = Talk()
    said = base64.b64encode(silence(200)).decode()
    picture: JsonValue = {"type": "input_image", "image_url": "data:,", "detail": "low"}
    items: list[JsonValue] = [
        {"type": "message", "role": "user", "content": [picture, {"type": "input_audio", "audio": said}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_audio", "audio": said}]},
        {"type": "function_call", "name": "look", "arguments": "{}", "call_id": "call_of_old"},
        {"type": "function_call_output", "call_id": "call_of_old", "output": "Seen."},
    ]
    for item in items:
        added, done = talk.send({"type": "conversation.item.create", "item": item})
        assert added["item"] == done["item"]
        CLIENT_TYPES.validate_python({**added, "previous_item_id": ""})
    cut: Message = {"type": "conversation.item.truncate", "content_index": 0, "audio_end_ms": 100}
    assert types(talk.send({**cut, "item_id": "item_0001"})) == ["error"], "the user's own words stay"
    assert types(talk.send({**cut, "item_id": "item_0002"})) == ["conversation.item.truncated"]
    talk.send(RESPOND)
    usage = only(talk.wait(), "response.done")["response"]["usage"]
    assert usage["input_token_details"]["audio_tokens"] == 2 + 2


def test_nothing_grows_without_end() -> None:
    talk = Talk(HELLO)
    talk.update(turn_detection=None)
    half = silence(170_000)
    assert talk.send(append(half)) == []
    assert talk.send(append(half))[0]["error"]["code"] == "input_audio_buffer_full"
    talk.send(*[user_text("Again.")] * 1_000)
    commit: Message = {"type": "input_audio_buffer.commit"}
    for refused in (user_text("Once more."), RESPOND, commit):
        assert talk.send(refused)[0]["error"]["code"] == "too_many_items"
    talk.update(turn_detection={"type": "server_vad"})
    talk.send({"type": "input_audio_buffer.clear"})
    talk.hear(USER_INTERRUPTION.pcm + silence(300))
    assert types(talk.said)[-2:] == ["input_audio_buffer.speech_stopped", "error"]


def test_a_response_may_stay_out_of_the_conversation() -> None:
    talk = Talk(HELLO)
    options: JsonValue = {"conversation": "none", "metadata": {"topic": "x"}}
    talk.send({"type": "response.create", "response": options})
    talk.wait()
    assert not [t for t in types(talk.said) if t.startswith("conversation.")]
    response = only(talk.said, "response.done")["response"]
    assert (response["conversation_id"], response["metadata"]) == (None, {"topic": "x"})


@pytest.mark.parametrize(
    ("message", "code", "param"),
    [
        ({}, "missing_required_parameter", "type"),
        ({"type": "session.destroy"}, "invalid_value", "type"),
        ({"type": 3}, "invalid_value", "type"),
        ({"type": "input_audio_buffer.append"}, "missing_required_parameter", "audio"),
        ({"type": "input_audio_buffer.append", "audio": "#"}, "invalid_value", "audio"),
        ({"type": "input_audio_buffer.append", "audio": "AA=="}, "invalid_value", "audio"),
        ({"type": "conversation.item.create", "item": {}}, "missing_required_parameter", "item.type"),
        (
            {"type": "conversation.item.create", "item": {"type": "message"}},
            "missing_required_parameter",
            "item.role",
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "message", "role": "user", "content": [{"type": "input_text"}]},
            },
            "missing_required_parameter",
            "item.content[0].text",
        ),
        (
            {"type": "session.update", "session": {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}},
            "invalid_value",
            "session.audio.input.format.type",
        ),
        ({"type": "response.create", "response": {"metadata": 1}}, "invalid_value", "response.metadata"),
        ({"type": "conversation.item.retrieve", "item_id": "item_x"}, "item_not_found", "item_id"),
    ],
)
def test_what_does_not_fit_is_answered_by_an_error(message: Message, code: str, param: str) -> None:
    (answer,) = Talk().send({**message, "event_id": "mine"})
    assert answer["type"] == "error"
    error = answer["error"]
    assert (error["type"], error["code"], error["param"], error["event_id"]) == (
        "invalid_request_error",
        code,
        param,
        "mine",
    )
    assert param in error["message"] or code == "item_not_found"


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


# Whatever a client sends

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
