"""What a session is made of, of the demo's recording: two answers, two interruptions, a tool."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from realtape.recorder import InMemory
from realtape.replay import run
from realtape.schema import (
    Kind,
    RealtimeModelOtherEvent,
    RealtimeModelRawServerEvent,
    RealtimeModelTurnEndedEvent,
)
from realtape.session import Draft, Recording
from realtape.session.structure import Structure
from support.golden import DEMO
from support.scripted import Listening, Scripted, ScriptedModel, tool_call, tool_output

TURN_ENDED = RealtimeModelTurnEndedEvent(response_id="resp_1")


@pytest.fixture(scope="module")
def demo() -> Structure:
    return Structure(asyncio.run(Recording.open(DEMO)).drafts()[0])


def test_every_received_event_is_of_one_message(demo: Structure) -> None:
    received = [entry.seq for entry in demo.draft.entries if entry.kind == Kind.RECEIVED]
    of_messages = [seq for message in demo.messages for seq in message.seqs]
    assert sorted(set(of_messages)) == sorted(of_messages)
    assert set(received) <= set(of_messages)
    assert all(demo.messages[place].seqs.count(seq) == 1 for seq, place in demo.message_of.items())


def test_a_message_is_what_the_model_made_of_a_raw_event(demo: Structure) -> None:
    types = {
        message.type: [demo.draft.entries[seq].type for seq in message.seqs] for message in demo.messages
    }
    assert types["response.created"] == ["raw_server_event", "turn_started"]
    assert types["response.done"] == ["raw_server_event", "usage", "turn_ended", None]
    assert types["input_audio_buffer.speech_started"] == [
        *("raw_server_event", "model", "audio_interrupted", None, "model")
    ]
    # Emitted inside `send_event`, it is no message of the server.
    assert types["item_updated"] == ["item_updated"]


def test_a_message_goes_on_behind_what_a_listener_sent_in_its_midst() -> None:
    async def script(model: Scripted) -> None:
        data = {"type": "response.output_item.done", "item": {"id": "item_1"}}
        await model.emit(RealtimeModelRawServerEvent(data=data), tool_call(1), TURN_ENDED)

    async def answers(model: Any) -> None:
        async def answer(event: Any) -> None:
            if event.type == "function_call":
                await model.send_event(tool_output(event))

        listening = Listening(answer)
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        await model.close()

    def inside(event: Any) -> list[Any]:
        return [RealtimeModelOtherEvent(data="told inside")]

    async def main() -> list[Draft]:
        recorder = InMemory("in memory")
        await answers(recorder.wrap(ScriptedModel(script, inside)))
        recorder.close_blocking()
        return recorder.drafts()

    (draft,) = run(main())
    structure = Structure(draft)
    types = [[draft.entries[seq].type for seq in message.seqs] for message in structure.messages]
    sent = next(entry.seq for entry in draft.entries if entry.type == "send_tool_output")
    assert types == [["raw_server_event", "function_call", None, "turn_ended"], ["other"]]
    assert [message.sent for message in structure.messages] == [None, sent]


def test_responses_with_all_that_is_of_them(demo: Structure) -> None:
    assert [response.response_id for response in demo.responses] == [
        *("resp_0001", "resp_0002", "resp_0003", "resp_0004")
    ]
    for response in demo.responses:
        assert response.began is not None
        assert response.ended is not None
        assert demo.facts(response.began)["response_id"] == response.response_id
        types = {demo.messages[place].type for place in response.messages}
        assert {"response.created", "response.output_item.added", "response.done"} <= types


def test_a_call_of_a_tool_and_what_depends_on_it(demo: Structure) -> None:
    (call,) = demo.calls
    assert (call.name, len(call.outputs)) == ("departure", 1)
    dependents = demo.dependents([call.seq])
    kinds = sorted(demo.draft.entries[seq].kind for seq in dependents)
    assert kinds == ["received", "received", "received", "received", "sent", "sent_done"]
    assert demo.facts(min(dependents))["type"] == "response.output_item.done"


def test_sounds_are_whole(demo: Structure) -> None:
    assert [(sound.item_id, sound.length) for sound in demo.sounds] == [
        *(("item_0002", 100_800), ("item_0006", 57_600), ("item_0008", 77_760))
    ]
    for sound in demo.sounds:
        ends = [0, *(chunk.begin + chunk.length for chunk in sound.chunks)]
        assert [chunk.begin for chunk in sound.chunks] == ends[:-1]


def test_whatever_depends_on_something_goes_with_it(demo: Structure) -> None:
    for entry in demo.draft.entries:
        gone = demo.dependents([entry.seq])
        assert gone == demo.dependents(gone)
        left = [one for one in demo.draft.entries if one.seq not in gone]
        assert not [one for one in left if one.cause in gone or one.of in gone]
