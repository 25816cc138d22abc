"""What the core tells its driver to do next, and the recorded calls that it keeps account of."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ...session.places import Place
from .schedule import Until
from .steps import Outcome, Step


@dataclass(slots=True, eq=False)
class RecordedCall:
    """A call that the application made on the model: `connect`, a send, or `close`.

    Attributes:
        step: its entry.
        required: the replay waits for it.
        awaited: it has waited for it, required or not: see `docs/replay.md`.
        end: the entry that ended it; None where the log has none (yet).
        nested: events that the listeners get inside the call, and have not got yet.
        running: the one of them that they are handling.
        matched: the live application has made it.
        skipped: it was not made in time; what happened in it is delivered in its place.
        late: it was made after that.
        ahead: it was made before the application had got what caused it when this was recorded.
        early: it was let go before its place.
        done: the live call has been completed, or was cancelled.
        made: where in the replay the application made it.
    """

    step: Step
    required: bool
    awaited: bool = False
    end: Step | None = None
    nested: deque[Step] = field(default_factory=deque[Step])
    running: Step | None = None
    matched: bool = False
    skipped: bool = False
    late: bool = False
    ahead: bool = False
    early: bool = False
    done: bool = False
    made: Place | None = None

    @property
    def seq(self) -> int:
        """Its place in the log."""
        return self.step.seq


@dataclass(frozen=True, slots=True)
class Deliver:
    """Give a received event to the listeners: inside a call, or on the lane of its recorded task."""

    step: Step
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
class Play:
    """Make a call on the playback tracker."""

    step: Step


class Approach(NamedTuple):
    """Let time and rounds of the event loop pass, then call `arrived(step)`.

    Attributes:
        until: how far it is.
        patient: let everything run that is ready in the round there, too: the application may do
            this step itself, as it did when this was recorded.
        first: before anything else runs in that round.
    """

    step: Step
    until: Until
    patient: bool = False
    first: bool = False


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


Act = Deliver | Complete | CancelHandler | HandlerDiffers | Play | Approach | More | Stand | Wait | End
