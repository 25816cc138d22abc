"""Coming to a place of a session: before which entry that is, and when."""

from __future__ import annotations

from ...schema.entries import Flag, Kind
from ...schema.errors import UsageError
from ...session.structure import Structure
from .interruption import Heard, Where, boundaries
from .playing import PLAYS, Hearing, played, with_played
from .sketch import Sketch
from .sounding import columns
from .timing import Burst, Spot


def arrive(sketch: Sketch, where: Where) -> tuple[int, Burst, int]:
    """The seq before which something is put in, and the place in time."""
    if isinstance(where, Heard):
        return _hear(sketch, where)
    if where.seq not in boundaries(sketch.structure):
        raise UsageError(f"nothing can come in between before #{where.seq}: it is in the midst of a message")
    spot = sketch.spots[where.seq - 1]
    return where.seq, spot.burst, spot.round


def _hear(sketch: Sketch, where: Heard) -> tuple[int, Burst, int]:
    """Where so much was heard: between two calls on the tracker, the second of which is cut in two."""
    part, hearing = (where.item_id, where.content_index), Hearing()
    last: Spot | None = None
    for number, spot in enumerate(sketch.spots):
        entry = spot.entry
        before = hearing.state
        hearing.add(entry)
        after = hearing.state if hearing.tracked else columns(entry)
        if (after[0], after[1] or 0) != part or after[2] is None or part not in hearing.audio.parts:
            last = spot
            continue
        if where.ms == 0 or after[2] >= where.ms:
            had_ms = before[2] or 0.0 if (before[0], before[1] or 0) == part else 0.0
            if entry.kind == Kind.PLAYBACK and entry.method in PLAYS and hearing.tracked:
                return _split(sketch, number, where.ms - had_ms, after[2] - had_ms)
            seq = outside(sketch.structure, spot.seq)
            if last is not None and spot.entry.flags & Flag.ASSUMED:
                at_ns = hearing.audio.parts[part].since_ns + round(where.ms * 1e6)
                if last.burst[0] < at_ns < spot.burst[0]:
                    return seq, sketch.fresh_burst(at_ns), 0
            return seq, (last or spot).burst, (last or spot).round
        last = spot
    raise UsageError(f"{where.ms} ms of {where.item_id} were never heard in this session")


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
    return next((one for one in boundaries(structure) if one >= seq), len(structure.draft.entries))
