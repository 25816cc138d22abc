"""The transcript of an utterance, as it trickles in after the turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .items import Item
from .outputs import split_words
from .speech import BYTES_PER_MS
from .wire import Message

TRANSCRIPTION_MS = 200
"""From an utterance's end to its transcript: the answer has begun by then, as with a real provider."""

_EVENT = "conversation.item.input_audio_transcription"


def transcribe(item: Item, transcript: str, emit: Callable[[str, Message], None]) -> Iterator[int]:
    """Send the transcript of a user's speech and write it into the item; yields milliseconds to wait."""
    place: Message = {"item_id": item.id, "content_index": 0}
    yield TRANSCRIPTION_MS // 2
    for word in split_words(transcript):
        emit(f"{_EVENT}.delta", {**place, "delta": word})
    yield TRANSCRIPTION_MS // 2
    seconds = 0.0
    for part in item.content or []:
        part.fields["transcript"] = transcript
        seconds = round(len(part.audio) / BYTES_PER_MS / 1_000, 1)
    usage: Message = {"type": "duration", "seconds": seconds}
    emit(f"{_EVENT}.completed", {**place, "transcript": transcript, "usage": usage})
