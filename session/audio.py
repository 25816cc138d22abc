"""What was received of each sound, and what was heard of it.

Lengths in milliseconds are counted as the SDK's model counts them: each piece in the format that holds
when it comes (`_default_tracker.py`), of which the sum is the sound's.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any, Literal

from ..schema.entries import Entry, Flag, Kind
from .fields import (
    byte_count,
    client_message,
    event_fields,
    frame_message,
    index_of,
    server_message,
    text_of,
)
from .frame_messages import FrameMessages
from .messages import AUDIO_DELTAS, TRUNCATE, TRUNCATED
from .sound import SoundFormats

Part = tuple[str, int]
"""An item, and the index of a content in it: where a sound is."""

SLACK_MS = 1.0
"""Players count in whole milliseconds, the model's sound in samples: so much more, or less, is the same."""

PLAYS = frozenset({"on_play_bytes", "on_play_ms"})
"""With these calls an application tells its tracker what it has played."""

_CUTS = "item.truncate"
"""In the payload of whatever truncates, or says that something was: else that need not be read."""

_MOST_MS = 1e12

Depth = Literal["event", "message", "frame"]
"""Where a sound was seen: in the model's events, in the server's messages, in the socket's frames."""


def part_of(fields: dict[str, Any]) -> Part:
    """The part of an item that an event, or a message of the server, is about."""
    return text_of(fields.get("item_id")), index_of(fields.get("content_index"))


def heard_part(entry: Entry) -> Part | None:
    """The sound that was being heard when an entry was made; None: none was."""
    return None if entry.item_id is None else (entry.item_id, entry.content_index or 0)


def reported_part(entry: Entry) -> Part | None:
    """The same, if that is not only assumed."""
    return None if entry.flags & Flag.ASSUMED else heard_part(entry)


def truncated_ms(message: dict[str, Any]) -> float | None:
    """Where a truncation cuts its part, in milliseconds of it; None where the message does not say."""
    told = message.get("audio_end_ms")
    if not isinstance(told, int | float) or isinstance(told, bool):
        return None
    return float(told) if abs(told) < _MOST_MS else None  # neither infinite, nor no number at all


def audio_event(entry: Entry) -> tuple[Part, int] | None:
    """The sound of which the model gave a piece, and how many bytes; None of any other entry."""
    if entry.kind != Kind.RECEIVED or entry.type != "audio":
        return None
    fields = event_fields(entry)
    return part_of(fields), byte_count(fields.get("data")) or 0


def sound_length(told: object) -> int:
    """How many bytes of sound a message, or an event, brings: as a reference, or as base64 that is too short
    for one, four characters for three bytes."""
    count = byte_count(told)
    return len(text_of(told).rstrip("=")) * 3 // 4 if count is None else count


@dataclass
class _Received:
    byte_count: Counter[Part] = field(default_factory=Counter[Part])
    ms: dict[Part, float] = field(default_factory=lambda: defaultdict[Part, float](float))


class ReceivedAudio:
    """Reads along, and adds up the audio of each item.

    The same audio shows at several depths: the fullest counts, for the SDK gives no events of what comes
    of a response that was interrupted.

    Attributes:
        formats: in which it came.
    """

    def __init__(self) -> None:
        self.formats = SoundFormats()
        self._frames = FrameMessages()
        self._depths: dict[Depth, _Received] = {
            "event": _Received(),
            "message": _Received(),
            "frame": _Received(),
        }

    def read(self, entry: Entry) -> None:
        """The next entry; those of the sessions after this one may follow."""
        self.formats.read(entry)
        if entry.kind == Kind.RECEIVED:  # of most others nothing more is asked
            if (given := audio_event(entry)) is not None:
                self._add("event", *given)
            elif (message := server_message(entry)) is not None:
                self._add_message("message", message)
        elif entry.kind == Kind.FRAME_IN:
            for _, message in self._frames.read(entry):
                self._add_message("frame", message)

    def has(self, part: Part) -> bool:
        """Whether any audio of it came."""
        return any(received.byte_count[part] for received in self._depths.values())

    @property
    def any(self) -> bool:
        """Whether the model's voice comes this way at all: of a telephone call or in a browser it has a
        way of its own, and whoever listens here knows nothing of it."""
        return any(received.byte_count for received in self._depths.values())

    def byte_count(self, part: Part) -> int:
        """How much of it the model gave in its events, in bytes."""
        return self._depths["event"].byte_count[part]

    def given_ms(self, part: Part) -> float:
        """How long the audio of it plays that the model gave in its events, in milliseconds."""
        return self._depths["event"].ms.get(part, 0.0)

    def ms(self, part: Part) -> float:
        """How long the audio of it plays that came, in milliseconds."""
        fullest = max(self._depths.values(), key=lambda received: received.byte_count[part])
        return fullest.ms.get(part, 0.0)

    def ceiling_ms(self, part: Part) -> int:
        """The same in whole milliseconds, the last one begun counted full."""
        return math.ceil(self.ms(part))

    def _add_message(self, depth: Depth, message: dict[str, Any]) -> None:
        if message.get("type") in AUDIO_DELTAS:
            self._add(depth, part_of(message), sound_length(message.get("delta")))

    def _add(self, depth: Depth, part: Part, count: int) -> None:
        received = self._depths[depth]
        received.byte_count[part] += count
        received.ms[part] += self.formats.model.ms(count)


