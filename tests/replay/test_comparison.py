"""`compare`: equal recordings are the same however they were written, and each difference is named."""

from __future__ import annotations

import asyncio
import copy
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from realtape.replay import Aspect, Comparison, Recording, compare
from realtape.schema import (
    STANDARD,
    Codec,
    CorruptRecordError,
    Entry,
    Flag,
    Kind,
    RealtimeModelAudioEvent,
    RealtimeModelInputAudioTranscriptionCompletedEvent,
    RealtimeModelSendToolOutput,
    RealtimeModelSendUserInput,
    RealtimeModelToolCallEvent,
    RealtimeModelTranscriptDeltaEvent,
    RealtimeModelTurnStartedEvent,
    Status,
)
from realtape.schema.addresses import locate
from realtape.schema.digests import entry_digest
from realtape.schema.rows import insert_entries, insert_segment, insert_session, update_session
from realtape.schema.stores import open_for_writing
from support.stores import header, sql

CODEC = Codec(STANDARD)
EVERYTHING = tuple(Aspect)
Log = list[tuple[Entry, Any]]
"""Entries without payloads, and the values of which those are made."""


# --- logs, and stores that hold them --------------------------------------------------------------


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

    status = property(lambda self: self._status)  # pyright: ignore
    length = property(lambda self: len(self._rows))  # pyright: ignore

    def __str__(self) -> str:
        return "in memory"

    async def entries(self, first: int = 0) -> AsyncIterator[Entry]:
        for row in self._rows[first:]:
            yield row

    async def decode(self, entry: Entry) -> Any:
        return CODEC.decode(entry.payload, self._held.get).value


def write(path: Path, entries: Log, cuts: Sequence[bool] = ()) -> str:
    """Append a session to a store; returns its id."""
    engine = open_for_writing(locate(path))
    segments, facts = Segments(cuts), header()
    with engine.begin() as connection:
        key, digest = insert_session(connection, facts)
        rows: list[Entry] = []
        for row in segments.filled(entries):
            digest = entry_digest(digest, row, segments.get)
            rows.append(row._replace(digest=digest))
        if rows:
            insert_entries(connection, key, rows)
        for number, data in enumerate(segments.data):
            insert_segment(connection, key, number, data)
        update_session(connection, key, Status.CLOSED, digest)
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


# --- generated logs -------------------------------------------------------------------------------

facts = st.one_of(
    st.tuples(st.just(Kind.RECEIVED), st.sampled_from(["", "a", "bc"]).map(delta)),
    st.tuples(st.just(Kind.RECEIVED), st.sampled_from([b"", b"\0" * 30, b"\1" * 30]).map(audio)),
    st.tuples(st.just(Kind.RECEIVED), st.integers(0, 2).map(call)),
    st.tuples(st.just(Kind.RECEIVED), st.builds(RealtimeModelTurnStartedEvent, response_id=st.just("r"))),
    st.tuples(
        st.just(Kind.SENT), st.builds(RealtimeModelSendUserInput, user_input=st.sampled_from(["x", "y"]))
    ),
    st.tuples(
        st.just(Kind.SENT_DONE),
        st.fixed_dictionaries({"outcome": st.sampled_from(["returned", "withheld"])}),
    ),
    st.tuples(st.just(Kind.MARKER), st.fixed_dictionaries({"text": st.sampled_from(["m", "n"])})),
)


@st.composite
def logs(draw: Callable[[Any], Any], smallest: int = 0) -> Log:
    """Logs in which the same things come again and again, with causes and ends."""
    made = log(*draw(st.lists(facts, min_size=smallest, max_size=12)))
    whole: Log = []
    for entry, value in made:
        earlier = st.none() | st.integers(0, entry.seq - 1) if entry.seq else st.none()
        of = draw(earlier) if entry.kind == Kind.SENT_DONE else None
        columns = {"cause": draw(earlier), "of": of, "elapsed_ms": draw(st.sampled_from([None, 20.0]))}
        whole.append((entry._replace(**columns), copy.copy(value)))  # `renumbered` tells them apart
    return whole


