"""Interruptions: those of a session, the places where one may be, and the edits that move one or put one in,
as the server and the SDK's model would have told it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Any

from ...schema.codec import to_json
from ...schema.entries import Entry, Flag, Kind
from ...schema.errors import UsageError
from ...session.audio import PLAYS, Part
from ...session.drafts import Draft, with_tree
from ...session.fields import RAW, facts_of, mapping, text_of
from ...session.interruptions import Interruption, interruptions, reading_task
from ...session.messages import RETRIEVED, SPEECH_STARTED, TRUNCATED
from ...session.structure import Message, Response, Structure
from ..sounding import columns
from .early_end import cut_off, ends_after
from .payloads import rewritten
from .playing import Hearing, played, with_played
from .sketch import Burst, Sketch, Spot


@dataclass(frozen=True)
class Boundary:
    """Before the entry `seq`."""

    seq: int

    def __str__(self) -> str:
        return f"before #{self.seq}"


@dataclass(frozen=True)
class Heard:
    """When so many milliseconds of an item's audio were heard."""

    item_id: str
    ms: int
    content_index: int = 0

    def __str__(self) -> str:
        return f"at {self.ms} ms of {self.item_id}"


Where = Boundary | Heard


def boundaries(structure: Structure) -> list[int]:
    """Before which entries a message of the server may come: not inside another, nor before `connected`."""
    return structure.once(_boundaries)


def _boundaries(structure: Structure) -> list[int]:
    entries = structure.draft.entries
    inside = {
        seq
        for message in structure.messages
        if message.sent is None
        for seq in range(message.seqs[0] + 1, message.seqs[-1] + 1)
    }
    first = next((entry.seq for entry in entries if entry.kind == Kind.RECEIVED), None)
    close = next((entry.seq for entry in entries if entry.kind == Kind.CLOSE), len(entries))
    return [] if first is None else [seq for seq in range(first, close + 1) if seq not in inside]


def heard_places(structure: Structure, every_ms: int) -> list[Heard]:
    """Every so many milliseconds of what the user heard of each sound, from 0 on."""
    hearing, most = Hearing(), dict[Part, float]()
    for entry in structure.draft.entries:
        hearing.add(entry)
        item_id, index, elapsed_ms = hearing.state if hearing.tracked else columns(entry)
        part = (item_id or "", index or 0)
        if item_id is not None and elapsed_ms is not None and part in hearing.audio.parts:
            most[part] = max(most.get(part, 0.0), elapsed_ms)
    return [
        Heard(item_id, ms, index)
        for (item_id, index), limit_ms in most.items()
        for ms in range(0, int(limit_ms) + 1, every_ms)
    ]


def arrive(sketch: Sketch, where: Where) -> tuple[int, Burst, int]:
    """The seq before which something is put in, and the place in time."""
    if isinstance(where, Heard):
        return _hear(sketch, where)
    if outside(sketch.structure, where.seq) != where.seq:
        raise UsageError(f"nothing can come in between before #{where.seq}: it is in the midst of a message")
    spot = sketch.spots[where.seq - 1]
    return where.seq, spot.burst, spot.round


@dataclass(frozen=True, slots=True)
class HeardBy:
    """With which entry of a session so much of a sound was heard.

    Attributes:
        seq: of the entry.
        had_ms: so much of that sound had been heard before it, by the tracker.
        has_ms: and then.
        since_ns: when the sound began, where nobody tells what is heard.
        told: the tracker was told there that something was played.
    """

    seq: int
    had_ms: float
    has_ms: float
    since_ns: int
    told: bool


def heard_by(structure: Structure, where: Heard) -> HeardBy | None:
    """With which entry so much was heard first; None where it never was."""
    steps = structure.once(_heard_further).get((where.item_id, where.content_index), [])
    place = bisect_left(steps, where.ms, key=lambda one: one.has_ms) if where.ms else 0
    return steps[place] if place < len(steps) else None


def _heard_further(structure: Structure) -> dict[Part, list[HeardBy]]:
    """The entries with which more was heard of each sound than ever before, in order."""
    hearing, found = Hearing(), dict[Part, list[HeardBy]]()
    for entry in structure.draft.entries:
        before = hearing.state
        hearing.add(entry)
        after = hearing.state if hearing.tracked else columns(entry)
        part = (after[0] or "", after[1] or 0)
        if after[0] is None or after[2] is None or part not in hearing.audio.parts:
            continue
        steps = found.setdefault(part, [])
        if steps and after[2] <= steps[-1].has_ms:
            continue
        had_ms = before[2] or 0.0 if (before[0], before[1] or 0) == part else 0.0
        told = entry.kind == Kind.PLAYBACK and entry.method in PLAYS and hearing.tracked
        steps.append(HeardBy(entry.seq, had_ms, after[2], hearing.audio.parts[part].since_ns, told))
    return found


