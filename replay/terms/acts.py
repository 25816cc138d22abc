"""What the core tells its driver to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from .runs import Run
from .steps import Outcome, RecordedCall, Step


@dataclass(frozen=True, slots=True)
class Deliver:
    """Give a received event to the listeners, inside a call or in the task that stands for the recorded one;
    or the events of a run, until anybody looks."""

    step: Step | Run
    call: RecordedCall | None


@dataclass(frozen=True, slots=True)
class Complete:
    """Let a live call return, raise, or be withheld, as recorded."""

    call: RecordedCall
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class CancelHandler:
    """Cancel the handling of an event: the model cancelled its read loop there."""

    step: Step


@dataclass(frozen=True, slots=True)
class HandlerDiffers:
    """The listeners raised where they did not, or the reverse."""

    step: Step
    recorded: Outcome
    live: Outcome


@dataclass(frozen=True, slots=True)
class CallTracker:
    """Make a call on the playback tracker."""

    step: Step


class Until(NamedTuple):
    """How far it is to a place.

    Attributes:
        at_ns: not before this live instant, and not before all has run that can; None: in this burst.
        rounds: of the event loop to pass; after that instant, if there is one.
    """

    at_ns: int | None
    rounds: int


class Approach(NamedTuple):
    """Let time and rounds of the event loop pass, then call `arrived`.

    Attributes:
        seq: of the entry that stands there.
        until: how far it is.
        patient: let everything run that is ready in the round there, too: the application may do
            this step itself, as it did when this was recorded.
        first: before anything else runs in that round.
    """

    seq: int
    until: Until
    patient: bool = False
    first: bool = False


@dataclass(frozen=True, slots=True)
class StandIn:
    """Nobody has made this call, which nothing in the recording asks for: who stands in for the user does."""

    call: RecordedCall


@dataclass(frozen=True, slots=True)
class Stand:
    """The cursor has come to where it is to stop."""


@dataclass(frozen=True, slots=True)
class More:
    """Feed more of the recording."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until the application does something.

    Attributes:
        what: `call`: it makes a recorded call. `handler`: its listeners return.
        step: the recorded entry waited for.
    """

    what: Literal["call", "handler"]
    step: Step


@dataclass(frozen=True, slots=True)
class End:
    """Everything was played.

    Attributes:
        closed: the recording ends with a `close` that the application has made again, or is not
            asked to make because nothing caused it.
    """

    closed: bool


Act = (
    Deliver
    | Complete
    | CancelHandler
    | HandlerDiffers
    | CallTracker
    | StandIn
    | Approach
    | More
    | Stand
    | Wait
    | End
)
