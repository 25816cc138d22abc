"""One of two recordings, read along while they are compared; and what it lacks."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Collection, Iterable, Sequence

from ...schema.entries import Entry, Kind, Status
from ...schema.errors import CorruptRecordError
from ...session.recording import Recording
from ...session.spoken import Spoken
from ...session.words import line, short, title
from .fingerprints import Contents, Lane

AROUND = 2
"""Entries before, and after, the one that differs."""

MAX_GAPS = 5
"""Gaps that are named; of the rest, how many."""


class Seen:
    """An entry, and what was going on when it was appended.

    Attributes:
        entry: as it stands in the log.
        place: in its lane.
        turn: in which it stands.
        said: who had spoken last before it, and what, in words.
    """

    def __init__(self, entry: Entry, place: int, turn: int, said: str, around: Iterable[Entry]) -> None:
        self.entry = entry
        self.place = place
        self.turn = turn
        self.said = said
        self._around = list(around)
        self._missing = AROUND

    def add_after(self, entry: Entry) -> bool:
        """The next entry of the recording; returns whether more are wanted."""
        self._around.append(entry)
        self._missing -= 1
        return self._missing > 0

    @property
    def name(self) -> str:
        """What it is, in a word or two."""
        called = self.entry.kind in (Kind.RECEIVED, Kind.SENT)
        return short(self.entry.type or "?") if called else title(self.entry)

    @property
    def line(self) -> str:
        """The entry in words."""
        return line(self.entry)

    @property
    def around(self) -> tuple[str, ...]:
        """The entries around it, and itself, in words."""
        return tuple(map(line, self._around))


class Side:
    """Reads a recording, only forward, as far as it is asked to.

    Attributes:
        recording, lane: what is read, and the places that are asked for.
        contents: payloads of it.
    """

    def __init__(self, recording: Recording, lane: Lane) -> None:
        self.recording = recording
        self.lane = lane
        self.contents = Contents(recording)
        self._spoken = Spoken()
        self._said = ""  # before the latest entry
        self._entries = recording.entries()
        self._latest: deque[Entry] = deque(maxlen=AROUND + 1)
        self._unfinished: list[Seen] = []

    async def see(self, place: int) -> Seen:
        """The entry at a place of the lane, which lies after all that were asked for."""
        seq = self.lane.seqs[place]
        while not self._latest or self._latest[-1].seq < seq:
            if not await self._read():
                raise CorruptRecordError(self.recording.header.id, seq, "missing; it was there just now")
        seen = Seen(self._latest[-1], place, self._spoken.turn, self._said, self._latest)
        self._unfinished.append(seen)
        return seen

    async def finish(self) -> None:
        """Read what stands around the last one, and no more."""
        while self._unfinished and await self._read():
            pass
        aclose = getattr(self._entries, "aclose", None)
        if aclose is not None:  # it is a generator, half read
            await aclose()

    async def _read(self) -> bool:
        entry = await anext(self._entries, None)
        if entry is None:
            return False
        self._said = self._spoken.last
        self._spoken.add(entry)
        self._latest.append(entry)
        self._unfinished = [seen for seen in self._unfinished if seen.add_after(entry)]
        return True


def lost(
    recording: Recording, lane: Lane, there: Sequence[int], here: Sequence[int], moved: Collection[int]
) -> set[int]:
    """Places of the other side whose entries this one lacks because it is incomplete.

    Args:
        there: for each place of this side, its partner on the other, or -1.
        here: for each place of the other side, its partner on this one.
        moved: places of this side whose partners stand in another order.
    """

    def partner(place: int) -> int:
        return -1 if place in moved else there[place]

    alone = [place for place, one in enumerate(here) if one < 0]
    found: set[int] = set()
    for gap, count in lane.gaps.items():
        before = next((partner(one) for one in range(gap - 1, -1, -1) if partner(one) >= 0), -1)
        after = next((partner(one) for one in range(gap + 1, len(there)) if partner(one) >= 0), len(here))
        inside = alone[bisect_right(alone, before) : bisect_left(alone, after)]
        found.update([place for place in inside if place not in found][: max(count, 0)])
    if recording.status in (Status.INTERRUPTED, Status.RECORDING):
        last = max(there, default=-1)
        found.update(alone[bisect_right(alone, last) :])
    return found


def lacks(name: str, recording: Recording, lane: Lane) -> list[str]:
    """What makes a recording incomplete, in words."""
    told: list[str] = []
    if recording.status is Status.INTERRUPTED:
        told.append(f"{name} was interrupted: its process died, what came last may be missing")
    elif recording.status is Status.RECORDING:
        told.append(f"{name} is still being recorded, this is how far it has come")
    if lane.gaps:
        named = ", ".join(f"#{lane.seqs[place]}" for place in list(lane.gaps)[:MAX_GAPS])
        more = f" and {len(lane.gaps) - MAX_GAPS} more" if len(lane.gaps) > MAX_GAPS else ""
        told.append(f"{name} has gaps: the recorder lost entries at {named}{more}")
    return told
