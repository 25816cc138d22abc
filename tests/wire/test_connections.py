"""What a recording holds of connections: by the socket's entries, or by the provider's messages above it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from realtape.schema import STANDARD, Codec, Entry, Frame, Kind, Status, UsageError
from realtape.session import Draft, Recording
from realtape.wire import ClientRuns, RecordedEnd, Refusal, connections_of
from support.small_logs import Segments
from support.stores import header
from support.wire_talk import TURN, as_recorded, data_of, inbound

FIXTURES = Path(__file__).parents[2] / "fixtures"
CODEC = Codec(STANDARD)


def draft(*facts: tuple[Kind, Any, int | None]) -> Draft:
    """A session of these entries, a millisecond apart: kind, value, connection."""
    segments = Segments()
    entries = [
        Entry(seq, seq * 1_000_000, None, None, kind, connection=number)._replace(
            payload=CODEC.encode(value, segments.put).payload
        )
        for seq, (kind, value, number) in enumerate(facts)
    ]
    return Draft(header(), Status.CLOSED, tuple(entries), dict(enumerate(segments.data)))


def framed(number: int = 1) -> list[tuple[Kind, Any, int | None]]:
    ways = {"<": Kind.FRAME_IN, ">": Kind.FRAME_OUT}
    return [(ways[way], Frame.of(data_of(what), suspended=False), number) for way, what in TURN]


def test_a_connection_by_its_sockets_entries() -> None:
    (one,) = connections_of(
        [
            draft(
                (Kind.SOCKET, {"url": "wss://there", "path": "/v1", "dialect": "openai-realtime"}, 1),
                (Kind.SOCKET_OPENED, {"status": 101, "subprotocol": "realtime"}, 1),
                *framed(),
                (Kind.SOCKET_ENDED, {"how": "closed", "code": 1011, "reason": "x"}, 1),
            )
        ]
    )
    assert (one.number, one.dialect.name, one.subprotocol, one.path) == (
        1,
        "openai-realtime",
        "realtime",
        "/v1",
    )
    assert one.end == RecordedEnd("server", "closed", 1011, "x", (2 + len(TURN)) * 1_000_000, 2 + len(TURN))
    assert as_recorded(one).got == [data_of(what) for way, what in TURN if way == "<"]


def test_two_connections_of_one_session_one_of_them_refused() -> None:
    refused = {"status": 401, "body": "no"}
    two = connections_of(
        [
            draft(
                (Kind.SOCKET, {}, 1),
                (Kind.SOCKET_FAILED, refused, 1),
                (Kind.SOCKET, {}, 2),
                *framed(2),
                (Kind.SOCKET_CLOSE, {"how": "eof"}, 2),
                (Kind.SOCKET_ENDED, {"how": "eof"}, 2),
            )
        ]
    )
    assert [one.refusal for one in two] == [Refusal(401, "no"), None]
    assert [one.begun_ns for one in two] == [0, 2_000_000]
    assert (two[1].end.by, two[1].end.how) == ("client", "eof")


def test_what_was_not_kept_is_not_played_and_said() -> None:
    (one,) = connections_of(
        [draft((Kind.FRAME_IN, {"length": 3}, 1), (Kind.FRAME_IN, Frame("a"), 1), (Kind.GAP, {}, None))]
    )
    played = as_recorded(one)
    assert played.got == ["a"]
    assert len(played.side.weaker) == 2


@pytest.mark.parametrize("name", ["demo", "kiosk", "switchboard"])
async def test_a_recording_from_above_the_socket(name: str) -> None:
    """The provider's messages come as they were parsed, each where what it answers was sent."""
    async with await Recording.open(FIXTURES / name) as recording:
        connections = connections_of(recording)
    asked = [frame.type for frame in connections[0].frames if not frame.inbound]
    assert {"session.update", "response.create"} <= set(asked)
    played = as_recorded(connections[0])
    assert played.got == inbound(connections[0])
    side = played.leave()
    assert side.findings == []
    assert "above the socket" in next(iter(side.weaker))


async def test_the_wire_of_a_client_that_sends_otherwise_is_only_told_what_is_known() -> None:
    async with await Recording.open(FIXTURES / "kiosk") as recording:
        (first, *_) = connections_of(recording)
    run = ClientRuns([first]).for_client(None)
    side = run.connect(0, pace=0.0)
    side.receive(Frame('{"type":"session.update","session":{"voice":"any"}}'), 0)
    assert [finding.kind for finding in side.findings if finding.kind != "moved"] == []


def test_a_recording_without_any_of_it_is_refused() -> None:
    assert connections_of([draft((Kind.MARKER, {"text": "x", "data": {}}, None))]) == []
    with pytest.raises(UsageError, match="record with the proxy"):
        ClientRuns([])


def test_which_recorded_connection_a_client_gets() -> None:
    (one,) = connections_of([draft(*framed())])
    apart = [one, connections_of([draft(*framed())])[0]]
    runs = ClientRuns([apart[0], replace(apart[1], begun_ns=10**12)])
    first = runs.for_client(None)
    side = first.connect(0)
    assert runs.for_client(None) is not first, "while it is played, another client is a new run"
    runs.runs.pop()
    first.ended(side, 0)
    assert runs.for_client(None) is first, "the client reconnects"
    first.ended(first.connect(0), 0)
    assert runs.for_client(None) is not first, "none is left"
    assert runs.for_client("a") is not runs.for_client(None)
    both = ClientRuns([apart[0], apart[1]])
    run = both.for_client(None)
    run.connect(0)
    assert both.for_client(None) is run, "the recording had two open at once"
