"""A conversation with the local provider's protocol, without a socket."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, cast

from openai.types.realtime import RealtimeServerEvent
from pydantic import Field, JsonValue, TypeAdapter
from realtape.provider import ASSISTANT_ANSWER, Ended, Ending, RealtimeProtocol, Reply, Script, chunks

Message = dict[str, JsonValue]
Shown = dict[str, Any]

CLIENT_TYPES: TypeAdapter[object] = TypeAdapter(Annotated[RealtimeServerEvent, Field(discriminator="type")])
FOREVER_MS = 10_000_000
HELLO = Reply.speech("Hello there.", audio=ASSISTANT_ANSWER.pcm)
RESPOND: Message = {"type": "response.create"}


class Talk:
    """A session, the time in it, and everything that the provider said."""

    def __init__(self, *replies: Reply, transcripts: Sequence[str] = ()) -> None:
        self.protocol = RealtimeProtocol(Script(replies, transcripts))
        self.now_ms = 0
        self.said: list[Shown] = []
        self.times_ms: list[int] = []
        self.ending: Ending | None = None
        self.wait(0)

    def send(self, *messages: Message) -> list[Shown]:
        """What comes back at once."""
        begin = len(self.said)
        for message in messages:
            self._note(self.protocol.receive(message, self.now_ms))
        return self.said[begin:]

    def wait(self, ms: int = FOREVER_MS) -> list[Shown]:
        """What comes within that time."""
        begin = len(self.said)
        self.now_ms += ms
        self._note(self.protocol.advance(self.now_ms))
        return self.said[begin:]

    def hear(self, pcm: bytes) -> list[Shown]:
        """Speak into the microphone, and wait as long as that takes."""
        begin = len(self.said)
        for chunk in chunks(pcm):
            self.send(append(chunk))
            self.wait(len(chunk) // 48)
        return self.said[begin:]

    def update(self, **audio_input: JsonValue) -> list[Shown]:
        return self.send({"type": "session.update", "session": {"audio": {"input": audio_input}}})

    def _note(self, steps: Iterable[object]) -> None:
        for step in steps:
            if isinstance(step, Ended):
                assert self.ending is None
                self.ending = step.ending
            else:
                shown = cast(Any, step)
                assert self.ending is None, "nothing comes after the end"
                self.said.append(shown.message)
                self.times_ms.append(shown.due_ms)


def append(pcm: bytes) -> Message:
    return {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}


def user_text(text: str, **more: JsonValue) -> Message:
    item: Message = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
    return {"type": "conversation.item.create", "item": item, **more}


def types(messages: Iterable[Shown], *, deltas: bool = False) -> list[str]:
    return [m["type"] for m in messages if deltas or not m["type"].endswith(".delta")]


def only(messages: Iterable[Shown], type: str) -> Shown:
    (found,) = (m for m in messages if m["type"] == type)
    return found


def audio_of(messages: Iterable[Shown]) -> bytes:
    return b"".join(
        base64.b64decode(m["delta"]) for m in messages if m["type"] == "response.output_audio.delta"
    )
