"""`UserSound`: what the user's microphone sent: at which instant each millisecond of it, and where there is
speech in it."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ..sound import SoundFormat
from .loudness import THRESHOLD_DBFS, Loudness

PIECES = 4_096
"""So many pieces, and so many windows, of the past are remembered at most: minutes, where pieces are
short."""


class Span(NamedTuple):
    """A stretch of sound.

    Attributes:
        begin_ms, end_ms: places in the sound of its connection.
        begin_ns, end_ns: the same as instants, nanoseconds since the session began.
    """

    begin_ms: float
    end_ms: float
    begin_ns: int
    end_ns: int


class UserSound:
    """Of one connection; is told every piece that was appended, in order.

    A piece is sent when it is full: what of it a microphone heard last, it heard at that instant, and the
    rest before; but not before the piece before it was sent. (A file that is sent at once was all heard at
    once.)

    Args:
        threshold_dbfs: from which loudness on a sound is heard.

    Attributes:
        ms: so much was appended.
        any: whether any was.
    """

    def __init__(self, threshold_dbfs: float = THRESHOLD_DBFS) -> None:
        self.ms = 0.0
        self.any = False
        self._loudness = Loudness(threshold_dbfs)
        self._pieces: deque[Span] = deque(maxlen=PIECES)
        self._heard: deque[Span] = deque(maxlen=PIECES)
        self._last_ns = 0

    def append(self, at_ns: int, count: int, data: bytes | None, format: SoundFormat) -> None:
        """The next piece: so many bytes; `data` None: nobody knows which."""
        begin_ms, self.any = self.ms, True
        self.ms += format.duration_ms(count)
        self._pieces.append(Span(begin_ms, self.ms, min(self._last_ns, at_ns), at_ns))
        self._last_ns = at_ns
        if data is not None:
            for begin, end in self._loudness.add(data, format):
                begin_ns, end_ns = self.instant(begin), self.instant(end)
                window_ns = round((end - begin) * 1e6)
                breaks = end_ns - begin_ns > 2 * window_ns  # in one piece, and one of later on
                last = self._heard[-1] if self._heard else None
                if last is not None and begin - last.end_ms < 0.01:
                    ended_ns = begin_ns + window_ns if breaks else end_ns
                    self._heard[-1] = last._replace(end_ms=end, end_ns=ended_ns)
                else:
                    began_ns = end_ns - window_ns if breaks else begin_ns
                    self._heard.append(Span(begin, end, began_ns, end_ns))

    def instant(self, ms: float) -> int:
        """When the microphone heard this place of the sound; behind its end, when it was sent last."""
        for piece in reversed(self._pieces):
            if piece.begin_ms <= ms or piece is self._pieces[0]:
                before_ms = max(piece.end_ms - ms, 0.0)
                return max(piece.end_ns - round(before_ms * 1e6), piece.begin_ns)
        return self._last_ns

    def heard(self, begin_ms: float, end_ms: float) -> Span | None:
        """From the first to the last that is heard between two places; None: nothing is."""
        first = last = None
        for one in reversed(self._heard):
            if one.begin_ms >= end_ms:
                continue
            if one.end_ms <= begin_ms:
                break
            last, first = last or one, one
        if first is None or last is None:
            return None
        begin, begin_ns = first.begin_ms, first.begin_ns
        if begin < begin_ms:
            begin, begin_ns = begin_ms, self.instant(begin_ms)
        end, end_ns = last.end_ms, last.end_ns
        if end > end_ms:
            end, end_ns = end_ms, self.instant(end_ms)
        return Span(begin, end, begin_ns, end_ns)
