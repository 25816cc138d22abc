"""`sessions()`: whole conversations that keep to the protocol, as recordings."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hypothesis import strategies as st

from ...schema.errors import UsageError
from ...schema.standard import STANDARD
from ...schema.vocabulary import Vocabulary
from ...session.recording import Recording
from .acting import recording_of
from .plans import Call, Calls, Connection, Handoff, Plan, Reply, Speech, Talked, Turn, Typed, Writing
from .wire import AudioFormatName

_WORDS = st.text("ab é☎😀", max_size=4)
_MAX_PIECES = 3


def sessions(
    *,
    max_turns: int = 4,
    max_connections: int = 2,
    tools: Sequence[str] = ("look_up", "book"),
    handoffs: Sequence[str] = ("clerk",),
    barge_ins: bool = True,
    errors: bool = True,
    audio_format: AudioFormatName | None = None,
    piece_ms: int | None = None,
    vocabulary: Vocabulary = STANDARD,
) -> st.SearchStrategy[Recording]:
    """Recordings of whole conversations, from connect to close, as the SDK's model gives its events.

    They replay; hold all of `realtape.lab.invariants`; and shrink to a connect and a close. A
    recording's `following()` is the session after a reconnect.

    Args:
        max_turns: of one connection, at most.
        max_connections: 1: nobody reconnects.
        tools: names of tools that may be called; empty: none.
        handoffs: names of agents that may be handed off to; empty: none.
        barge_ins: the user, or the application, may interrupt. If not, all that the model says is heard.
            (The SDK's model gives `audio_interrupted` whenever the user speaks after it did, all the same.)
        errors: the provider may report errors, and connections may be lost or ended by it.
        audio_format: of what is said; None: any.
        piece_ms: how long a piece of audio plays, in milliseconds; None: from 1 to 20.
        vocabulary: whose classes the recording is read with; for applications of the SDK,
            `realtape.integrations.openai_agents.VOCABULARY`.

    Raises:
        UsageError: a number that leaves nothing to generate.
    """
    planned = plans(
        max_turns=max_turns,
        max_connections=max_connections,
        tools=tools,
        handoffs=handoffs,
        barge_ins=barge_ins,
        errors=errors,
        audio_format=audio_format,
        piece_ms=piece_ms,
    )
    return st.builds(recording_of, planned, st.just(vocabulary))


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
