"""The core, driven bare: what waits for what, what is told, and an end whatever a client does."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.replay import AudioMatching, PlaybackMatching
from realtape.schema import Frame
from realtape.wire import (
    DIALECTS,
    ClientRun,
    EndNow,
    RecordedConnection,
    RecordedEnd,
    SendFrame,
    ServerSide,
    WaitUntil,
    WireFrame,
    decisive,
    gates_of,
    ids_for,
)
from realtape.wire.dialects import message_in
from support.wire_strategies import HOSTILE, NO_NUMBERS, SAID, client_messages
from support.wire_talk import (
    CREATED,
    MS,
    RESPOND,
    TURN,
    UPDATE,
    UPDATED,
    Played,
    Said,
    added,
    as_recorded,
    asked,
    connection,
    data_of,
    inbound,
    response,
)

SERVER_CLOSED = RecordedEnd("server", "closed", 1011, "Broken.", 1_000 * MS)


def answers(said: list[Said]) -> dict[str, str]:
    """Type of what answers → type of what it answers; by their order where one type comes more than once."""
    recorded = connection(said)
    found: dict[str, str] = {}
    for frame, gate in zip(recorded.frames, gates_of(recorded.frames, recorded.dialect), strict=True):
        if frame.inbound and gate.answers is not None:
            assert not recorded.frames[gate.answers].inbound
            found[f"{frame.type} {frame.seq}"] = f"{recorded.frames[gate.answers].type} {gate.answers}"
    return found


# --- who answers whom -------------------------------------------------------------------------------------


def test_a_turn() -> None:
    assert answers(TURN) == {
        "session.updated 2": "session.update 1",
        "conversation.item.added 5": "conversation.item.create 3",
        "response.created 6": "response.create 4",
    }


def test_an_update_that_was_refused_is_answered_by_the_error() -> None:
    refused = (">", {"type": "session.update", "event_id": "mine_1", "session": {"voice": "none"}})
    error = ("<", {"type": "error", "event_id": "event_9", "error": {"event_id": "mine_1", "code": "x"}})
    assert answers([CREATED, refused, UPDATE, error, UPDATED]) == {
        "error 3": "session.update 1",
        "session.updated 4": "session.update 2",
    }


def test_errors_that_name_no_frame_go_by_their_code() -> None:
    active = {"event_id": None, "code": "conversation_already_has_active_response"}
    said = [
        CREATED,
        RESPOND,
        RESPOND,
        *response("resp_1", item="item_1")[:1],
        ("<", {"type": "error", "error": active}),
    ]
    assert answers(said) == {"response.created 3": "response.create 1", "error 4": "response.create 2"}


def test_errors_that_tell_nothing_refuse_what_nothing_answers() -> None:
    def error(code: str | None) -> Said:
        return "<", {"type": "error", "error": {"event_id": None, "code": code}}

    forgotten = (">", {"type": "conversation.item.delete", "item_id": "item_nowhere"})
    said = [CREATED, UPDATE, forgotten, RESPOND, error("invalid_value"), error(None), UPDATED]
    assert answers(said) == {
        "error 4": "conversation.item.delete 2",
        "error 5": "response.create 3",
        "session.updated 6": "session.update 1",
    }
    recorded = connection([CREATED, UPDATE, UPDATED, error("server_error"), forgotten])
    assert gates_of(recorded.frames, recorded.dialect)[3].answers is None, "nothing was left before it"


def test_items_by_their_id_their_call_and_their_content() -> None:
    output = {"type": "function_call_output", "call_id": "call_1", "output": "{}"}
    said: list[Said] = [
        asked("again"),
        asked("again"),
        (">", {"type": "conversation.item.create", "item": output}),
        asked("named", id="mine"),
        ("<", {"type": "conversation.item.added", "item": {**output, "id": "item_4"}}),
        added("named", "mine"),
        added("again", "item_1"),
        added("again", "item_2"),
        (
            "<",
            {"type": "conversation.item.done", "item": {"id": "item_1", "type": "message", "role": "user"}},
        ),
        ("<", {"type": "response.output_item.added", "response_id": "r", "item": {"id": "item_5"}}),
        added("again", "item_5"),
    ]
    assert answers(said) == {
        "conversation.item.added 4": "conversation.item.create 2",
        "conversation.item.added 5": "conversation.item.create 3",
        "conversation.item.added 6": "conversation.item.create 0",
        "conversation.item.added 7": "conversation.item.create 1",
        "conversation.item.done 8": "conversation.item.create 0",
    }


def test_responses_by_their_metadata_and_out_of_band() -> None:
    said: list[Said] = [
        RESPOND,
        (">", {"type": "response.create", "response": {"conversation": "none"}}),
        (">", {"type": "response.create", "response": {"metadata": {"topic": "b"}}}),
        ("<", {"type": "response.created", "response": {"id": "r1", "metadata": {"topic": "b"}}}),
        ("<", {"type": "response.created", "response": {"id": "r2", "conversation_id": None}}),
        ("<", {"type": "response.created", "response": {"id": "r3", "conversation_id": "conv"}}),
    ]
    assert answers(said) == {
        "response.created 3": "response.create 2",
        "response.created 4": "response.create 1",
        "response.created 5": "response.create 0",
    }


def speech(item: str) -> list[Said]:
    return [
        ("<", {"type": "input_audio_buffer.speech_started", "item_id": item}),
        ("<", {"type": "input_audio_buffer.speech_stopped", "item_id": item}),
        ("<", {"type": "input_audio_buffer.committed", "item_id": item}),
    ]


def test_what_the_user_says_brings_a_response_of_the_servers_own() -> None:
    said = [CREATED, UPDATE, UPDATED, *speech("item_1"), *response("resp_1", item="item_2"), RESPOND]
    said += response("resp_2", item="item_3")
    assert answers(said) == {
        "session.updated 2": "session.update 1",
        "response.created 10": "response.create 9",
    }


def test_a_request_is_answered_where_speech_brings_no_response() -> None:
    said = [CREATED, *speech("item_1"), RESPOND, *response("resp_1", item="item_2")]
    assert answers(said) == {"response.created 5": "response.create 4"}
    off = (">", {"type": "session.update", "session": {"turn_detection": {"create_response": False}}})
    said = [CREATED, off, *speech("item_1"), RESPOND, *response("resp_1", item="item_2")]
    assert answers(said) == {"response.created 6": "response.create 5"}


def test_cancelled_by_the_client_and_committed_by_it() -> None:
    done = {"id": "resp_1", "status": "cancelled", "status_details": {"reason": "client_cancelled"}}
    said: list[Said] = [
        (">", {"type": "input_audio_buffer.commit"}),
        ("<", {"type": "input_audio_buffer.committed", "item_id": "item_1"}),
        added("", "item_1"),
        RESPOND,
        *response("resp_1", "I ", item="item_2")[:-1],
        (">", {"type": "response.cancel"}),
        (
            ">",
            {
                "type": "conversation.item.truncate",
                "item_id": "item_2",
                "content_index": 0,
                "audio_end_ms": 9,
            },
        ),
        ("<", {"type": "conversation.item.truncated", "item_id": "item_2"}),
        ("<", {"type": "response.done", "response": done}),
    ]
    assert answers(said) == {
        "input_audio_buffer.committed 1": "input_audio_buffer.commit 0",
        "conversation.item.added 2": "input_audio_buffer.commit 0",
        "response.created 4": "response.create 3",
        "conversation.item.truncated 9": "conversation.item.truncate 8",
        "response.done 10": "response.cancel 7",
    }


def test_the_live_protocol_echoes_the_clients_id() -> None:
    said: list[Said] = [
        (">", {"type": "session.start", "event_id": "a", "session": {}}),
        ("<", {"type": "session.started", "client_event_id": "a"}),
        (">", {"type": "session.instructions.append", "event_id": "b"}),
        (">", {"type": "session.instructions.append", "event_id": "c"}),
        ("<", {"type": "session.instructions.appended", "client_event_id": "c"}),
        ("<", {"type": "session.instructions.appended"}),
        (">", {"type": "response.create"}),
        ("<", {"type": "response.event", "event": {"type": "response.created"}}),
    ]
    assert connection(said).dialect is DIALECTS["openai-live"]
    assert answers(said) == {
        "session.started 1": "session.start 0",
        "session.instructions.appended 4": "session.instructions.append 3",
        "session.instructions.appended 5": "session.instructions.append 2",
        "response.event 7": "response.create 6",
    }


# --- playing ----------------------------------------------------------------------------------------------


def test_a_client_that_does_the_same_gets_the_very_frames() -> None:
    recorded = connection(TURN)
    played = as_recorded(recorded)
    assert played.got == inbound(recorded)
    side = played.leave()
    assert (side.findings, side.matched, side.unplayed) == ([], 3, 0)


def test_nothing_is_answered_before_it_was_asked() -> None:
    played = Played(connection(TURN))
    assert [message["type"] for message in played.hear_now()] == ["session.created"]
    played.send(UPDATE[1])
    assert [message["type"] for message in played.hear_now()] == ["session.updated"]
    played.send(RESPOND[1])
    assert played.hear_now() == []
    played.send(asked("Hello?")[1])
    assert len(played.hear_now()) == 6


@pytest.mark.parametrize("pace", [1.0, 0.5])
def test_the_recorded_gaps_are_kept_from_where_the_client_asked(pace: float) -> None:
    played = Played(connection(TURN), pace=pace)
    played.hear(until_ns=0)
    played.now_ns = 500 * MS
    played.send(UPDATE[1])
    due_ns = 500 * MS + int(10 * MS * pace)
    assert played.hear(until_ns=due_ns - 1) == []
    assert [message["type"] for message in played.hear(until_ns=due_ns)] == ["session.updated"]


def test_ids_that_the_client_mints_are_given_back_to_it() -> None:
    said = [*TURN[:3], asked("Hello?", id="mine_1"), RESPOND, added("Hello?", "mine_1")]
    said.append(
        ("<", {"type": "conversation.item.done", "previous_item_id": "mine_1", "item": {"id": "mine_1"}})
    )
    played = Played(connection(said))
    played.hear_now()
    played.send(UPDATE[1])
    played.hear_now()
    played.send(asked("Hello?", id="other")[1])
    got = played.hear_now()
    assert [message["item"]["id"] for message in got] == ["other", "other"]
    assert got[1]["previous_item_id"] == "other"
    assert played.findings() == []


def test_an_id_of_the_clients_stands_for_the_one_that_the_server_had_minted() -> None:
    played = Played(connection(TURN))
    played.hear_now()
    played.send({**UPDATE[1], "event_id": "e"})
    played.hear_now()
    played.send(asked("Hello?", id="mine")[1], RESPOND[1])
    assert played.hear_now()[0]["item"]["id"] == "mine"
    assert played.findings() == []


def test_an_id_that_the_server_said_first_is_not_renamed() -> None:
    cut = {"type": "conversation.item.truncate", "item_id": "item_2", "content_index": 0, "audio_end_ms": 10}
    recorded = connection([*TURN, (">", cut)])
    played = Played(recorded)
    played.hear_now()
    played.send(UPDATE[1])
    played.hear_now()
    played.send(asked("Hello?")[1], RESPOND[1])
    played.hear_now()
    played.send({**cut, "item_id": "item_1"})
    (finding,) = played.side.findings
    assert (finding.kind, finding.seq, finding.after) == ("changed", len(TURN), "response.done")
    assert [str(difference) for difference in finding.differences] != []
    assert finding.differences[0].field == "item_id"


def test_a_changed_frame_is_answered_as_recorded() -> None:
    played = Played(connection(TURN))
    played.hear_now()
    played.send({"type": "session.update", "session": {"instructions": "Be long."}})
    assert [message["type"] for message in played.hear_now()] == ["session.updated"]
    (finding,) = played.side.findings
    assert (finding.kind, finding.differences[0].field) == ("changed", "session.instructions")


def cut(item: str, ms: int) -> dict[str, Any]:
    return {"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": ms}


CUT: list[Said] = [
    CREATED,
    (">", cut("item_1", 880)),
    ("<", {**cut("item_1", 880), "type": "conversation.item.truncated"}),
]


@pytest.mark.parametrize("playback", ["tolerant", "ignore", "exact"])
def test_how_much_was_heard_is_by_the_clients_own_clock(playback: PlaybackMatching) -> None:
    side = ServerSide(connection(CUT), ids_for(DIALECTS["openai-realtime"]), 0, pace=0, playback=playback)
    assert isinstance(side.next(0), SendFrame)
    live = {
        "type": "conversation.item.truncate",
        "item_id": "item_1",
        "content_index": 0,
        "audio_end_ms": 912,
    }
    assert side.receive(Frame(json.dumps(live)), 1) == 1
    answer = side.next(2)
    assert isinstance(answer, SendFrame)
    assert json.loads(answer.message)["audio_end_ms"] == (880 if playback == "exact" else 912)
    kind = {"tolerant": ["heard"], "ignore": [], "exact": ["changed"]}[playback]
    assert [one.kind for one in side.findings] == kind
    assert bool(decisive(side.findings)) == (playback == "exact")
    assert all("880" in one.differences[0].recorded for one in side.findings)


@pytest.mark.parametrize(
    ("then", "ms", "kind"),
    [
        *((880, 0, "heard"), (880, 900, "heard"), (880, 901, "changed"), (880, -1, "changed")),
        *((880, "8", "changed"), (950, 960, "heard")),
    ],
)
def test_nobody_has_heard_more_than_was_sent(then: int, ms: Any, kind: str) -> None:
    """The provider refuses such a truncate; a clock of one's own is no excuse."""
    delta = {"type": "response.output_audio.delta", "delta": base64.b64encode(bytes(300 * 48)).decode()}
    spoken: list[Said] = [("<", {**delta, "item_id": "item_1"})] * 3 + [("<", {**delta, "item_id": "item_2"})]
    side = ServerSide(
        connection([CREATED, *spoken, (">", cut("item_1", then))]),
        ids_for(DIALECTS["openai-realtime"]),
        0,
        pace=0,
        playback="tolerant",
    )
    while isinstance(side.next(0), SendFrame):
        pass
    side.receive(Frame(json.dumps({**cut("item_1", 880), "audio_end_ms": ms})), 1)
    assert [one.kind for one in side.findings] == [kind]


