"""The input audio buffer: what the microphone gave and what is not yet part of the conversation; and when
the user speaks: energy in the samples against a threshold.

A real provider asks a small neural network. Here the loudness decides, because the same audio has to
give the same events on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .requests import RequestRefused
from .settings import SemanticVad, ServerVad
from .speech import BYTES_PER_MS, from_bytes

MAX_BUFFER_BYTES = 15 * 1024 * 1024
"""Five minutes of PCM16."""

MIN_COMMIT_MS = 100
"""The real provider takes nothing shorter from a client."""

FRAME_MS = 20
"""The audio that is judged at once."""

FRAME_BYTES = FRAME_MS * BYTES_PER_MS

_LOUDEST_RMS = 600
"""The RMS (of 32,767) that a threshold of 1.0 asks for. Quiet consonants of ordinary speech lie near
200, a room's noise below 100; at the default threshold of 0.5, speech begins at 300."""

_ONSET_FRAMES = 2
"""A single loud frame is a click."""


class VoiceActivity:
    """Follows one stream of audio, frame by frame.

    Attributes:
        speaking: whether the user is within a turn.
        onset_ms: where the latest turn began, in milliseconds since the stream's beginning.
    """

    def __init__(self) -> None:
        self.speaking = False
        self.onset_ms = 0
        self._loud_frames = 0
        self._quiet_ms = 0

    def reset(self) -> None:
        """Forget the turn that goes on, if one does."""
        self.speaking = False
        self._loud_frames = 0
        self._quiet_ms = 0

    def judge(
        self, frame: bytes, start_ms: int, detection: ServerVad | SemanticVad
    ) -> Literal["started", "stopped"] | None:
        """Whether a turn began or ended with this frame of FRAME_BYTES, which begins at `start_ms`."""
        samples = from_bytes(frame)
        loud = math.sqrt(sum(x * x for x in samples) / len(samples)) > detection.threshold * _LOUDEST_RMS
        self._loud_frames = self._loud_frames + 1 if loud else 0
        self._quiet_ms = 0 if loud else self._quiet_ms + FRAME_MS
        if not self.speaking and self._loud_frames >= _ONSET_FRAMES:
            self.speaking = True
            self.onset_ms = start_ms - (_ONSET_FRAMES - 1) * FRAME_MS
            return "started"
        if self.speaking and self._quiet_ms >= max(detection.silence_duration_ms, FRAME_MS):
            self.reset()
            return "stopped"
        return None


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user began to speak, `audio_start_ms` into the stream, prefix included."""

    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The user has been quiet for long enough, `audio_end_ms` into the stream; `audio` is the turn."""

    audio_end_ms: int
    audio: bytes


class InputAudioBuffer:
    """Counts its milliseconds by the samples appended since the session began, not by a clock."""

    def __init__(self) -> None:
        self._audio = bytearray()
        self._start_byte = 0  # of the buffer, in the stream
        self._judged_byte = 0  # the stream up to here has been through the voice detection
        self._voice = VoiceActivity()

    def append(self, pcm: bytes) -> None:
        """Add samples (PCM16, 24 kHz) without listening to them.

        Raises:
            RequestRefused: the buffer would grow beyond MAX_BUFFER_BYTES; nothing was added.
        """
        if len(self._audio) + len(pcm) > MAX_BUFFER_BYTES:
            raise RequestRefused(
                "The input audio buffer is full.", code="input_audio_buffer_full", param="audio"
            )
        self._audio += pcm

    def listen(self, detection: ServerVad | SemanticVad) -> Iterator[SpeechStarted | SpeechStopped]:
        """Judge what has been appended since the last time, as far as it makes whole frames.

        To be run to its end. Audio before a turn is forgotten, but for the prefix.
        """
        prefix_bytes = detection.prefix_padding_ms * BYTES_PER_MS
        self._judged_byte = max(self._judged_byte, self._start_byte)
        while self._judged_byte + FRAME_BYTES <= self._start_byte + len(self._audio):
            at = self._judged_byte - self._start_byte
            frame = bytes(self._audio[at : at + FRAME_BYTES])
            frame_ms = self._judged_byte // BYTES_PER_MS
            self._judged_byte += FRAME_BYTES
            match self._voice.judge(frame, frame_ms, detection):
                case "started":
                    onset_byte = self._voice.onset_ms * BYTES_PER_MS
                    turn_start_byte = max(onset_byte - prefix_bytes, self._start_byte)
                    self._drop_before(turn_start_byte)
                    yield SpeechStarted(turn_start_byte // BYTES_PER_MS)
                case "stopped":
                    turn = bytes(self._audio[: self._judged_byte - self._start_byte])
                    self._drop_before(self._judged_byte)
                    yield SpeechStopped(frame_ms + FRAME_MS, turn)
                case None:
                    pass
        if not self._voice.speaking:
            self._drop_before(self._judged_byte - prefix_bytes - FRAME_BYTES)

    def take(self) -> bytes:
        """All of it; the buffer is empty afterwards.

        Raises:
            RequestRefused: it holds less than MIN_COMMIT_MS.
        """
        if len(self._audio) < MIN_COMMIT_MS * BYTES_PER_MS:
            held_ms = len(self._audio) / BYTES_PER_MS
            raise RequestRefused(
                f"A commit takes at least {MIN_COMMIT_MS} ms of audio; the buffer holds {held_ms:.0f} ms.",
                code="input_audio_buffer_commit_empty",
            )
        taken = bytes(self._audio)
        self.clear()
        return taken

    def clear(self) -> None:
        """Forget all of it, and the turn that goes on, if one does."""
        self._drop_before(self._start_byte + len(self._audio))
        self._voice.reset()

    def _drop_before(self, byte: int) -> None:
        surplus = max(byte - self._start_byte, 0)
        del self._audio[:surplus]
        self._start_byte += surplus
