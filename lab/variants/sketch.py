"""`Sketch`: a session on its way to another. Entries are left out with all that hangs on them, put in, and
moved; `draft()` is what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ...schema.entries import Entry, Kind
from ...session.drafts import Draft
from ...session.fields import RAW, facts_of, mapping, text_of
from ...session.structure import Message, Structure, ToolCall
from .timing import FRESH, Burst, Spot, delayed, laid, spots_of

CLOSED_KINDS = (Kind.SENT_DONE, Kind.HANDLED, Kind.CLOSED, Kind.CONNECTED, Kind.CONNECT_FAILED)


class Sketch:
    """The entries of a draft and their places, to be changed.

    Attributes:
        source: the draft.
        structure: of it.
        spots: what there is now, in order.
        segments: bytes that are new, by number.
    """

    def __init__(self, draft: Draft) -> None:
        self.source = draft
        self.structure = Structure(draft)
        self.spots = spots_of(draft)
        self.segments: dict[int, bytes] = {}
        self._next = max(FRESH, len(draft.entries))
        self._late: dict[int, int] = {}

    def draft(self) -> Draft:
        """What came of it; not sealed yet."""
        spots = self.spots
        if self._late:
            spots = delayed(self.source, spots, self._late)
        return laid(self.source, spots, self.segments)

    # --- finding --------------------------------------------------------------------------------------

    def index(self, seq: int) -> int:
        """Where the entry is now, or the first one after it that is left."""
        return next((n for n, spot in enumerate(self.spots) if FRESH > spot.seq >= seq), len(self.spots))

    def entry(self, seq: int) -> Entry:
        """As it was recorded."""
        return self.source.entries[seq]

    def burst_of(self, seq: int) -> Spot:
        """The place that an entry has now."""
        return next(spot for spot in self.spots if spot.seq == seq)

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

    def delay(self, by_ns: Mapping[int, int]) -> None:
        """Some entries come later, and what hangs on them: see `timing.delayed`."""
        self._late |= by_ns

    # --- helpers --------------------------------------------------------------------------------------

    def _hangs(self, seq: int, on: int) -> bool:
        """Whether an entry, which names another as its cause or ends it, goes with it."""
        entry = self.entry(seq)
        if entry.of == on:
            return True
        if entry.kind == Kind.SENT:
            return entry.type != "send_audio"
        if entry.kind == Kind.PLAYBACK:
            return entry.method == "get_state"
        return entry.kind == Kind.RECEIVED

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
