"""`AudioTracker`: what the SDK's model knows of the audio that it gives, and what it says was heard of it.

As openai-agents has it (`_default_tracker.py`, and `openai_realtime.py` around it; 0.18 to 0.24): of each
part that came how much it was, and since when; which part came last; which response goes on. From that follow
what is heard where the application has no tracker of its own, and where an interruption truncates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .audio import Part


@dataclass(slots=True)
class PartAudio:
    """What came of one part.

    Attributes:
        since_ns: when the first of it came.
        length: in bytes.
        ms: how long it plays: the sum over its pieces, to the last bit as the SDK has it.
        response_id: the response that it was last part of, where that is known.
    """

    since_ns: int
    length: int = 0
    ms: float = 0.0
    response_id: str | None = None


def played_ms(since_ns: int, limit_ms: float, at_ns: int) -> float:
    """How much of a part has played at an instant, at real-time speed since the first of it came; never more
    than came."""
    return min((at_ns - since_ns) / 1e6, limit_ms)


class AudioTracker:
    """Of one connection. Times are instants of any one clock, in nanoseconds.

    Attributes:
        parts: all that came.
        latest: the part that came last, until an interruption; None: there is nothing to interrupt.
        current_item_id: the item of which audio came last, whatever came after; None before the first.
        active: whether a response goes on.
        response_id: which one, where that is known.
    """

    def __init__(self) -> None:
        self.parts: dict[Part, PartAudio] = {}
        self.latest: Part | None = None
        self.current_item_id: str | None = None
        self.active = False
        self.response_id: str | None = None
        self._of_response: dict[str, list[Part]] = {}

    def came(
        self, part: Part, length: int, ms: float, *, at_ns: int = 0, response_id: str | None = None
    ) -> None:
        """A piece of audio came: so many bytes, that play so long."""
        audio = self.parts.setdefault(part, PartAudio(at_ns))
        audio.length += length
        audio.ms += ms
        self.latest, self.current_item_id = part, part[0]
        if response_id is not None:
            audio.response_id = response_id
            of_response = self._of_response.setdefault(response_id, [])
            if part not in of_response:
                of_response.append(part)

    def response_created(self, response_id: str | None) -> None:
        """A response begins."""
        self.active, self.response_id = True, response_id

    def response_done(self, response_id: str | None) -> None:
        """A response is over; of another than the one that goes on this says nothing."""
        if response_id is None or self.response_id is None or response_id == self.response_id:
            self.active, self.response_id = False, None

    def interrupted(self) -> None:
        """What came last is silenced."""
        audio = None if self.latest is None else self.parts[self.latest]
        if audio is not None and audio.response_id is not None:
            self._of_response.pop(audio.response_id, None)
        self.latest = None

    def response_interrupted(self, response_id: str) -> None:
        """What came of one response is silenced."""
        if self.latest in self._of_response.pop(response_id, ()):
            self.latest = None

    def response_retired(self, response_id: str) -> None:
        """Nobody will interrupt this response any more."""
        self._of_response.pop(response_id, None)

    def parts_of(self, response_id: str) -> tuple[Part, ...]:
        """What came of a response, in the order in which it began, until it is interrupted or retired."""
        return tuple(self._of_response.get(response_id, ()))

    def assumed(self, at_ns: int) -> tuple[str, int, float] | None:
        """What is heard by then where no tracker tells: item, part of its content, milliseconds; never more
        than came."""
        if self.latest is None:
            return None
        audio = self.parts[self.latest]
        return (*self.latest, played_ms(audio.since_ns, audio.ms, at_ns))

    def elapsed_ms(self, at_ns: int) -> float | None:
        """For how long the latest part has played, were it played since the first of it came, at real-time
        speed; None where there is none. It may be more than came."""
        return None if self.latest is None else (at_ns - self.parts[self.latest].since_ns) / 1e6

    def truncates_at(self, part: Part, heard_ms: int, *, may_go_on: bool = True) -> int | None:
        """Where an interruption truncates, in milliseconds; None: it sees no need to, all of it was heard.

        Args:
            heard_ms: how much was heard; at most what came counts.
            may_go_on: more of the part could come, if its response goes on.
        """
        heard_ms, audio = max(heard_ms, 0), self.parts.get(part)
        if audio is None:
            return heard_ms
        limit_ms = math.ceil(audio.ms)
        if heard_ms >= limit_ms and not (may_go_on and self._owned(audio)):
            return None
        return min(heard_ms, limit_ms)

    def _owned(self, audio: PartAudio) -> bool:
        """Whether the response that goes on may be the one that this is part of."""
        unknown = self.response_id is None or audio.response_id is None
        return self.active and (unknown or self.response_id == audio.response_id)
