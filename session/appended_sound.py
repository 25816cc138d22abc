"""Where a client's messages have the user's voice, in every protocol of which we know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .fields import mapping, sequence, text_of

Path = tuple[str, ...]
"""Names that lead to a field; `*` is every place of a list."""

OPENAI_SOUND: Mapping[str, tuple[Path, ...]] = {"input_audio_buffer.append": (("audio",),)}
LIVE_SOUND: Mapping[str, tuple[Path, ...]] = {"session.input_audio.append": (("audio",),)}
GEMINI_SOUND: Mapping[str, tuple[Path, ...]] = {
    "realtimeInput": (("audio", "data"), ("mediaChunks", "*", "data")),
    "realtime_input": (("audio", "data"), ("media_chunks", "*", "data")),
}
"""Type of a message, or the key that Gemini has in its place → where in it (with Gemini: under the key)."""

_BY_TYPE = {**OPENAI_SOUND, **LIVE_SOUND}
_GEMINI_KEYS = tuple(GEMINI_SOUND)


def at(tree: Any, path: Sequence[str]) -> list[Any]:
    """What lies under a path."""
    found = [tree]
    for name in path:
        if name == "*":
            found = [item for one in found for item in sequence(one)]
        else:
            found = [mapping(one)[name] for one in found if name in mapping(one)]
    return found


def appended_sound(message: Mapping[str, Any]) -> list[tuple[Any, str | None]]:
    """The user's voice in a message of the client's.

    Returns:
        Each piece as the message has it (base64, or a reference to its bytes), and the MIME type that stands
        beside it. Pictures, which Gemini's clients send the same way, are none.
    """
    paths = _BY_TYPE.get(text_of(message.get("type")))
    if paths is not None:
        return [(piece, None) for path in paths for piece in at(message, path)]
    found: list[tuple[Any, str | None]] = []
    for key in _GEMINI_KEYS:
        for *around, last in GEMINI_SOUND[key] if key in message else ():
            for holder in at(message[key], around):
                told = mime_of(holder)
                if is_sound(told) and last in mapping(holder):
                    found.append((holder[last], told))
    return found


def mime_of(blob: Any) -> str:
    """What Gemini's message says that a blob is, in either spelling."""
    facts = mapping(blob)
    return text_of(facts.get("mimeType")) or text_of(facts.get("mime_type"))


def is_sound(mime: str) -> bool:
    """Whether that is sound; nobody says what it is where there can be nothing else."""
    return not mime or mime.lower().startswith("audio/")