def _hear(sketch: Sketch, where: Heard) -> tuple[int, Burst, int]:
    """Where so much was heard: between two calls on the tracker, the second of which is cut in two."""
    here = heard_by(sketch.structure, where)
    if here is None:
        raise UsageError(f"{where.ms} ms of {where.item_id} were never heard in this session")
    if here.told:
        return _split(sketch, here.seq, where.ms - here.had_ms, here.has_ms - here.had_ms)
    spot = sketch.spots[here.seq]
    last = sketch.spots[here.seq - 1] if here.seq else None
    seq = outside(sketch.structure, here.seq)
    if last is not None and spot.entry.flags & Flag.ASSUMED:
        at_ns = here.since_ns + round(where.ms * 1e6)
        if last.burst[0] < at_ns < spot.burst[0]:
            return seq, sketch.fresh_burst(at_ns), 0
    return seq, (last or spot).burst, (last or spot).round


def _split(sketch: Sketch, number: int, ms: float, whole_ms: float) -> tuple[int, Burst, int]:
    """So many of the milliseconds that the play call at this place reports were heard."""
    spot = sketch.spots[number]
    last = sketch.spots[number - 1]
    share = 0.0 if whole_ms <= 0 else min(1.0, ms / whole_ms)
    if share == 1.0:
        return outside(sketch.structure, spot.seq + 1), spot.burst, spot.round
    since = last.burst[0]
    at_ns = since + round(share * max(0, spot.burst[0] - since))
    place = (last.burst, last.round) if at_ns == since else (sketch.fresh_burst(at_ns), 0)
    _, amount = played(spot.entry)
    heard = int(amount * share) // 2 * 2 if spot.entry.method == "on_play_bytes" else amount * share
    seq = outside(sketch.structure, spot.seq)
    if heard > 0 and seq == spot.seq:
        part = with_played(spot.entry, heard)._replace(at_ns=at_ns)
        sketch.insert(number, [part], *place)
    return seq, place[0], place[1]


def outside(structure: Structure, seq: int) -> int:
    """The first boundary from here on."""
    found = boundaries(structure)
    place = bisect_left(found, seq)
    return found[place] if place < len(found) else len(structure.draft.entries)


@dataclass(frozen=True)
class MoveInterruption:
    """An interruption comes at another place, and all that came after it follows at the same distances.

    One that has a cause (the application interrupts because of what it was given) cannot come before it:
    there another one is put in.

    Attributes:
        seq: of the interruption.
        where: the place.
    """

    seq: int
    where: Where

    def __call__(self, draft: Draft) -> Draft:
        """The session with it there; not sealed. The very same where that is its place already.

        Raises:
            UsageError: there is no such interruption, or no such place in it.
        """
        structure = Structure(draft)
        moved = next((one for one in interruptions(structure) if one.seq == self.seq), None)
        if moved is None:
            raise UsageError(f"#{self.seq} is no interruption of this session: give the seq of one")
        where = self.where
        if isinstance(where, Heard) and (where.item_id, where.ms) == (moved.item_id, moved.elapsed_ms):
            return draft
        if where == Boundary(moved.seq):
            return draft
        sketch = Sketch(draft)
        self.change(sketch)
        return sketch.draft()

    def change(self, sketch: Sketch) -> None:
        """The same, of a sketch of the session; that it is at another place is known.

        Raises:
            UsageError: there is no such place in it.
        """
        moved = next(one for one in interruptions(sketch.structure) if one.seq == self.seq)
        where = self.where
        if isinstance(where, Heard) and _is_later(where, moved):
            return _postpone(sketch, moved, where)
        if isinstance(where, Boundary) and where.seq > moved.seq:
            raise UsageError(f"#{where.seq} comes after that interruption: put another one in there")
        seq, burst, round = arrive(sketch, where)
        cause = sketch.entry(moved.seq).cause
        if cause is not None and cause >= seq:
            return _interrupt(sketch, seq, burst, round, None)
        return _advance(sketch, seq, burst, round, moved)

    def __str__(self) -> str:
        return f"the interruption of #{self.seq} {self.where}"


def _is_later(where: Heard, moved: Interruption) -> bool:
    same = (where.item_id, where.content_index) == (moved.item_id, moved.content_index)
    return same and moved.elapsed_ms is not None and where.ms > moved.elapsed_ms


