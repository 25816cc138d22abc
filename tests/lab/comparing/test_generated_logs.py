"""`compare` on any logs: equal ones are the same however they were written, and each difference is named."""

from __future__ import annotations

import asyncio
import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from realtape.lab import Aspect, Comparison, compare
from realtape.schema import Entry, Flag, Kind, RealtimeModelSendUserInput, RealtimeModelTurnStartedEvent
from realtape.session import Recording
from support.small_logs import (
    EVERYTHING,
    Log,
    audio,
    both_ways,
    call,
    conversation,
    delta,
    each_way,
    log,
    renumbered,
    type_of,
    write,
)

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


@settings(max_examples=12)  # each writes a store; the test above needs none
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
    others = [one for one in Aspect if one not in (aspect, Aspect.IDS)]
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
