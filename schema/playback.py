"""How much of the model's voice the user has really heard."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TypedDict

from .errors import UsageError
from .settings import RealtimeAudioFormat

PCM16_SAMPLE_RATE_HZ = 24_000
PCM16_SAMPLE_WIDTH_BYTES = 2
G711_SAMPLE_RATE_HZ = 8_000  # of one byte each

_G711_NAMES = frozenset({"g711_ulaw", "g711_alaw", "audio/pcmu", "audio/pcma", "pcmu", "pcma"})
_OPENAI_FORMATS = "openai.types.realtime.realtime_audio_formats"
_OPENAI_G711_CLASSES = frozenset({"AudioPCMU", "AudioPCMA"})


class RealtimePlaybackState(TypedDict):
    """What is being played, and how much of it was: all None, or none of them."""

    current_item_id: str | None
    current_item_content_index: int | None
    elapsed_ms: float | None


def is_g711(format: RealtimeAudioFormat | None) -> bool:
    """Whether the format is G.711, in any case and spelling, as the SDK has it since 0.20.

    Only a bare string may be any name that begins with `g711`; the `type` of a mapping or an
    object is one of the six names. Everything else, None and unknown names too, is PCM16.
    """
    if isinstance(format, str):
        return format.lower() in _G711_NAMES or format.lower().startswith("g711")
    if isinstance(format, Mapping):
        name: object = format.get("type")
    elif _is_openai_g711(type(format)):
        return True
    else:
        name = getattr(format, "type", None)
    return isinstance(name, str) and name.lower() in _G711_NAMES


def _is_openai_g711(cls: type[object]) -> bool:
    # `AudioPCMU()` leaves its `type` at None, so the class alone tells; known by name, because
    # this package does not import `openai`.
    return any(
        base.__name__ in _OPENAI_G711_CLASSES and base.__module__ == _OPENAI_FORMATS for base in cls.__mro__
    )


def audio_length_ms(format: RealtimeAudioFormat | None, audio: bytes | int) -> float:
    """How long the audio plays, in milliseconds.

    Args:
        format: of the audio; what is not G.711 is PCM16.
        audio: the bytes, or how many they are.

    Raises:
        UsageError: the number of bytes is negative.
    """
    byte_count = audio if isinstance(audio, int) else len(audio)
    if byte_count < 0:
        raise UsageError(f"audio of {byte_count} bytes: give a count from 0 up")
    # In the SDK's order: multiplying first rounds differently in the last bit, and a replayed
    # playback state would differ from the recorded one.
    if is_g711(format):
        return byte_count / G711_SAMPLE_RATE_HZ * 1000
    return byte_count / PCM16_SAMPLE_WIDTH_BYTES / PCM16_SAMPLE_RATE_HZ * 1000


class RealtimePlaybackTracker:
    """Told by the application what it played, asked by the model what was heard.

    For players that lag behind or run at another speed than real time, such as phone calls. The
    application makes one, hands it to `connect` as `playback_tracker`, and reports each piece of
    audio once it was played. No method blocks, and each is safe from any thread: players report
    from audio threads, while the model interrupts from the event loop.
    """

    def __init__(self) -> None:
        self._format: RealtimeAudioFormat | None = None
        self._playing: tuple[tuple[str, int], float] | None = None  # (item, content index), ms
        # An interruption between reading and writing the sum would be undone.
        self._lock = threading.Lock()

    def on_play_bytes(self, item_id: str, item_content_index: int, bytes: bytes) -> None:
        """Report played audio as bytes, in the format last set (PCM16 if none was)."""
        self.on_play_ms(item_id, item_content_index, audio_length_ms(self._format, bytes))

    def on_play_ms(self, item_id: str, item_content_index: int, ms: float) -> None:
        """Report played audio by its duration in milliseconds.

        Adds up while item and content index stay the same; another pair starts again at `ms`.
        """
        pair = (item_id, item_content_index)
        with self._lock:
            if self._playing is None or self._playing[0] != pair:
                self._playing = (pair, ms)
            else:
                self._playing = (pair, self._playing[1] + ms)

    def on_interrupted(self) -> None:
        """The model's call: playback was stopped, and nothing is being played."""
        with self._lock:
            self._playing = None

    def set_audio_format(self, format: RealtimeAudioFormat) -> None:
        """The model's call: the format of the output from now on; what was counted stays."""
        self._format = format

    def get_state(self) -> RealtimePlaybackState:
        """What is being played, and for how many milliseconds it has been: a new dictionary."""
        playing = self._playing
        if playing is None:
            return {"current_item_id": None, "current_item_content_index": None, "elapsed_ms": None}
        (item_id, item_content_index), elapsed_ms = playing
        return {
            "current_item_id": item_id,
            "current_item_content_index": item_content_index,
            "elapsed_ms": elapsed_ms,
        }
