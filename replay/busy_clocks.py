"""How far a recorded player may be apart from the one of a replay, because its machine was busy.

What happens in one burst of the event loop takes no virtual time, however long it took when recorded: who
was woken at its end begins sooner by as much. And whoever sleeps 50 ms wakes up a bit later, each time, but
not on virtual time. None of it is the application's doing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..schema.entries import Entry, Kind
from ..session.audio import audio_event
from ..session.places import Numbering

LATE_MS = 20.0
"""A report that comes by so much too late was held up by the machine; by more, where it tells of more than
twice as much: it may be half of that too late."""


class PlayerDrift(NamedTuple):
    """How much of an item a player of today may have played by then.

    Attributes:
        more_ms: more than the recorded one, at most.
        less_ms: less.
    """

    more_ms: float
    less_ms: float


def busy_clocks(entries: Iterable[Entry], places: Mapping[int, str]) -> dict[int, PlayerDrift]:
    """How far the recorded player and an unchanged one may be apart, by the entry.

    Args:
        entries: of the session, in order; no more are read than must be.
        places: seq → the item that is played there.
    """
    found: dict[int, PlayerDrift] = {}
    numbering = Numbering()
    woken: dict[str, float] = {}  # item → how far into its burst its sound came, at most
    late: dict[str, float] = {}  # item → by how much its reports were late, all together
    item_id, heard_ms, reported_ns = "", 0.0, 0
    last = max(places, default=-1)
    for entry in entries:
        place = numbering.place(entry.tick, entry.at_ns)
        within_ms = 0.0 if place.timed else max(0, entry.at_ns - place.ns) / 1e6
        if entry.seq in places:
            item = places[entry.seq]
            found[entry.seq] = PlayerDrift(woken.get(item, 0.0) + late.get(item, 0.0), within_ms)
        if entry.seq >= last:
            break
        if entry.kind == Kind.PLAYBACK and entry.type == "application":
            said, now_ms = entry.item_id or "", entry.elapsed_ms or 0.0
            played_ms = now_ms - heard_ms
            if said == item_id and played_ms > 0:
                over_ms = max(0.0, (entry.at_ns - reported_ns) / 1e6 - played_ms)
                late[said] = late.get(said, 0.0) + min(over_ms, max(LATE_MS, played_ms / 2))
            item_id, heard_ms, reported_ns = said, now_ms, entry.at_ns
        elif (given := audio_event(entry)) is not None:
            item = given[0][0]
            woken[item] = max(woken.get(item, 0.0), within_ms)
    return found
