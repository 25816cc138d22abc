"""What follows of itself from the order of the entries: what was heard at each, what an interruption
interrupts, where the model truncates. Where entries were moved or left out, `settled` works it out anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...schema.codec import Reference
from ...schema.entries import Entry, Flag, Kind
from ...session.audio import PLAYS, Part, audio_event, part_of
from ...session.drafts import Draft, reference_in, tree_of, with_tree
from ...session.fields import RAW, facts_of, mapping, sequence, text_of
from ...session.messages import RETRIEVED, SPEECH_STARTED, TRUNCATED
from ..sounding import NOTHING, columns, with_columns
from .payloads import SHORTEST_REFERENCE, with_message
from .playing import Hearing, assumed_states, played, sources, with_played


class Settling:
    """Goes through the entries of a session in their new order, once.

    Args:
        draft: the session before; gives the bytes, and says which of its own entries were sound.
        segments: gets bytes that are new.
    """

    def __init__(self, draft: Draft, segments: dict[int, bytes]) -> None:
        self._draft = draft
        self._segments = segments
        self._hearing = Hearing()
        self._sound = sources(draft)
        self._length = len(draft.entries)
        self._tracked = any(_is_play(entry) for entry in draft.entries)
        self._assumed = assumed_states(draft)
        self._known = _items_of(draft.entries)
        self._gone: set[int] = set()
        self._interrupting: int | None = None  # the message that an interruption began with
        self._silent = False  # and there was nothing to interrupt
        self._asked: tuple[Part, int] | None = None  # how the model truncates
        self._waits = False  # for what the server says to that
        self._truncated: dict[Part, int] = {}
        self._references: dict[Part, list[Reference]] = {}
        self._shows: tuple[str, str] | None = None  # which item, and which instead, in this message

    def settle(self, entry: Entry) -> Entry | None:
        """The next entry, with what follows from their order; None where it could not be."""
        if self._falls(entry):
            self._gone.add(entry.seq)
            return None
        if entry.kind == Kind.PLAYBACK:
            found = self._playback(entry)
        elif entry.kind == Kind.RECEIVED:
            found = self._received(entry)
        else:
            found = entry
        if found is None:
            self._gone.add(entry.seq)
            return None
        self._hearing.add(found)
        return self._with_columns(found)

    def _falls(self, entry: Entry) -> bool:
        """Whether it hangs on something that is gone by now."""
        if entry.of in self._gone:
            return True
        return entry.cause in self._gone and falls_with_its_cause(entry)

    def _with_columns(self, entry: Entry) -> Entry:
        if self._assumed:
            return self._as_assumed(entry)
        if not self._tracked:
            return entry
        state = self._hearing.state
        if columns(entry) != state:
            entry = with_columns(entry, state)
        if entry.kind == Kind.PLAYBACK and tree_of(entry).get("state") != list(state):
            entry = with_tree(entry, {**tree_of(entry), "state": list(state)})
        return entry

    def _as_assumed(self, entry: Entry) -> Entry:
        """With what is assumed to be heard by now: as it was recorded, where the same was assumed then."""
        state = self._hearing.assumed(entry.at_ns)
        if state == self._assumed.get(entry.seq) or (entry.item_id or state[0]) not in self._known:
            return entry
        flags = entry.flags & ~Flag.ASSUMED if state == NOTHING else entry.flags | Flag.ASSUMED
        return with_columns(entry, state)._replace(flags=int(flags))

    def _playback(self, entry: Entry) -> Entry | None:
        if self._silent and entry.type == "model" and self._is_of_interruption(entry):
            return None
        if not _is_play(entry) or (entry.seq < self._length and entry.seq not in self._sound):
            return entry
        playable = self._hearing.playable(entry)
        if playable is None or playable == played(entry)[1]:
            return entry
        return with_played(entry, playable) if playable > 0 else None

    def _is_of_interruption(self, entry: Entry) -> bool:
        return entry.method in ("get_state", "on_interrupted")

    # --- what the server said -------------------------------------------------------------------------

    def _received(self, entry: Entry) -> Entry | None:
        if entry.type == RAW:
            self._silent, self._shows = False, None
            return self._message(entry)
        if entry.type == "audio":
            self._keep(entry)
        elif entry.type == "audio_interrupted":
            return self._interruption(entry)
        elif entry.type == "item_updated" and self._shows is not None:
            return self._updated(entry, *self._shows)
        return entry

    def _message(self, entry: Entry) -> Entry | None:
        message = facts_of(entry)
        type = message.get("type")
        if type == SPEECH_STARTED:
            self._begin(entry)
        elif type == TRUNCATED and self._waits:
            return self._truncation(entry)
        elif type == RETRIEVED:
            return self._retrieved(entry, message)
        return entry

    def _begin(self, entry: Entry) -> None:
        """The user begins to speak."""
        hearing = self._hearing
        self._silent = hearing.audio.latest is None
        self._waits, self._asked = True, None
        if self._silent:
            return
        item_id, index, elapsed_ms = hearing.state
        if not self._tracked:  # it was assumed that audio is played as it comes
            item_id, index, elapsed_ms = columns(self._as_assumed(entry))
            if item_id is None and hearing.audio.latest is not None:
                (item_id, index), elapsed_ms = hearing.audio.latest, hearing.ms(hearing.audio.latest)
        if item_id is not None:
            part = (item_id, index or 0)
            at_ms = None if elapsed_ms is None else hearing.audio.truncates_at(part, round(elapsed_ms))
            self._asked = None if at_ms is None else (part, at_ms)

    def _interruption(self, entry: Entry) -> Entry | None:
        if self._silent:
            return None
        latest = self._hearing.audio.latest
        facts = facts_of(entry)
        if latest is None:  # and of this one nothing has come by now
            item_id = text_of(facts.get("item_id"))
            return None if item_id in self._known and item_id not in self._items_received() else entry
        if (facts.get("item_id"), facts.get("content_index")) == latest:
            return entry
        return with_tree(entry, {**tree_of(entry), "item_id": latest[0], "content_index": latest[1]})

    def _items_received(self) -> set[str]:
        return {item_id for item_id, _ in self._hearing.audio.parts}

    def _truncation(self, entry: Entry) -> Entry | None:
        self._waits = False
        if self._asked is None:
            return None
        (item_id, index), at_ms = self._asked
        self._truncated[item_id, index] = at_ms
        fields = {"item_id": item_id, "content_index": index, "audio_end_ms": at_ms}
        return with_message(entry, fields)

    def _retrieved(self, entry: Entry, message: dict[str, Any]) -> Entry | None:
        """The server shows an item again; the model asks for the one that spoke last."""
        item = mapping(message.get("item"))
        old_id = item_id = text_of(item.get("id"))
        part = next((one for one in self._references if one[0] == item_id), None)
        if part is None and item_id in self._known and item.get("role") == "assistant":
            current = self._hearing.audio.current_item_id
            if current is None:
                return None
            item_id = current
            part = next(one for one in self._references if one[0] == item_id)
        if part is None:
            return entry
        self._shows = old_id, item_id
        return with_message(entry, {"item": self._shown(part, {**item, "id": item_id})})

    def _updated(self, entry: Entry, old_id: str, item_id: str) -> Entry:
        tree = tree_of(entry)
        item = mapping(tree.get("item"))
        part = next(one for one in self._references if one[0] == item_id)
        if item.get("item_id") != old_id or "content" not in item:
            return entry
        shown = self._shown(part, {**item, "item_id": item_id})
        return entry if shown == item else with_tree(entry, {**tree, "item": shown})

    def _shown(self, part: Part, item: dict[str, Any]) -> dict[str, Any]:
        """An item with as much of its audio as is left of it."""
        at_ms = self._truncated.get(part)
        length = self._hearing.length(part)
        if at_ms is not None:
            length = min(length, self._hearing.bytes_of(at_ms))
        content: list[Any] = []
        for number, one in enumerate(sequence(item.get("content"))):
            reference = reference_in(mapping(one).get("audio"))
            if number != part[1] or reference is None or reference[2] == length:
                content.append(one)
            elif length < SHORTEST_REFERENCE:
                content.append({**mapping(one), "audio": None})
            else:
                content.append({**mapping(one), "audio": {"$": "base64", "at": self._bytes(part, length)}})
        return {**item, "content": content}

    def _bytes(self, part: Part, length: int) -> list[int]:
        data = b"".join(self._read(one) for one in self._references[part])[:length]
        number = max([*self._segments, *self._draft.segments, -1]) + 1
        self._segments[number] = data
        return [number, 0, length]

    def _read(self, reference: Reference) -> bytes:
        segment, offset, length = reference
        data = self._segments.get(segment)
        return self._draft.bytes_at(*reference) if data is None else data[offset : offset + length]

    def _keep(self, entry: Entry) -> None:
        facts = facts_of(entry)
        reference = reference_in(facts.get("data"))
        if reference is not None:
            self._references.setdefault(part_of(facts), []).append(reference)


def falls_with_its_cause(entry: Entry) -> bool:
    """Whether an entry would not have happened without its cause. What a player played, and what a microphone
    heard, would have, and so would the end of the session."""
    if entry.kind == Kind.SENT:
        return entry.type != "send_audio"
    if entry.kind == Kind.PLAYBACK:
        return entry.method == "get_state"
    return entry.kind == Kind.RECEIVED


def _is_play(entry: Entry) -> bool:
    return entry.kind == Kind.PLAYBACK and entry.method in PLAYS and not entry.flags & Flag.ASSUMED


def _items_of(entries: Sequence[Entry]) -> set[str]:
    """Items of which audio was received."""
    return {given[0][0] for entry in entries if (given := audio_event(entry)) is not None}