@dataclass(frozen=True, slots=True)
class HeardSound:
    """What the user has heard of a sound.

    Attributes:
        item_id, content_index: which sound.
        heard_ms: the most that was ever told of it, in milliseconds.
        received_ms: how much of it had come by the end, in milliseconds.
        assumed: the application did not report it: audio was assumed to play as it came.
    """

    item_id: str
    content_index: int
    heard_ms: float
    received_ms: float
    assumed: bool


@dataclass(frozen=True, slots=True)
class _Truncation:
    """Where a part was truncated.

    Attributes:
        ms: of the part.
        by: `application`, in a message of its own; `client`, in a frame; `server`, who confirms what nobody
            saw asked.
    """

    ms: float
    by: Literal["application", "client", "server"]


class HeardAudio:
    """Reads along, and knows how much of each sound was heard.

    What tells it, in this order: the playback state, as the application told its tracker; a truncation, for
    who truncates says how much was heard (the last that the client sent, else that the provider confirmed);
    and what the recorder assumes, which counts before a truncation that the application did not ask for:
    that is by the model's own clock, which knows as little.
    """

    def __init__(self) -> None:
        self.received = ReceivedAudio()
        self._heard: dict[Part, tuple[float, bool]] = {}
        self._truncated: dict[Part, _Truncation] = {}
        self._tracked = False

    def read(self, entry: Entry) -> None:
        """The next entry."""
        self.received.read(entry)
        self._tracked = self._tracked or entry.kind == Kind.PLAYBACK
        part = heard_part(entry)
        if part is not None and entry.elapsed_ms is not None:
            before_ms, _ = self._heard.get(part, (0.0, True))
            assumed = bool(entry.flags & Flag.ASSUMED)
            self._heard[part] = max(before_ms, entry.elapsed_ms), assumed
        if _CUTS in entry.payload:
            self._read_truncation(entry)

    def played(self, part: Part) -> tuple[float, bool] | None:
        """How much of a sound was heard by the playback state, in milliseconds, and whether that is assumed;
        None: it told nothing of it. No truncation tells this."""
        return self._heard.get(part)

    def known(self, part: Part) -> tuple[float, bool] | None:
        """How much of a sound was heard by all that tells it, in milliseconds, and whether that is assumed;
        of a sound of which nothing tells: nothing of it, where the log would tell, for there is a tracker, or
        it tells of others; None: it would not."""
        told, cut = self._heard.get(part), self._truncated.get(part)
        if cut is not None and (told is None or (told[1] and cut.by == "application")):
            return cut.ms, False
        silent = (0.0, False) if self._tracked or self._heard else None
        return silent if told is None else told

    def heard(self) -> tuple[HeardSound, ...]:
        """Of each sound of which something tells, in the order in which that began."""
        found = ((part, self.known(part)) for part in {**self._heard, **self._truncated})
        return tuple(
            HeardSound(*part, known[0], self.received.ms(part), known[1])
            for part, known in found
            if known is not None
        )

    def _read_truncation(self, entry: Entry) -> None:
        by: Literal["application", "client", "server"] = "server"
        if entry.kind in (Kind.FRAME_IN, Kind.FRAME_OUT):
            message, by = frame_message(entry), "client" if entry.kind == Kind.FRAME_OUT else "server"
        elif entry.kind == Kind.SENT:
            message, by = client_message(entry) or {}, "application"
        else:
            message = server_message(entry) or {}
        at_ms, part = truncated_ms(message), part_of(message)
        if message.get("type") != (TRUNCATED if by == "server" else TRUNCATE) or at_ms is None:
            return
        known = self._truncated.get(part)
        if by != "server" or known is None or known.by == "server":
            self._truncated[part] = _Truncation(max(at_ms, 0.0), by)
