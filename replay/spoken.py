"""How far a conversation has come, by what its recording holds: the turn, and who spoke last."""

from __future__ import annotations

from ..schema.entries import Entry, Kind
from .words import content, mapping, payload, short

MAX_SAID = 400
"""Characters of what was said that are kept."""

_DELTAS = frozenset({"transcript_delta", "output_text_delta"})


class Spoken:
    """Is told every entry of a recording, in order.

    Attributes:
        turn: number of the conversation's turn, from 1; 0 before the first.
    """

    def __init__(self) -> None:
        self.turn = 0
        self._who = ""
        self._what = ""
        self._item: object = None

    def add(self, entry: Entry) -> None:
        """The next entry."""
        if entry.kind == Kind.RECEIVED:
            if entry.type == "turn_started":
                self.turn += 1
            elif entry.type in _DELTAS:
                self._add_delta(entry)
            elif entry.type == "input_audio_transcription_completed":
                self._say("the user", str(mapping(payload(entry)).get("transcript")))
        elif entry.kind == Kind.SENT and entry.type == "send_user_input":
            self._say("the user", content(entry))

    @property
    def last(self) -> str:
        """Who spoke last and what, in words; empty while nobody has."""
        return f"{self._who} said {short(self._what)!r}" if self._who else ""

    def _add_delta(self, entry: Entry) -> None:
        facts = mapping(payload(entry))
        item, delta = facts.get("item_id"), str(facts.get("delta"))
        if self._who == "the model" and self._item == item:
            self._what = (self._what + delta)[:MAX_SAID]
        else:
            self._say("the model", delta)
            self._item = item

    def _say(self, who: str, what: str) -> None:
        self._who, self._what, self._item = who, what[:MAX_SAID], None
