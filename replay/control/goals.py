"""How far a replay is let go, and where it stops."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ...schema.errors import UsageError
from ...session.state import State
from ..terms.acts import CancelHandler, Complete, Deliver, Play
from .breakpoints import Breakpoint, Moment, Predicate

NOWHERE = 1 << 63
"""Behind any entry."""

Reason = Literal["paused", "stepped", "reached", "breakpoint", "waits", "ended", "failed"]
Doing = Deliver | Complete | CancelHandler | Play


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a replay stopped, and why.

    Attributes:
        reason: `paused` by `pause()`; `stepped`: so much was done as was asked for; `reached`: what was
            sought comes next; `breakpoint`: it comes next; `waits`: nothing goes on until the application
            does something; `ended`: everything was played; `failed`: it diverged, or cannot be read.
        seq: all entries before this one have happened.
        breakpoint: the one that was met.
    """

    reason: Reason
    seq: int
    breakpoint: Breakpoint | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """How far to go. Whatever it says, a breakpoint or a pause may come before, if `breaks`.

    Attributes:
        acts: so many acts of the model's side.
        before: not beyond what meets this.
        seq: not beyond this entry.
        breaks: breakpoints count.
    """

    acts: int = NOWHERE
    before: Predicate | None = None
    seq: int = NOWHERE
    breaks: bool = True


def steps(count: int) -> Goal:
    """So many acts of the model's side.

    Raises:
        UsageError: less than one.
    """
    if count < 1:
        raise UsageError(f"{count} steps: give a number from 1 up")
    return Goal(acts=count)


def starts_turn(moment: Moment) -> bool:
    return moment.what == "deliver" and moment.entry.type == "turn_started"


def moment_of(act: Doing, state: Callable[[], State]) -> Moment:
    match act:
        case Deliver(step, _):
            return Moment("deliver", step.entry, step.seq, state)
        case Complete(call, _):
            return Moment("return", call.step.entry, call.seq if call.end is None else call.end.seq, state)
        case CancelHandler(step):
            return Moment("cancel", step.entry, step.seq, state)
        case Play(step):
            return Moment("play", step.entry, step.seq, state)
