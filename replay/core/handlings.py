"""What the listeners do with the events they were given: still at it, returned, or raised."""

from __future__ import annotations

from ...schema.entries import Kind
from ...session.places import Place
from ..terms.acts import Act, CancelHandler, HandlerDiffers, Wait
from ..terms.steps import RETURNED, Outcome, Step


class Handlings:
    """Keeps account of the events that were delivered, until the cursor has passed their end."""

    def __init__(self) -> None:
        self._running: dict[int, Step] = {}
        self._outcomes: dict[int, tuple[Step, Outcome]] = {}
        self._cancelling: set[int] = set()
        self._places: dict[int, Place] = {}

    def begin(self, step: Step) -> None:
        """An event is being delivered."""
        self._running[step.seq] = step

    def leave(self, step: Step) -> None:
        """The listeners returned from an event, and get the next one right away."""
        del self._running[step.seq]

    def end(self, step: Step, outcome: Outcome, place: Place) -> None:
        """The listeners returned from it, or raised, at this place of the replay."""
        self._running.pop(step.seq, None)
        if step.ends:
            self._places[step.seq] = place
        if step.ends or outcome.how == "raised":
            self._outcomes[step.seq] = (step, outcome)

    def give_up(self, step: Step) -> None:
        """Whenever they return, nobody waits for it any more."""
        self._running.pop(step.seq, None)
        step.ends = True

    def delivered_turn(self, step: Step, following: Step | None) -> Act | None:
        """At a delivered event: without a `handled` in the log its listeners returned before the
        next entry, and so they must now."""
        if step.ends:
            return None
        if step.seq not in self._running:
            return self._difference(step.seq, RETURNED)
        if following is None or following.kind == Kind.GAP or following.entry.cause == step.seq:
            return None  # the log ends there, or lost its end
        return Wait("handler", step)

    def handled_turn(self, step: Step) -> Act | None:
        """At a `handled`: the listeners must have returned; cancelled ones are cancelled."""
        of = step.entry.of
        if of is None or step.outcome.how == "open":
            return None
        handled = self._running.get(of)
        if handled is None:
            return self._difference(of, step.outcome)
        if step.outcome.how == "cancelled" and of not in self._cancelling:
            task = handled.entry.task  # with it is cancelled all that it has delivered inside
            self._cancelling |= {seq for seq, one in self._running.items() if one.entry.task == task}
            return CancelHandler(handled)
        return Wait("handler", handled)

    def cancels(self, step: Step) -> bool:
        """Whether this `handled` is about to cancel listeners."""
        return step.entry.of in self._running and step.entry.of not in self._cancelling

    def may_make(self, call: Step) -> bool:
        """Whether the listener that made this call when recorded is at work: then it may still come."""
        handled = self._running.get(-1 if call.entry.cause is None else call.entry.cause)
        return handled is not None and handled.entry.task == call.entry.task

    def place(self, step: Step) -> Place | None:
        """Where in the replay what this `handled` ends has ended."""
        return None if step.entry.of is None else self._places.pop(step.entry.of, None)

    def _difference(self, seq: int, recorded: Outcome) -> Act | None:
        step, live = self._outcomes.pop(seq, (None, recorded))
        if step is None or live.how == recorded.how or "cancelled" in (live.how, recorded.how):
            return None
        return HandlerDiffers(step, recorded, live)