def test_another_item_that_is_cut_is_another_frame() -> None:
    side = ServerSide(connection(CUT), ids_for(DIALECTS["openai-realtime"]), 0, pace=0, playback="tolerant")
    live = {
        "type": "conversation.item.truncate",
        "item_id": "item_2",
        "content_index": 0,
        "audio_end_ms": 912,
    }
    side.receive(Frame(json.dumps(live)), 1)
    assert [one.kind for one in side.findings if one.kind != "moved"] == ["changed"]


def test_what_was_redacted_is_whatever_the_client_says() -> None:
    tool = {"type": "mcp", "server_label": "m", "authorization": "[redacted]"}
    update = (">", {"type": "session.update", "session": {"tools": [tool]}})
    played = Played(connection([CREATED, update, UPDATED]))
    played.hear_now()
    played.send({"type": "session.update", "session": {"tools": [{**tool, "authorization": "sk-live"}]}})
    assert [message["type"] for message in played.hear_now()] == ["session.updated"]
    assert played.findings() == []
    again = Played(connection([CREATED, update, UPDATED]))
    again.hear_now()
    again.send({"type": "session.update", "session": {"tools": [{**tool, "server_label": "n"}]}})
    assert again.findings() == [("changed", "session.update")]


def test_one_frame_too_many_is_unexpected_even_where_it_came_first() -> None:
    played = Played(connection(TURN))
    played.hear_now()
    played.send({"type": "session.update", "session": {"voice": "verse"}}, UPDATE[1])
    played.hear_now()
    assert played.findings() == [("unexpected", "session.update")]
    played.send({"type": "no.such.thing"}, "text", b"bytes")
    assert played.findings()[1:] == [("unexpected", "no.such.thing"), ("unexpected", ""), ("unexpected", "")]


