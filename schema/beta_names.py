"""What the messages of OpenAI's realtime protocol were called before its general availability, and are since.

Who reads a session reads either, and says what the names of today say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")

GA_NAMES: Mapping[str, str] = {
    "response.audio.delta": "response.output_audio.delta",
    "response.audio.done": "response.output_audio.done",
    "response.audio_transcript.delta": "response.output_audio_transcript.delta",
    "response.audio_transcript.done": "response.output_audio_transcript.done",
    "response.text.delta": "response.output_text.delta",
    "response.text.done": "response.output_text.done",
    "conversation.item.created": "conversation.item.added",
}
"""A message's name in the beta → the one that came after."""


def either(*names: str) -> frozenset[str]:
    """These names of today, and what they were in the beta."""
    return frozenset(by_either(dict.fromkeys(names, True)))


def by_either(table: Mapping[str, T]) -> dict[str, T]:
    """A table by the names of today → the same by those of the beta, too."""
    return {**table, **{old: table[new] for old, new in GA_NAMES.items() if new in table}}
