"""The heart of a replay: a state machine without I/O, clock, tasks or randomness.

It is fed the recording, told what the application does, and answers what to do next. Its states
and invariants are written in `docs/replay.md`. Drivers put it behind the ABC, behind a socket, or
under hypothesis.
"""

from __future__ import annotations

import heapq
import math
from collections import deque

from ..schema.entries import Kind
from .acts import (
    Act,
    Complete,
    Deliver,
    End,
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

LOOK_AHEAD = 1024
"""Steps in memory, and how far ahead of its place a send is recognised."""

GAP_GRACE = 200
"""So many entries behind a gap, a send that nobody recorded may be one that the recorder lost."""


class ReplayCore:
    """Decides the course of the replay of one session.

    Args:
        report: grows with what is found.
        expect: which recorded calls must come again.

    Attributes:
        turn: number of the conversation's turn, from 1; 0 before the first.
        stream_ended: the listeners were given an end of stream.
        listeners: how many there were when recorded, at the cursor.
    """

    def __init__(self, report: ReplayReport, expect: Expectation = "reactions") -> None:
        self.report = report
        self.turn = 0
        self.stream_ended = False
        self.listeners = 0
        self._window: deque[Step] = deque()
        self._fed_all = False
        self._last_fed = -1
        self._calls = Calls(expect)
        self._nested_in: dict[int, RecordedCall] = {}
        self._undelivered: list[int] = []  # a heap: events that are not nested, and not delivered
        self._not_given: set[int] = set()  # events not delivered, nested or not
        self._handlings = Handlings()
        self._rounds = RoundCount()
        self._settled = True
        self._gaps: deque[int] = deque()
        self._closed = False

    # --- fed by the driver --------------------------------------------------------------------------

    @property
    def connects(self) -> bool:
        """Whether the recording begins with a `connect`; one of a model that was never connected
        does not."""
        return bool(self._window) and self._window[0].kind == Kind.CONNECT

    @property
    def hungry(self) -> bool:
        """Whether it must be fed before it can judge a call."""
        return not self._fed_all and len(self._window) < LOOK_AHEAD // 2

    @property
    def full(self) -> bool:
        """Whether it should not be fed more for now."""
        return len(self._window) >= LOOK_AHEAD

    def feed(self, step: Step) -> None:
        """The next step of the recording."""
        self._window.append(step)
        self._last_fed = step.seq
        kind = step.entry.kind
        if kind == Kind.RECEIVED:
            self._not_given.add(step.seq)
            call = self._calls.around(step)
            if call is None:
                heapq.heappush(self._undelivered, step.seq)
            else:
                call.nested.append(step)
                self._nested_in[step.seq] = call
        elif kind in CALLS:
            self._calls.begin(step)
        elif kind in CALL_ENDS:
            self._calls.end(step)
        elif kind == Kind.GAP:
            self._gaps.append(step.seq)
            self._calls.end_all(step)

    def feed_end(self) -> None:
        """There are no more steps."""
        self._fed_all = True

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
            at_end = kind == Kind.CLOSE and self._fed_all
            return self._calls.close_at(self._last_fed + 1) if at_end else None
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
        while self._window:
            act = self._step_turn(self._window[0])
            if act is not None:
                if not isinstance(act, Wait | More | Settle | End):
                    self._settled = False
                return act
            self._pass(self._window.popleft())
        return End(self._closed) if self._fed_all else More()

    def due_playback(self) -> Step | None:
        """The recorded call on the tracker that the cursor has come to: if the application makes
        it right now, it is at its place."""
        for step in self._window:
            if step.entry.kind != Kind.PLAYBACK:
                return None
            if not step.performed:
                return step if step.entry.type == "application" else None
        return None

    @property
    def expected(self) -> list[RecordedCall]:
        """Recorded calls ahead that nobody has made yet, nearest first."""
        return list(self._calls.unmade())

    def near_gap(self) -> bool:
        """Whether the recorder lost something hereabouts."""
        here = self._window[0].seq if self._window else self._last_fed
        while self._gaps and self._gaps[0] < here - GAP_GRACE:
            self._gaps.popleft()
        return bool(self._gaps)

    @property
    def unplayed(self) -> int:
        """Steps in memory that were not reached."""
        return len(self._window)

    def around(self, seq: int, radius: int = 3) -> list[Step]:
        """The steps in memory around a place."""
        return [step for step in self._window if abs(step.seq - seq) <= radius]

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
        return Complete(call, end.outcome)

    def _frontier(self) -> float:
        """The first delivery that was not made: before it, calls are at their place."""
        if self._undelivered:
            return self._undelivered[0]
        return math.inf if self._fed_all else self._last_fed + 1

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
        if len(self._window) < 2 and not self._fed_all:
            return More()
        return self._handlings.delivered_turn(step, self._window[1] if len(self._window) > 1 else None)

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
        if self._undelivered and self._undelivered[0] == step.seq:
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
            heapq.heappush(self._undelivered, step.seq)
        call.nested.clear()
