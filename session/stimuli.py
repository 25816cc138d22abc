"""Stimuli: what the application did in a recorded session that nothing in the recording caused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, Literal, cast

from ..schema.entries import CALL_ENDS, Entry, Flag, Kind
from .fields import outcome_of
from .messages import answers_call, begins_turn
from .places import Numbering, Place
from .recording import Recording

NANOSECONDS = 1_000_000_000

Outcome = Literal["returned", "raised", "cancelled", "withheld"]
"""How a call of the application ended."""


@dataclass(frozen=True, slots=True)
class Stimulus:
    """One call that the user, a timer or the application's own plan brought about.

    Attributes:
        seq: its place in the log.
        at_ns: nanoseconds since the session began.
        burst_ns: the instant, in the same nanoseconds, at which the event loop woke and began to run
            what led to this call; of another thread's call, its own. On virtual time a burst takes no time.
        rounds: of the event loop that passed in that burst until then.
        ended_ns: the instant at which the call was over, in the same nanoseconds; None where the log
            does not tell, because the recording process died before.
        outcome: how the call ended: `withheld` is a `send_event_if` whose condition was false; None
            where the log does not tell.
        turn: of the conversation, from 1; 0 before the model's first.
        kind: `sent` or `close`.
        type: of a send, `send_audio` or `send_user_input` for instance; None of a close.
        method: that was called on the model: `send_event`, `send_event_if` or `close`.
        task: the asyncio task that made the call, as in the log; None from another thread.
        event: the decoded event, of the class that the recording's vocabulary has for it; None of a
            close.
    """

    seq: int
    at_ns: int
    burst_ns: int
    rounds: int
    ended_ns: int | None
    outcome: Outcome | None
    turn: int
    kind: Literal["sent", "close"]
    type: str | None
    method: str | None
    task: int | None
    event: Any

    @property
    def at(self) -> float:
        """Seconds since the session began."""
        return self.at_ns / NANOSECONDS


async def stimuli(recording: Recording) -> AsyncGenerator[Stimulus]:
    """The stimuli of a recorded session, in the order of the log.

    They are decoded one by one, so that the audio of a long session need not be in memory at once.

    Raises:
        CorruptRecordError: a payload cannot be decoded, or its bytes are missing.
    """
    found: dict[int, tuple[Entry, Place, int]] = {}
    ends: dict[int, Entry] = {}
    numbering, turn = Numbering(), 0
    async for entry in recording.entries():
        place = numbering.place(entry.tick, entry.at_ns)
        if entry.kind == Kind.RECEIVED:
            turn += begins_turn(entry)
        elif is_stimulus(entry):
            found[entry.seq] = (entry, place, turn)
        elif entry.kind in CALL_ENDS and entry.of in found:
            ends[entry.of] = entry
    for entry, place, turn in found.values():
        event = await recording.decode(entry) if entry.kind == Kind.SENT else None
        end = ends.get(entry.seq)
        yield Stimulus(
            seq=entry.seq,
            at_ns=entry.at_ns,
            burst_ns=place.ns,
            rounds=0 if place.timed else place.round,
            ended_ns=None if end is None else end.at_ns,
            outcome=None if end is None else _outcome(end),
            turn=turn,
            kind="sent" if entry.kind == Kind.SENT else "close",
            type=entry.type,
            method=entry.method,
            task=entry.task,
            event=event,
        )


def is_stimulus(entry: Entry) -> bool:
    """Whether this is a stimulus, as `docs/replay.md` has it: a send or a close that answers nothing.

    Speech is one whatever it was caused by. A call whose cause the recorder lost had a cause, and is
    none.
    """
    if entry.kind not in (Kind.SENT, Kind.CLOSE) or is_reaction(entry):
        return False
    return entry.type == "send_audio" or not entry.flags & Flag.CAUSE_LOST


def is_reaction(entry: Entry) -> bool:
    """Whether a recorded call of the application answers something that it was given.

    By type first: audio answers nothing, for offline nobody speaks; a tool output always does; anything
    else if it has a cause.
    """
    if entry.type == "send_audio":
        return False
    return entry.cause is not None or answers_call(entry) is not None


def _outcome(end: Entry) -> Outcome:
    how = outcome_of(end)
    return cast("Outcome", how) if how in ("raised", "cancelled", "withheld") else "returned"