def test_order_does_not_matter_where_nothing_came_in_between() -> None:
    played = Played(connection(TURN))
    played.hear_now()
    played.send(UPDATE[1])
    played.hear_now()
    played.send(RESPOND[1], asked("Hello?")[1])
    played.hear_now()
    assert played.findings() == []


def test_a_frame_on_the_other_side_of_a_landmark_has_moved() -> None:
    second = [*response("resp_2", item="item_9")]
    recorded = connection([*TURN, RESPOND, *second])
    played = Played(recorded)
    played.hear_now()
    played.send(UPDATE[1])
    played.hear_now()
    played.send(asked("Hello?")[1], RESPOND[1], RESPOND[1])
    played.hear_now()
    (finding,) = played.side.findings
    assert finding.summary == "response.create came before conversation.item.added; it was recorded after it"
    assert decisive([finding]) == []
    assert decisive([finding], strict=True) == [finding]


def test_what_does_not_come_is_given_up_and_what_depends_on_it_falls() -> None:
    said: list[Said] = [
        *TURN,
        UPDATE,
        ("<", {"type": "session.updated", "event_id": "event_3", "session": {}}),
    ]
    played = Played(connection(said))
    played.hear_now()
    played.send(UPDATE[1])
    played.hear_now()
    played.send(asked("Hello?")[1], UPDATE[1])
    assert [message["type"] for message in played.hear_now()] == ["conversation.item.added"]
    assert [message["type"] for message in played.hear()] == ["session.updated"]
    assert played.now_ns == 2_000 * MS
    side = played.leave()
    assert played.findings() == [("moved", "session.update"), ("given up", "response.created")]
    assert len(side.skipped) == 5


