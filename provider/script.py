"""What the local provider says, and what it claims to have heard.

A script is a value: it is written before the conversation and never changes. The provider takes one
reply for every response that it creates, and one transcript for every utterance of the user.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from .speech import hum


@dataclass(frozen=True, slots=True)
class Speech:
    """A spoken answer; where the session asks for text alone, its text is written instead.

    Attributes:
        text: the words.
        audio: PCM16, 24 kHz, mono, little-endian; None hums for as long as the text takes to say.

    Raises:
        ValueError: `audio` ends within a sample.
    """

    text: str
    audio: bytes | None = None

    def __post_init__(self) -> None:
        if self.audio is not None and len(self.audio) % 2:
            raise ValueError("the audio of a Speech must be whole samples of two bytes")

    @property
    def pcm(self) -> bytes:
        """The samples to send: PCM16, 24 kHz, mono."""
        return hum(self.text) if self.audio is None else self.audio


@dataclass(frozen=True, slots=True)
class Text:
    """A written answer, whatever the session's modalities are."""

    text: str


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """The model calls one of the application's tools.

    Attributes:
        name: the tool's name; it need not be among the session's tools.
        arguments: the call's arguments, or their text where it should not be JSON.
    """

    name: str
    arguments: Mapping[str, JsonValue] | str = field(default_factory=dict[str, JsonValue])

    @property
    def arguments_text(self) -> str:
        """The arguments as they travel."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(dict(self.arguments))


Output = Speech | Text | FunctionCall
"""One item of a response."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How the provider ends the connection.

    Attributes:
        code: the code of the close frame, 1000 or 1011 for instance; None cuts the TCP connection
            without a close frame.
        reason: the close frame's reason, at most 123 bytes of UTF-8.
        after_ms: milliseconds of audio time after the reply began; None waits for the reply's end.

    Raises:
        ValueError: a code that may not travel in a close frame, a reason too long, a negative time.
    """

    code: int | None = None
    reason: str = ""
    after_ms: int | None = None

    def __post_init__(self) -> None:
        # RFC 6455, 7.4: what an endpoint may send; 1004 to 1006 and 1015 are reserved.
        if self.code is not None and not (
            self.code in {1000, 1001, 1002, 1003, *range(1007, 1015)} or 3000 <= self.code < 5000
        ):
            raise ValueError(f"{self.code} may not be sent as a close code")
        if len(self.reason.encode()) > 123:
            raise ValueError("the reason of a close frame holds at most 123 bytes")
        if self.after_ms is not None and self.after_ms < 0:
            raise ValueError("after_ms must not be negative")


@dataclass(frozen=True, slots=True)
class Reply:
    """What one response consists of, and whether the connection ends with it.

    Attributes:
        outputs: the response's items in order; without any, no response begins and the connection
            just ends.
        ending: how the connection ends with this reply, or None if it stays.

    Raises:
        ValueError: neither outputs nor an ending.
    """

    outputs: tuple[Output, ...] = ()
    ending: Ending | None = None

    def __post_init__(self) -> None:
        if not self.outputs and self.ending is None:
            raise ValueError("a Reply needs outputs or an ending")

    @classmethod
    def speech(cls, text: str, *, audio: bytes | None = None, ending: Ending | None = None) -> Reply:
        """Say `text`; see `Speech` for the audio."""
        return cls((Speech(text, audio),), ending)

    @classmethod
    def text(cls, text: str, *, ending: Ending | None = None) -> Reply:
        """Write `text`."""
        return cls((Text(text),), ending)

    @classmethod
    def function_call(
        cls, name: str, arguments: Mapping[str, JsonValue] | str = "{}", *, ending: Ending | None = None
    ) -> Reply:
        """Call the tool `name`; for several calls in one response give `Reply` several outputs."""
        return cls((FunctionCall(name, arguments),), ending)

    @classmethod
    def close(cls, code: int, reason: str = "") -> Reply:
        """Close the connection with `code` where an answer was due."""
        return cls(ending=Ending(code, reason))

    @classmethod
    def cut(cls) -> Reply:
        """Cut the connection, without a close frame, where an answer was due."""
        return cls(ending=Ending())


AFTERWARDS = Reply.speech("That is all I was told to say.")
"""The answer to everything once the script is exhausted."""


@dataclass(frozen=True, slots=True)
class Script:
    """One conversation, as the provider will lead it.

    Attributes:
        replies: consumed in order, one by each response that begins; then comes `AFTERWARDS`.
        transcripts: consumed in order, one by each utterance of the user; then nothing was understood.
    """

    replies: Sequence[Reply] = ()
    transcripts: Sequence[str] = ()