@given(logs())
@example(conversation())
def test_a_recording_is_the_same_as_itself(entries: Log) -> None:
    options: list[dict[str, Any]] = [{}, {"ignore": EVERYTHING}, {"content_only": True}]
    for comparison in each_way(entries, entries, *options):
        assert (comparison.same, comparison.verdict) == (True, "same")
        assert comparison.differences == ()


@settings(max_examples=40)  # each writes a store; the test above needs none
@given(logs(), st.lists(st.booleans(), max_size=6), st.lists(st.booleans(), max_size=6))
@example(conversation(), [False, True], [True, False, True])
def test_a_recording_is_the_same_as_its_copy_with_other_segments(
    entries: Log, cuts: list[bool], others: list[bool]
) -> None:
    async def run(store: Path) -> Comparison:
        ids = write(store, entries, cuts), write(store, entries, others)
        async with await Recording.open(store, ids[0]) as one, await Recording.open(store, ids[1]) as other:
            return await compare(one, other)

    with tempfile.TemporaryDirectory() as folder:
        comparison = asyncio.run(run(Path(folder) / "log.db"))
    assert (comparison.same, comparison.verdict, comparison.total) == (True, "same", 0)


@given(logs(smallest=1), st.data())
def test_an_inserted_entry_is_the_only_difference(entries: Log, data: st.DataObject) -> None:
    """All that comes after it has other numbers, and so have the numbers in it; that is no difference."""
    place = data.draw(st.integers(0, len(entries)))
    extra: Any = {"text": "not there before", "data": {}}
    entry = Entry(place, place * 1000 - 1, max(place - 1, 0), 0, Kind.MARKER)
    longer = renumbered([*entries[:place], (entry, extra), *entries[place:]], entries)
    comparison = both_ways(entries, longer)
    assert comparison.counts == {"changed": 0, "moved": 0, "only_a": 0, "only_b": 1}
    (difference,) = comparison.differences
    assert (difference.seq_a, difference.seq_b, difference.summary) == (None, place, "marker is in B only")
    assert f"#{place} · marker not there before" in str(difference)


@given(logs(smallest=2), st.data())
def test_a_removed_entry_is_found(entries: Log, data: st.DataObject) -> None:
    """What it caused or what ended it points nowhere then, which is a difference too."""
    place = data.draw(st.integers(0, len(entries) - 1))
    shorter = renumbered([*entries[:place], *entries[place + 1 :]], entries)
    comparison = both_ways(entries, shorter)
    pointing = sum(place in (entry.cause, entry.of) for entry, _ in entries)
    assert comparison.counts == {"changed": pointing, "moved": 0, "only_a": 1, "only_b": 0}
    assert set(comparison.columns) <= {"cause", "of"}
    (difference,) = [one for one in comparison.differences if one.kind == "only_a"]
    assert difference.seq_a == place


CHANGES: dict[str, Any] = {
    "at_ns": 7, "tick": 99, "task": 5, "method": "other", "connection": 3, "item_id": "item_9",
    "content_index": 4, "elapsed_ms": 1.5, "flags": int(Flag.REDACTED),
}  # fmt: skip
ASPECTS = {
    "at_ns": "times", "tick": "ticks", "task": "tasks", "cause": "causes",
    "item_id": "playback", "content_index": "playback", "elapsed_ms": "playback",
}  # fmt: skip


@given(logs(smallest=1), st.sampled_from(sorted(CHANGES)), st.data())
def test_a_changed_column_is_named(entries: Log, column: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(entries) - 1))
    entry, value = entries[place]
    changed = [*entries]
    changed[place] = (entry._replace(**{column: CHANGES[column]}), value)
    aspect = ASPECTS.get(column)
    others = [one for one in Aspect if one != aspect]
    comparison, ignored, otherwise, content = each_way(
        entries,
        changed,
        {},
        {"ignore": [aspect] if aspect else EVERYTHING},
        {"ignore": others},
        {"content_only": True},
    )
    assert comparison.counts == {"changed": 1, "moved": 0, "only_a": 0, "only_b": 0}
    assert dict(comparison.columns) == {column: 1}
    (difference,) = comparison.differences
    assert (difference.seq_a, difference.seq_b) == (place, place)
    (field,) = difference.differences
    assert (field.field, field.live) == (column, repr(CHANGES[column]))
    assert ignored.same == (aspect is not None)
    assert not otherwise.same
    assert content.same


