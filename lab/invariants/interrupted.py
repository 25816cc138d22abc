"""An interruption is of what is interrupted: of this session, not heard to its end, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...schema.entries import Entry, Flag
from ...session.audio import HeardAudio, Part, heard_part, part_of
from ...session.derived import INTERRUPT, Exchange, Exchanged
from ...session.fields import event_fields
from ...session.messages import SPEECH_STARTED, TRUNCATED, ids_in, interrupts
from .rule import Found, Invariant, Watching

SLACK_MS = 1.0
"""Players count in whole milliseconds, the audio in samples."""

_BEGINS = frozenset({SPEECH_STARTED, INTERRUPT, "response.cancel"})
_TRUNCATE = "conversation.item.truncate"


@dataclass(frozen=True)
class InterruptsTheInterrupted(Invariant):
    """An interruption, and a truncation, names an item that is of this session; a truncation none of a
    finished response that was heard to its end, and of several responses that which was being heard.

    What was heard is what the application told its playback tracker; where nobody told, only the first of
    these is asked. Frames show each truncation, raw messages those that the provider confirmed.
    """

    name = "an interruption names what it interrupts"
    needs = ("frames", "raw_messages")

    def watch(self) -> Watching:
        """A fresh check."""
        return _Interrupted()


class _Interrupted(Watching):
    def __init__(self) -> None:
        self.begin(known_before=True)

    def begin(self, *, known_before: bool) -> None:
        self._heard = HeardAudio()
        self._exchange = Exchange()
        self._items: dict[str, str] = {}  # item → the response that made it, else itself
        self._done: set[str] = set()
        self._playing: Part | None = None  # when the interruption began,
        self._whole = False  # and whether all of it had been heard, and its response had ended, by then
        self._asked: set[Part] = set()

    def add(self, entry: Entry) -> Iterator[Found]:
        self._heard.read(entry)
        for one in self._exchange.read(entry):
            yield from self._message(one)
        if interrupts(entry):
            item_id = part_of(event_fields(entry))[0]
            if item_id and item_id not in self._items:
                yield Found(f"{item_id} was interrupted, which is no item of this session", (entry.seq,))

    def _message(self, one: Exchanged) -> Iterator[Found]:
        part = part_of(one.message)
        if one.type in _BEGINS:
            self._playing = _playing(one.entry)
            self._whole = self._playing is not None and self._heard_whole(self._playing)
        if one.type == _TRUNCATE:
            self._asked.add(part)
            yield from self._truncated(part, one.entry, self._heard_whole(part))
        elif one.by_server and one.type == TRUNCATED:
            if part not in self._asked:  # by what the model sent below: when, only the interruption tells
                yield from self._truncated(part, one.entry, self._whole and part == self._playing)
            self._asked.discard(part)
        elif one.by_server:
            response_id, item_id = ids_in(one.message)
            if item_id:
                self._items[item_id] = response_id or self._items.get(item_id, item_id)
            if one.type == "response.done":
                self._done.add(response_id)

    def _heard_whole(self, part: Part) -> bool:
        """Whether all of a part was heard, by what the application told, and its response is over."""
        heard_ms, assumed = self._heard.of(part) or (0.0, True)
        whole = not assumed and heard_ms >= self._heard.received.ms(part) - SLACK_MS > 0
        return whole and self._items.get(part[0]) in self._done

    def _truncated(self, part: Part, entry: Entry, whole: bool) -> Iterator[Found]:
        item_id, playing = part[0], _playing(entry) or self._playing
        response_id = self._items.get(item_id)
        if response_id is None:
            yield Found(f"{item_id} was truncated, which is no item of this session", (entry.seq,))
            return
        if whole:
            generated_ms = self._heard.received.ms(part)
            summary = f"{item_id} was truncated, after all {generated_ms:,.0f} ms of it had been heard"
            yield Found(f"{summary} and its response had ended", (entry.seq,))
        elif playing is not None and self._items.get(playing[0]) not in (None, response_id):
            yield Found(f"{item_id} was truncated, and {playing[0]} was being heard", (entry.seq,))


def _playing(entry: Entry) -> Part | None:
    """What is being heard, if the application has said so."""
    return None if entry.flags & Flag.ASSUMED else heard_part(entry)
