"""What every client of `make test-clients` does, and what it tells of it.

A text turn, a turn in which the model calls a tool, and a turn that is spoken, with the server's VAD. It runs
in other environments, without realtape: so it imports nothing but Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import wave
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TEXTS = ("Hello?", "How is the weather in Prague?")
ANSWERS = ("Good day.", "Sunny in Prague.", "I heard you.")
CALL: list[Any] = ["weather", {"city": "Prague"}]
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOL: dict[str, Any] = {
    "type": "function",
    "name": "weather",
    "description": "Today's weather.",
    "parameters": PARAMETERS,
}
PIECE_BYTES = 4_800
"""100 ms."""

SPEECH = Path(
    os.environ.get("REALTAPE_SPEECH") or Path(__file__).parents[2] / "provider" / "user_question.wav"
)
with wave.open(str(SPEECH)) as _file:
    QUESTION = _file.readframes(_file.getnframes())
"""PCM16, 24 kHz, mono."""
SILENCE = bytes(48_000)


def answered() -> str:
    """What the tool says."""
    return "sunny"


def pieces(pcm: bytes) -> Iterator[bytes]:
    """As a microphone gives them."""
    for at in range(0, len(pcm), PIECE_BYTES):
        yield pcm[at : at + PIECE_BYTES]


@dataclass
class Told:
    """What a client got.

    Attributes:
        said: transcripts of the model's answers.
        audio: PCM16 of all of them.
        calls: of the tool: name, arguments.
    """

    said: list[str] = field(default_factory=list)
    audio: bytearray = field(default_factory=bytearray)
    calls: list[list[Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """What is compared."""
        digest = hashlib.sha256(self.audio).hexdigest()
        return {"said": self.said, "audio": digest, "audio_bytes": len(self.audio), "calls": self.calls}


async def main(converse: Callable[[str], Awaitable[Told]]) -> None:
    """Of a client's program: converse with the server that the environment names, and tell."""
    told = await converse(os.environ["REALTAPE_URL"])
    print(json.dumps(told.as_json()))
