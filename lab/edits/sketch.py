"""`Sketch`: a session on its way to another. Entries are left out with all that hangs on them, put in, and
moved; `draft()` is what came of it.

`laid` writes instants and rounds of the event loop anew, as a recorder would have written them. Where
something comes later, what hangs on it comes later, too (`delayed`): the rest of what its task does, what it
caused, what the provider sent in answer, and the playing of what was not received yet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, zip_longest
from operator import is_not

from ...schema.entries import LONG_TICKS, SETTLED_TICKS, Entry, Kind
from ...schema.errors import UsageError
from ...session.drafts import Draft, Renumbering
from ...session.fields import RAW, facts_of, mapping, text_of
from ...session.interruptions import interruptions, reading_task
from ...session.places import Numbering
from ...session.structure import Message, Structure
from ...session.tool_calls import ToolCall
from .playing import Hearing, sources
from .settling import Settling, falls_with_its_cause


class Sketch:
    """The entries of a draft and their places, to be changed.

    Args:
        draft: the session.
        beginning: followed up to where it is changed, for who makes many sketches of one session.

    Attributes:
        source: the draft.
        structure: of it.
        spots: what there is now, in order.
        segments: bytes that are new, by number.
        beginning: the same.
    """

    def __init__(self, draft: Draft, beginning: Beginning | None = None) -> None:
        self.source = draft
        self.beginning = beginning
        self.structure = Structure(draft) if beginning is None else beginning.structure
        self.spots = spots_of(draft) if beginning is None else list(beginning.spots)
        self.segments: dict[int, bytes] = {}
        self._next = max(FRESH, len(draft.entries))
        self._late: dict[int, int] = {}

    def draft(self) -> Draft:
        """What came of it; not sealed yet."""
        spots = self.spots
        if self._late:
            spots = delayed(self.source, spots, self._late)
        return laid(self.source, spots, self.segments)

    def rest(self) -> Iterator[tuple[Spot, Entry | None, Spot | None]]:
        """What came of it behind the beginning, which is followed further with it; an entry at a time, with
        its place and the next one. None where an entry could not be.

        Raises:
            UsageError: it was changed before that.
        """
        beginning = self.beginning
        assert beginning is not None, "there is a rest of nothing else"
        ordered, passed = sorted(self.spots, key=_burst), beginning.passed
        if any(map(is_not, ordered[:passed], beginning.spots[:passed])):
            raise UsageError(f"the session is changed before #{passed} already")
        beginning.segments.update(self.segments)
        for spot, following in zip_longest(ordered[passed:], ordered[passed + 1 :]):
            yield spot, beginning.laying.lay(spot), following

    # --- finding --------------------------------------------------------------------------------------

    def index(self, seq: int) -> int:
        """Where the entry is now, or the first one after it that is left."""
        first = self._passed(seq)
        spots = enumerate(islice(self.spots, first, None), first)
        return next((n for n, spot in spots if FRESH > spot.entry.seq >= seq), len(self.spots))

    def entry(self, seq: int) -> Entry:
        """As it was recorded."""
        return self.source.entries[seq]

    def hearing(self, seq: int) -> Hearing:
        """What had been received and heard before an entry. Of one with a beginning it is asked once."""
        beginning = self.beginning
        known = beginning is not None and beginning.passed <= seq
        hearing = beginning.hearing if beginning is not None and known else Hearing()
        first = beginning.passed if beginning is not None and known else 0
        for entry in self.source.entries[first:seq]:
            hearing.add(entry)
        return hearing

    def burst_of(self, seq: int) -> Spot:
        """The place that an entry has now."""
        return next(spot for spot in islice(self.spots, self._passed(seq), None) if spot.entry.seq == seq)

    # --- changing -------------------------------------------------------------------------------------

    def change(self, seqs: Iterable[int], change: Callable[[Entry], Entry]) -> None:
        """Change entries where they are."""
        chosen = set(seqs)
        for spot in self.spots:
            if spot.seq in chosen:
                spot.entry = change(spot.entry)

    def drop(self, seqs: Iterable[int]) -> set[int]:
        """Leave entries out, and with them what would not have happened without them; returns all of it.

        What a player played is kept (what was not received is not played: `settling.py`), and so is what
        a microphone heard, and the end of the session.
        """
        structure, gone = self.structure, set[int]()
        todo = list(seqs)
        calls = {call.seq: call for call in structure.calls}
        while todo:
            seq = todo.pop()
            if seq in gone or seq >= len(self.source.entries):
                continue
            gone.add(seq)
            todo += [after for after in structure.followers.get(seq, ()) if self._hangs(after, seq)]
            if seq in calls:
                todo += self._answers(calls[seq])
            if (place := structure.message_of.get(seq)) is not None:
                todo += structure.messages[place].seqs
        self.spots = [spot for spot in self.spots if spot.seq not in gone]
        return gone

    def keep(self, spots: Iterable[Spot]) -> None:
        """Leave out what is not among these."""
        self.spots = list(spots)

    def insert(self, index: int, entries: Iterable[Entry], burst: Burst, round: int) -> list[int]:
        """Put in copies of entries at a place; `cause` and `of` among them follow. Returns their seqs."""
        numbers: dict[int, int] = {}
        new: list[Spot] = []
        for entry in entries:
            numbers[entry.seq] = self._next
            of = entry.of if entry.of is None else numbers.get(entry.of, entry.of)
            cause = entry.cause if entry.cause is None else numbers.get(entry.cause, entry.cause)
            new.append(Spot(entry._replace(seq=self._next, of=of, cause=cause, digest=b""), burst, round))
            self._next += 1
        self.spots[index:index] = new
        return list(numbers.values())

    def fresh_burst(self, at_ns: int) -> Burst:
        """A burst of its own, at an instant."""
        self._next += 1
        return at_ns, self._next

    def postpone(self, seq: int, by_ns: int) -> None:
        """All from an entry on comes later by so much, in bursts of its own."""
        for spot in self.spots:
            if FRESH > spot.seq >= seq:
                spot.put((spot.burst[0] + by_ns, FRESH + spot.burst[1]), spot.round)

    def repeat(self, seqs: Collection[int], seq: int, change: Callable[[Entry], Entry]) -> None:
        """These entries happen once more before the entry `seq`, at their distances; all from that on comes
        as much later.

        Args:
            seqs: the first of them is where it begins.
            change: makes of each another one.
        """
        again = [spot for spot in self.spots if spot.seq in seqs]
        index = self.index(seq)
        until_ns = self.spots[index].burst[0] if index < len(self.spots) else again[-1].burst[0] + 1_000
        by_ns = max(1_000, until_ns - again[0].burst[0])
        self.postpone(seq, by_ns)
        spots = [dataclasses.replace(spot) for spot in again]
        for spot in spots:
            spot.put((spot.burst[0] + by_ns, FRESH + spot.burst[1]), spot.round)
        numbers = self.insert(index, [change(spot.entry) for spot in spots], (0, 0), 0)
        for spot, new in zip(spots, self.spots[index : index + len(numbers)], strict=True):
            new.burst, new.round = spot.burst, spot.round

    def delay(self, by_ns: Mapping[int, int]) -> None:
        """Some entries come later, and what hangs on them: see `timing.delayed`."""
        self._late |= by_ns

    # --- helpers --------------------------------------------------------------------------------------

    def _passed(self, seq: int) -> int:
        """So many of the spots are certainly before an entry: the beginning stays as it is."""
        return 0 if self.beginning is None else min(seq, self.beginning.passed)

    def _hangs(self, seq: int, on: int) -> bool:
        """Whether an entry, which names another as its cause or ends it, goes with it."""
        entry = self.entry(seq)
        return entry.of == on or falls_with_its_cause(entry)

    def _answers(self, call: ToolCall) -> list[int]:
        """What goes with a call of a tool: its outputs, what the server makes items of them, and the
        response that was asked for by them, if nobody else asked for it."""
        structure = self.structure
        found = list(call.outputs)
        for message in structure.messages:
            item = mapping(structure.facts(message.seqs[0]).get("item"))
            if item.get("type") == "function_call_output" and item.get("call_id") == call.call_id:
                found.append(message.seqs[0])
        if call.outputs:
            found += self._asked_for(max(call.outputs))
        return found

    def _asked_for(self, output: int) -> list[int]:
        for message in self.structure.messages:
            if message.seqs[0] < output:
                continue
            head = self.entry(message.seqs[0])
            types = {self.entry(seq).type for seq in message.seqs}
            if message.type == "input_audio_buffer.committed" or _is_said(head):
                return []
            if "turn_started" in types:
                between = self.source.entries[output : message.seqs[0]]
                if any(_asks(entry) for entry in between):
                    return []
                return [seq for one in self._of_response(message) for seq in one.seqs]
        return []

    def _of_response(self, created: Message) -> list[Message]:
        if created.response_id is None:
            return [created]
        return [one for one in self.structure.messages if one.response_id == created.response_id]


def _is_said(entry: Entry) -> bool:
    """Whether an event shows something that the user said."""
    return entry.type in (RAW, "item_updated") and mapping(facts_of(entry).get("item")).get("role") == "user"


def _asks(entry: Entry) -> bool:
    """Whether a send asks for a response."""
    if entry.kind != Kind.SENT:
        return False
    if entry.type == "send_raw_message":
        return text_of(mapping(facts_of(entry).get("message")).get("type")) == "response.create"
    return entry.type == "send_user_input"


Burst = tuple[int, int]
"""When a burst begins, in nanoseconds, and a number that tells it from others of that instant."""

FRESH = 1 << 40
"""Numbers of entries that are put in, and of bursts, begin here: no recording has so many."""


@dataclass(slots=True, eq=False)
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
    new = dict(segments or {})
    laying = Laying(draft, new)
    entries = [one for spot in sorted(spots, key=_burst) if (one := laying.lay(spot)) is not None]
    return dataclasses.replace(draft, entries=tuple(entries), segments={**draft.segments, **new})


class Laying:
    """Lays the entries of a session in their new order, one after another: with instants, rounds and numbers,
    and with what follows from their order.

    Args:
        draft: the session before.
        segments: gets bytes that are new.
    """

    def __init__(self, draft: Draft, segments: dict[int, bytes]) -> None:
        self._settling = Settling(draft, segments)
        self._last: Spot | None = None  # of those that have a round
        self._tick = self._at_ns = self._reached = 0
        self._numbering = Renumbering()

    def lay(self, spot: Spot) -> Entry | None:
        """The next entry; None where it cannot be any more."""
        entry = self._settling.settle(self._placed(spot))
        return None if entry is None else self._numbering.number(entry)

    def _placed(self, spot: Spot) -> Entry:
        last, self._at_ns = self._last, max(self._at_ns, spot.entry.at_ns)
        if spot.entry.tick is None:
            return spot.entry._replace(at_ns=self._at_ns)
        if last is None:
            self._tick = self._reached = spot.round
        elif spot.burst != last.burst:
            self._tick, self._reached = self._tick + SETTLED_TICKS + spot.round, spot.round
        else:
            passed = max(0, spot.round - self._reached)
            self._tick += passed if passed < SETTLED_TICKS else LONG_TICKS + passed
            self._reached += passed
        self._last = spot
        return spot.entry._replace(at_ns=self._at_ns, tick=self._tick)


class Beginning:
    """The beginning of a session, followed entry by entry: what an edit further on would else have to read
    again.

    Args:
        draft: the session.

    Attributes:
        structure: of all of it.
        spots: of all of it, in order.
        passed: so many of these are the beginning.
        hearing: what was received and heard in it.
        segments: bytes that are new.
        laying: lays it.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.structure = Structure(draft)
        self.spots = spots_of(draft)
        self.passed = 0
        self.hearing = Hearing()
        self.segments: dict[int, bytes] = {}
        self.laying = Laying(draft, self.segments)

    def prepare(self) -> None:
        """Work out what an edit would ask about the session as a whole."""
        structure = self.structure
        _ = structure.message_of, structure.responses, structure.calls, structure.sounds, structure.followers
        _ = interruptions(structure), reading_task(structure)

    @property
    def in_order(self) -> bool:
        """Whether the entries of the session lie in the order of their places."""
        return all(one.burst <= other.burst for one, other in pairwise(self.spots))

    def advance(self) -> Entry | None:
        """One entry further: that, as it comes to lie in any edit behind it; None where it cannot be."""
        spot = self.spots[self.passed]
        self.hearing.add(spot.entry)
        self.passed += 1
        return self.laying.lay(spot)


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
