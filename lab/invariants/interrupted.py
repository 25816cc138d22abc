"""An interruption is of what is interrupted: of this session, not heard to its end, and no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from ...schema.entries import Entry, Kind
from ...session.audio import Part, part_of, reported_part
from ...session.derived import INTERRUPT, Exchange, Exchanged
from ...session.fields import event_fields
from ...session.messages import SPEECH_STARTED, TRUNCATE, TRUNCATED, ids_in, interrupts
from .rule import Found, Invariant, Watching

_BEGINS = frozenset({SPEECH_STARTED, INTERRUPT, "response.cancel"})


@dataclass(frozen=True)
class InterruptsTheInterrupted(Invariant):
    """An interruption, and a truncation, names an item that is of this session; a truncation none of a
    finished response that was heard to its end, and of several responses that which was being heard.

    What was heard is what the application told its playback tracker by the time at which the interruption
    began; where nobody told, only the first of these is asked. Frames show each truncation, raw messages
    those that the provider confirmed, which of several interruptions they do not say.
    """

    name = "an interruption names what it interrupts"
    needs = ("frames", "raw_messages")

    def watch(self) -> Watching:
        """A fresh check."""
        return _Interrupted()

    def by_omission(self) -> bool:
        """Somebody has said it."""
        return False


class _Begun(NamedTuple):
    """How it was when an interruption began.

    Attributes:
        playing: what was being heard, if the application has said so.
        whole: all of that had been heard, and its response had ended.
    """

    playing: Part | None
    whole: bool


class _Interrupted(Watching):
    kinds = frozenset({Kind.SENT, Kind.RECEIVED, Kind.FRAME_IN, Kind.FRAME_OUT})

    def __init__(self) -> None:
        self.begin(known_before=True)

    def begin(self, *, known_before: bool) -> None:
        self._exchange = Exchange()
        self._items: dict[str, str] = {}  # item → the response that made it, else itself
        self._done: set[str] = set()
        self._begun: list[_Begun] = []  # interruptions that a truncation may be of, the last one at the end
        self._asked: set[Part] = set()

    def add(self, entry: Entry) -> Iterator[Found]:
        for one in self._exchange.read(entry):
            yield from self._message(one)
        if interrupts(entry):
            item_id = part_of(event_fields(entry))[0]
            if item_id and item_id not in self._items:
                yield Found(f"{item_id} was interrupted, which is no item of this session", (entry.seq,))

    def _message(self, one: Exchanged) -> Iterator[Found]:
        part = part_of(one.message)
        if one.type in _BEGINS:
            playing = reported_part(one.entry)
            self._begun.append(_Begun(playing, playing is not None and self._heard_whole(playing)))
        if one.type == TRUNCATE:
            self._asked.add(part)
            now = _Begun(reported_part(one.entry), self._heard_whole(part))
            yield from self._truncated(part, one.entry, now)
        elif one.by_server and one.type == TRUNCATED:
            if part not in self._asked:  # by what the model sent below: when, only the interruption tells
                yield from self._truncated(part, one.entry, None)
            self._asked.discard(part)
            del self._begun[:-1]
        elif one.by_server:
            response_id, item_id = ids_in(one.message)
            if item_id:
                self._items[item_id] = response_id or self._items.get(item_id, item_id)
            if one.type == "response.done":
                self._done.add(response_id)

    def _heard_whole(self, part: Part) -> bool:
        """Whether all of a part was heard, by what the application told, and its response is over."""
        heard_ms, assumed = self.readings.heard.played(part) or (0.0, True)
        # To the millisecond: who has heard all but half of one is truncated there, and rightly so.
        whole = not assumed and heard_ms >= self.readings.heard.received.ms(part) > 0
        return whole and self._items.get(part[0]) in self._done

    def _truncated(self, part: Part, entry: Entry, now: _Begun | None) -> Iterator[Found]:
        """Args:
        now: how it is; None: it was asked for at one of the interruptions, by the model.
        """
        if part[0] not in self._items:
            yield Found(f"{part[0]} was truncated, which is no item of this session", (entry.seq,))
            return
        begun = self._begun or [_Begun(None, whole=False)]
        if now is not None:
            last = self._begun[-1] if self._begun else now
            begun = [_Begun(now.playing or last.playing, now.whole and (last.whole or last.playing != part))]
        wrong = [self._wrong(part, one) for one in begun]
        if all(wrong):
            yield Found(wrong[-1], (entry.seq,))

    def _wrong(self, part: Part, begun: _Begun) -> str:
        """What is wrong with a truncation at an interruption; empty: nothing."""
        item_id, playing = part[0], begun.playing
        if begun.whole and playing in (None, part):
            generated_ms = self.readings.heard.received.ms(part)
            summary = f"{item_id} was truncated, after all {generated_ms:,.0f} ms of it had been heard"
            return f"{summary} and its response had ended"
        if playing is not None and self._items.get(playing[0]) not in (None, self._items[item_id]):
            return f"{item_id} was truncated, and {playing[0]} was being heard"
        return ""
