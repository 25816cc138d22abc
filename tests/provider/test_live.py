"""The Live protocol from a script: what it answers, in the very types that `openai` has for it."""

from __future__ import annotations

from typing import Any

import pybase64
import pytest
from openai.types.live.server_event import ServerEvent
from pydantic import TypeAdapter
from realtape.provider import FunctionCall, LiveProtocol, LiveScript, LiveTurn, Speech, silence
from realtape.provider.protocol import Ended, Outgoing

SERVER_EVENT: TypeAdapter[Any] = TypeAdapter(ServerEvent)
START: dict[str, Any] = {"type": "session.start", "event_id": "mine", "session": {"model": "gpt-live-1"}}
SPEECH = Speech("Hi.", silence(250))


class LiveTalk:
    """A client of the protocol, without a socket."""

    def __init__(self, *turns: LiveTurn) -> None:
        self._protocol = LiveProtocol(LiveScript(turns))
        self.ended = False

    def send(self, type: str, **fields: Any) -> list[Any]:
        """What is answered; each is an event as the `openai` package knows it."""
        steps = self._protocol.receive({"type": type, **fields}, 0)
        self.ended = any(isinstance(step, Ended) for step in steps)
        return [SERVER_EVENT.validate_python(step.message) for step in steps if isinstance(step, Outgoing)]

    def start(self) -> LiveTalk:
        (started,) = self.send(**START)
        assert (started.client_event_id, started.session.id) == ("mine", "live_0001")
        return self

    def append(self, ms: int) -> list[Any]:
        return self.send("session.input_audio.append", audio=pybase64.b64encode_as_string(silence(ms)))


def types(events: list[Any]) -> list[str]:
    return [event.type.removeprefix("session.") for event in events]


def test_nothing_is_done_before_the_session_has_started() -> None:
    talk = LiveTalk()
    (error,) = talk.send("session.input_audio.mute", event_id="a")
    assert (error.error.code, error.client_event_id) == ("session_not_started", "a")
    (error,) = talk.start().send(**START)
    assert error.error.code == "session_already_started"


def test_it_hears_and_speaks_by_the_audio_that_was_appended() -> None:
    talk = LiveTalk(LiveTurn(200, SPEECH, "Hello?")).start()
    assert types(talk.append(100)) == []
    assert types(talk.append(100)) == [
        "input_transcript.delta",
        "output_transcript.delta",
        "output_audio.delta",
    ]
    assert types(talk.send("session.input_audio.mute")) == ["input_audio.muted"]
    (first, second) = talk.append(200)
    assert [len(pybase64.b64decode(one.delta)) for one in (first, second)] == [4_800, 2_400]
    assert talk.append(500) == []


def test_a_tool_is_called_by_a_delegation_and_its_answer_is_spoken() -> None:
    talk = LiveTalk(LiveTurn(100, SPEECH, call=FunctionCall("weather", {"city": "Prague"}))).start()
    delegated, *events = talk.append(100)
    assert (delegated.type, delegated.delegation.target) == ("session.delegation.created", "responses")
    assert {event.delegation_id for event in events} == {delegated.delegation.id}
    item = events[1].event["item"]
    assert (item["name"], item["arguments"]) == ("weather", '{"city": "Prague"}')
    output = {"type": "function_call_output", "call_id": item["call_id"], "output": "sunny"}
    assert talk.send("response.item.create", item=output) == []
    answered = talk.send("response.create", event_id="b")
    assert types(answered) == ["response.event", "response.event", "output_transcript.delta"]
    assert answered[0].client_event_id == "b"


def test_commands_are_answered_and_it_ends_as_asked() -> None:
    talk = LiveTalk().start()
    for verb in ("instructions", "thinking", "commentary"):
        assert types(talk.send(f"session.{verb}.append", content="x")) == [f"{verb}.appended"]
    (updated,) = talk.send("session.update", session={"instructions": "Be brief."})
    assert updated.session.instructions == "Be brief."
    (closed,) = talk.send("session.close")
    assert (closed.reason, talk.ended) == ("close_requested", True)


@pytest.mark.parametrize(
    "message",
    [
        {"type": "session.start"},
        {"type": "session.start", "session": {}},
        {"type": "session.input_audio.append", "audio": "%"},
        {"type": "response.item.create"},
        {"type": "no.such"},
        {"type": 3},
    ],
)
def test_what_makes_no_sense_is_an_error(message: dict[str, Any]) -> None:
    talk = LiveTalk() if message["type"] == "session.start" else LiveTalk().start()
    assert types(talk.send(**message)) == ["error"]