def test_who_gets_something_after_a_frame_was_given_up_has_time_to_answer() -> None:
    """It leaves one frame out, and else does as recorded: it gets all but the answer to that."""
    again: list[Said] = [asked("And?"), RESPOND, added("And?", "item_3"), *response("resp_2", item="item_4")]
    played = Played(connection([*TURN, *again]))
    played.hear_now()
    played.send(asked("Hello?")[1], RESPOND[1])
    assert [message["type"] for message in played.hear(until_ns=2_500 * MS)][-1] == "response.done"
    assert played.now_ns == 2_000 * MS
    played.send(asked("And?")[1], RESPOND[1])
    assert [message["type"] for message in played.hear()] == [message["type"] for _, message in again[2:]]
    told = decisive(played.leave().findings)
    assert [(one.kind, one.type) for one in told] == [("given up", "session.updated")]


def test_what_comes_after_its_answer_was_given_up_came_too_late() -> None:
    played = Played(connection(TURN))
    played.hear_now()
    played.send(asked("Hello?")[1])
    played.hear()
    played.send(RESPOND[1])
    (finding,) = (one for one in played.leave().findings if one.kind == "given up" and "response" in one.type)
    assert finding.summary == "response.created was given up: response.create that it answers came too late"
    assert finding.after == "conversation.item.added"