@given(logs(smallest=3), st.data())
def test_a_changed_number_of_another_entry_is_named(entries: Log, data: st.DataObject) -> None:
    place = data.draw(st.integers(1, len(entries) - 1))
    column = data.draw(st.sampled_from(["cause", "of"]))
    other = data.draw(st.none() | st.integers(0, place - 1) | st.just(10**6))
    entry, value = entries[place]
    assume(getattr(entry, column) != other)
    changed = [*entries]
    changed[place] = (entry._replace(**{column: other}), value)
    comparison = both_ways(entries, changed)
    assert comparison.counts == {"changed": 1, "moved": 0, "only_a": 0, "only_b": 0}
    (difference,) = comparison.differences
    (field,) = difference.differences
    assert (difference.seq_b, field.field) == (place, column)
    assert field.live == ("None" if other is None else f"#{other}")


@given(logs(smallest=1), facts, st.data())
def test_a_changed_payload_is_found(entries: Log, fact: tuple[Kind, Any], data: st.DataObject) -> None:
    """Whatever the other content, and also where all but the content is ignored."""
    place = data.draw(st.integers(0, len(entries) - 1))
    entry, value = entries[place]
    kind, other = fact
    assume((kind, other) != (entry.kind, value))
    changed = [*entries]
    changed[place] = (entry._replace(kind=kind, type=type_of(kind, other)), other)
    exact, loose = each_way(entries, changed, {}, {"ignore": EVERYTHING})
    assert place in {one.seq_a for one in exact.differences}
    assert place in {one.seq_b for one in exact.differences}
    assert (exact.verdict, loose.verdict) == ("different", "different")


@given(logs(smallest=2), st.data())
def test_two_that_were_swapped_are_found(entries: Log, data: st.DataObject) -> None:
    plain: Log = [(entry._replace(cause=None, of=None, elapsed_ms=None), value) for entry, value in entries]
    place = data.draw(st.integers(0, len(plain) - 2))
    (one, first), (other, second) = plain[place : place + 2]
    assume((one.kind, first) != (other.kind, second))
    swapped = [*plain]
    swapped[place] = (one._replace(kind=other.kind, type=other.type), second)
    swapped[place + 1] = (other._replace(kind=one.kind, type=one.type), first)
    exact, loose, content = each_way(
        plain, swapped, {}, {"ignore": ["times", "ticks"]}, {"content_only": True}
    )
    assert exact.verdict == "different"
    assert {place, place + 1} & {told.seq_a for told in exact.differences}
    assert loose.counts == {"changed": 0, "moved": 1, "only_a": 0, "only_b": 0}
    if {one.kind, other.kind} == {Kind.RECEIVED, Kind.SENT}:
        assert content.same
    elif one.kind == other.kind and one.kind in (Kind.RECEIVED, Kind.SENT):
        assert content.counts["moved"] == 1


@given(logs(), logs())
def test_two_of_any_kind_are_compared_alike_from_both_sides(a: Log, b: Log) -> None:
    for comparison in each_way(a, b, {}, {"ignore": ["times", "ticks"]}, {"content_only": True}):
        if comparison.same:
            assert comparison.counts == {"changed": 0, "moved": 0, "only_a": 0, "only_b": 0}
        else:
            assert comparison.verdict == "different"
            assert comparison.differences


# --- the words ------------------------------------------------------------------------------------


def changed(place: int, value: Any) -> Log:
    entries = conversation()
    entries[place] = (entries[place][0], value)
    return entries


def test_a_difference_is_told_in_the_words_of_the_conversation() -> None:
    other = RealtimeModelSendToolOutput(tool_call=call(1), output="rain", start_response=True)
    comparison = both_ways(CONVERSATION, changed(8, other))
    assert comparison.counts["changed"] == comparison.total == 1
    assert str(comparison.differences[0]).splitlines() == [
        "send_tool_output differs (turn 1; the model said 'Let me look.')",
        "  A: #8 ▶ sent send_tool_output look_up of call_1 → sunny",
        "  B: #8 ▶ sent send_tool_output look_up of call_1 → rain",
        "  differs in payload.output: 'sunny' → 'rain'",
        "  around it:",
        "    #6 ◀ received audio 480 bytes of item",
        "    #7 ◀ received function_call look_up({}) as call_1",
        "    #8 ▶ sent send_tool_output look_up of call_1 → sunny",
        "    #9 · sent_done returned",
        "    #10 ◀ received transcript_delta 'It is sunny.'",
    ]
    assert str(comparison).startswith("different: 11 entries in A, 11 in B; 1 changed, 0 moved")
    (told,) = comparison.as_json()["differences"]
    assert told["differences"] == [{"field": "payload.output", "a": "'sunny'", "b": "'rain'"}]


