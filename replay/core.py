"""The heart of a replay: a state machine without I/O, clock, tasks or randomness.

It is fed the recording, told what the application does, and answers what to do next. Its states
and invariants are written in `docs/replay.md`. Drivers put it behind the ABC, behind a socket, or
under hypothesis.
"""

from __future__ import annotations

import heapq
import math

from ..schema.entries import Kind
from .acts import (
    Act,
    Complete,
    Deliver,
    End,
    Linger,
    More,
    Play,
    RecordedCall,
    Settle,
    Wait,
)
from .calls import Calls
from .handlings import Handlings
from .matching import Expectation
from .report import ReplayReport
from .rounds import RoundCount, rounds_between
from .steps import CALL_ENDS, CALLS, Outcome, Step
from .window import Window


class ReplayCore:
    """Decides the course of the replay of one session.

    Args:
        report: grows with what is found.
        expect: which recorded calls must come again.

    Attributes:
        window: its steps in memory.
        turn: number of the conversation's turn, from 1; 0 before the first.
        stream_ended: the listeners were given an end of stream.
        listeners: how many there were when recorded, at the cursor.
    """

    def __init__(self, report: ReplayReport, expect: Expectation = "reactions") -> None:
        self.report = report
        self.turn = 0
        self.stream_ended = False
        self.listeners = 0
        self.window = Window()
        self._calls = Calls(expect)
        self._nested_in: dict[int, RecordedCall] = {}
        self._not_given: set[int] = set()  # events that were not delivered
        self._undelivered: list[int] = []  # a heap of them; may still hold some that were delivered
        self._handlings = Handlings()
        self._rounds = RoundCount()
        self._settled = True
        self._lingered: Step | None = None  # the stimulus that was given its rounds to come
        self._returned_to: int | None = None  # the recorded task whose call was completed last
        self._closed = False

    # --- fed by the driver --------------------------------------------------------------------------

    def feed(self, step: Step) -> None:
        """The next step of the recording."""
        self.window.append(step)
        kind = step.entry.kind
        if kind == Kind.RECEIVED:
            self._not_given.add(step.seq)
            heapq.heappush(self._undelivered, step.seq)
            call = self._calls.around(step)
            if call is not None:
                call.nested.append(step)
                self._nested_in[step.seq] = call
        elif kind in CALLS:
            self._calls.begin(step)
        elif kind in CALL_ENDS:
            self._calls.end(step)
        elif kind == Kind.GAP:
            self._calls.end_all(step)

    def feed_end(self, *, breaks_off: bool = False) -> None:
        """There are no more steps; `breaks_off`: because the recorder's process died there."""
        self.window.end(breaks_off=breaks_off)

    # --- told by the driver -------------------------------------------------------------------------

    def call(
        self, kind: str, type: str | None = None, key: str = "", cause: int | None = None
    ) -> RecordedCall | None:
        """The application made a call; which recorded one that is, or None. See `Calls.match`.

        Args:
            cause: the event in whose dynamic extent the live call was made, where that is known.
        """
        self._settled = False
        call = self._calls.match(kind, type, key, cause, lambda seq: seq not in self._not_given)
        if call is None:
            at_end = kind == Kind.CLOSE and self.window.ended
            return self._calls.close_at(self.window.next_seq) if at_end else None
        self.report.matched += 1
        if call.late:
            self.report.late.append(call.seq)
            self.report.unsent -= 1
        return call

    def handled(self, step: Step, outcome: Outcome) -> None:
        """The listeners returned from an event, or raised."""
        self._settled = False
        self._handlings.end(step, outcome)
        call = self._nested_in.pop(step.seq, None)
        if call is not None and call.running is step:
            call.running = None

    def cancelled(self, call: RecordedCall) -> None:
        """A live call was cancelled by the application."""
        self._settled = False
        self._calls.finish(call)
        self._release_nested(call)

    def settled(self) -> None:
        """Everything that could run has run."""
        self._settled = True

    def lingered(self, act: Linger) -> None:
        """The rounds of a `Linger` have passed."""
        if self.window.first is act.step and self._lingered is not act.step:
            self._lingered = act.step
            self._rounds.spend(act.rounds)

    def quiescent(self) -> bool:
        """Nothing runs, no timer is due, and `next()` says Wait: let the first held call go, before
        its place. False where none is held: the replay is stuck."""
        for call in self._calls.live:
            held = call.nested or (call.end is not None and call.end.outcome.how != "cancelled")
            if held and not call.early and not call.late and call.running is None:
                call.early = True
                self.report.early.append(call.seq)
                return True
        return False

    def give_up(self, wait: Wait) -> None:
        """What is waited for will not come: go on as if it had."""
        if wait.what == "call":
            self._skip(self._calls.at(wait.step))
        elif wait.what == "nested":
            self._release_nested(self._nested_in[wait.step.seq])
        else:
            self._handlings.give_up(wait.step)

    # --- what to do next ----------------------------------------------------------------------------

    def next(self) -> Act:
        """The next thing to do. Deliver, Complete, CancelHandler and Play are taken as done."""
        for call in self._calls.live:
            act = self._call_turn(call)
            if act is not None:
                self._settled = False
                return act
        while (step := self.window.first) is not None:
            act = self._step_turn(step)
            if act is not None:
                if not isinstance(act, Wait | More | Settle | Linger | End):
                    self._settled = False
                return act
            self.window.advance()
            self._pass(step)
        return End(self._closed) if self.window.ended else More()

    @property
    def expected(self) -> list[RecordedCall]:
        """Recorded calls ahead that nobody has made yet, nearest first."""
        return list(self._calls.unmade())

    # --- a call's turn --------------------------------------------------------------------------------

    def _call_turn(self, call: RecordedCall) -> Act | None:
        """What a matched call can do by itself: deliver what happens in it, then complete."""
        if call.running is not None:
            return None
        free = call.early or call.late
        if call.nested and not call.skipped:
            step = call.nested[0]
            if not free and self._frontier() < step.seq:
                return None
            call.nested.popleft()
            call.running = step
            self._perform(step)
            return Deliver(step, call, rounds_between(call.step, step) or 0)
        end = call.end
        if end is None or end.outcome.how == "cancelled":
            return None  # it stays open, until the application cancels it
        if not free and self._frontier() < end.seq:
            return None
        self._calls.finish(call)
        self._returned_to = call.step.entry.task
        return Complete(call, end.outcome)

    def _frontier(self) -> float:
        """The first delivery or reaction that was not made: before it, calls are at their place."""
        first = self._undelivered[0] if self._undelivered else math.inf
        fed = math.inf if self.window.ended else self.window.next_seq
        return min(first, fed, self._calls.first_due())

    # --- the cursor's turn ------------------------------------------------------------------------------

    def _step_turn(self, step: Step) -> Act | None:
        kind = step.entry.kind
        if kind == Kind.RECEIVED:
            return self._received_turn(step)
        if kind in CALLS:
            return self._awaited_turn(step)
        if kind == Kind.HANDLED:
            return self._handlings.handled_turn(step)
        if kind == Kind.PLAYBACK and not step.performed:
            step.performed = True
            return Play(step)
        return None

    def _received_turn(self, step: Step) -> Act | None:
        if not step.performed:
            call = self._nested_in.get(step.seq)
            if call is not None and not call.skipped:
                return Wait("nested", step)
            rounds = 0 if self._settled else self._rounds.to(step)
            if rounds is None:
                return Settle()
            self._nested_in.pop(step.seq, None)
            self._rounds.arrive(step)
            self._perform(step)
            return Deliver(step, None, rounds)
        following = self.window.second
        if following is None and not self.window.ended:
            return More()
        return self._handlings.delivered_turn(step, following)

    def _awaited_turn(self, step: Step) -> Act | None:
        call = self._calls.at(step)
        if call.matched or call.skipped:
            return None
        if call.required:
            return Wait("call", step)
        if not self._settled and (call.nested or step.kind == Kind.CLOSE):
            return Settle()  # it may be about to come
        if step.kind == Kind.CLOSE:
            return End(closed=False)
        return self._linger(call)

    def _linger(self, call: RecordedCall) -> Act | None:
        """Leave a stimulus out, but only after the rounds that passed before it when it came."""
        step = call.step
        if not self._settled and self._lingered is not step:
            rounds = self._rounds.to(step)
            if rounds is None:
                return Settle()
            if step.entry.task == self._returned_to:
                rounds = max(rounds, 1)  # who waited for the last call needs one to come back
            if rounds:
                return Linger(step, rounds)
        self._skip(call)
        return None

    def _pass(self, step: Step) -> None:
        kind = step.entry.kind
        if kind in CALLS and self._calls.at(step).skipped:
            self._rounds.leave_out(step)
        elif kind in CALLS or kind == Kind.HANDLED:
            self._rounds.arrive(step)
        if kind == Kind.LISTENER_ADDED:
            self.listeners += 1
        elif kind == Kind.LISTENER_REMOVED:
            self.listeners -= 1
        elif kind == Kind.CLOSED:
            self._closed = True
        elif kind == Kind.GAP:
            self.report.gaps.append(f"entry {step.seq}: {step.entry.payload}")
        if kind in CALL_ENDS:
            self._calls.passed(step)

    # --- small things -----------------------------------------------------------------------------------

    def _perform(self, step: Step) -> None:
        step.performed = True
        self._handlings.begin(step)
        self._not_given.discard(step.seq)
        while self._undelivered and self._undelivered[0] not in self._not_given:
            heapq.heappop(self._undelivered)
        if step.entry.type == "turn_started":
            self.turn += 1
        elif step.entry.type == "end_of_stream":
            self.stream_ended = True
        self.report.delivered += 1

    def _skip(self, call: RecordedCall) -> None:
        """Nobody made this call in time: what happened in it is delivered in its place."""
        self.report.unsent += 1
        self._calls.skip(call)
        self._release_nested(call)

    def _release_nested(self, call: RecordedCall) -> None:
        call.skipped = True
        for step in call.nested:
            self._nested_in.pop(step.seq, None)
        call.nested.clear()