def test_a_response_that_was_begun_is_ended() -> None:
    done = {"id": "resp_1", "status": "cancelled", "status_details": {"reason": "client_cancelled"}}
    said: list[Said] = [
        CREATED,
        RESPOND,
        *response("resp_1", "I ", item="item_2")[:-1],
        (">", {"type": "response.cancel"}),
    ]
    said.append(("<", {"type": "response.done", "response": done}))
    played = Played(connection(said))
    played.hear_now()
    played.send(RESPOND[1])
    assert [message["type"] for message in played.hear()][-1] == "response.done"
    assert played.findings() == [("given up", "response.done")]
    assert "was delivered without it" in played.side.findings[0].summary


def test_what_was_recorded_and_did_not_come_is_missing() -> None:
    played = Played(connection([*TURN, UPDATE]))
    played.hear_now()
    played.send(UPDATE[1])
    played.hear_now()
    played.send(asked("Hello?")[1], RESPOND[1])
    played.hear()
    played.leave()
    assert played.findings() == [("missing", "session.update")]
    early = Played(connection(TURN))
    early.hear_now()
    early.leave()
    assert early.findings() == [("missing", "session.update")]


# --- speech -----------------------------------------------------------------------------------------------


def append(ms: int) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(ms * 48)).decode()}


SPOKEN: list[Said] = [
    CREATED,
    *[(">", append(100)) for _ in range(5)],
    *speech("item_1"),
    *response("resp_1", item="item_2"),
]


