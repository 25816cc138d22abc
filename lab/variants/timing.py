"""Entries and their places in time, so that some can be put elsewhere: `laid` writes instants and rounds
of the event loop anew, as a recorder would have written them.

Where something comes later, what hangs on it comes later, too (`delayed`): the rest of what its task
does, what it caused, what the provider sent in answer, and the playing of what was not received yet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...schema.entries import LONG_TICKS, SETTLED_TICKS, Entry, Kind
from ...session.drafts import Draft, renumbered
from ...session.places import Numbering
from .playing import sources
from .settling import Settling

Burst = tuple[int, int]
"""When a burst begins, in nanoseconds, and a number that tells it from others of that instant."""

FRESH = 1 << 40
"""Numbers of entries that are put in, and of bursts, begin here: no recording has so many."""


@dataclass(slots=True)
class Spot:
    """An entry and its place.

    Attributes:
        entry: its `seq`, `cause` and `of` are those of the draft that it is taken from.
        burst: in which it happens.
        round: of the event loop in that burst.
    """

    entry: Entry
    burst: Burst
    round: int

    @property
    def seq(self) -> int:
        """Of the entry."""
        return self.entry.seq

    def put(self, burst: Burst, round: int) -> None:
        """Move it to another place; its instant moves as its burst does."""
        at_ns = max(0, self.entry.at_ns + burst[0] - self.burst[0])
        self.entry = self.entry._replace(at_ns=at_ns)
        self.burst, self.round = burst, round


def spots_of(draft: Draft) -> list[Spot]:
    """The entries of a draft, each where it is."""
    numbering = Numbering()
    found: list[Spot] = []
    for entry in draft.entries:
        place = numbering.place(entry.tick, entry.at_ns)
        burst = (found[-1].burst if found else (0, 0)) if place.timed else (place.ns, place.burst)
        found.append(Spot(entry, burst, place.round))
    return found


def laid(draft: Draft, spots: Iterable[Spot], segments: Mapping[int, bytes] | None = None) -> Draft:
    """A draft of these entries, burst after burst, in each burst in the order given; not sealed yet.

    What follows from their order is worked out anew (`settling.py`).

    Args:
        segments: bytes that are new.
    """
    ordered = sorted(spots, key=_burst)
    entries: list[Entry] = []
    last: Spot | None = None  # of those that have a round
    tick = at_ns = reached = 0
    for spot in ordered:
        at_ns = max(at_ns, spot.entry.at_ns)
        if spot.entry.tick is None:
            entries.append(spot.entry._replace(at_ns=at_ns))
            continue
        if last is None:
            tick = reached = spot.round
        elif spot.burst != last.burst:
            tick, reached = tick + SETTLED_TICKS + spot.round, spot.round
        else:
            passed = max(0, spot.round - reached)
            tick += passed if passed < SETTLED_TICKS else LONG_TICKS + passed
            reached += passed
        last = spot
        entries.append(spot.entry._replace(at_ns=at_ns, tick=tick))
    new = dict(segments or {})
    entries = Settling(draft, new).settled(entries)
    return dataclasses.replace(draft, entries=renumbered(entries), segments={**draft.segments, **new})


def delayed(draft: Draft, spots: Sequence[Spot], by_ns: Mapping[int, int]) -> list[Spot]:
    """The same with some entries later, and with them what cannot come before them.

    Args:
        by_ns: seq → nanoseconds by which that entry is late; its burst is another from then on.
    """
    needs = sources(draft)
    there: dict[int, Spot] = {}
    was: dict[int, tuple[Burst, int]] = {spot.seq: (spot.burst, spot.round) for spot in spots}
    of_task: dict[int | None, int] = {}
    reaction: int | None = None  # the one that comes last
    heard: int | None = None
    for spot in spots:
        entry = spot.entry
        before = {of_task.get(entry.task) if entry.task is not None else None, entry.of, needs.get(spot.seq)}
        if entry.kind == Kind.RECEIVED:
            before.add(reaction)
        late = by_ns.get(spot.seq, 0)
        if late:
            spot.put((spot.burst[0] + late, FRESH + was[spot.seq][0][1]), spot.round)
        for one in sorted(before - {None}, key=lambda seq: -1 if seq is None else seq):
            if one is not None and one in there:
                _follow(spot, there[one], was, keeps=False)
        if entry.cause is not None and entry.cause in there:
            _follow(spot, there[entry.cause], was, keeps=True)
        if entry.kind == Kind.CLOSE and heard is not None:
            # Who closes has waited for what came before, though his main task has no cause.
            _follow(spot, there[heard], was, keeps=True)
        there[spot.seq] = spot
        if entry.kind == Kind.RECEIVED:
            heard = spot.seq
        if entry.task is not None:
            of_task[entry.task] = spot.seq
        answers = entry.kind == Kind.SENT and entry.cause is not None and entry.type != "send_audio"
        if answers and (reaction is None or there[reaction].burst <= spot.burst):
            reaction = spot.seq
    return list(spots)


def _follow(spot: Spot, before: Spot, was: Mapping[int, tuple[Burst, int]], *, keeps: bool) -> None:
    """Put it later, if it has to come after something that is late by now.

    Args:
        keeps: the time between them stays: it is the application's.
    """
    old, old_before = was[spot.seq][0], was[before.seq][0]
    moved = before.burst[0] - old_before[0]
    if not moved:
        return
    if old == old_before:
        if before.burst > spot.burst:
            spot.put(before.burst, before.round + max(0, was[spot.seq][1] - was[before.seq][1]))
    elif keeps:
        burst = (old[0] + moved, FRESH + old[1])
        if burst > spot.burst:
            spot.put(burst, spot.round)
    elif before.burst > spot.burst:
        spot.put(before.burst, before.round)


def _burst(spot: Spot) -> Burst:
    return spot.burst