def _advance(sketch: Sketch, seq: int, burst: Burst, round: int, moved: Interruption) -> None:
    """An interruption comes earlier: what was in between falls away, but what was on its way already."""
    structure = sketch.structure
    origin = sketch.burst_of(moved.seq)
    old, old_round = origin.burst, origin.round
    active = [one for one in structure.responses if ends_after(structure, one, seq)]
    kept = _on_its_way(structure, seq, moved.seq)
    closings = {place for one in active for place in one.messages}
    between = [
        message.seqs[0]
        for place, message in enumerate(structure.messages)
        if seq <= message.seqs[0] < moved.seq and place not in kept and place not in closings
    ]
    begun = [one for one in structure.responses if one not in active and _begins(structure, one, seq, moved)]
    between += [structure.messages[place].seqs[0] for one in begun for place in one.messages]
    between = [one for one in between if not moved.seq <= one <= moved.end]
    said = [
        spot.seq
        for spot in sketch.spots
        if seq <= spot.seq < moved.seq
        and spot.entry.of is None
        and (
            (spot.entry.kind == Kind.SENT and not _is_reaction(structure, spot.entry, seq))
            or (spot.entry.kind == Kind.PLAYBACK and spot.entry.type == "application")
        )
    ]
    sketch.drop([*between, *said])
    shift, number = burst[0] - old[0], burst[1]
    tail: list[Spot] = []
    over = hang_up(structure)
    for spot in sketch.spots:
        if spot.seq < moved.seq or spot.seq >= len(sketch.source.entries):
            continue
        tail.append(spot)
        if spot.seq >= over:
            continue
        if spot.burst == old:
            spot.put(burst, max(round, round + spot.round - old_round))
        else:
            spot.put((spot.burst[0] + shift, (1 << 50) + spot.burst[1] + number), spot.round)
    of_message = [spot for spot in tail if spot.seq <= moved.end]
    moving = {id(spot) for spot in tail}
    rest = [spot for spot in sketch.spots if id(spot) not in moving]
    before = [spot for spot in rest if spot.seq < seq or spot.seq >= len(sketch.source.entries)]
    after = [spot for spot in rest if not (spot.seq < seq or spot.seq >= len(sketch.source.entries))]
    sketch.keep([*before, *of_message, *after, *(spot for spot in tail if spot.seq > moved.end)])
    how = "turn_detected" if sketch.entry(moved.seq).kind == Kind.RECEIVED else "client_cancelled"
    for response in active:
        cut_off(sketch, response, seq, how, behind=of_message[-1].seq, burst=burst, round=round)


def hang_up(structure: Structure) -> int:
    """The entry with which the end of a session begins, if nothing in it brought that about: the user hangs
    up, or the connection ends. One behind the last, where there is none."""
    return structure.once(_hang_up)


def _hang_up(structure: Structure) -> int:
    entries = structure.draft.entries
    return next((entry.seq for entry in entries if _ends_session(entry)), len(entries))


def _ends_session(entry: Entry) -> bool:
    if entry.kind == Kind.CLOSE:
        return entry.cause is None
    if entry.kind != Kind.RECEIVED or entry.cause is not None:  # it is of a send, or of a close
        return False
    lost = entry.type == "connection_status" and facts_of(entry).get("status") == "disconnected"
    return lost or entry.type in ("end_of_stream", "exception")


def _begins(structure: Structure, response: Response, seq: int, moved: Interruption) -> bool:
    first = structure.messages[response.messages[0]].seqs[0]
    return seq <= first < moved.seq


def _postpone(sketch: Sketch, moved: Interruption, where: Heard) -> None:
    """An interruption comes later in the same sound: the user goes on hearing what had been received."""
    structure = sketch.structure
    hearing, calls, first_ns = sketch.hearing(moved.seq), list[Entry](), None
    for entry in structure.draft.entries[: moved.seq]:
        is_play = entry.kind == Kind.PLAYBACK and entry.method in PLAYS
        if is_play and (where.item_id, where.content_index) == played(entry)[0]:
            calls.append(entry)
            first_ns = entry.at_ns if first_ns is None else first_ns
    part = (where.item_id, where.content_index)
    limit_ms = hearing.ms(part)
    if where.ms > limit_ms:
        raise UsageError(
            f"{where.ms} ms of {where.item_id} cannot be heard: {limit_ms:g} ms had come by then"
        )
    heard_ms = moved.elapsed_ms or 0.0
    speed = 1.0
    if first_ns is not None and calls[-1].at_ns > first_ns and heard_ms > 0:
        speed = (calls[-1].at_ns - first_ns) / 1e6 / heard_ms
    late = round((where.ms - heard_ms) * speed * 1e6)
    origin = sketch.burst_of(moved.seq).burst
    for spot in sketch.spots:
        if spot.seq >= moved.seq and spot.burst[0] >= origin[0]:
            spot.put((spot.burst[0] + late, spot.burst[1]), spot.round)
    if calls:
        entry = calls[-1]
        more: float = where.ms - heard_ms
        if entry.method == "on_play_bytes":
            more = hearing.bytes_of(more)
        at = sketch.fresh_burst(sketch.burst_of(moved.seq).burst[0] - 1)
        sketch.insert(sketch.index(moved.seq), [with_played(entry, more)._replace(at_ns=at[0])], at, 0)