def test_speech_waits_for_as_much_audio_in_any_chunks() -> None:
    played = Played(connection(SPOKEN))
    played.send(append(499))
    assert [message["type"] for message in played.hear_now()] == ["session.created"]
    played.send(append(1))
    assert len(played.hear_now()) == 6
    assert played.findings() == []
    assert not played.side.weaker


SOUND = Random(1).randbytes(24_000)


def says(pcm: bytes) -> dict[str, Any]:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}


def unmatched(pieces: Sequence[bytes], audio: AudioMatching, *, silent: bool = False) -> int:
    recorded = connection([CREATED, *[(">", says(SOUND[at : at + 4_800])) for at in range(0, 24_000, 4_800)]])
    side = ClientRun([replace(recorded, silent=silent)]).connect(0, audio=audio)
    for piece in pieces:
        side.receive(Frame.of(data_of(says(piece))), 0)
    side.left(0)
    assert side.spoken.frames == len(pieces)
    assert side.findings == []
    return side.spoken.unmatched


def test_what_is_said_aloud_is_a_stream_or_frames() -> None:
    whole = [SOUND[at : at + 4_800] for at in range(0, 24_000, 4_800)]
    halves = [SOUND[at : at + 2_400] for at in range(0, 24_000, 2_400)]
    assert [unmatched(whole, "bytes"), unmatched(whole, "exact"), unmatched(whole[:3], "exact")] == [0, 0, 0]
    assert [unmatched(halves, "bytes"), unmatched(halves, "exact")] == [0, 10]
    assert [unmatched([*whole, whole[0]], one) for one in ("bytes", "exact", "ignore")] == [1, 1, 0]


def test_other_sound_is_counted_and_what_follows_is_found_again() -> None:
    noisy = [SOUND[:4_800], bytes(4_800), SOUND[9_600:14_400], SOUND[14_400:]]
    assert [unmatched(noisy, one) for one in ("bytes", "exact", "ignore")] == [1, 2, 0]
    assert unmatched(noisy, "bytes", silent=True) == 0, "only the length is known"


def test_without_audio_speech_comes_at_its_time_and_the_replay_is_weaker() -> None:
    played = Played(connection(SPOKEN), pace=1.0)
    assert len(played.hear()) == 7
    assert played.now_ns >= 2_000 * MS
    assert list(played.side.weaker) == [
        "speech was played at its recorded time: the client appended less audio"
    ]
    assert played.findings() == []


# --- ends -------------------------------------------------------------------------------------------------


def test_the_providers_end_is_played_and_the_clients_is_not() -> None:
    played = Played(connection([CREATED], end=SERVER_CLOSED), pace=1.0)
    played.hear()
    assert played.end == EndNow(SERVER_CLOSED)
    assert played.now_ns == 1_000 * MS
    for end in (RecordedEnd("client", "closed", 1000), RecordedEnd()):
        played = Played(connection([CREATED], end=end), pace=1.0)
        played.hear()
        assert played.end is None
        assert played.side.over


def test_the_end_waits_for_a_client_that_is_not_done() -> None:
    played = Played(connection([CREATED, UPDATE], end=SERVER_CLOSED))
    played.hear(until_ns=1_000 * MS)
    assert played.end is None
    played.send(UPDATE[1])
    played.hear_now()
    assert played.end is not None


# --- frames that are no messages --------------------------------------------------------------------------


def test_of_an_unknown_protocol_the_order_counts() -> None:
    said: list[Said] = [
        ("<", "hi"),
        (">", "a"),
        (">", b"b"),
        ("<", b"\xff"),
        ("<", "c"),
        (">", "d"),
        ("<", "e"),
    ]
    recorded = connection(said)
    assert recorded.dialect is DIALECTS["opaque"]
    played = Played(recorded)
    played.send("a")
    assert played.hear_now() == ["hi"]
    played.send(b"b")
    assert played.hear_now() == [b"\xff", "c"]
    played.send("x")
    assert played.hear_now() == ["e"]
    assert played.findings() == [("unexpected", "")]
    assert as_recorded(recorded).got == inbound(recorded)


