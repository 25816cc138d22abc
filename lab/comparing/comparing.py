"""`compare`: two recordings, aligned by the conversation that they hold, read side by side, and compared
entry by entry.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from ...replay.matching.excerpts import MAX_DIFFERENCES, difference
from ...replay.matching.matching import differences
from ...replay.reporting.divergence import Difference
from ...schema.codec import from_json
from ...schema.entries import Entry, Kind, Status
from ...schema.errors import CorruptRecordError
from ...session.provenance import Redaction
from ...session.recording import Recording
from ...session.speech import Speech
from ...session.words import line, short, title
from .alignment import align
from .comparison import KINDS, Aspect, Comparison, DifferenceKind, EntryDifference
from .fingerprints import Contents, Lane, Scope, lanes_of
from .ids import Partners

TAIL = 3
"""So many entries behind the last that both sides have are one difference: one side goes on alone."""

LIMIT = 20
"""Differences that are told; all are counted."""

ANCHORS = 512
"""Partners that are told at most."""

_EXCERPT = 40


async def compare(
    a: Recording,
    b: Recording,
    *,
    ignore: Iterable[Aspect | str] = (),
    content_only: bool = False,
    limit: int = LIMIT,
) -> Comparison:
    """Hold two recordings against each other; neither is changed.

    Entries are paired by what they hold, not by their numbers, and numbers of other entries are
    compared by what they point at. Bytes are compared by content. The sessions' ids, their headers
    and their digests are not compared. Takes about 80 bytes of memory an entry,
    where ids are paired about 110.
    Cancelled, it has changed nothing.

    Args:
        ignore: aspects that may differ.
        content_only: compare only what was said and done: kinds, types and payloads of what came from
            the model, of what was sent to it, and of what else went otherwise than well, each in its
            own order. The player, the listeners and the clocks are left out, and so is what each session
            has of its own (`Aspect.IDS`): an id is the same as one that stands wherever it does.
        limit: how many differences are told; all are counted.

    Raises:
        CorruptRecordError: the log lacks bytes that an entry refers to.
        ValueError: there is no such aspect.
    """
    chosen = {Aspect(one) for one in ignore}
    ignored = tuple(aspect for aspect in Aspect if aspect in chosen)
    scope, partners = Scope(ignored, content_only), Partners()
    walks: list[_Walk] = []
    for lane_a, lane_b in zip(await lanes_of(a, scope), await lanes_of(b, scope), strict=True):
        walks.append(_Walk(scope, Side(a, lane_a), Side(b, lane_b), partners, limit))
    if partners.settle():
        for walk in walks:
            walk.align_by_partners()
    for walk in walks:
        await walk.walk()
    counts, columns = Counter[DifferenceKind](), Counter[str]()
    for walk in walks:
        counts.update(walk.counts)
        columns.update(walk.columns)
    told = sorted((one for walk in walks for one in walk.told), key=lambda one: one.order)
    told = _with_tail("only_b", walks, _with_tail("only_a", walks, told))
    return Comparison(
        str(a),
        str(b),
        a.length,
        b.length,
        _compared(walk.a.lane for walk in walks),
        _compared(walk.b.lane for walk in walks),
        counts={kind: counts[kind] for kind in KINDS},
        columns=dict(columns.most_common()),
        missing=sum(walk.missing for walk in walks) + walks[0].gaps_alone,
        incomplete=(*lacks("A", a, walks[0].a.lane), *lacks("B", b, walks[0].b.lane)),
        differences=tuple(replace(one.facts, around=one.seen.around) for one in told[:limit]),
        ignored=ignored,
        content_only=content_only,
        redacted=_redacted(a, b),
        anchors=anchors_of([pair for walk in walks for pair in walk.pairs()]),
    )


def _redacted(a: Recording, b: Recording) -> tuple[str, ...]:
    """What was taken out of each, where that is not the same."""
    both = [Redaction.told_by(one.header.source) for one in (a, b)]
    if both[0] == both[1]:
        return ()
    return tuple(f"{name} is {one}" for name, one in zip("AB", both, strict=True) if one is not None)


def anchors_of(pairs: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Some of the partners, ascending on both sides: what has moved is none of them."""
    kept: list[tuple[int, int]] = []
    for a, b in sorted(pairs):
        if not kept or (a > kept[-1][0] and b > kept[-1][1]):
            kept.append((a, b))
    step = max(-(-len(kept) // ANCHORS), 1)
    return (*kept[::step],)


class _Difference(NamedTuple):
    """A difference; the entries around it are complete once the walk is over."""

    order: tuple[int, int]
    facts: EntryDifference
    seen: Seen


def _with_tail(
    kind: Literal["only_a", "only_b"], walks: Sequence[_Walk], told: list[_Difference]
) -> list[_Difference]:
    """The differences, of which those behind the last entry that both sides have are one."""
    is_a = kind == "only_a"
    last = max(
        walk.last_common(is_a) for walk in walks[: max(len(walks) - 1, 1)]
    )  # the last: what went badly
    count = sum(seq > last for walk in walks for seq in walk.alone[kind])
    if count < TAIL:
        return told

    def is_behind(one: _Difference) -> bool:
        seq = one.facts.seq_a if is_a else one.facts.seq_b
        return one.facts.kind == kind and seq is not None and seq > last

    first = next((one for one in told if is_behind(one)), None)
    if first is None:
        return told
    line = f"{count:,} entries, from {first.facts.a if is_a else first.facts.b} on"
    facts = replace(first.facts, what="the rest", count=count, **{"a" if is_a else "b": line})
    return [
        first._replace(facts=facts) if one is first else one
        for one in told
        if one is first or not is_behind(one)
    ]


class _Walk:
    """One lane of both recordings, from the beginning to the last difference.

    Attributes:
        counts, columns: as of a `Comparison`.
        missing: entries that one side lacks where it is incomplete; without the gaps themselves.
        gaps_alone: gaps that only one side has.
        told: the first differences.
        alone: the numbers of all entries that only one side has.
    """

    def __init__(self, scope: Scope, a: Side, b: Side, partners: Partners, limit: int) -> None:
        self.a, self.b = a, b
        self._partners = partners
        self._scope = scope
        self._limit = limit
        self._alignment = align(a.lane.tiers, b.lane.tiers)
        self.counts: Counter[DifferenceKind] = Counter()
        self.columns: Counter[str] = Counter()
        self.missing = self.gaps_alone = 0
        self.told: list[_Difference] = []
        self.alone = {"only_a": array("q"), "only_b": array("q")}
        self._here = 0  # the seq of A to which the walk has come
        for i, j in enumerate(self._alignment.to_b):
            if j >= 0 and a.lane.payload[i] == b.lane.payload[j]:
                partners.count(a.lane.ids(i), b.lane.ids(j))

    def pairs(self) -> Iterable[tuple[int, int]]:
        """The numbers of the entries that are partners, and have not moved."""
        for place, partner in enumerate(self._alignment.to_b):
            if partner >= 0 and place not in self._alignment.moved:
                yield self.a.lane.seqs[place], self.b.lane.seqs[partner]

    def align_by_partners(self) -> None:
        """Once more, now that it is known which ids mean the same."""
        self.b.lane.rename(self._partners.of_b)
        self._alignment = align(self.a.lane.tiers, self.b.lane.tiers)

    def last_common(self, is_a: bool) -> int:
        """The last entry of one side that the other has, too; -1 where they have none."""
        partners, lane = (self._alignment.to_b, self.a.lane) if is_a else (self._alignment.to_a, self.b.lane)
        return max((lane.seqs[place] for place, one in enumerate(partners) if one >= 0), default=-1)

    async def walk(self) -> None:
        """Find out how the lanes differ."""
        to_b, to_a, moved = self._alignment.to_b, self._alignment.to_a, self._alignment.moved
        lost_by_a = lost(self.a.recording, self.a.lane, to_b, to_a, moved)
        lost_by_b = lost(self.b.recording, self.b.lane, to_a, to_b, {to_b[place] for place in moved})
        held_a: dict[int, Seen] = {}
        held_b: dict[int, Seen] = {}
        for i, j in self._alignment.steps():
            if i is not None:
                self._here = self.a.lane.seqs[i]
            if i is not None and j is not None:
                if not self._alike(i, j):
                    await self._pair("changed", await self.a.see(i), await self.b.see(j))
            elif i is not None and to_b[i] >= 0:
                held_a[i] = await self.a.see(i)
                if to_b[i] in held_b:
                    await self._pair("moved", held_a.pop(i), held_b.pop(to_b[i]))
            elif j is not None and to_a[j] >= 0:
                held_b[j] = await self.b.see(j)
                if to_a[j] in held_a:
                    await self._pair("moved", held_a.pop(to_a[j]), held_b.pop(j))
            elif i is not None:
                await self._single("only_a", self.a, i, lost_by_b)
            elif j is not None:
                await self._single("only_b", self.b, j, lost_by_a)
        await self.a.finish()
        await self.b.finish()

    async def _single(
        self, kind: DifferenceKind, side: Side, place: int, lost_by_other: Collection[int]
    ) -> None:
        if place in side.lane.gaps:
            self.gaps_alone += 1
        elif place in lost_by_other:
            self.missing += 1
        else:
            self.alone[kind].append(side.lane.seqs[place])
            seen = await side.see(place)
            self._note(kind, *((seen, None) if side is self.a else (None, seen)))

    async def _pair(self, kind: DifferenceKind, a: Seen, b: Seen) -> None:
        names = self._differing(a, b)
        if not names and kind == "changed":
            return
        self.columns.update(names)
        found: list[Difference] = []
        for name in names if len(self.told) < self._limit else ():
            if name == "payload":
                found += _between(*await self._contents(a.entry, b.entry))
            else:
                found.append(Difference(name, self._value(name, a.entry), self._value(name, b.entry)))
        self._note(kind, a, b, found)

    def _note(
        self, kind: DifferenceKind, a: Seen | None, b: Seen | None, found: Iterable[Difference] = ()
    ) -> None:
        self.counts[kind] += 1
        seen = a or b
        if len(self.told) >= self._limit or seen is None:
            return
        facts = EntryDifference(
            kind,
            seen.turn,
            seen.said,
            a=None if a is None else a.line,
            b=None if b is None else b.line,
            seq_a=None if a is None else a.entry.seq,
            seq_b=None if b is None else b.entry.seq,
            what=seen.name,
            differences=tuple(found),
        )
        order = (self._here if a is None else a.entry.seq, -1 if b is None else b.entry.seq)
        self.told.append(_Difference(order, facts, seen))

    def _alike(self, i: int, j: int) -> bool:
        exact = self.a.lane.exact[i] == self.b.lane.exact[j]
        return exact and not self._referring(i, j) and self._fitting_ids(i, j)

    def _differing(self, a: Seen, b: Seen) -> list[str]:
        """The columns that differ, the payload as one of them."""
        column = self._scope.column
        names = [name for name in self._scope.columns if column(a.entry, name) != column(b.entry, name)]
        names += self._referring(a.place, b.place)
        same = self.a.lane.payload[a.place] == self.b.lane.payload[b.place]
        if not same or not self._fitting_ids(a.place, b.place):
            names.append("payload")
        return names

    def _fitting_ids(self, i: int, j: int) -> bool:
        return self._partners.fit(self.a.lane.ids(i), self.b.lane.ids(j))

    def _referring(self, i: int, j: int) -> list[str]:
        """The columns with numbers of other entries that do not mean the same."""
        names: list[str] = []
        for name in self._scope.referring:
            seq_a: int = getattr(self.a.lane, name)[i]
            seq_b: int = getattr(self.b.lane, name)[j]
            if not self._means_the_same(seq_a, seq_b):
                names.append(name)
        return names

    def _means_the_same(self, seq_a: int, seq_b: int) -> bool:
        """Whether two numbers point at partners; or both at entries that the other side lacks, which is
        told where those stand."""
        i, j = self.a.lane.place(seq_a), self.b.lane.place(seq_b)
        if i is None or j is None:
            return i is j and seq_a == seq_b
        partner = self._alignment.to_b[i]
        return partner == j if partner >= 0 else self._alignment.to_a[j] < 0

    async def _contents(self, a: Entry, b: Entry) -> tuple[str, str]:
        """Two payloads as far as they are compared, and with the ids that are no partners."""
        texts = await self.a.contents.text(a), await self.b.contents.text(b)
        keys = (
            self._scope.ids(a._replace(item_id=None), texts[0]),
            self._scope.ids(b._replace(item_id=None), texts[1]),
        )
        alike = len(keys[0]) == len(keys[1])

        def paired(place: int) -> bool:
            return not alike or self._partners.are(keys[0][place], keys[1][place])

        return (
            self._scope.content_with_ids(texts[0], a.kind, paired),
            self._scope.content_with_ids(texts[1], b.kind, paired),
        )

    def _value(self, name: str, entry: Entry) -> str:
        value = self._scope.column(entry, name)
        if name in self._scope.referring and value is not None:
            return f"#{value}"
        return short(repr(value))


def _compared(lanes: Iterable[Lane]) -> int:
    """How many entries were compared: a gap once, however many lanes it stands in."""
    return sum(len(lane.seqs) - (len(lane.gaps) if index else 0) for index, lane in enumerate(lanes))


def _between(a: str, b: str) -> list[Difference]:
    """Where two payloads differ."""
    found = differences(_tree(a), _tree(b), "payload")
    told = [difference(path.removesuffix(".at"), *values) for path, *values in found[:MAX_DIFFERENCES]]
    if len(found) > MAX_DIFFERENCES:
        told.append(Difference("payload", "…", f"… in {len(found) - MAX_DIFFERENCES:,} fields more"))
    return told or [_spelling(a, b)]


def _tree(text: str) -> Any:
    try:
        return from_json(text)
    except ValueError:
        return text


def _spelling(a: str, b: str) -> Difference:
    """Two payloads whose fields are equal, in another order or notation."""
    pairs = enumerate(zip(a, b, strict=False))
    first = next((place for place, (one, other) in pairs if one != other), min(len(a), len(b)))
    begin = max(first - _EXCERPT // 2, 0)
    return Difference("payload", repr(a[begin : begin + _EXCERPT]), repr(b[begin : begin + _EXCERPT]))


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
        self._spoken = Speech()
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
        self._spoken.read(entry)
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
