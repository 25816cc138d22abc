"""Small logs made by hand, stores that hold them, and two of them compared."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from realtape.lab import Aspect, Comparison, compare
from realtape.schema import (
    STANDARD,
    Codec,
    Entry,
    Kind,
    RealtimeModelAudioEvent,
    RealtimeModelSendToolOutput,
    RealtimeModelSendUserInput,
    RealtimeModelToolCallEvent,
    RealtimeModelTranscriptDeltaEvent,
    RealtimeModelTurnStartedEvent,
    Status,
)
from realtape.schema.log import (
    advance_session,
    entry_digest,
    insert_entries,
    insert_segment,
    insert_session,
    locate,
    open_for_writing,
)
from realtape.session import Recording
from support.stores import header

CODEC = Codec(STANDARD)
EVERYTHING = tuple(Aspect)
Log = list[tuple[Entry, Any]]
"""Entries without payloads, and the values of which those are made."""


def call(number: int) -> Any:
    return RealtimeModelToolCallEvent(name="look_up", call_id=f"call_{number}", arguments="{}")


def audio(data: bytes) -> Any:
    return RealtimeModelAudioEvent(data=data, response_id="r", item_id="item", content_index=0)


def delta(text: str) -> Any:
    return RealtimeModelTranscriptDeltaEvent(item_id="item", delta=text, response_id="r")


class Segments:
    """Bytes in segments, of which a new one begins where the so-manieth byte string is said to be cut."""

    def __init__(self, cuts: Sequence[bool] = ()) -> None:
        self._cuts = iter(cuts)
        self.data = [b""]

    def put(self, data: bytes) -> tuple[int, int, int]:
        if next(self._cuts, False):
            self.data.append(b"")
        self.data[-1] += data
        return len(self.data) - 1, len(self.data[-1]) - len(data), len(data)

    def get(self, segment: int, offset: int, length: int) -> bytes:
        return self.data[segment][offset : offset + length]

    def filled(self, entries: Log) -> list[Entry]:
        """The entries with their payloads."""
        return [
            entry._replace(payload=value if isinstance(value, str) else CODEC.encode(value, self.put).payload)
            for entry, value in entries
        ]


def type_of(kind: Kind, value: Any) -> str | None:
    """As the recorder names it."""
    if kind not in (Kind.RECEIVED, Kind.SENT):
        return None
    return json.loads(CODEC.encode(value, Segments().put).payload)["$"]


def log(*facts: tuple[Kind, Any]) -> Log:
    """Entries a microsecond and a tick apart."""
    return [
        (Entry(seq, seq * 1000, seq, 0, kind, type=type_of(kind, value)), value)
        for seq, (kind, value) in enumerate(facts)
    ]


def renumbered(entries: Log, before: Log) -> Log:
    """The log with numbers from 0 again, and with the numbers in it meaning the same entries."""
    numbers = {id(value): seq for seq, (_, value) in enumerate(entries)}
    place = {old.seq: numbers.get(id(value)) for old, value in before}
    return [
        (
            entry._replace(
                seq=seq,
                cause=None if entry.cause is None else place[entry.cause],
                of=None if entry.of is None else place[entry.of],
            ),
            value,
        )
        for seq, (entry, value) in enumerate(entries)
    ]


class Held(Recording):
    """A recording in memory, of a log."""

    def __init__(self, entries: Log, status: Status = Status.CLOSED) -> None:
        self._held = Segments()
        self._rows = self._held.filled(entries)
        self._status = status
        self._header = header()

    header = property(lambda self: self._header)  # pyright: ignore
    status = property(lambda self: self._status)  # pyright: ignore
    length = property(lambda self: len(self._rows))  # pyright: ignore

    def __str__(self) -> str:
        return "in memory"

    async def entries(self, first: int = 0) -> AsyncGenerator[Entry]:
        for row in self._rows[first:]:
            yield row

    async def decode(self, entry: Entry) -> Any:
        return CODEC.decode(entry.payload, self._held.get).value


def write(path: Path, entries: Log, cuts: Sequence[bool] = ()) -> str:
    """Append a session to a store; returns its id."""
    engine = open_for_writing(locate(path))
    segments, facts = Segments(cuts), header()
    with engine.begin() as connection:
        key, digest = first = insert_session(connection, facts)
        rows: list[Entry] = []
        for row in segments.filled(entries):
            digest = entry_digest(digest, row, segments.get)
            rows.append(row._replace(digest=digest))
        if rows:
            insert_entries(connection, key, rows)
        for number, data in enumerate(segments.data):
            insert_segment(connection, key, number, data)
        advance_session(connection, key, facts.id, first[1], digest, Status.CLOSED)
    engine.dispose()
    return facts.id


def both_ways(a: Log, b: Log, *, status: Status = Status.CLOSED, **options: Any) -> Comparison:
    """Compare two logs, of which the second ended so."""
    return each_way(a, b, options, status=status)[0]


def each_way(a: Log, b: Log, *many: dict[str, Any], status: Status = Status.CLOSED) -> list[Comparison]:
    """Compare two logs with several sets of options; whoever is called A, the answer is the same."""
    one, other = Held(a), Held(b, status)
    mirrored = {"only_a": "only_b", "only_b": "only_a"}
    found: list[Comparison] = []
    for options in many:
        there = asyncio.run(compare(one, other, **options))
        back = asyncio.run(compare(other, one, **options))
        assert (there.verdict, there.same, there.missing) == (back.verdict, back.same, back.missing)
        assert {mirrored.get(kind, kind): count for kind, count in there.counts.items()} == back.counts
        assert there.columns == back.columns
        assert json.loads(json.dumps(there.as_json()))["verdict"] == there.verdict
        found.append(there)
    return found


CONVERSATION = log(
    (Kind.RECEIVED, RealtimeModelTurnStartedEvent(response_id="r")),
    (Kind.SENT, RealtimeModelSendUserInput(user_input="weather?")),
    (Kind.SENT_DONE, {"outcome": "returned"}),
    (Kind.RECEIVED, delta("Let me ")),
    (Kind.RECEIVED, audio(b"\1" * 480)),
    (Kind.RECEIVED, delta("look.")),
    (Kind.RECEIVED, audio(b"\2" * 480)),
    (Kind.RECEIVED, call(1)),
    (Kind.SENT, RealtimeModelSendToolOutput(tool_call=call(1), output="sunny", start_response=True)),
    (Kind.SENT_DONE, {"outcome": "returned"}),
    (Kind.RECEIVED, delta("It is sunny.")),
)
CONVERSATION[2:3] = [(CONVERSATION[2][0]._replace(of=1), CONVERSATION[2][1])]
CONVERSATION[8:9] = [(CONVERSATION[8][0]._replace(cause=7), CONVERSATION[8][1])]
CONVERSATION[9:10] = [(CONVERSATION[9][0]._replace(of=8), CONVERSATION[9][1])]


def conversation() -> Log:
    """A copy, whose values are objects of their own."""
    return list(CONVERSATION)


def changed(place: int, value: Any) -> Log:
    """The conversation with another value in this place."""
    entries = conversation()
    entries[place] = (entries[place][0], value)
    return entries
