"""The conversation's items, as the client brings them, without a socket."""

from __future__ import annotations

import base64

import pytest
from pydantic import JsonValue
from realtape.provider import USER_INTERRUPTION, silence
from support.protocol_talk import (
    CLIENT_TYPES,
    HELLO,
    RESPOND,
    Message,
    Talk,
    append,
    only,
    types,
    user_text,
)


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
