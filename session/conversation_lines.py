"""A conversation: its turns, what was said, what tools were asked and answered, where it was interrupted."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ..schema.entries import Entry, Kind
from .audio import truncated_ms
from .fields import RAW, client_message, event_fields, frame_message, mapping, server_message, text_of
from .messages import SPOKEN_DELTAS, TRUNCATE, answers_call, begins_turn, interrupts, output_of, tool_called
from .notes import Notes
from .words import detail, item_text

_TOLD_BY_FRAMES = re.compile("function_call_output|item.truncate")

MAX_ITEMS = 64
"""Items that are remembered: an update of one of them says nothing new."""


@dataclass(frozen=True, slots=True)
class ConversationLine:
    """What somebody said or did, whole.

    Attributes:
        seq, at_ns: of the entry with which it began; nanoseconds since the session did.
        turn: number of the turn, from 1; 0 before the first.
        who: `user`, `model`, `system`, `tool` for what is asked of one and what it answers; `interrupted`
            where the user, or the application, broke in.
        text: what was said; with `interrupted`, how much had been heard.
    """

    seq: int
    at_ns: int
    turn: int
    who: str
    text: str


@dataclass
class _Speaking:
    """What the model is saying in an item."""

    begin: Entry
    turn: int
    pieces: list[str] = field(default_factory=list[str])


class ConversationReader:
    """Takes the entries of a session in order, gives lines, in order too; a line when it is whole."""

    def __init__(self) -> None:
        self._notes = Notes()
        self._speaking: dict[str, _Speaking] = {}
        self._waiting: list[ConversationLine] = []  # began after what is being said
        self._known: dict[str, None] = {}  # items whose words were told
        self._typed: list[str] = []  # texts of the application's, whose items are still to come
        self._tools: dict[str, str] = {}
        self._heard = ""
        self._own = False  # there are the application's own calls, and not only frames
        self._broken = False  # somebody broke in, and how much was heard is still to be told

    def add(self, entry: Entry) -> list[ConversationLine]:
        """The next entry; the lines that are whole now."""
        note = self._notes.read(entry)
        if entry.item_id is not None and entry.elapsed_ms is not None:
            self._heard = f"after {entry.elapsed_ms:,.0f} ms of {entry.item_id}"
        # What was broken into ends before the client says how much of it was heard.
        ends = begins_turn(entry) or interrupts(entry) or (entry.type == "turn_ended" and not self._broken)
        lines = self.rest() if ends and entry.kind == Kind.RECEIVED else []
        if entry.kind == Kind.RECEIVED:
            self._receive(entry)
        elif entry.kind == Kind.SENT:
            self._send(entry, note)
        elif entry.kind == Kind.FRAME_OUT and not self._own:
            self._send_frame(entry)
        self._own = self._own or entry.kind in (Kind.CONNECT, Kind.SENT)
        return lines if self._speaking or self._broken else lines + self.rest()

    def rest(self) -> list[ConversationLine]:
        """The lines that began, as far as they have come."""
        said = [
            ConversationLine(one.begin.seq, one.begin.at_ns, one.turn, "model", "".join(one.pieces))
            for one in self._speaking.values()
        ]
        lines = sorted([*said, *self._waiting], key=lambda line: line.seq)
        self._speaking.clear()
        self._waiting.clear()
        self._broken = False
        return lines

    def _receive(self, entry: Entry) -> None:
        if entry.type in SPOKEN_DELTAS:
            fields = event_fields(entry)
            item = text_of(fields.get("item_id"))
            self._remember(item)
            speaking = self._speaking.setdefault(item, _Speaking(entry, self._notes.turn))
            speaking.pieces.append(text_of(fields.get("delta")))
        elif entry.type == "input_audio_transcription_completed":
            fields = event_fields(entry)
            if self._remember(text_of(fields.get("item_id"))):
                self._say(entry, "user", text_of(fields.get("transcript")))
        elif entry.type == "item_updated":
            self._add_item(entry, mapping(event_fields(entry).get("item")))
        elif (call_id := tool_called(entry)) is not None:
            fields = event_fields(entry)
            name = self._tools[call_id] = text_of(fields.get("name"))
            self._say(entry, "tool", f"{name}({text_of(fields.get('arguments'))})")
        elif interrupts(entry):
            self._say(entry, "interrupted", self._heard)
            self._broken = not self._heard and entry.cause == entry.seq  # by a frame: who truncates tells it
        elif entry.type == RAW and '"mcp_call"' in entry.payload:
            message = server_message(entry) or {}
            if text_of(message.get("type")).endswith(".done"):
                self._say(entry, "tool", detail(message).removeprefix("mcp_call "))

    def _send(self, entry: Entry, note: str) -> None:
        call_id = answers_call(entry)
        if call_id is not None:
            name = self._tools.pop(call_id, call_id)
            self._say(entry, "tool", f"{name} {note}".rstrip() + f" → {output_of(entry)}")
        elif entry.type == "send_user_input":
            told = event_fields(entry).get("user_input")
            self._type(entry, "user", told if isinstance(told, str) else item_text(mapping(told)))
        else:
            message = client_message(entry) or {}
            item = mapping(message.get("item"))
            if message.get("type") == "conversation.item.create" and item_text(item):
                self._type(entry, text_of(item.get("role")) or "user", item_text(item))

    def _send_frame(self, entry: Entry) -> None:
        """Where there is nothing but frames: what tools answer, and how much was heard of what is cut off."""
        if _TOLD_BY_FRAMES.search(entry.payload) is None:
            return
        message = frame_message(entry)
        item, heard_ms = mapping(message.get("item")), truncated_ms(message)
        if item.get("type") == "function_call_output":
            call_id = text_of(item.get("call_id"))
            name = self._tools.pop(call_id, call_id)
            self._say(entry, "tool", f"{name} → {text_of(item.get('output'))}")
        elif message.get("type") == TRUNCATE and heard_ms is not None and self._broken:
            self._broken = False
            heard = f"after {heard_ms:,.0f} ms of {text_of(message.get('item_id'))}"
            place = max(n for n, line in enumerate(self._waiting) if line.who == "interrupted")
            self._waiting[place] = replace(self._waiting[place], text=heard)

    def _type(self, entry: Entry, who: str, text: str) -> None:
        self._typed = [*self._typed, text][-MAX_ITEMS:]
        self._say(entry, who, text)

    def _add_item(self, entry: Entry, item: dict[str, Any]) -> None:
        role, text = text_of(item.get("role")), item_text(item)
        if role not in ("user", "assistant", "system") or not text:
            return
        if not self._remember(text_of(item.get("item_id"))):
            return
        if text in self._typed:
            self._typed.remove(text)
        else:
            self._say(entry, "model" if role == "assistant" else role, text)

    def _remember(self, item: str) -> bool:
        """Whether its words are new."""
        new = not item or item not in self._known
        self._known[item] = None
        if len(self._known) > MAX_ITEMS:
            del self._known[next(iter(self._known))]
        return new

    def _say(self, entry: Entry, who: str, text: str) -> None:
        if text or who == "interrupted":
            self._waiting.append(ConversationLine(entry.seq, entry.at_ns, self._notes.turn, who, text))


def conversation(entries: Iterable[Entry]) -> Iterable[ConversationLine]:
    """The lines of a whole session."""
    reader = ConversationReader()
    for entry in entries:
        yield from reader.add(entry)
    yield from reader.rest()