def test_gemini_by_its_keys() -> None:
    said: list[Said] = [
        (">", {"setup": {"model": "m"}}),
        ("<", {"setupComplete": {}}),
        (">", {"client_content": {"turnComplete": True}}),
        ("<", {"serverContent": {"turnComplete": True}}),
    ]
    recorded = connection(said)
    assert recorded.dialect is DIALECTS["gemini-live"]
    assert [frame.type for frame in recorded.frames] == [
        "setup",
        "setupComplete",
        "client_content",
        "serverContent",
    ]
    played = Played(recorded)
    assert played.hear_now() == []
    played.send({"setup": {"model": "m"}})
    assert played.hear_now() == [{"setupComplete": {}}]
    played.send({"client_content": {"turnComplete": True}})
    assert len(played.hear_now()) == 1


def shown(data: bytes, key: str = "video") -> Said:
    blob = {"mimeType": "image/jpeg", "data": base64.b64encode(data).decode()}
    return (">", {"realtimeInput": {key: [blob] if key == "mediaChunks" else blob}})


@pytest.mark.parametrize("key", ["video", "mediaChunks"])
def test_pictures_beside_the_sound_are_compared_by_their_digests(key: str) -> None:
    sound = {"mimeType": "audio/pcm;rate=16000", "data": base64.b64encode(bytes(640)).decode()}
    heard: Said = (">", {"realtimeInput": {"audio": sound}})
    turn: Said = ("<", {"serverContent": {"turnComplete": True}})
    recorded = connection(
        [(">", {"setup": {"model": "m"}}), ("<", {"setupComplete": {}}), shown(b"one", key), heard, turn]
    )
    side = as_recorded(recorded).side
    assert (side.pictures.count, side.pictures.unmatched, side.spoken.frames, side.findings) == (1, [], 1, [])

    played = Played(recorded)
    played.send({"setup": {"model": "m"}}, shown(b"one", "video")[1], shown(b"two", key)[1])
    assert [next(iter(one)) for one in played.hear()] == ["setupComplete", "serverContent"]
    side = played.leave()
    digest = hashlib.sha256(b"two").hexdigest()[:16]
    assert side.pictures.unmatched == [f"image/jpeg, 3 bytes, sha256 {digest}"]
    assert (side.spoken.frames, side.findings) == (0, [])


def test_a_picture_in_an_item_is_told_by_size_and_digest() -> None:
    def looking(data: bytes, encode: Any = base64.b64encode) -> Said:
        url = f"data:image/png;base64,{encode(data).decode()}"
        content = [{"type": "input_image", "image_url": url}, {"type": "input_text", "text": "What is it?"}]
        item = {"type": "message", "role": "user", "content": content}
        return (">", {"type": "conversation.item.create", "item": item})

    cat, dog = (bytes([n]) * 300_000 for n in (251, 252))
    recorded = connection([CREATED, looking(cat), RESPOND])
    for again, kinds in (
        (looking(cat), []),
        (looking(cat, base64.urlsafe_b64encode), []),
        (looking(dog), [1]),
    ):
        played = Played(recorded)
        played.hear_now()
        played.send(again[1], RESPOND[1])
        findings = played.leave().findings
        assert len(findings) == len(kinds)
    (difference,) = findings[0].differences
    assert difference.field == "item.content[0].image_url"
    told = [
        f"'image/png, 300,000 bytes, sha256 {hashlib.sha256(one).hexdigest()[:16]}'" for one in (cat, dog)
    ]
    assert [difference.recorded, difference.live] == told


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_only_python_takes_for_json_is_no_message(text: str) -> None:
    assert message_in(text) is None
    recorded = connection([CREATED, ("<", text), (">", text), RESPOND])
    played = as_recorded(recorded)
    assert (played.got, played.side.findings) == (inbound(recorded), [])
    other = Played(recorded)
    other.hear_now()
    other.send(text + " ", RESPOND[1])
    assert [one.kind for one in other.leave().findings] == ["unexpected", "missing"]


# --- any client at all ------------------------------------------------------------------------------------


