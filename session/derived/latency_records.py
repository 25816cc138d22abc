"""`LatencyRecord`: how long the user waited for an answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from .model_sound import Voiced
from .response_records import ResponseRecord
from .tool_records import ToolRecord
from .turn_records import TurnRecord

EndBy = Literal["waveform", "server", "text"]
"""How the end of what the user said is known: by the loudness of the sound, by the server (less exactly: it
waits for a silence), or because it was written."""


@dataclass(frozen=True, slots=True)
class LatencyRecord:
    """From the end of a turn of the user's to its answer, in milliseconds. Negative: the answer came before
    the user had ended.

    Attributes:
        turn: number of the turn.
        seq: of the entry with which the turn began.
        response_id: the first that answers it.
        ended_ns: when the user had said it, in nanoseconds since the session began.
        ended_by: how that is known.
        first_byte_ms: to the first content of any kind that came; None: none came.
        first_sound_ms: until the first of the answer that is loud enough could be heard at the earliest;
            None: nothing is, or the sound is not known.
        played_ms: until that was played; None: nobody told, or it was not.
        assumed: nobody told, and the recorder assumes that all is played as it comes.
        tool_ms: how much of the time until the first sound, or byte, the model waited for tools.
    """

    turn: int
    seq: int
    response_id: str
    ended_ns: int
    ended_by: EndBy
    first_byte_ms: float | None
    first_sound_ms: float | None
    played_ms: float | None
    assumed: bool
    tool_ms: float


def latency(
    turn: TurnRecord,
    responses: Sequence[ResponseRecord],
    voices: Sequence[Voiced],
    tools: Iterable[ToolRecord],
) -> LatencyRecord | None:
    """That of one turn; None: nothing answers it, or nobody knows when it ended.

    Args:
        responses: its own, in order.
        voices: their sounds, in order.
        tools: the calls that they made.
    """
    ended_ns = turn.ended_ns
    if not responses or ended_ns is None:
        return None
    by: EndBy = "text" if turn.kind == "text" else "server" if turn.wave_ended_ns is None else "waveform"
    byte_ns = min((one.first_byte_ns for one in responses if one.first_byte_ns is not None), default=None)
    heard = min((one for one in voices if one.audible_ns is not None), key=_audible, default=None)
    audible_ns = None if heard is None else heard.audible_ns
    played = min((one for one in voices if one.played_ns is not None), key=_played, default=None)
    until_ns = audible_ns if audible_ns is not None else byte_ns
    return LatencyRecord(
        *(turn.number, turn.seq, responses[0].response_id, ended_ns, by),
        _ms(ended_ns, byte_ns),
        _ms(ended_ns, audible_ns),
        _ms(ended_ns, None if played is None else played.played_ns),
        played is not None and played.assumed,
        0.0 if until_ns is None else _covered(tools, ended_ns, until_ns) / 1e6,
    )


def _audible(one: Voiced) -> int:
    return one.audible_ns or 0


def _played(one: Voiced) -> int:
    return one.played_ns or 0


def _ms(since_ns: int, until_ns: int | None) -> float | None:
    return None if until_ns is None else (until_ns - since_ns) / 1e6


def _covered(tools: Iterable[ToolRecord], since_ns: int, until_ns: int) -> int:
    """How much of a time any of the calls was open, in nanoseconds."""
    spans = sorted((one.began_ns, until_ns if one.ended_ns is None else one.ended_ns) for one in tools)
    covered, done_ns = 0, since_ns
    for begin_ns, end_ns in spans:
        begin_ns, end_ns = max(begin_ns, done_ns), min(end_ns, until_ns)
        if end_ns > begin_ns:
            covered, done_ns = covered + end_ns - begin_ns, end_ns
    return covered
