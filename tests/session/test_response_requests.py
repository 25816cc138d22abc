"""Which request a response answers, and that who derives and who serves a recording say the same of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from realtape.lab.strategies import sessions
from realtape.session import Recording
from realtape.session.derived import derive_draft
from realtape.session.fixture import read_fixture
from realtape.session.response_requests import ResponseRequest, ResponseRequests
from realtape.wire import connections_of, gates_of
from support.depths import framed
from support.golden import FIXTURES

SWITCHBOARD = Recording.of(*read_fixture(FIXTURES / "switchboard"))


def create(**options: Any) -> dict[str, Any]:
    return {"type": "response.create", "event_id": options.pop("event_id", ""), "response": options}


def heard(item_id: str) -> list[dict[str, Any]]:
    return [
        {"type": "input_audio_buffer.speech_started", "item_id": item_id},
        {"type": "input_audio_buffer.committed", "item_id": item_id},
    ]


def after(*told: dict[str, Any]) -> ResponseRequests:
    requests = ResponseRequests()
    for place, one in enumerate(told):
        if one["type"] in ("response.create", "session.update"):
            requests.sent(place, one)
        elif one["type"] == "error":
            requests.refuse(one["error"])
        else:
            requests.came(place, one)
    return requests


def place(found: ResponseRequest | int | None) -> int | None:
    return found.place if isinstance(found, ResponseRequest) else found


def test_the_oldest_is_answered_unless_a_response_says_which_is_meant() -> None:
    requests = after(create(), create(metadata={"a": "1"}), create(conversation="none"), create())
    assert place(requests.answered(4, {"metadata": {"a": "1"}})) == 1
    assert place(requests.answered(5, {"conversation_id": None})) == 2
    assert [place(requests.answered(6 + n, {"conversation_id": "c"})) for n in range(3)] == [0, 3, None]


def test_what_was_said_before_is_answered_before() -> None:
    requests = after(*heard("item_1"), create())
    assert requests.answered(3, {}) == 1
    assert place(requests.answered(4, {})) == 2
    assert not list(requests.settled())
    brought_none = after(*heard("item_1"), create())
    assert brought_none.answered(3, {}) == 1
    assert [(own, request.place) for own, request in brought_none.settled()] == [(3, 2)]


@pytest.mark.parametrize("detection", [None, {"type": "server_vad", "create_response": False}])
def test_a_server_that_answers_nothing_by_itself_answers_requests(detection: Any) -> None:
    told = {"type": "session.update", "session": {"audio": {"input": {"turn_detection": detection}}}}
    assert place(after(told, *heard("item_1"), create()).answered(4, {})) == 3
    assert after(told, *heard("item_1")).answered(4, {}) is None


def test_what_was_refused_is_not_answered() -> None:
    active = {"type": "error", "error": {"code": "conversation_already_has_active_response"}}
    assert place(after(create(), create(), active).answered(3, {})) == 0
    named = {"type": "error", "error": {"event_id": "e", "code": "no_such_code"}}
    assert place(after(create(event_id="e"), create(), named).answered(3, {})) == 1
    other = {"type": "error", "error": {"code": "input_audio_buffer_commit_empty"}}
    assert place(after(create(), other).answered(2, {})) == 0


@given(sessions(max_connections=1))
@example(SWITCHBOARD)
@settings(max_examples=5)
def test_who_derives_and_who_serves_say_the_same(recording: Recording) -> None:
    draft = framed(recording.drafts()[0]).sealed()
    (connection,) = connections_of([draft])
    gates = gates_of(connection.frames, connection.dialect)
    served: dict[int, int | None] = {}
    for frame, gate in zip(connection.frames, gates, strict=True):
        if frame.inbound and frame.type == "response.created":
            served[frame.seq] = None if gate.answers is None else connection.frames[gate.answers].seq
    requests = {frame.seq for frame in connection.frames if frame.type == "response.create"}
    asked = {one.seq: one.asked_seq for one in derive_draft(draft).responses}
    assert {seq: found if found in requests else None for seq, found in asked.items()} == served
