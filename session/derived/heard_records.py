"""`HeardRecord`: what was generated of each part of an item, and what of it was heard; and `HeardParts`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from ...schema.entries import Entry, Kind
from ..audio import SLACK_MS, HeardAudio, Part, heard_part, part_of, truncated_ms
from ..fields import event_fields, mapping, text_of
from ..messages import TRUNCATE, TRUNCATED, interrupts, refuses_truncation
from .exchange import Exchanged
from .transcripts import Transcripts

Discrepancy = Literal[
    "heard beyond generated",
    "truncated elsewhere",
    "acknowledged elsewhere",
    "truncate refused",
    "truncate unanswered",
    "not truncated",
    "kept unheard",
]
"""What does not agree: more is said to be heard than came; the truncation that was sent, or acknowledged, is
not where the sound had been heard to; the provider refused it, or said nothing of it; an interrupted item was
not truncated, though the log would tell; the history keeps words that nobody heard."""


@dataclass(frozen=True, slots=True)
class HeardRecord:
    """A part of an item that the model spoke. Milliseconds are of the part, as the model counts them.

    Attributes:
        item_id, content_index: which.
        response_id: that made it; empty where the log does not tell.
        seq: of the entry with which its sound began.
        generated_ms: how much came.
        given_ms: how much of that the model's events gave to the application's player; None: the log holds no
            such events.
        heard_ms: the most that the playback state ever told to be heard, else where it was truncated; 0 where
            the log would tell, and does not of this; None: the log does not tell.
        assumed: nobody told: the sound was assumed to play as it came.
        interrupted: it was broken into.
        truncate_ms, truncate_seq: the truncation that was sent last, and its entry; None: none was seen.
            (Above the socket nobody sees what an interruption sends.)
        acknowledged_ms, acknowledged_seq: the truncation that the provider confirmed last, and the entry.
        refused: the provider's words, where it refused to truncate; else empty.
        text: what was generated, as far as that was told.
        kept_text: what the history says of the item in the end.
        unheard_text: of `text`, what was never heard: all of it, nothing, or an estimate, by the share of the
            sound, down to whole words.
        discrepancies: what does not agree.
    """

    item_id: str
    content_index: int
    response_id: str
    seq: int
    generated_ms: float
    given_ms: float | None
    heard_ms: float | None
    assumed: bool
    interrupted: bool = False
    truncate_ms: float | None = None
    truncate_seq: int | None = None
    acknowledged_ms: float | None = None
    acknowledged_seq: int | None = None
    refused: str = ""
    text: str = ""
    kept_text: str = ""
    unheard_text: str = ""
    discrepancies: tuple[Discrepancy, ...] = ()


@dataclass(slots=True)
class _CutOff:
    """What is known of how a part was cut off."""

    interrupted: bool = False
    truncate_ms: float | None = None
    truncate_seq: int | None = None
    heard_then_ms: float | None = None
    acknowledged_ms: float | None = None
    acknowledged_seq: int | None = None
    refused: str = ""


@dataclass
class HeardParts:
    """Is told every entry, and then its messages, in order.

    Attributes:
        audio: what came and was heard; is told of each entry by this.
    """

    audio: HeardAudio = field(default_factory=HeardAudio)
    _cuts: dict[Part, _CutOff] = field(default_factory=dict[Part, _CutOff])
    _waiting: list[tuple[Part, str]] = field(default_factory=list[tuple[Part, str]])
    _gives: bool = False
    _tells_truncation: bool = False

    def read_entry(self, entry: Entry) -> None:
        """The next entry."""
        self.audio.read(entry)
        if interrupts(entry):
            self._cut(part_of(event_fields(entry))).interrupted = True
        elif entry.kind == Kind.RECEIVED and entry.type == "audio":
            self._gives = True

    def read(self, one: Exchanged) -> None:
        """The next message."""
        if one.type == TRUNCATE:
            self._truncate(one)
        elif one.by_server and one.type == TRUNCATED:
            self._tells_truncation = True
            part = part_of(one.message)
            cut = self._cut(part)
            cut.interrupted = True
            cut.acknowledged_ms, cut.acknowledged_seq = truncated_ms(one.message), one.entry.seq
            self._waiting = [(waits, event_id) for waits, event_id in self._waiting if waits != part]
        elif one.by_server and one.type == "error":
            self._error(mapping(one.message.get("error")))
        elif one.by_server and one.type in ("session.created", "session.updated"):
            self._tells_truncation = True

    def record(self, part: Part, seq: int, response_id: str, transcripts: Transcripts) -> HeardRecord:
        """What is known of a part by now."""
        cut = self._cuts.get(part) or _CutOff()
        generated_ms = self.audio.received.ms(part)
        heard_ms, assumed = self.audio.known(part) or (None, False)
        text, kept = transcripts.part(*part) or transcripts.said(part[0]), transcripts.kept(part[0])
        unheard = unheard_text(text, heard_ms, generated_ms)
        return HeardRecord(
            *(*part, response_id, seq, generated_ms),
            self.audio.received.given_ms(part) if self._gives else None,
            *(heard_ms, assumed, cut.interrupted, cut.truncate_ms, cut.truncate_seq),
            *(cut.acknowledged_ms, cut.acknowledged_seq, cut.refused, text, kept, unheard),
            (*self._discrepancies(part, cut, generated_ms, heard_ms, assumed, unheard, kept, text),),
        )

    def _discrepancies(
        self,
        part: Part,
        cut: _CutOff,
        generated_ms: float,
        heard_ms: float | None,
        assumed: bool,
        unheard: str,
        kept: str,
        text: str,
    ) -> list[Discrepancy]:
        found: list[Discrepancy] = []
        if heard_ms is not None and heard_ms > generated_ms + SLACK_MS:
            found.append("heard beyond generated")
        sent_ms, then_ms, told_ms = cut.truncate_ms, cut.heard_then_ms, cut.acknowledged_ms
        # Where nobody told the recorder what was heard, the model's own clock knows as little.
        wanted_ms = None if then_ms is None or assumed else min(then_ms, math.ceil(generated_ms))
        if sent_ms is not None and wanted_ms is not None and abs(sent_ms - wanted_ms) > SLACK_MS:
            found.append("truncated elsewhere")
        if sent_ms is not None and told_ms is not None and sent_ms != told_ms:
            found.append("acknowledged elsewhere")
        if cut.refused:
            found.append("truncate refused")
        elif sent_ms is not None and told_ms is None:
            found.append("truncate unanswered")
        partly = heard_ms is not None and heard_ms + SLACK_MS < generated_ms
        if cut.interrupted and partly and sent_ms is None and told_ms is None and self._tells_truncation:
            found.append("not truncated")
        if cut.interrupted and unheard and len(kept) > len(text) - len(unheard):
            found.append("kept unheard")
        return found

    def _truncate(self, one: Exchanged) -> None:
        part = part_of(one.message)
        cut = self._cut(part)
        cut.interrupted, self._tells_truncation = True, True
        cut.truncate_ms, cut.truncate_seq, cut.refused = truncated_ms(one.message), one.entry.seq, ""
        cut.acknowledged_ms = cut.acknowledged_seq = None
        known = self.audio.played(part)
        if heard_part(one.entry) == part:
            cut.heard_then_ms = one.entry.elapsed_ms
        else:
            cut.heard_then_ms = None if known is None else known[0]
        self._waiting.append((part, text_of(one.message.get("event_id"))))

    def _error(self, error: dict[str, Any]) -> None:
        named = text_of(error.get("event_id"))
        for waiting in self._waiting:
            if (named and waiting[1] == named) or (not (named and waiting[1]) and refuses_truncation(error)):
                self._cut(waiting[0]).refused = text_of(error.get("message")) or text_of(error.get("code"))
                self._waiting.remove(waiting)
                return

    def _cut(self, part: Part) -> _CutOff:
        return self._cuts.setdefault(part, _CutOff())


def unheard_text(text: str, heard_ms: float | None, generated_ms: float) -> str:
    """Of what was generated, what was never heard; as far as is known, nothing.

    An estimate, by the share of the sound that was heard: a word that was begun counts as heard.
    """
    if heard_ms is None or heard_ms >= generated_ms - SLACK_MS:
        return ""
    if heard_ms <= 0:
        return text
    place = math.ceil(len(text) * heard_ms / generated_ms)
    while 0 < place < len(text) and not text[place - 1].isspace() and not text[place].isspace():
        place += 1
    return text[place:]
