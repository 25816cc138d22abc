"""When the user speaks: energy in the samples against a threshold.

A real provider asks a small neural network. Here the loudness decides, because the same audio has to
give the same events on every machine.
"""

from __future__ import annotations

import math
from typing import Literal, Protocol

from .speech import BYTES_PER_MS, from_bytes

FRAME_MS = 20
"""The audio that is judged at once."""

FRAME_BYTES = FRAME_MS * BYTES_PER_MS

_LOUDEST_RMS = 600
"""The RMS (of 32,767) that a threshold of 1.0 asks for. Quiet consonants of ordinary speech lie near
200, a room's noise below 100; at the default threshold of 0.5, speech begins at 300."""

_ONSET_FRAMES = 2
"""A single loud frame is a click."""


class Sensitivity(Protocol):
    """What the session's settings say about turn detection."""

    @property
    def threshold(self) -> float:
        """From 0.0 to 1.0; higher needs louder speech."""
        ...

    @property
    def silence_duration_ms(self) -> int:
        """How long the user must be quiet before the turn ends, in milliseconds."""
        ...


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
        self, frame: bytes, start_ms: int, sensitivity: Sensitivity
    ) -> Literal["started", "stopped"] | None:
        """Whether a turn began or ended with this frame of FRAME_BYTES, which begins at `start_ms`."""
        samples = from_bytes(frame)
        loud = math.sqrt(sum(x * x for x in samples) / len(samples)) > sensitivity.threshold * _LOUDEST_RMS
        self._loud_frames = self._loud_frames + 1 if loud else 0
        self._quiet_ms = 0 if loud else self._quiet_ms + FRAME_MS
        if not self.speaking and self._loud_frames >= _ONSET_FRAMES:
            self.speaking = True
            self.onset_ms = start_ms - (_ONSET_FRAMES - 1) * FRAME_MS
            return "started"
        if self.speaking and self._quiet_ms >= max(sensitivity.silence_duration_ms, FRAME_MS):
            self.reset()
            return "stopped"
        return None