def _on_its_way(structure: Structure, seq: int, until: int) -> set[int]:
    """Messages between two places that come all the same: what the user said before is still written down,
    and what the application answers is taken."""
    known = {message.item_id for message in structure.messages if message.seqs[0] < seq}
    asked = {call.call_id for call in structure.calls if call.seq < seq}
    kept: set[int] = set()
    for place, message in enumerate(structure.messages):
        if not seq <= message.seqs[0] < until:
            continue
        head = structure.draft.entries[message.seqs[0]]
        item = mapping(structure.facts(head.seq).get("item"))
        written = "input_audio_transcription" in message.type and message.item_id in known
        taken = item.get("type") == "function_call_output" and item.get("call_id") in asked
        sent = None if message.sent is None else structure.draft.entries[message.sent]
        inside = sent is not None and _is_reaction(structure, sent, seq)
        if written or taken or inside:
            kept.add(place)
    return kept


def _is_reaction(structure: Structure, entry: Entry, seq: int) -> bool:
    """Whether a send answers something from before this entry."""
    if entry.type == "send_audio" or entry.cause is None:
        return False
    return entry.cause < seq


SPEAKS_NS = 400_000_000
"""How long the user speaks, where no recorded words of his are at hand."""

ANSWERS_NS = 2_000_000
"""How long the server takes to confirm a truncation, where none was recorded."""


@dataclass(frozen=True)
class Interrupt:
    """The user interrupts once more, at a place; the rest of the session stays where it is.

    Attributes:
        where: the place.
        like: the interruption of the session (its `seq`) whose words the user says; None: the first one,
            or, where there is none, nothing that anybody understands.
    """

    where: Where
    like: int | None = None

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed.

        Raises:
            UsageError: there is no such place in it.
        """
        sketch = Sketch(draft)
        self.change(sketch)
        return sketch.draft()

    def change(self, sketch: Sketch) -> None:
        """The same, of a sketch of the session.

        Raises:
            UsageError: there is no such place in it.
        """
        _interrupt(sketch, *arrive(sketch, self.where), self.like)

    def __str__(self) -> str:
        return f"interrupted {self.where}"


def interrupt_at(draft: Draft, where: Where) -> Draft:
    """A session in which the user interrupts at a place, as the server would have told it; not sealed.

    Raises:
        UsageError: there is no such place in it.
    """
    return Interrupt(where)(draft)


def _interrupt(sketch: Sketch, seq: int, burst: Burst, round: int, like: int | None) -> None:
    found = interruptions(sketch.structure)
    chosen = [one for one in found if like in (None, one.seq) and one.user_item_id is not None]
    _put_in(sketch, seq, burst, round, chosen[0] if chosen else None)


def has_raw(structure: Structure) -> bool:
    """Whether the session holds messages of the server as they came."""
    return structure.once(_has_raw)


def _has_raw(structure: Structure) -> bool:
    return any(entry.type == RAW for entry in structure.draft.entries)


def _put_in(sketch: Sketch, seq: int, burst: Burst, round: int, like: Interruption | None) -> None:
    structure = sketch.structure
    hearing = sketch.hearing(seq)
    active = [one for one in structure.responses if ends_after(structure, one, seq)]
    task = reading_task(structure)
    at_ns = max(burst[0], sketch.spots[seq - 1].entry.at_ns if seq else 0)
    user = f"{'item' if like is None else like.user_item_id}_again_{seq}"
    head = Entry(-1, at_ns, sketch.entry(max(0, seq - 1)).tick or 0, task, Kind.RECEIVED)
    raw = has_raw(structure)
    first: list[Entry] = []
    if raw:
        message = {"type": SPEECH_STARTED, "event_id": f"event_{user}", "audio_start_ms": 0, "item_id": user}
        first.append(_raw(head, message))
    if hearing.audio.latest is not None:
        first += _broken_off(head, hearing.audio.latest, tracked=hearing.tracked)
    if not first:
        return
    index = sketch.index(seq)
    new = sketch.insert(index, first, burst, round)
    for response in active:
        cut_off(sketch, response, seq, "turn_detected", behind=new[-1], burst=burst, round=round)
    if not active and hearing.audio.latest is not None:  # it was only being played
        rest = [
            spot.seq for spot in sketch.spots if spot.seq >= seq and _plays(spot.entry, hearing.audio.latest)
        ]
        sketch.drop(rest)
    if raw:
        _say(sketch, seq, burst, head, user, like, interrupts=hearing.audio.latest is not None)


def _broken_off(head: Entry, part: Part, *, tracked: bool) -> list[Entry]:
    """What the SDK's model does when the user begins to speak and something is being played."""
    tree = {
        "$": "audio_interrupted",
        "item_id": part[0],
        "content_index": part[1],
        "type": "audio_interrupted",
    }
    told = with_tree(head._replace(seq=-3, type="audio_interrupted"), tree)
    if not tracked:
        return [told]
    call = head._replace(kind=Kind.PLAYBACK, type="model")
    calls = [
        with_tree(call._replace(seq=seq, method=method), {"args": [], "state": [None, None, None]})
        for seq, method in ((-2, "get_state"), (-4, "on_interrupted"))
    ]
    return [calls[0], told, calls[1]]


