"""What happens in a generated session: plain values, from which `sessions.py` makes a recording.

They are what a failing test prints, and what shrinks: fewer connections, turns, replies, calls and pieces of
audio; shorter texts; nothing out of the ordinary.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from hypothesis import strategies as st

from ...provider import AudioFormatName
from ...schema.errors import UsageError

_WORDS = st.text("ab é☎😀", max_size=4)
_MAX_PIECES = 3


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


def plans(
    *,
    max_turns: int = 4,
    max_connections: int = 2,
    tools: Sequence[str] = ("look_up", "book"),
    handoffs: Sequence[str] = ("clerk",),
    barge_ins: bool = True,
    errors: bool = True,
    audio_format: AudioFormatName | None = None,
    piece_ms: int | None = None,
) -> st.SearchStrategy[Plan]:
    """What happens in such conversations, as values; `sessions` has the arguments."""
    if max_turns < 0 or max_connections < 1:
        raise UsageError(f"{max_connections} connections of {max_turns} turns: give at least 1, and 0")
    if piece_ms is not None and piece_ms < 1:
        raise UsageError(f"pieces of {piece_ms} ms: give a length from 1 up")
    pieces_ms = st.integers(1, 20) if piece_ms is None else st.just(piece_ms)
    formats: list[AudioFormatName] = ["pcm16", "g711_ulaw", "g711_alaw"]
    turns = st.lists(_turns(tools, handoffs, barge_ins, errors), max_size=max_turns)
    ending = st.sampled_from(["closed", "ended", "lost"] if errors else ["closed"])
    connection = st.builds(Connection, turns.map(_fitted), ending)
    return st.builds(
        Plan,
        st.lists(connection, min_size=1, max_size=max_connections).map(tuple),
        st.sampled_from(formats) if audio_format is None else st.just(audio_format),
        pieces_ms,
    )


def _turns(
    tools: Sequence[str], handoffs: Sequence[str], barge_ins: bool, errors: bool
) -> st.SearchStrategy[Turn]:
    transcripts = st.none() | _WORDS
    talked = st.builds(Talked, st.integers(1, _MAX_PIECES), transcripts)
    pieces = st.lists(_WORDS, min_size=1, max_size=_MAX_PIECES).map(tuple)
    heard = st.integers(0, _MAX_PIECES) if barge_ins else st.just(_MAX_PIECES)
    stopped = st.sampled_from([None, "voice", "application"] if barge_ins else [None])
    last: list[st.SearchStrategy[Reply]] = [
        st.builds(Writing, pieces),
        st.builds(Speech, pieces, heard, stopped, st.booleans()),
    ]
    before: list[st.SearchStrategy[Reply]] = []
    if tools:
        arguments = st.dictionaries(st.sampled_from("ab"), st.integers(0, 9), max_size=2).map(json.dumps)
        call = st.builds(Call, st.sampled_from(list(tools)), arguments, _WORDS, st.integers(0, 9))
        calls = st.lists(call, min_size=1, max_size=3).map(tuple)
        before.append(st.builds(Calls, calls, st.booleans()))
    if handoffs:
        before.append(st.builds(Handoff, st.sampled_from(list(handoffs))))
    rounds = st.lists(st.one_of(before), max_size=2) if before else st.just([])
    replies = st.tuples(rounds, st.lists(st.one_of(last), max_size=1))
    return st.builds(
        Turn,
        st.builds(Typed, _WORDS) | talked,
        replies.map(lambda both: (*both[0], *both[1])),
        st.none() | st.just("server_error") if errors else st.none(),
        st.booleans(),
    )


def _fitted(turns: list[Turn]) -> tuple[Turn, ...]:
    """Who breaks in by voice goes on speaking: so the next turn is spoken."""
    fitted: list[Turn] = []
    for turn in turns:
        last = fitted[-1].replies[-1:] if fitted else ()
        interrupted = bool(last) and isinstance(last[0], Speech) and last[0].stopped == "voice"
        if interrupted and isinstance(turn.opening, Typed):
            turn = Turn(Talked(1), turn.replies, turn.error, turn.forgets)
        fitted.append(turn)
    return tuple(fitted)
