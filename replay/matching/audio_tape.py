"""What the microphone sent when recorded, as one tape: how it was cut into chunks does not matter.

A commit is a mark on the tape: it must come where it came, whichever chunk carries it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

from ..terms.steps import RecordedCall

AudioMatching = Literal["exact", "bytes", "ignore"]
"""`exact`: chunk by chunk. `bytes`: however it is cut. `ignore`: whatever is said."""

MIN_SOUGHT_BYTES = 64
"""A chunk that does not go on where the last one ended is sought on the tape, if it is that long:
shorter ones turn up anywhere."""

SOUGHT_WITHIN_BYTES = 1 << 18
"""So much of the tape is searched, from the first chunk on that is still to come: five seconds of PCM16."""


@dataclass(frozen=True, slots=True)
class SentAudio:
    """What one `send_audio` holds."""

    data: bytes
    commit: bool = False


@dataclass(slots=True)
class _Chunk:
    call: RecordedCall
    audio: SentAudio
    sent: int = 0  # bytes, from its beginning on without a break


@dataclass(frozen=True, slots=True)
class Taken:
    """What a live chunk is on the tape.

    Attributes:
        made: recorded calls of which everything has been sent now.
        at: the recorded call in which the live chunk ends.
    """

    made: list[RecordedCall]
    at: RecordedCall


class AudioTape:
    """The recorded chunks that were not sent again, and how far the application has come.

    Args:
        mode: `ignore` takes any chunk for the next one.
    """

    def __init__(self, mode: AudioMatching = "bytes") -> None:
        self._any = mode == "ignore"
        self._chunks: list[_Chunk] = []
        self._at = 0  # the chunk in which the last live one ended
        self._offset = 0  # how far in it
        self._drift = 0  # bytes sent since the last chunk that was on the tape

    def __len__(self) -> int:
        return len(self._chunks)

    def add(self, call: RecordedCall, audio: SentAudio) -> None:
        """A recorded chunk."""
        self._chunks.append(_Chunk(call, audio))

    def forget(self, call: RecordedCall) -> None:
        """A recorded chunk that nobody will send any more."""
        index = self._index(call)
        if index is None:
            return
        del self._chunks[index]
        if index == self._at:
            self._offset = 0
        self._at -= index < self._at

    def take(self, audio: SentAudio, same: RecordedCall | None) -> Taken | None:
        """Move on by a live chunk; None where the tape holds no such sound.

        Args:
            same: a recorded call of the same content that nobody has made, if there is one.
        """
        taken = self._take_any() if self._any else self._take(audio, same)
        self._drift = 0 if taken is not None else self._drift + len(audio.data)
        return taken

    def _take(self, audio: SentAudio, same: RecordedCall | None) -> Taken | None:
        # What differed stood in the place of what was recorded, or else it was put in.
        taken = None
        near = self._drift if self._drift <= SOUGHT_WITHIN_BYTES else 0
        for drift in dict.fromkeys((near, 0)):
            taken = taken or self._fit(*self._drifted(self._at, self._offset, drift), audio)
        index = None if taken is not None or same is None else self._index(same)
        if index is not None:
            taken = self._fit(index, 0, audio)
        if taken is None and len(audio.data) >= MIN_SOUGHT_BYTES:
            taken = self._seek(audio)
        return taken

    def _fit(self, first: int, offset: int, audio: SentAudio) -> Taken | None:
        """Lay a live chunk on the tape from a place on; moves there if it is the same sound."""
        data, position, index = audio.data, 0, first
        whole: list[int] = []
        while index < len(self._chunks):
            chunk = self._chunks[index]
            begin = offset if index == first else 0
            length = min(len(data) - position, len(chunk.audio.data) - begin)
            if data[position : position + length] != chunk.audio.data[begin : begin + length]:
                return None
            position += length
            ended = position == len(data)
            if begin + length < len(chunk.audio.data) or (chunk.audio.commit and not audio.commit):
                # It ends within this chunk, or before the commit that is still to come.
                if audio.commit or not ended:
                    return None
                return self._move(whole, index, begin + length, begin <= chunk.sent)
            if chunk.audio.commit and not ended:
                return None  # the turn ended here
            if begin <= chunk.sent:
                whole.append(index)
            index += 1
            if ended and audio.commit == chunk.audio.commit:
                return self._move(whole, index, 0, False)
        return None

    def _move(self, whole: list[int], index: int, offset: int, joins: bool) -> Taken:
        """The application has come to this place."""
        made = [self._chunks[one].call for one in whole]
        at = self._chunks[index if offset or joins else index - 1].call
        if joins:
            self._chunks[index].sent = max(self._chunks[index].sent, offset)
        for one in reversed(whole):
            del self._chunks[one]
        self._at, self._offset = index - len(whole), offset
        return Taken(made, at)

    def _take_any(self) -> Taken | None:
        index = self._first_to_come()
        return self._move([index], index + 1, 0, False) if index < len(self._chunks) else None

    def _drifted(self, index: int, offset: int, drift: int) -> tuple[int, int]:
        """The place that lies so many bytes further on."""
        while drift and index < len(self._chunks):
            rest = len(self._chunks[index].audio.data) - offset
            if drift < rest:
                return index, offset + drift
            index, offset, drift = index + 1, 0, drift - rest
        return index, offset

    def _seek(self, audio: SentAudio) -> Taken | None:
        """Find a live chunk ahead, or in what was left out."""
        for first in dict.fromkeys((self._first_to_come(), self._at)):
            joined = bytearray()
            for chunk in self._chunks[first:]:
                joined += chunk.audio.data
                if len(joined) >= SOUGHT_WITHIN_BYTES:
                    break
            place = joined.find(audio.data)
            taken = self._fit(*self._drifted(first, 0, place), audio) if place >= 0 else None
            if taken is not None:
                return taken
        return None

    def _first_to_come(self) -> int:
        """The first chunk that is not left out already; if all are, the first of them."""
        for index, chunk in enumerate(self._chunks):
            if not chunk.call.skipped:
                return index
        return 0

    def _index(self, call: RecordedCall) -> int | None:
        index = bisect_left(self._chunks, call.seq, key=lambda chunk: chunk.call.seq)
        found = index < len(self._chunks) and self._chunks[index].call is call
        return index if found else None
