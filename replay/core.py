"""The heart of a replay: a state machine without I/O, clock, tasks or randomness.

It is fed the recording, told what the application does, and answers what to do next. Its states
and invariants are written in `docs/replay.md`. Drivers put it behind the ABC, behind a socket, or
under hypothesis.
"""

from __future__ import annotations

import heapq
import math
import re
from bisect import insort
from collections import deque

from ..schema.entries import SETTLED_TICKS, Entry, Flag, Kind
from ..schema.secrets import REDACTED
from .acts import (
    Act,
    CancelHandler,
    Complete,
    Deliver,
    End,
    HandlerDiffers,
    More,
    Play,
    RecordedCall,
    Settle,
    Wait,
)
from .matching import Expectation, must_come
from .report import ReplayReport
from .steps import CALL_ENDS, CALLS, RETURNED, Outcome, Step

LOOK_AHEAD = 1024
"""Steps in memory, and how far ahead of its place a send is recognised."""

MISSED_STIMULI = 4096
"""How many stimuli that nobody sent again are remembered, in case they come late."""

GAP_GRACE = 200
"""So many entries behind a gap, a send that nobody recorded may be one that the recorder lost."""

_Key = tuple[str, str | None, str]


class ReplayCore:
    """Decides the course of the replay of one session.

    Args:
        report: grows with what is found.
        expect: which recorded calls must come again.
    """

    def __init__(self, report: ReplayReport, expect: Expectation = "reactions") -> None:
        self.report = report
        self.turn = 0
        self.stream_ended = False
        self.listeners = 0
        self._expect: Expectation = expect
        self._window: deque[Step] = deque()
        self._fed_all = False
        self._last_fed = -1
        # Feeding: which recorded call is open in which recorded task.
        self._open: dict[int | None, list[RecordedCall]] = {}
        self._by_seq: dict[int, RecordedCall] = {}
        self._nested_in: dict[int, RecordedCall] = {}
        # Matching.
        self._index: dict[_Key, deque[RecordedCall]] = {}
        self._missed: deque[RecordedCall] = deque()
        self._live: list[RecordedCall] = []
        # Deliveries: a heap of those not made; what their handlers do.
        self._undelivered: list[int] = []
        self._not_given: set[int] = set()
        self._handlers: dict[int, Step] = {}
        self._ended: dict[int, Step] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._cancelling: set[int] = set()
        # Rounds of the loop: where the cursor is, how many passed since something was done there.
        self._tick: int | None = None
        self._owed = 0
        self._must_settle = False
        self._settled = True
        self._gaps: deque[int] = deque()
        self._closed = False

    # --- fed by the driver --------------------------------------------------------------------------

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
        entry, kind = step.entry, step.entry.kind
        if kind in CALLS:
            call = RecordedCall(step, must_come(entry, self._expect))
            self._by_seq[step.seq] = call
            self._open.setdefault(entry.task, []).append(call)
            self._index.setdefault(_key(step), deque()).append(call)
        elif kind in CALL_ENDS:
            self._end_call(step)
        elif kind == Kind.RECEIVED:
            self._not_given.add(step.seq)
            stack = self._open.get(entry.task) if entry.task is not None else None
            if stack and not stack[-1].skipped:
                stack[-1].nested.append(step)
                self._nested_in[step.seq] = stack[-1]
            else:
                heapq.heappush(self._undelivered, step.seq)
        elif kind == Kind.GAP:
            self._gaps.append(step.seq)
            for stack in self._open.values():
                for call in stack:
                    call.end = call.end or step  # how it ended is lost
            self._open.clear()

    def feed_end(self) -> None:
        """There are no more steps."""
        self._fed_all = True

    def _end_call(self, step: Step) -> None:
        call = self._by_seq.get(step.entry.of if step.entry.of is not None else -1)
        if call is None:
            return
        call.end = step
        stack = self._open.get(call.step.entry.task)
        if stack and call in stack:
            stack.remove(call)

    # --- told by the driver -------------------------------------------------------------------------

    def call(
        self, kind: str, type: str | None = None, key: str = "", cause: int | None = None
    ) -> RecordedCall | None:
        """The application made a call; which recorded one that is, or None.

        By index and not by cursor. Among several of the same content: the one of the same cause,
        then a reaction whose cause was given to the application (for it must come), then a
        stimulus, then what is not due yet; and the first of those.

        Args:
            cause: the event in whose dynamic extent the live call was made, where that is known.
        """
        self._settled = False
        queue = self._index.get((kind, type, key))
        if not queue:
            queue = self._redacted_queue(kind, type, key)
        if not queue:
            return self._close_at_end() if kind == Kind.CLOSE and self._fed_all else None
        call = min(queue, key=lambda one: self._remoteness(one, cause)) if len(queue) > 1 else queue[0]
        queue.remove(call)
        if not queue:
            self._index.pop(_key(call.step), None)
        call.matched = True
        call.ahead = not self._is_given(call)
        self.report.matched += 1
        if call.skipped:
            call.late = True
            self.report.late.append(call.seq)
            self.report.unsent -= 1
        insort(self._live, call, key=_seq_of)
        return call

    def handled(self, step: Step, outcome: Outcome) -> None:
        """The listeners returned from an event, or raised."""
        self._settled = False
        seq = step.seq
        self._handlers.pop(seq, None)
        call = self._nested_in.pop(seq, None)
        if call is not None and call.running is step:
            call.running = None
        if outcome.how == "raised" or step.ends:
            self._outcomes[seq] = outcome
        if step.ends:
            self._ended[seq] = step

    def cancelled(self, call: RecordedCall) -> None:
        """A live call was cancelled by the application."""
        self._settled = False
        self._finish_call(call)
        self._release_nested(call)

    def settled(self) -> None:
        """Everything that could run has run."""
        self._settled = True

    def quiescent(self) -> bool:
        """Nothing runs, no timer is due, and `next()` says Wait: let the first held call go, before
        its place. False where none is held: the replay is stuck."""
        for call in self._live:
            held = call.nested or (call.end is not None and call.end.outcome.how != "cancelled")
            if held and not call.early and not call.late and call.running is None:
                call.early = True
                self.report.early.append(call.seq)
                return True
        return False

    def give_up(self, wait: Wait) -> None:
        """What is waited for will not come: go on as if it had."""
        if wait.what == "call":
            self._skip(self._by_seq[wait.step.seq])
        elif wait.what == "nested":
            self._release_nested(self._nested_in[wait.step.seq])
        else:
            self._handlers.pop(wait.step.seq, None)
            wait.step.ends = True  # whenever it returns, nobody waits for it any more

    # --- what to do next ----------------------------------------------------------------------------

    def next(self) -> Act:
        """The next thing to do. Deliver, Complete, CancelHandler and Play are taken as done."""
        for call in self._live:
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
        return sorted((call for queue in self._index.values() for call in queue), key=_seq_of)

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
            return Deliver(step, call, self._rounds_between(call.step, step))
        end = call.end
        if end is None or end.outcome.how == "cancelled":
            return None  # it stays open, until the application cancels it
        if not free and self._frontier() < end.seq:
            return None
        self._finish_call(call)
        return Complete(call, end.outcome)

    def _frontier(self) -> float:
        """The first delivery that was not made: before it, calls are at their place."""
        if self._undelivered:
            return self._undelivered[0]
        return math.inf if self._fed_all else self._last_fed + 1

    def _finish_call(self, call: RecordedCall) -> None:
        call.done = True
        if call in self._live:
            self._live.remove(call)

    # --- the cursor's turn ------------------------------------------------------------------------------

    def _step_turn(self, step: Step) -> Act | None:
        kind = step.entry.kind
        if kind == Kind.RECEIVED:
            return self._received_turn(step)
        if kind in CALLS:
            return self._awaited_turn(step)
        if kind == Kind.HANDLED:
            return self._handled_turn(step)
        if kind == Kind.PLAYBACK and not step.performed:
            step.performed = True
            return Play(step)
        return None

    def _received_turn(self, step: Step) -> Act | None:
        if not step.performed:
            call = self._nested_in.get(step.seq)
            if call is not None and not call.skipped:
                return Wait("nested", step)
            rounds = 0 if self._settled else self._rounds_to(step)
            if rounds is None:
                return Settle()
            self._nested_in.pop(step.seq, None)
            self._arrive(step)
            self._perform(step)
            return Deliver(step, None, rounds)
        if step.ends:
            return None
        if step.seq in self._handlers:
            return self._returning_turn(step)
        return self._difference(step, RETURNED)

    def _returning_turn(self, step: Step) -> Act | None:
        """Without a `handled` in the log it returned before the next entry: so it must now."""
        if len(self._window) < 2:
            return None if self._fed_all else More()
        following = self._window[1].entry
        if following.kind == Kind.GAP or following.cause == step.seq:
            return None  # the log lost its end
        return Wait("handler", step)

    def _awaited_turn(self, step: Step) -> Act | None:
        call = self._by_seq[step.seq]
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

    def _handled_turn(self, step: Step) -> Act | None:
        of = step.entry.of
        if of is None:
            return None
        handled = self._handlers.get(of)
        if handled is None:
            delivered = self._ended.pop(of, None)
            return None if delivered is None else self._difference(delivered, step.outcome)
        if step.outcome.how == "cancelled" and of not in self._cancelling:
            self._cancelling.add(of)
            return CancelHandler(handled)
        return Wait("handler", handled)

    def _difference(self, handled: Step, recorded: Outcome) -> Act | None:
        live = self._outcomes.pop(handled.seq, None)
        if live is None or "cancelled" in (live.how, recorded.how):
            return None
        return HandlerDiffers(handled, recorded, live) if live.how != recorded.how else None

    def _pass(self, step: Step) -> None:
        kind = step.entry.kind
        if kind in CALLS and self._by_seq[step.seq].skipped:
            self._leave_out(step)
        elif kind in CALLS or kind == Kind.HANDLED:
            self._arrive(step)
        if kind == Kind.LISTENER_ADDED:
            self.listeners += 1
        elif kind == Kind.LISTENER_REMOVED:
            self.listeners -= 1
        elif kind == Kind.CLOSED:
            self._closed = True
        elif kind == Kind.GAP:
            self.report.gaps.append(f"entry {step.seq}: {step.entry.payload}")
        if kind in CALL_ENDS and step.entry.of is not None:
            call = self._by_seq.get(step.entry.of)
            if call is not None and (call.done or call.skipped):
                del self._by_seq[step.entry.of]

    # --- rounds of the loop ---------------------------------------------------------------------------

    def _rounds_to(self, step: Step) -> int | None:
        """How many rounds passed between the last thing that happened and this step; None: as many
        as it took until everything had run."""
        passed = self._ticks_to(step)
        if passed is None or self._must_settle:
            return None
        return self._owed + passed

    def _ticks_to(self, step: Step) -> int | None:
        tick = step.entry.tick
        if tick is None or self._tick is None or not 0 <= tick - self._tick < SETTLED_TICKS:
            return None
        return tick - self._tick

    @staticmethod
    def _rounds_between(earlier: Step, later: Step) -> int:
        a, b = earlier.entry.tick, later.entry.tick
        return b - a if a is not None and b is not None and 0 <= b - a < SETTLED_TICKS else 0

    def _arrive(self, step: Step) -> None:
        """Something of the recording has just happened again: rounds count from here."""
        self._tick, self._owed, self._must_settle = step.entry.tick, 0, False

    def _leave_out(self, step: Step) -> None:
        """Something did not happen again: the rounds that passed before it are still owed."""
        passed = self._ticks_to(step)
        if passed is None:
            self._must_settle = True
        else:
            self._owed += passed
        self._tick = step.entry.tick

    # --- small things -----------------------------------------------------------------------------------

    def _perform(self, step: Step) -> None:
        step.performed = True
        self._handlers[step.seq] = step
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
        call.skipped = True
        self.report.unsent += 1
        self._release_nested(call)
        self._missed.append(call)
        if len(self._missed) > MISSED_STIMULI:
            forgotten = self._missed.popleft()
            queue = self._index.get(_key(forgotten.step))
            if queue is not None and forgotten in queue:
                queue.remove(forgotten)
                if not queue:
                    del self._index[_key(forgotten.step)]

    def _release_nested(self, call: RecordedCall) -> None:
        call.skipped = True
        for step in call.nested:
            self._nested_in.pop(step.seq, None)
            heapq.heappush(self._undelivered, step.seq)
        call.nested.clear()

    def _is_given(self, call: RecordedCall) -> bool:
        return call.step.entry.cause not in self._not_given

    def _remoteness(self, call: RecordedCall, cause: int | None) -> tuple[int, int]:
        if cause is not None and call.step.entry.cause == cause:
            return (0, call.seq)
        if not self._is_given(call):
            return (3, call.seq)
        return (1 if call.required else 2, call.seq)

    def _redacted_queue(self, kind: str, type: str | None, key: str) -> deque[RecordedCall] | None:
        """A recorded send from which something was taken out matches whatever stood there."""
        for (one_kind, one_type, one_key), queue in self._index.items():
            if one_kind != kind or one_type != type or REDACTED not in one_key or not queue:
                continue
            pattern = ".*".join(map(re.escape, one_key.split(REDACTED)))
            if queue[0].step.entry.flags & Flag.REDACTED and re.fullmatch(pattern, key, re.DOTALL):
                return queue
        return None

    def _close_at_end(self) -> RecordedCall:
        """The recording ends before the application closed: it may close once all was played."""
        seq = self._last_fed + 1
        nothing = (None,) * 8
        step = Step(Entry(seq, 0, None, None, Kind.CLOSE, *nothing, "{}", 0))
        end = Step(Entry(seq, 0, None, None, Kind.CLOSED, None, None, None, seq, *nothing[:4], "{}", 0))
        call = RecordedCall(step, required=False, end=end, matched=True)
        insort(self._live, call, key=_seq_of)
        return call


def _key(step: Step) -> _Key:
    return (step.entry.kind, step.entry.type, step.key)


def _seq_of(call: RecordedCall) -> int:
    return call.seq
