"""One output item of a response: how it is announced, streamed and finished.

Each is a process in the manner of discrete simulation: `play` sends what is due and yields the
milliseconds to wait before it goes on. What is sent between two yields is one burst. A process that is
not resumed any more leaves an item open; `finish` closes it, complete or not.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from itertools import zip_longest
from typing import Literal, Protocol

from .items import Item, Part, Status
from .script import FunctionCall
from .speech import BYTES_PER_MS, chunks
from .wire import Message

CHUNK_MS = 100
"""Audio in one delta."""

BURST_CHUNKS = 4
"""Deltas that are sent together: a client reads them at once, as it does from a real provider."""

TEXT_BURST_WORDS = 4
TEXT_BURST_MS = 40

ARGUMENT_CHARACTERS = 8
"""Of a tool call's arguments in one delta."""


class Stage(Protocol):
    """What an output needs of its response."""

    def say(self, type: str, fields: Message) -> None:
        """Send an event of the response, whose id is added."""
        ...

    def enter(self, item: Item) -> None:
        """Put the item into the conversation, and say so."""
        ...

    def leave(self, item: Item) -> None:
        """Say that the item is done."""
        ...


class _Output:
    """What all output items have in common.

    Attributes:
        item: the item, as it is in the conversation.
    """

    def __init__(self, stage: Stage, index: int, item: Item) -> None:
        self.item = item
        self._stage = stage
        self._index = index

    def _open(self) -> None:
        self._stage.say("response.output_item.added", self._shown_item())
        self._stage.enter(self.item)

    def _close(self, status: Status) -> None:
        self.item.status = status
        self._stage.leave(self.item)
        self._stage.say("response.output_item.done", self._shown_item())

    def _shown_item(self) -> Message:
        return {"output_index": self._index, "item": self.item.describe()}


class MessageOutput(_Output):
    """An assistant's message: spoken, where there are samples, or else written."""

    def __init__(self, stage: Stage, index: int, item_id: str, text: str, pcm: bytes | None) -> None:
        fields: Message = {"type": "message", "role": "assistant"}
        super().__init__(stage, index, Item(item_id, fields, "in_progress", content=[]))
        self._place: Message = {"item_id": item_id, "output_index": index, "content_index": 0}
        self._words = split_words(text)
        self._pcm = pcm
        self._said = ""

    @property
    def _key(self) -> Literal["text", "transcript"]:
        return "text" if self._pcm is None else "transcript"

    def play(self) -> Iterator[int]:
        """Announce the message and stream it; yields milliseconds to wait."""
        self._open()
        part = Part({"type": "output_text" if self._pcm is None else "output_audio", self._key: ""})
        self.item.content = [part]
        self._stage.say("response.content_part.added", {**self._place, "part": self._shown_part()})
        yield from self._write(part) if self._pcm is None else self._speak(part, self._pcm)

    def _write(self, part: Part) -> Iterator[int]:
        for start in range(0, len(self._words), TEXT_BURST_WORDS):
            for word in self._words[start : start + TEXT_BURST_WORDS]:
                self._say_word(part, word)
            yield TEXT_BURST_MS

    def _speak(self, part: Part, pcm: bytes) -> Iterator[int]:
        bursts = list(chunks(pcm, CHUNK_MS * BURST_CHUNKS)) or [b""]
        spoken = 0
        for number, burst in enumerate(bursts, start=1):
            # Rounded up: the words run ahead of the sound, as the real provider's do.
            upto = math.ceil(len(self._words) * number / len(bursts))
            for word, chunk in zip_longest(self._words[spoken:upto], chunks(burst, CHUNK_MS)):
                if word is not None:
                    self._say_word(part, word)
                if chunk is not None:
                    self._say_audio(part, chunk)
            spoken = upto
            # Waiting for the last burst too keeps the response active while it can still be heard.
            yield len(burst) // BYTES_PER_MS

    def _say_word(self, part: Part, word: str) -> None:
        self._said += word
        # What a client has truncated while it was being sent stays truncated.
        if not part.truncated:
            part.fields[self._key] = self._said
        kind = "response.output_text" if self._pcm is None else "response.output_audio_transcript"
        self._stage.say(f"{kind}.delta", {**self._place, "delta": word})

    def _say_audio(self, part: Part, chunk: bytes) -> None:
        if not part.truncated:
            part.audio += chunk
        delta = base64.b64encode(chunk).decode("ascii")
        self._stage.say("response.output_audio.delta", {**self._place, "delta": delta})

    def finish(self, status: Status) -> None:
        """Send everything that ends the message; it holds what was sent of it so far."""
        if self._pcm is None:
            self._stage.say("response.output_text.done", {**self._place, "text": self._said})
        else:
            self._stage.say("response.output_audio.done", self._place)
            said: Message = {**self._place, "transcript": self._said}
            self._stage.say("response.output_audio_transcript.done", said)
        self._stage.say("response.content_part.done", {**self._place, "part": self._shown_part()})
        self._close(status)

    def _shown_part(self) -> Message:
        return {"type": "text" if self._pcm is None else "audio", self._key: self._said}


class CallOutput(_Output):
    """A call of one of the application's tools."""

    def __init__(self, stage: Stage, index: int, item_id: str, call_id: str, call: FunctionCall) -> None:
        fields: Message = {"type": "function_call", "name": call.name, "call_id": call_id, "arguments": ""}
        super().__init__(stage, index, Item(item_id, fields, "in_progress"))
        self._place: Message = {"item_id": item_id, "output_index": index, "call_id": call_id}
        self._call = call

    def play(self) -> Iterator[int]:
        """Announce the call and stream its arguments; yields milliseconds to wait."""
        self._open()
        text = self._call.arguments_text
        for start in range(0, len(text), ARGUMENT_CHARACTERS):
            delta = text[start : start + ARGUMENT_CHARACTERS]
            self._stage.say("response.function_call_arguments.delta", {**self._place, "delta": delta})
        yield TEXT_BURST_MS
        self.item.fields["arguments"] = text

    def finish(self, status: Status) -> None:
        """Send everything that ends the call; an incomplete one has no arguments."""
        if status == "completed":
            self._stage.say(
                "response.function_call_arguments.done",
                {**self._place, "name": self._call.name, "arguments": self._call.arguments_text},
            )
        self._close(status)


def split_words(text: str) -> list[str]:
    """The text in pieces that join to the same text: each word with the space before it."""
    return re.findall(r"\s*\S+|\s+$", text)
