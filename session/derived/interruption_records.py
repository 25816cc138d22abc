"""`InterruptionRecord`: where the user, or the application, broke in, how soon it was silent, what was lost;
and `Interruptions`, which finds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ...schema.entries import Entry, Flag, Kind
from ..audio import PLAYS, Part, heard_part, part_of, truncated_ms
from ..fields import event_fields, mapping, text_of
from ..interruptions import InterruptionHeads
from ..messages import SPEECH_STARTED, TRUNCATE, TRUNCATED
from .exchange import INTERRUPT, Exchanged

By = Literal["user", "application"]
"""Who breaks in."""


@dataclass(frozen=True, slots=True)
class InterruptionRecord:
    """One interruption. Instants are nanoseconds since the session began.

    Attributes:
        seq: of the entry with which it began: the server's `speech_started`, the application's interrupt;
            where the log lacks these, the model's `audio_interrupted`, or the truncation.
        by: who broke in.
        user_item_id: the item that the user's words become; empty where the log does not tell.
        item_id, content_index: what was being heard; where nothing tells that, what came last; empty and 0
            where the model's voice does not come this way.
        response_id: that made it; empty where the log does not tell.
        began_ns: when the server said that the user spoke, or the application interrupted.
        silent_ns: when the last of the interrupted sound was played, as the application told its tracker;
            else when the application was told to stop; None: the log does not tell.
        silence_ms: from the one to the other, in milliseconds; None where the log does not tell.
        heard_ms: how much of the part had been heard by then, or, where no playback state tells it, where it
            was truncated; None where the log does not tell.
        assumed: that is what the recorder assumes: nobody told it.
        lost_ms: how much of the part was never heard, with what came later; None where that is not known.
        lost_text: an estimate of its words.
    """

    seq: int
    by: By
    user_item_id: str
    item_id: str
    content_index: int
    response_id: str
    began_ns: int
    silent_ns: int | None
    silence_ms: float | None
    heard_ms: float | None
    assumed: bool
    lost_ms: float | None = None
    lost_text: str = ""


@dataclass(slots=True)
class Broken:
    """An interruption that has begun.

    Attributes:
        entry: with which it began.
        part: what was being heard; None: nothing tells yet.
        sure: something was interrupted.
        silent_ns: when it was silent, as far as is known.
        truncated_ms: where the client truncated it, or the provider said that it did; None: nobody did.
    """

    entry: Entry
    by: By
    user_item_id: str
    part: Part | None
    sure: bool = False
    silent_ns: int | None = None
    truncated_ms: float | None = None

    @property
    def heard_ms(self) -> float | None:
        """How much of the part had been heard."""
        told = heard_part(self.entry)
        if told is None:
            return self.truncated_ms
        return self.entry.elapsed_ms if told == self.part else None

    @property
    def assumed(self) -> bool:
        """Whether that is assumed."""
        return bool(self.entry.flags & Flag.ASSUMED)


class Interruptions:
    """Is told every entry, and then its messages, in order."""

    def __init__(self) -> None:
        self._all: list[Broken] = []
        self._heads = InterruptionHeads()
        self._latest: dict[int | None, Part] = {}  # by connection: what came last, if it may still play
        self._open: Broken | None = None

    def read_entry(self, entry: Entry) -> None:
        """The next entry."""
        head = self._heads.read(entry)
        if head is not None:
            self._told(entry, head)
        elif entry.kind == Kind.PLAYBACK:
            self._played(entry)

    def read(self, one: Exchanged) -> None:
        """The next message."""
        entry = one.entry
        if one.by_server and one.type == "response.output_audio.delta":
            self._latest[entry.connection] = part_of(one.message)
        elif one.by_server and one.type == SPEECH_STARTED:
            self._begin(entry, "user", text_of(one.message.get("item_id")))
        elif one.type == INTERRUPT:
            self._begin(entry, "application", "")
        elif one.type in (TRUNCATE, TRUNCATED):
            self._truncated(one)
        elif one.by_server and one.type == "response.done":
            details = mapping(mapping(one.message.get("response")).get("status_details"))
            if details.get("reason") == "turn_detected" and self._open is not None:
                self._open.sure = True
        elif one.by_server and one.type == "response.created" and self._open is not None:
            self._open = self._open if self._open.sure else None  # there was nothing to interrupt

    def _begin(self, entry: Entry, by: By, user_item_id: str) -> Broken:
        part = heard_part(entry) or self._latest.get(entry.connection)
        self._latest.pop(entry.connection, None)
        self._open = Broken(entry, by, user_item_id, part)
        self._all.append(self._open)
        return self._open

    def _told(self, entry: Entry, head: Entry) -> None:
        """The model says that it was interrupted."""
        last = self._open
        if last is None or last.entry.seq not in (head.seq, head.cause):
            last = self._begin(head, "application" if head.kind == Kind.SENT else "user", "")
        last.part = last.part or part_of(event_fields(entry))
        last.sure, last.silent_ns = True, entry.at_ns

    def _truncated(self, one: Exchanged) -> None:
        part = part_of(one.message)
        last = self._open
        if last is None or (last.sure and last.part != part):
            if one.by_server:
                return  # of what was asked before
            last = self._begin(one.entry, "application", "")
        last.part, last.sure = last.part or part, True
        if part == last.part and (last.truncated_ms is None or not one.by_server):
            last.truncated_ms = truncated_ms(one.message)
        if not one.by_server and last.silent_ns is None:
            last.silent_ns = one.entry.at_ns

    def _played(self, entry: Entry) -> None:
        """What is still played of what was interrupted is not silence yet."""
        last = self._open
        if last is None or not last.sure or entry.type != "application" or entry.method not in PLAYS:
            return
        if heard_part(entry) == last.part:
            last.silent_ns = entry.at_ns
        else:
            self._open = None

    def records(
        self,
        response_of: Callable[[str], str],
        lost: Callable[[Part, float | None], tuple[float | None, str]],
    ) -> tuple[InterruptionRecord, ...]:
        """In the order in which they began.

        Args:
            response_of: which response made an item.
            lost: how much of a part was never heard, of which so much had been; and its words.
        """
        found: list[InterruptionRecord] = []
        for one in self._all:
            if not one.sure:
                continue
            part = one.part or ("", 0)
            began_ns, silent_ns = one.entry.at_ns, one.silent_ns
            silence_ms = None if silent_ns is None else (silent_ns - began_ns) / 1e6
            lost_ms, lost_text = lost(part, one.heard_ms)
            found.append(
                InterruptionRecord(
                    seq=one.entry.seq,
                    by=one.by,
                    user_item_id=one.user_item_id,
                    item_id=part[0],
                    content_index=part[1],
                    response_id=response_of(part[0]),
                    began_ns=began_ns,
                    silent_ns=silent_ns,
                    silence_ms=silence_ms,
                    heard_ms=one.heard_ms,
                    assumed=one.assumed,
                    lost_ms=lost_ms,
                    lost_text=lost_text,
                )
            )
        return tuple(found)