def _say(
    sketch: Sketch,
    seq: int,
    burst: Burst,
    head: Entry,
    user: str,
    like: Interruption | None,
    *,
    interrupts: bool,
) -> None:
    """What the server tells while the user speaks: as when he was recorded, or as little as can be."""
    structure = sketch.structure
    later: list[tuple[int, list[Entry]]] = []
    if like is not None:
        began = structure.draft.entries[like.seq].at_ns
        for message in _words(structure, like):
            entries = [structure.draft.entries[one] for one in message.seqs]
            later.append((entries[0].at_ns - began, [_renamed(one, like, user) for one in entries]))
    else:
        if interrupts:
            fields = {"type": TRUNCATED, "event_id": f"event_{user}_1", "item_id": "", "content_index": 0}
            later.append((ANSWERS_NS, [_raw(head, {**fields, "audio_end_ms": 0})]))
        stopped = {"type": "input_audio_buffer.speech_stopped", "event_id": f"event_{user}_2"}
        later.append((SPEAKS_NS, [_raw(head, {**stopped, "audio_end_ms": 0, "item_id": user})]))
    closes = next((spot.burst for spot in sketch.spots if spot.entry.kind == Kind.CLOSE), None)
    for after_ns, entries in later:
        place = sketch.fresh_burst(burst[0] + after_ns)
        if closes is not None and place >= closes:
            continue
        entries = [one._replace(at_ns=place[0], task=head.task, cause=None) for one in entries]
        index = next((n for n, spot in enumerate(sketch.spots) if spot.burst > place), len(sketch.spots))
        sketch.insert(max(index, sketch.index(seq)), entries, place, 0)


def _words(structure: Structure, like: Interruption) -> list[Message]:
    """What the server told of an interruption after it had begun: its truncation, and the user's item."""
    found: list[Message] = []
    truncated = False
    for message in structure.messages:
        if message.seqs[0] <= like.seq:
            continue
        ours = message.item_id == like.item_id
        if message.type in (SPEECH_STARTED, TRUNCATED) and truncated and message.type == TRUNCATED:
            continue
        if message.item_id == like.user_item_id and message.type != SPEECH_STARTED:
            found.append(message)
        elif message.type == TRUNCATED and ours and not truncated:
            truncated = True
            found.append(message)
        elif message.type == RETRIEVED and ours and truncated and found[-1].type == TRUNCATED:
            found.append(message)
    return found


def _renamed(entry: Entry, like: Interruption, user: str) -> Entry:
    found = rewritten(entry, ("item_id", "id"), like.user_item_id or "", user)
    if entry.type != RAW:
        return found
    event_id = text_of(facts_of(entry).get("event_id"))
    return rewritten(found, ("event_id",), event_id, f"{event_id}_{user}") if event_id else found


def _raw(head: Entry, message: dict[str, Any]) -> Entry:
    tree = {"$": RAW, "data": message, "type": RAW}
    return head._replace(type=RAW, payload=to_json(tree))


def _plays(entry: Entry, part: Part) -> bool:
    return entry.kind == Kind.PLAYBACK and entry.method in PLAYS and played(entry)[0] == part