def test_bytes_of_another_content_are_told_by_their_digests() -> None:
    (difference,) = both_ways(CONVERSATION, changed(4, audio(b"\1" * 479 + b"\0"))).differences
    (field,) = difference.differences
    assert field.field == "payload.data"
    assert field.recorded.startswith("'480 bytes, sha256 ")
    assert field.recorded != field.live


def test_numbers_that_look_like_a_place_of_bytes_are_compared_as_they_stand() -> None:
    """Where the bytes lie is no matter; an application's own list under the same key is content."""
    held: Any = {"data": b"\1" * 4, "mine": {"x": "y", "at": [0, 0, 4]}}
    a = log((Kind.MARKER, held))
    b = log((Kind.MARKER, {**held, "mine": {"x": "y", "at": [0, 0, 5]}}))
    (difference,) = both_ways(a, b).differences
    (field,) = difference.differences
    assert (field.field, field.recorded, field.live) == ("payload.mine.at[2]", "4", "5")
    shifted = [*log((Kind.MARKER, b"\2" * 9)), (a[0][0]._replace(seq=1), held)]
    assert both_ways(a, shifted, ignore=["times"]).counts["only_b"] == 1
    assert both_ways(a, shifted, ignore=["times"]).total == 1


def test_who_spoke_last_may_be_the_user() -> None:
    heard: Any = RealtimeModelInputAudioTranscriptionCompletedEvent(
        item_id="item_0", transcript="And tomorrow?"
    )
    entries = [*CONVERSATION, *log((Kind.RECEIVED, heard))]
    entries[11] = (entries[11][0]._replace(seq=11), heard)
    ending: Any = {"text": "the end", "data": {}}
    comparison = both_ways(entries, [*entries, (Entry(12, 12_000, 12, 0, Kind.MARKER), ending)])
    assert [one.said for one in comparison.differences] == ["the user said 'And tomorrow?'"]


@pytest.mark.parametrize(
    ("a", "b"), [('{"x":1,"y":2}', '{"y":2,"x":1}'), ("{torn", "{tron"), ("0.0", "-0.0")]
)
def test_payloads_whose_fields_are_equal_may_differ_all_the_same(a: str, b: str) -> None:
    (difference,) = both_ways(log((Kind.MARKER, a)), log((Kind.MARKER, b))).differences
    (field,) = difference.differences
    assert (field.field, field.recorded != field.live) == ("payload", True)


def test_many_differences_are_counted_and_few_are_told() -> None:
    a = log(*[(Kind.RECEIVED, delta(f"a{number}")) for number in range(30)])
    b = log(*[(Kind.RECEIVED, delta(f"b{number}")) for number in range(30)])
    comparison = both_ways(a, b, limit=3)
    assert (comparison.total, len(comparison.differences)) == (30, 3)
    assert str(comparison).endswith("\nand 27 more")
    assert [one.seq_a for one in comparison.differences] == [0, 1, 2]
    assert both_ways(a, b, limit=0).differences == ()
    wide = {str(number): number for number in range(40)}
    (many,) = both_ways(log((Kind.MARKER, wide)), log((Kind.MARKER, {}))).differences
    assert many.differences[-1].live == "… in 32 fields more"


def test_an_aspect_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="'colour' is not a valid Aspect"):
        both_ways([], [], ignore=["colour"])


