"""What the client says aloud, held against what it said when this was recorded: one stream for each
connection, however it is cut into frames."""

from __future__ import annotations

from collections.abc import Sequence

from ..replay import AudioMatching, AudioTape, RecordedCall, SentAudio, Step
from ..schema.entries import Entry, Kind
from .dialects import Message
from .pictures import decoded
from .recorded import RecordedConnection, WireFrame


class Spoken:
    """The user's audio of one connection.

    Args:
        connection: as it was recorded.
        recorded: its frames that append audio.
        mode: `bytes`: as a stream, `exact`: frame by frame, `ignore`: it is not compared.

    Attributes:
        frames: how many came.
        unmatched: how many of them hold what the recording does not.
    """

    def __init__(
        self, connection: RecordedConnection, recorded: Sequence[WireFrame], mode: AudioMatching
    ) -> None:
        self.frames = self.unmatched = 0
        self._dialect = connection.dialect
        self._silent = connection.silent
        self._recorded = recorded
        self._mode: AudioMatching = mode
        self._tape: AudioTape | None = None  # made when the client speaks

    def add(self, type: str, message: Message | None) -> None:
        """The client's next frame of audio."""
        self.frames += 1
        if self._mode == "ignore":
            return
        sound = self._sound(type, message)
        if self._mode == "exact":
            number = self.frames - 1
            same = number < len(self._recorded) and sound == self._sound_of(self._recorded[number])
        else:
            if self._tape is None:
                self._tape = self._recorded_tape()
            same = not sound or self._tape.take(SentAudio(sound), None) is not None
        self.unmatched += not same

    def _recorded_tape(self) -> AudioTape:
        tape = AudioTape()
        for frame in self._recorded:
            step = Step(Entry(frame.seq, frame.at_ns, None, None, Kind.FRAME_OUT))
            tape.add(RecordedCall(step, required=False), SentAudio(self._sound_of(frame)))
        return tape

    def _sound_of(self, frame: WireFrame) -> bytes:
        return self._sound(frame.type, frame.message)

    def _sound(self, type: str, message: Message | None) -> bytes:
        """Of a frame that was silenced only the length is known."""
        sound = b"".join(map(_decoded, self._dialect.appended(type, message)))
        return bytes(len(sound)) if self._silent else sound


def _decoded(text: str) -> bytes:
    data = decoded(text)
    return text.encode() if data is None else data  # what is no sound is compared all the same
