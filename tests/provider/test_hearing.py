"""The provider hears the user, without a socket: his turns, and his interruptions."""

from __future__ import annotations

import base64

from realtape.provider import ASSISTANT_ANSWER, USER_INTERRUPTION, USER_QUESTION, chunks, silence
from support.protocol_talk import (
    HELLO,
    RESPOND,
    Message,
    Shown,
    Talk,
    append,
    audio_of,
    only,
    types,
)


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
