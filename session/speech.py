"""How far a conversation has come, by what its recording holds: the turn, and who spoke last."""

from __future__ import annotations

from typing import Literal

from ..schema.entries import Entry, Kind
from .fields import event_fields, mapping
from .messages import SPOKEN_DELTAS, begins_turn
from .words import content, item_text, short

MAX_SAID = 400
"""Characters of what was said that are kept."""

MAX_ITEMS = 64
"""Items that are remembered: an update of one of them says nothing new."""


class Speech:
    """Is told every entry of a recording, in order.

    Attributes:
        turn: number of the conversation's turn, from 1; 0 before the first.
    """

    def __init__(self) -> None:
        self.turn = 0
        self._who = ""
        self._what = ""
        self._item: object = None
        self._items: dict[object, None] = {}  # whose words are known

    def read(self, entry: Entry) -> None:
        """The next entry."""
        if entry.kind == Kind.RECEIVED:
            if begins_turn(entry):
                self.turn += 1
            elif entry.type in SPOKEN_DELTAS:
                self._add_delta(entry)
            elif entry.type == "input_audio_transcription_completed":
                facts = event_fields(entry)
                self._remember(facts.get("item_id"))
                self._say("the user", str(facts.get("transcript")))
            elif entry.type == "item_updated":
                self._add_item(mapping(event_fields(entry).get("item")))
        elif entry.kind == Kind.SENT and entry.type == "send_user_input":
            self._say("the user", content(entry))

    @property
    def last(self) -> str:
        """Who spoke last and what, in words; empty while nobody has."""
        return f"{self._who} said {short(self._what)!r}" if self._who else ""

    @property
    def speaker(self) -> Literal["user", "assistant"] | None:
        """Who spoke last; None while nobody has."""
        return None if not self._who else "user" if self._who == "the user" else "assistant"

    @property
    def words(self) -> str | None:
        """What, cut short."""
        return short(self._what) if self._who else None

    def _add_item(self, item: dict[str, object]) -> None:
        """An item that is new, or that is being said; others are only mentioned again."""
        role, name, text = item.get("role"), item.get("item_id"), item_text(item)
        if role not in ("user", "assistant") or not text or (name in self._items and name != self._item):
            return
        self._say("the user" if role == "user" else "the model", text)
        self._item = name
        self._remember(name)

    def _remember(self, item: object) -> None:
        self._items[item] = None
        if len(self._items) > MAX_ITEMS:
            del self._items[next(iter(self._items))]

    def _add_delta(self, entry: Entry) -> None:
        facts = event_fields(entry)
        item, delta = facts.get("item_id"), str(facts.get("delta"))
        if self._who == "the model" and self._item == item:
            self._what = (self._what + delta)[:MAX_SAID]
        else:
            self._say("the model", delta)
            self._item = item
            self._remember(item)

    def _say(self, who: str, what: str) -> None:
        self._who, self._what, self._item = who, what[:MAX_SAID], None
