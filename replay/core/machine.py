"""The heart of a replay: a state machine without I/O, clock, tasks or randomness.

It is fed the recording, told what the application does and where in time the replay is, and answers
what to do next. Its states and invariants are written in `docs/replay.md`. Drivers put it behind the
ABC, behind a socket, or under hypothesis.
"""

from __future__ import annotations

from typing import Any

from ...schema.entries import CALL_ENDS, CALLS, Kind
from ...schema.rows import Row
from ..terms.acts import Act, Approach, End, More, RecordedCall, Stand, Wait
from ..terms.steps import Outcome, Step
from . import turns
from .course import Course
from .runs import Run


class ReplayCore(Course):
    """Decides the course of the replay of one session: what is said to be done next counts as done."""

    # --- fed by the driver --------------------------------------------------------------------------

    def feed(self, step: Step) -> None:
        """The next step of the recording."""
        step.place = self.numbering.place(step.entry.tick, step.entry.at_ns)
        self.window.append(step)
        kind = step.entry.kind
        if kind == Kind.RECEIVED:
            self.not_given.add(step.seq)
            call = self.calls.around(step)
            if call is not None:
                call.nested.append(step)
                self.nested_in[step.seq] = call
        elif kind in CALLS:
            self.calls.begin(step)
        elif kind in CALL_ENDS:
            self.calls.end(step)
        elif kind == Kind.GAP:
            self.calls.end_all(step)

    def feed_run(self, rows: list[Row], values: list[Any], begins: list[int]) -> None:
        """The next steps of the recording, behind the one that was fed last: they become a `Run`."""
        run = Run(rows, values, begins, self.numbering)
        self.window.append_run(run)

    def is_nested(self, step: Step) -> bool:
        """Whether this event was received inside a call that was not left out."""
        return step.seq in self.nested_in

    def feed_end(self, *, breaks_off: bool = False) -> None:
        """There are no more steps; `breaks_off`: because the recorder's process died there."""
        self.window.end(breaks_off=breaks_off)

    def feed_no_more(self, error: Exception) -> None:
        """There are more steps, but they cannot be read: whoever wants the next one must hear of it."""
        self.window.unreadable = error

    # --- told by the driver -------------------------------------------------------------------------

    def call(
        self, kind: str, type: str | None = None, key: str = "", cause: int | None = None
    ) -> RecordedCall | None:
        """The application made a call; which recorded one that is, or None. See `Calls.match`.

        Args:
            cause: the event in whose dynamic extent the live call was made, where that is known.
        """
        self.window.look()
        now = self.now()
        call = self.calls.match(
            kind,
            type,
            key,
            cause,
            self.is_given,
            lambda step: self.schedule.is_here(step.place, now),
            self.handlings.may_make,
        )
        if call is None:
            at_end = kind == Kind.CLOSE and self.window.ended
            return self.calls.close_at(self.window.next_seq) if at_end else None
        call.made = now
        if self.unclosed and kind == Kind.SENT and not call.late:
            call.early = True  # its place is behind a close that does not come
            self.report.early.append(call.seq)
        for one in self.calls.completed:  # of audio that is cut otherwise: none, or several
            one.made = call.made
            self.report.matched += 1
            self._story.add_made(one.step)
            if one.late:
                self.report.late.append(one.seq)
                self.report.unsent -= 0 if one.required else 1
        return call

    def take(self, call: RecordedCall) -> RecordedCall:
        """The application made this call with another content: it counts as made."""
        self.calls.take(call, self.is_given)
        call.made = self.now()
        self._story.add(call.step)
        self.report.differing += 1
        return call

    def handled(self, step: Step, outcome: Outcome) -> None:
        """The listeners returned from an event, or raised."""
        self.window.look()
        self.handlings.end(step, outcome, self.now())
        call = self.nested_in.pop(step.seq, None)
        if call is not None and call.running is step:
            call.running = None

    def cancelled(self, call: RecordedCall) -> None:
        """A live call was cancelled by the application."""
        self.calls.finish(call)
        self.release_nested(call)
        if call.end is not None:
            self.begun(call.end)

    def arrived(self, act: Approach) -> None:
        """The time and the rounds of an `Approach` have passed."""
        if act.until.at_ns is not None and self.instant is act.step:
            self.waited = act.step  # once more, until everything had run, other threads included
        self.instant = act.step
        if act.until.at_ns is None:
            self.there = act.step
            if act.patient:
                self.waited = act.step

    @property
    def outlived(self) -> bool:
        """Whether the application goes on after a recording that ends without its close."""
        return self.window.ended and not len(self.window) and not self.closed

    def quiescent(self) -> RecordedCall | None:
        """Nothing runs, no timer is due, and `next()` says Wait: let the first held call go, before
        its place. None where none is held: the replay is stuck."""
        for call in self.calls.live:
            held = call.nested or (call.end is not None and call.end.outcome.how != "cancelled")
            if held and not call.early and not call.late and call.running is None:
                call.early = True
                self.report.early.append(call.seq)
                return call
        return None

    def overtaken(self, call: RecordedCall) -> RecordedCall | None:
        """The reaction that the same task made before this call, and that nobody has made yet."""
        return self.calls.unmade_before(call, self.is_given)

    def needs(self, wait: Wait) -> bool:
        """Whether it is a divergence if what is waited for does not come."""
        return wait.what != "call" or self.calls.at(wait.step).required

    def give_up(self, wait: Wait) -> None:
        """What is waited for will not come: go on as if it had."""
        if wait.what == "call":
            self.skip(self.calls.at(wait.step))
        else:
            self.handlings.give_up(wait.step)

    # --- what to do next ----------------------------------------------------------------------------

    def next(self) -> Act:
        """The next thing to do. Deliver, Complete, CancelHandler and Play are taken as done."""
        for call in self.calls.live:
            act = turns.free(self, call) if call.early or call.late else None
            if act is not None:
                return act
        while (step := self.window.first) is not None:
            if step.seq >= self.stop_at:
                return Stand()
            act = turns.at_cursor(self, step)
            if act is not None:
                return act
            self.window.advance()
            self.passes(step)
        return End(self.closed) if self.window.ended else More()

    def upcoming(self, call: RecordedCall) -> list[Approach]:
        """While a call returns: what the model has begun in it, and does later in this burst."""
        steps = self.window.caused_by(call.step)
        second = self.window.second
        if second is not None and second.kind == Kind.RECEIVED and second not in steps:
            steps.append(second)
        begun = [self.begins(step) for step in steps if step.seq not in self.nested_in]
        return [act for act in begun if act is not None]

    def continuation(self, handled: Step) -> Approach | None:
        """When listeners have returned: what the task that gave them this event gives them next, if
        that is in the same burst."""
        step = self.window.next_of(handled)
        return None if step is None or step.seq in self.nested_in else self.begins(step)

    @property
    def cursor(self) -> int:
        """The first step that has not happened."""
        step = self.window.first
        if step is None:
            return self.window.next_seq
        if step.kind in CALL_ENDS:
            call = self.calls.ended_by(step)
            return step.seq + int(call is not None and call.done)
        # What the application does of its own accord may be ahead of the cursor: sends, and playing.
        ours = step.performed if step.kind == Kind.RECEIVED else step is self.played
        return step.seq + int(ours)

    @property
    def expected(self) -> list[RecordedCall]:
        """Recorded calls ahead that nobody has made yet, nearest first."""
        return list(self.calls.unmade())
