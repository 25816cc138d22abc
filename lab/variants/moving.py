"""An interruption at another place of its session. `docs/replay.md` has the rules."""

from __future__ import annotations

from dataclasses import dataclass

from ...schema.entries import Entry, Kind
from ...schema.errors import UsageError
from ...session.drafts import Draft
from ...session.fields import mapping
from ...session.structure import Response, Structure
from .arriving import arrive
from .cutting import cut_off, ends_after
from .interruption import Boundary, Heard, Interruption, Where, around, interruptions
from .playing import PLAYS, Hearing, played, with_played
from .sketch import Sketch
from .timing import Burst, Spot


@dataclass(frozen=True)
class MoveInterruption:
    """An interruption comes at another place, and all that came after it follows at the same distances.

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
        if isinstance(where, Heard) and _is_later(where, moved):
            _postpone(sketch, moved, where)
            return sketch.draft()
        if isinstance(where, Boundary) and where.seq > moved.seq:
            raise UsageError(f"#{where.seq} comes after that interruption: put another one in there")
        seq, burst, round = arrive(sketch, where)
        _advance(sketch, seq, burst, round, moved)
        return sketch.draft()

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
    for spot in sketch.spots:
        if spot.seq < moved.seq or spot.seq >= len(sketch.source.entries):
            continue
        tail.append(spot)
        if spot.burst == old:
            spot.put(burst, max(round, round + spot.round - old_round))
        else:
            spot.put((spot.burst[0] + shift, (1 << 50) + spot.burst[1] + number), spot.round)
    of_message = [spot for spot in tail if spot.seq <= moved.end]
    rest = [spot for spot in sketch.spots if spot not in tail]
    before = [spot for spot in rest if spot.seq < seq or spot.seq >= len(sketch.source.entries)]
    after = [spot for spot in rest if spot not in before]
    sketch.keep([*before, *of_message, *after, *(spot for spot in tail if spot.seq > moved.end)])
    how = "turn_detected" if sketch.entry(moved.seq).kind == Kind.RECEIVED else "client_cancelled"
    for response in active:
        cut_off(sketch, response, seq, how, behind=of_message[-1].seq, burst=burst, round=round)


def _begins(structure: Structure, response: Response, seq: int, moved: Interruption) -> bool:
    first = structure.messages[response.messages[0]].seqs[0]
    return seq <= first < moved.seq


def _postpone(sketch: Sketch, moved: Interruption, where: Heard) -> None:
    """An interruption comes later in the same sound: the user goes on hearing what had been received."""
    structure = sketch.structure
    hearing, calls, first_ns = Hearing(), list[Entry](), None
    for entry in structure.draft.entries[: moved.seq]:
        hearing.add(entry)
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
        sent = around(structure, head)
        inside = sent is not None and _is_reaction(structure, structure.draft.entries[sent], seq)
        if written or taken or inside:
            kept.add(place)
    return kept


def _is_reaction(structure: Structure, entry: Entry, seq: int) -> bool:
    """Whether a send answers something from before this entry."""
    if entry.type == "send_audio" or entry.cause is None:
        return False
    return entry.cause < seq
