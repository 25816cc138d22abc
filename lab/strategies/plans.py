"""What happens in a generated session: plain values, from which `acting.py` makes a recording.

They are what a failing test prints, and what shrinks: fewer connections, turns, replies, calls and pieces of
audio; shorter texts; nothing out of the ordinary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from .wire import AudioFormatName


@dataclass(frozen=True)
class Typed:
    """The user writes."""

    text: str = ""


@dataclass(frozen=True)
class Talked:
    """The user speaks.

    Attributes:
        pieces: of audio that the application passes on.
        transcript: what he said, where the provider tells; it comes when the answer has begun.
    """

    pieces: int = 1
    transcript: str | None = None


@dataclass(frozen=True)
class Speech:
    """The model speaks.

    Attributes:
        pieces: the words that come with each piece of audio.
        heard: how many of the pieces are played, at most until the end or the interruption.
        stopped: who breaks in, after all of the pieces have come: the user by `voice` (the next turn is
            what he says), the `application` by a send, or nobody.
        late: only once the response is done, while it is still being played.
    """

    pieces: tuple[str, ...] = ("",)
    heard: int = 0
    stopped: Literal["voice", "application"] | None = None
    late: bool = False


@dataclass(frozen=True)
class Writing:
    """The model writes, in these pieces."""

    pieces: tuple[str, ...] = ("",)


@dataclass(frozen=True)
class Call:
    """One call of a tool.

    Attributes:
        takes_ms: until its output is sent; so outputs come in any order.
    """

    name: str = "look_up"
    arguments: str = "{}"
    output: str = ""
    takes_ms: int = 5


@dataclass(frozen=True)
class Calls:
    """The model calls tools, all in one response.

    Attributes:
        inside: the application answers inside its listener, and not in tasks: at once, in order.
    """

    calls: tuple[Call, ...] = (Call(),)
    inside: bool = False


@dataclass(frozen=True)
class Handoff:
    """The model calls the tool of a handoff; the application changes the settings, and answers."""

    agent: str = "clerk"


Reply: TypeAlias = Speech | Writing | Calls | Handoff


@dataclass(frozen=True)
class Turn:
    """What the user says, and what comes of it.

    Attributes:
        opening: by the user.
        replies: by the model: after tools or a handoff comes the next one.
        error: the provider reports one, of this code, when the rest is over.
        forgets: the application deletes the first item of the conversation.
    """

    opening: Typed | Talked = Typed()
    replies: tuple[Reply, ...] = ()
    error: str | None = None
    forgets: bool = False


@dataclass(frozen=True)
class Connection:
    """One session of the log.

    Attributes:
        turns: in order.
        ending: `closed` by the application; `ended` by the provider, in order; `lost`.
    """

    turns: tuple[Turn, ...] = ()
    ending: Literal["closed", "ended", "lost"] = "closed"


@dataclass(frozen=True)
class Plan:
    """A whole conversation.

    Attributes:
        connections: of one model object, one after another.
        audio_format: of what is said.
        piece_ms: how long a piece of audio plays, in milliseconds.
    """

    connections: tuple[Connection, ...] = (Connection(),)
    audio_format: AudioFormatName = "pcm16"
    piece_ms: int = 20
