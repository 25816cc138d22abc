"""The state of a conversation at a place of its recording: what had been said, played and asked by then.

It is computed from the log alone: nothing needs to be decoded, and no application to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..schema.entries import Entry, Flag, Kind
from .fields import event_fields, mapping, sequence
from .messages import SPOKEN_DELTAS, answers_call, begins_turn, tool_called
from .session_settings import SessionSettings, SettingsReader


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """An item of the conversation.

    Attributes:
        item_id: the provider's.
        role: `user`, `assistant`, `system`, or `tool` for the call of one.
        text: what it says, as far as the log tells; of a call, its name and arguments.
        status: `in_progress`, `completed`, `incomplete`; empty where it is not known.
    """

    item_id: str
    role: str
    text: str
    status: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What was said or written in an item so far.

    Attributes:
        item_id: empty for what the application sent as text.
        role: `user` or `assistant`.
    """

    item_id: str
    role: str
    text: str


@dataclass(frozen=True, slots=True)
class HeardSoFar:
    """What the user has heard.

    Attributes:
        elapsed_ms: milliseconds of that content that were played; None where nobody knows.
        assumed: the application did not report it: audio was assumed to play as it came.
    """

    item_id: str
    content_index: int | None
    elapsed_ms: float | None
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A tool that the model asked for, and whose output was not sent yet.

    Attributes:
        seq: of the entry with which it was asked for.
        arguments: a JSON text as the model wrote it.
    """

    seq: int
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class State:
    """What is true at a place of a recording.

    Attributes:
        seq: the place: all entries before this one have happened, this one has not.
        at_ns: when the last of them happened, in nanoseconds since the session began.
        turn: number of the conversation's turn, from 1; 0 before the first.
        history: the items of the conversation, in its order.
        transcript: what was said, by item, in the order in which they began.
        played: what the user has heard; None while nothing is being played.
        open_calls: tools that owe their output, in the order in which they were asked for.
        settings: what the session is to be like; None where nobody has said anything.
    """

    seq: int = 0
    at_ns: int = 0
    turn: int = 0
    history: tuple[HistoryItem, ...] = ()
    transcript: tuple[Said, ...] = ()
    played: HeardSoFar | None = None
    open_calls: tuple[OpenCall, ...] = ()
    settings: SessionSettings | None = None


class Fold:
    """Makes states of entries, which it is given in order.

    Args:
        state: where to go on from.
    """

    def __init__(self, state: State | None = None) -> None:
        begin = state or State()
        self.seq = begin.seq
        self._at_ns = begin.at_ns
        self._turn = begin.turn
        self._history = {item.item_id: item for item in begin.history}
        self._order = [item.item_id for item in begin.history]
        # What has no item is told apart by its place.
        self._said = {
            (said.item_id, 0 if said.item_id else place): said for place, said in enumerate(begin.transcript)
        }
        self._played = begin.played
        self._open = {call.call_id: call for call in begin.open_calls}
        # As `state` gave them last, as long as nothing has changed: most entries change nothing.
        self._now: tuple[tuple[HistoryItem, ...], tuple[Said, ...], tuple[OpenCall, ...]] | None = None
        self._settings = SettingsReader(begin.settings)

    @property
    def settings(self) -> SessionSettings | None:
        """Those that hold now."""
        return self._settings.settings

    def state(self) -> State:
        """What is true now."""
        if self._now is None:
            history = tuple(self._history[item_id] for item_id in self._order)
            self._now = history, tuple(self._said.values()), tuple(self._open.values())
        history, said, opened = self._now
        return State(
            self.seq, self._at_ns, self._turn, history, said, self._played, opened, self._settings.settings
        )

    def add(self, entry: Entry) -> None:
        """The next entry."""
        self.seq, self._at_ns = entry.seq + 1, entry.at_ns
        self._hear(entry)
        self._settings.read(entry)
        if entry.kind == Kind.RECEIVED:
            self._receive(entry)
        elif entry.kind == Kind.SENT:
            self._send(entry)

    def _hear(self, entry: Entry) -> None:
        before = self._played
        if entry.item_id is None:
            self._played = None
        elif (
            before is None
            or before.elapsed_ms != entry.elapsed_ms
            or before.item_id != entry.item_id
            or before.content_index != entry.content_index
        ):
            assumed = bool(entry.flags & Flag.ASSUMED)
            self._played = HeardSoFar(entry.item_id, entry.content_index, entry.elapsed_ms, assumed)

    def _receive(self, entry: Entry) -> None:
        if begins_turn(entry):
            self._turn += 1
        elif entry.type in SPOKEN_DELTAS:
            event = event_fields(entry)
            self._say(_text(event.get("item_id")), "assistant", _text(event.get("delta")), adds=True)
        elif entry.type == "input_audio_transcription_completed":
            event = event_fields(entry)
            item_id, text = _text(event.get("item_id")), _text(event.get("transcript"))
            self._say(item_id, "user", text)
            known = self._history.get(item_id)
            self._put(HistoryItem(item_id, "user", text, known.status if known else ""), None)
        elif entry.type == "item_updated":
            self._update(mapping(event_fields(entry).get("item")))
        elif entry.type == "item_deleted":
            item_id = _text(event_fields(entry).get("item_id"))
            if self._history.pop(item_id, None) is not None:
                self._order.remove(item_id)
                self._now = None
        elif (call_id := tool_called(entry)) is not None:
            event = event_fields(entry)
            self._now = None
            self._open[call_id] = OpenCall(
                entry.seq, call_id, _text(event.get("name")), _text(event.get("arguments"))
            )

    def _send(self, entry: Entry) -> None:
        if (call_id := answers_call(entry)) is not None:
            if self._open.pop(call_id, None) is not None:
                self._now = None
        elif entry.type == "send_user_input":
            text = _input(event_fields(entry).get("user_input"))
            self._said["", len(self._said)] = Said("", "user", text)
            self._now = None

    def _say(self, item_id: str, role: str, text: str, *, adds: bool = False) -> None:
        self._now = None
        before = self._said.get((item_id, 0))
        self._said[item_id, 0] = Said(item_id, role, before.text + text if adds and before else text)

    def _update(self, item: dict[str, Any]) -> None:
        item_id, status = _text(item.get("item_id")), _text(item.get("status"))
        if item.get("type") == "function_call":
            text = f"{_text(item.get('name'))}({_text(item.get('arguments'))})"
            new = HistoryItem(item_id, "tool", text, status)
        else:
            known = self._history.get(item_id)
            text = _spoken(item.get("content")) or (known.text if known else "")
            new = HistoryItem(item_id, _text(item.get("role")), text, status)
        self._put(new, item.get("previous_item_id"))

    def _put(self, item: HistoryItem, after: object) -> None:
        self._now = None
        if item.item_id not in self._history:
            place = len(self._order)
            if isinstance(after, str) and after in self._history:
                place = self._order.index(after) + 1
            self._order.insert(place, item.item_id)
        self._history[item.item_id] = item


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _spoken(content: object) -> str:
    """The texts of an item's parts."""
    parts = (mapping(part) for part in sequence(content))
    return " ".join(text for part in parts if (text := _text(part.get("text") or part.get("transcript"))))


def _input(value: object) -> str:
    """What the application wrote for the user: a text, or a message with parts."""
    return value if isinstance(value, str) else _spoken(mapping(value).get("content"))