def test_content_is_what_was_said_and_done_in_the_order_of_each_direction() -> None:
    """Another pace, another player, and a send that came a little later are no difference then."""
    late = [CONVERSATION[place] for place in (0, 3, 1, 4, 2, 5, 6, 7, 10, 8, 9)]
    playing: Any = (
        Entry(11, 0, None, None, Kind.PLAYBACK, type="application", method="on_play_ms"),
        {"args": []},
    )
    handled: Any = (Entry(12, 0, None, None, Kind.HANDLED, of=3), {})
    other = renumbered([*late, playing, handled], [*CONVERSATION, playing, handled])
    other = [(entry._replace(at_ns=entry.seq * 7777, tick=None, task=3), value) for entry, value in other]
    assert both_ways(CONVERSATION, other).verdict == "different"
    comparison = both_ways(CONVERSATION, other, content_only=True)
    assert comparison.same
    assert (comparison.compared_a, comparison.length_b) == (9, 13)
    failed = [*CONVERSATION]
    failed[9] = (failed[9][0], {"outcome": "withheld"})
    (difference,) = both_ways(CONVERSATION, failed, content_only=True).differences
    assert (difference.kind, difference.seq_b, difference.what) == ("only_b", 9, "sent_done")


# --- incomplete recordings ------------------------------------------------------------------------


def gap(seq: int, lost: int) -> tuple[Entry, Any]:
    kinds = {"received": lost}
    value: Any = {"lost": lost, "from_ns": 1, "to_ns": 2, "kinds": kinds, "reason": "overload"}
    return Entry(seq, seq * 1000, seq, 0, Kind.GAP), value


def without(begin: int, end: int, lost: int) -> Log:
    """The conversation with a gap in place of some entries."""
    entries = conversation()
    return renumbered([*entries[:begin], gap(begin, lost), *entries[end:]], entries)


@pytest.mark.parametrize("options", [{}, {"content_only": True}, {"ignore": EVERYTHING}])
def test_what_was_lost_in_a_gap_is_no_difference(options: dict[str, Any]) -> None:
    comparison = both_ways(CONVERSATION, without(3, 6, 3), **options)
    assert (comparison.verdict, comparison.same, comparison.missing) == ("incomplete", False, 4)
    assert comparison.incomplete == ("B has gaps: the recorder lost entries at #3",)
    assert "lacking because of that, on one side: 4 entries" in str(comparison)


def test_what_is_missing_elsewhere_or_beyond_a_gap_is_a_difference() -> None:
    more = both_ways(CONVERSATION, without(3, 6, 2))
    assert (more.verdict, more.total, more.missing) == ("different", 1, 3)
    elsewhere = without(3, 6, 3)
    del elsewhere[-1]
    assert both_ways(CONVERSATION, elsewhere).counts["only_a"] == 1


def test_both_may_have_the_same_gap() -> None:
    comparison = both_ways(without(3, 6, 3), without(3, 6, 3))
    assert (comparison.verdict, comparison.same, comparison.missing) == ("incomplete", True, 0)
    other = without(3, 6, 3)
    other[3][1]["to_ns"] = 99
    assert both_ways(without(3, 6, 3), other).verdict == "different"
    assert both_ways(without(3, 6, 3), other, ignore=["times"]).same


@pytest.mark.parametrize("status", [Status.INTERRUPTED, Status.RECORDING])
def test_what_came_after_the_process_died_is_no_difference(status: Status) -> None:
    """The header's process is on another machine: that it is gone is not known there."""
    comparison = both_ways(CONVERSATION, CONVERSATION[:5], status=status)
    assert (comparison.verdict, comparison.total, comparison.missing) == ("incomplete", 0, 6)
    assert len(comparison.incomplete) == 1
    assert both_ways(CONVERSATION, CONVERSATION[:5]).counts["only_a"] == 6
    other = changed(2, {"outcome": "withheld"})[:5]
    assert both_ways(CONVERSATION, other, status=status).verdict == "different"


async def test_missing_bytes_are_corruption_and_not_a_difference(tmp_path: Path) -> None:
    store = tmp_path / "log.db"
    ids = write(store, CONVERSATION), write(store, CONVERSATION)
    sql(
        store,
        "DROP TRIGGER segments_no_delete",
        "DELETE FROM segments WHERE session = (SELECT max(key) FROM sessions)",
    )
    async with await Recording.open(store, ids[0]) as one, await Recording.open(store, ids[1]) as other:
        with pytest.raises(CorruptRecordError, match="entry 4: bytes"):
            await compare(one, other)
