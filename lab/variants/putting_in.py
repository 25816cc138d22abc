"""An interruption where there was none, as the server and the SDK's model would have told it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...schema.entries import Entry, Kind
from ...schema.json_text import to_json
from ...session.drafts import Draft, with_tree
from ...session.fields import RAW, facts_of, text_of
from ...session.structure import Message, Structure
from .arriving import arrive
from .cutting import cut_off, ends_after
from .interruption import Interruption, Where, interruptions, reading_task
from .playing import PLAYS, Hearing, Part, played
from .settling import RETRIEVED, SPEECH_STARTED, TRUNCATED, rewritten
from .sketch import Sketch
from .timing import Burst

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
        seq, burst, round = arrive(sketch, self.where)
        found = interruptions(sketch.structure)
        chosen = [one for one in found if self.like in (None, one.seq) and one.user_item_id is not None]
        _put_in(sketch, seq, burst, round, chosen[0] if chosen else None)
        return sketch.draft()

    def __str__(self) -> str:
        return f"interrupted {self.where}"


def interrupt_at(draft: Draft, where: Where) -> Draft:
    """A session in which the user interrupts at a place, as the server would have told it; not sealed.

    Raises:
        UsageError: there is no such place in it.
    """
    return Interrupt(where)(draft)


def _put_in(sketch: Sketch, seq: int, burst: Burst, round: int, like: Interruption | None) -> None:
    structure = sketch.structure
    hearing = Hearing()
    for entry in structure.draft.entries[:seq]:
        hearing.add(entry)
    active = [one for one in structure.responses if ends_after(structure, one, seq)]
    task = reading_task(structure)
    at_ns = max(burst[0], sketch.spots[seq - 1].entry.at_ns if seq else 0)
    user = f"{'item' if like is None else like.user_item_id}_again_{seq}"
    head = Entry(-1, at_ns, sketch.entry(max(0, seq - 1)).tick or 0, task, Kind.RECEIVED)
    raw = any(entry.type == RAW for entry in structure.draft.entries)
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