@given(SAID, st.lists(st.one_of(client_messages(), HOSTILE), max_size=15), st.sampled_from([0.0, 1.0]))
def test_whatever_a_client_sends_the_invariants_hold(said: list[Said], sends: list[Any], pace: float) -> None:
    recorded = connection(said, end=SERVER_CLOSED)
    gates = gates_of(recorded.frames, recorded.dialect)
    played = Played(recorded, pace=pace)
    for message in sends:
        played.send(message)
        played.hear_now()
        played.now_ns += 5 * MS
    played.hear()
    side = played.leave()
    assert played.end is not None, "the end is played at last, whatever did not come"
    assert side.unplayed == 0
    assert side.delivered == sorted(set(side.delivered))
    assert not set(side.delivered) & set(side.skipped)
    assert [recorded.frames[place].inbound for place in side.delivered] == [True] * len(played.got)
    given_up = {finding.seq for finding in side.findings if finding.kind == "given up"}
    for place in side.delivered:
        asked_for = gates[place].answers
        if asked_for is not None and place not in given_up:
            assert asked_for < place
            assert side.matched
    begun = {
        name
        for place in side.delivered
        if recorded.frames[place].type == "response.created"
        for name in gates[place].named
    }
    for place in side.skipped:
        if recorded.frames[place].type == "response.done":
            assert not gates[place].named <= begun or not gates[place].named


@given(SAID)
def test_a_client_that_does_as_recorded_gets_every_frame_and_is_told_nothing(said: list[Said]) -> None:
    recorded = connection([one for one in said if one[1] not in ("", b"")])
    played = as_recorded(recorded)
    side = played.leave()
    assert played.got == inbound(recorded) or any("error" in str(frame.type) for frame in recorded.frames)
    assert not [finding for finding in side.findings if finding.kind in ("missing", "unexpected")]


@given(SAID, SAID, st.lists(st.integers(0, 1), max_size=30))
def test_two_connections_of_a_run_in_any_interleaving(
    one: list[Said], two: list[Said], order: list[int]
) -> None:
    run = ClientRun([connection(one), connection(two)])
    sides = [run.connect(0, pace=0.0), run.connect(0, pace=0.0)]
    sent = [iter([what for way, what in said if way == ">"]) for said in (one, two)]
    for which in order:
        message = next(sent[which], None)
        if message is not None:
            data = json.dumps(message) if isinstance(message, dict) else message
            sides[which].receive(Frame.of(data), 0)
        while isinstance(sides[which].next(0), SendFrame):
            pass
    for side in sides:
        run.ended(side, 0)
    assert not run.open


def test_a_recording_of_nothing_is_played() -> None:
    played = Played(RecordedConnection("session", 1, 0, DIALECTS["opaque"], tuple[WireFrame, ...]()))
    assert played.hear() == []
    assert played.side.over


def test_a_frame_of_an_anchored_connection_comes_where_it_came() -> None:
    recorded = connection(TURN)
    side = ClientRun([recorded]).connect(0, patience_ns=None, anchored=True)
    assert side.look(0) == 0
    side.take(0)
    assert side.look(15 * MS) == WaitUntil(20 * MS)  # the answer, though nobody has asked yet
    assert side.look(20 * MS) == WaitUntil(None)
    side.receive(Frame.of(data_of(UPDATE[1])), 25 * MS)  # recorded at 10: everything is later by so much
    assert side.look(30 * MS) == WaitUntil(35 * MS)
    assert side.look(35 * MS) == 2
    side.take(2)
    assert side.planned_ns(0) == 15 * MS


def test_what_is_awaited_in_vain_is_given_up_when_somebody_says_so() -> None:
    side = ClientRun([connection(TURN)]).connect(0, patience_ns=None, anchored=True)
    side.next(0)
    assert side.look(10_000 * MS) == WaitUntil(None)
    assert side.waits_in_vain
    side.give_up()
    assert side.look(10_000 * MS) == WaitUntil(None)  # nothing is left: the client had asked for all of it
    assert (side.findings[0].kind, side.findings[0].type) == ("given up", "session.updated")
    assert not side.waits_in_vain
