"""The server's half of the protocol, whoever directs it: what is out of place is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from realtape.provider import RequestRefused, ServerSession, Settings, parse
from realtape.schema import UsageError
from support.protocol_talk import CLIENT_TYPES, Message


def speaking(server: ServerSession, audio: bytes) -> str:
    """The item that a response is at; it has said so much."""
    server.respond()
    server.begin_item("speech")
    server.say("Hello.", audio)
    assert server.response is not None
    return server.response.outputs[-1].id


def answered(server: ServerSession, message: Message) -> list[Any]:
    request: Any = parse(message)
    return [*server.answer(request)]


MISUSES: list[tuple[Callable[[ServerSession], object], str]] = [
    (lambda server: server.say("Hello."), "no response is active"),
    (lambda server: server.begin_item("text"), "no response is active"),
    (lambda server: server.end_response(), "no response is active"),
    (lambda server: server.cancel("client_cancelled"), "no response is active"),
    (lambda server: server.speech_stopped(100), "is not speaking"),
    (lambda server: (server.speech_started(0), server.speech_started(0)), "is speaking already"),
    (lambda server: (server.respond(), server.say("Hello.")), "no item of the response is open"),
    (lambda server: (server.respond(), server.end_item()), "no item of the response is open"),
    (lambda server: (speaking(server, b""), server.begin_item("call")), "item_0001 is open"),
    (lambda server: (speaking(server, b""), server.end_response()), "item_0001 is open"),
]


@pytest.mark.parametrize(("does", "words"), MISUSES)
def test_what_cannot_be_done_now_is_the_directors_misuse(does: Callable[[ServerSession], object], words: str):
    with pytest.raises(UsageError, match=words):
        does(ServerSession())


def test_a_second_response_is_refused_as_to_a_client():
    server = ServerSession()
    speaking(server, b"")
    with pytest.raises(RequestRefused, match="has an active response: resp_0001"):
        server.respond()


def test_milliseconds_are_those_of_the_format_that_is_spoken():
    server = ServerSession(Settings.speaking("g711_ulaw"), connection=2)
    created: list[Any] = [*server.created()]
    CLIENT_TYPES.validate_python(created[0])
    assert created[0]["session"]["audio"]["output"]["format"] == {"type": "audio/pcmu"}
    item_id = speaking(server, bytes(800))
    assert item_id == "item_c2_0001"
    place: Message = {"item_id": item_id, "content_index": 0}
    with pytest.raises(RequestRefused, match="101 ms lie beyond the 100 ms"):
        answered(server, {"type": "conversation.item.truncate", **place, "audio_end_ms": 101})
    answered(server, {"type": "conversation.item.truncate", **place, "audio_end_ms": 40})
    (shown,) = answered(server, {"type": "conversation.item.retrieve", "item_id": item_id})
    CLIENT_TYPES.validate_python(shown)
    assert shown["item"]["content"][0]["transcript"] is None
    assert len(shown["item"]["content"][0]["audio"]) == len(bytes(320)) * 4 // 3 + 2


def test_what_is_said_after_a_truncation_is_said_and_does_not_come_back_into_the_item():
    server = ServerSession()
    item_id = speaking(server, bytes(4_800))
    cut: Message = {"item_id": item_id, "content_index": 0, "audio_end_ms": 0}
    answered(server, {"type": "conversation.item.truncate", **cut})
    types = [message["type"] for message in server.say(" You", bytes(480))]
    assert types == ["response.output_audio_transcript.delta", "response.output_audio.delta"]
    server.end_item()
    (done,) = server.end_response()
    CLIENT_TYPES.validate_python(done)
    (shown,) = answered(server, {"type": "conversation.item.retrieve", "item_id": item_id})
    assert shown["item"]["content"] == [{"type": "output_audio", "transcript": None}]
