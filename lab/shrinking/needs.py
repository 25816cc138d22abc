"""What each entry of a session needs to have happened: edges of happens-before, and the protocol.

`Structure.dependents` knows the edges of the log. Here are those of the protocol, too: a piece of a
response needs its beginning, an item must have been added before anything is said of it, an
interruption needs something that was heard. `docs/replay.md` lists them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

from ...schema.entries import CALL_ENDS, Entry, Kind
from ...session.drafts import Draft
from ...session.fields import facts_of, text_of
from ...session.messages import (
    RESPONSE_BEGINS,
    RESPONSE_ENDS,
    SPEECH_STARTED,
    SPEECH_STOPPED,
    ServerEvent,
    TextOf,
    answered_call,
    answers_call,
    named_items,
    server_event,
)
from ...session.structure import Structure

STAYS = frozenset({Kind.CONNECT, Kind.CONNECTED, Kind.CONNECT_FAILED, Kind.GAP})
"""Without the first a session is none; without the last it would seem whole."""


class Needs:
    """What depends on what in a draft. Reads it once.

    Args:
        draft: a whole session.

    Attributes:
        of: for each entry, the earlier ones without which it could not have happened; and, for one that
            was ended or is a part of a message, the rest.
        ends: for an entry that begins something, the later ones without which it would have no end.
        some_of: for each entry that needs one of several, those.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.structure = Structure(draft)
        self.of: dict[int, set[int]] = defaultdict(set)
        self.ends: dict[int, set[int]] = defaultdict(set)
        self.some_of: dict[int, frozenset[int]] = {}
        self._begun: dict[str, list[int]] = {}
        self._added: dict[str, int] = {}
        self._used: set[str] = set()
        self._parts: dict[tuple[str, int], int] = {}
        self._speech: dict[str, int] = {}
        self._outputs: dict[str, int] = {}
        self._chunks: dict[tuple[str, int], list[int]] = defaultdict(list)
        self._listeners: dict[str, list[int]] = defaultdict(list)
        self._arguments: dict[TextOf, list[int]] = defaultdict(list)
        self._read()

    # --- what is asked --------------------------------------------------------------------------------

    def gone_without(self, seqs: Iterable[int]) -> set[int]:
        """What has to go if these go. Entries that stay in any case are left out."""
        gone: set[int] = set()
        todo = [seq for seq in seqs if seq not in self.staying]
        while todo:
            while todo:
                seq = todo.pop()
                if seq not in gone and seq not in self.staying:
                    gone.add(seq)
                    todo += self._needing.get(seq, ())
            todo = [seq for seq, some in self.some_of.items() if seq not in gone and some <= gone]
        return gone

    def needed_by(self, seqs: Iterable[int]) -> set[int]:
        """These, and all that has to stay if they stay."""
        kept: set[int] = set()
        todo = list(seqs)
        while todo:
            seq = todo.pop()
            if seq not in kept:
                kept.add(seq)
                todo += self.of.get(seq, ())
                todo += self.some_of.get(seq, ())
        return kept

    @cached_property
    def staying(self) -> frozenset[int]:
        """What no removal takes: see `STAYS`; and what that needs."""
        return frozenset(self.needed_by(one.seq for one in self.draft.entries if one.kind in STAYS))

    @cached_property
    def _needing(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for needs in (self.of, self.ends):
            for seq, needed in needs.items():
                for one in needed:
                    found[one].append(seq)
        return found

    # --- reading --------------------------------------------------------------------------------------

    def _read(self) -> None:
        for entry in self.draft.entries:
            fact = server_event(entry)
            if fact is not None:
                self._read_received(entry.seq, fact)
            elif entry.kind == Kind.SENT:
                self._read_sent(entry)
            elif entry.kind in (Kind.LISTENER_ADDED, Kind.LISTENER_REMOVED):
                self._read_listener(entry)
            self._read_edges(entry)
        for message in self.structure.messages:
            for seq in message.seqs[1:]:
                self._together(message.seqs[0], seq)
        for call in self.structure.calls:
            for output in call.outputs:
                if output > call.seq:
                    self.of[output].add(call.seq)
        for seqs in self._arguments.values():
            for seq in seqs[1:]:
                self._together(seqs[0], seq)

    def _read_edges(self, entry: Entry) -> None:
        for before in (entry.cause, entry.of):
            if before is not None and 0 <= before < entry.seq:
                self.of[entry.seq].add(before)
        if entry.of is not None and entry.kind in CALL_ENDS:
            self.of[entry.of].add(entry.seq)

    def _together(self, one: int, other: int) -> None:
        self.of[one].add(other)
        self.of[other].add(one)

    def _read_received(self, seq: int, fact: ServerEvent) -> None:
        needs = self.of[seq]
        self._read_response(seq, fact)
        self._read_item(seq, fact)
        if fact.type == "audio":
            self._chunks[fact.item_id, fact.content_index].append(seq)
        elif fact.type in ("audio_done", "audio_interrupted"):
            chunks = self._chunks.get((fact.item_id, fact.content_index))
            if chunks:
                self.some_of[seq] = frozenset(chunks)
        elif fact.type == SPEECH_STARTED:
            self._speech[fact.item_id] = seq
        elif fact.type == SPEECH_STOPPED and fact.item_id in self._speech:
            needs.add(self._speech[fact.item_id])
        call_id = answered_call(fact)
        if call_id in self._outputs:
            needs.add(self._outputs[call_id])
        text = fact.text
        if text is not None and text.what == "arguments" and fact.piece is not None:
            self._arguments[text].append(seq)

    def _read_response(self, seq: int, fact: ServerEvent) -> None:
        begun = self._begun.get(fact.response_id)
        if fact.type in RESPONSE_BEGINS:
            begun = self._begun.setdefault(fact.response_id, [])
            self.of[seq].update(begun)
            begun.append(seq)
        elif begun is not None:
            self.of[seq].update(begun)
            if fact.type in RESPONSE_ENDS:
                self.ends[begun[0]].add(seq)
            if fact.type == "turn_ended":
                del self._begun[fact.response_id]

    def _read_item(self, seq: int, fact: ServerEvent) -> None:
        item, part = fact.item_id, (fact.item_id, fact.content_index)
        if not item:
            return
        if item in self._added:
            self.of[seq].add(self._added[item])
        elif fact.adds and item not in self._used:
            self._added[item] = seq
        elif fact.uses:
            self._used.add(item)
        if fact.type == "response.content_part.added":
            self._parts.setdefault(part, seq)
        elif (fact.of_a_part or fact.type == "audio" or fact.piece) and part in self._parts:
            self.of[seq].add(self._parts[part])

    def _read_sent(self, entry: Entry) -> None:
        fields = facts_of(entry)
        for item in named_items(fields):
            if item in self._added:
                self.of[entry.seq].add(self._added[item])
        call_id = answers_call(entry)
        if call_id is not None:
            self._outputs.setdefault(call_id, entry.seq)

    def _read_listener(self, entry: Entry) -> None:
        added = self._listeners[text_of(facts_of(entry).get("listener"))]
        if entry.kind == Kind.LISTENER_ADDED:
            added.append(entry.seq)
        elif added:
            self.of[entry.seq].add(added.pop())
