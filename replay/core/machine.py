"""The heart of a replay: a state machine without I/O, clock, tasks or randomness.

It is fed the recording, told what the application does and where in time the replay is, and answers
what to do next. Its states and invariants are written in `docs/replay.md`. Drivers put it behind the
ABC, behind a socket, or under hypothesis.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ...schema.entries import CALL_ENDS, CALLS, Kind
from ...schema.log import Row
from ...session.learned import Origins
from ...session.messages import TURN_STARTED
from ...session.places import Numbering, Place
from ...session.words import content, line
from ..matching.expectation import Expectation
from ..matching.matching import Matching
from ..reporting.report_builder import ReportBuilder
from ..terms.acts import (
    Act,
    Approach,
    CallTracker,
    CancelHandler,
    Complete,
    Deliver,
    End,
    HandlerDiffers,
    More,
    Stand,
    StandIn,
    Until,
    Wait,
)
from ..terms.runs import Run
from ..terms.steps import RETURNED, START, Outcome, RecordedCall, Step
from .calls import RecordedCalls
from .recent import Recent
from .schedule import Schedule
from .window import Window

NOWHERE = 1 << 63
"""Behind any entry."""

_NONE = -1
"""No entry's number."""


class ReplayCore:
    """Decides the course of the replay of one session: what is said to be done next counts as done.

    A run that is to be given is given without a word, event after event; so whoever asks or tells anything
    else ends that first (`_look`).

    Args:
        report: grows with what is found.
        expect: which recorded calls must come again.
        matching: how sends are compared.
        learned: whose calls without a cause are.
        now: where in time the replay is.
        paced: time passes between what happens, as it did; if not, things happen as soon as all has
            run that can.
        owed: whether a thread owes the application an answer for which time stands still.

    Attributes:
        matching: the same.
        calls: those of the application, recorded and live.
        turn: number of the conversation's turn, from 1; 0 before the first.
        stream_ended: the listeners were given an end of stream.
        listeners: how many there were when recorded, at the cursor.
        giving: the run that is being given, as long as nobody looks.
        closed: the application has closed.
        stands_in: somebody stands in for the user: what nobody makes in its place is asked of him.
        sparing: the recording is read no further than it must be; what is decided is the same.
        comes: whether any call of a kind and a type is still to be read.
    """

    def __init__(
        self,
        report: ReportBuilder,
        expect: Expectation = "reactions",
        matching: Matching | None = None,
        *,
        learned: Origins | None = None,
        now: Callable[[], Place] = lambda: START,
        paced: bool = False,
        owed: Callable[[], bool] = lambda: False,
    ) -> None:
        self.report = report
        self.matching = matching or Matching()
        self.calls = RecordedCalls(
            expect,
            self.matching,
            learned=learned,
            is_given=self.is_given,
            is_here=lambda step: self._schedule.is_here(step.place, self._here),
            may_make=self._may_make,
        )
        self.turn = 0
        self.stream_ended = False
        self.listeners = 0
        self.giving: Run | None = None
        self.closed = False
        self.stands_in = False
        self.sparing = False
        self.comes: Callable[[str, str | None], bool] = lambda kind, type: True
        self._thread = 0  # in which it is given
        self._now = now
        self._paced = paced
        self._owed = owed
        self._window = Window()
        self._numbering = Numbering()
        self._schedule = Schedule(paced=paced)
        self._recent = Recent()
        self._delivered: dict[int | None, Step] = {}  # at work, or with a `handled` ahead; by seq
        self._stop_at = NOWHERE
        self._here = START  # where in time it was when that was last asked
        # The entry whose instant has come; whose round has come, too; which was waited for in that round.
        self._instant = _NONE
        self._there = _NONE
        self._waited = _NONE
        self._settled = _NONE  # and for what threads owed
        self._played: Step | None = None  # the last call on the tracker that we made
        self._told_close = _NONE  # the one whose cause was told last
        self._told_end: Place | None = None  # where, if it was told of an end that the recording lacks
        self._gave_close_up = False  # it was awaited, and did not come
        self._unclosed = False  # the recorded application closed here, and this one goes on

    # --- fed by the driver --------------------------------------------------------------------------

    def feed(self, step: Step) -> None:
        """The next entry of the recording."""
        step.place = self._numbering.place(step.entry.tick, step.entry.at_ns)
        self._window.append(step)
        kind = step.entry.kind
        if kind == Kind.RECEIVED:
            call = self.calls.open_in(step.task)
            if call is not None:
                call.nested.append(step)
                step.call = call
        elif kind in CALLS:
            self.calls.begin(step)
        elif kind in CALL_ENDS:
            self.calls.end(step)
        elif kind == Kind.GAP:
            self.calls.end_all(step)

    def feed_run(self, rows: list[Row], values: list[Any], begins: list[int]) -> None:
        """The next entries of the recording, as a `Run`: none of them was received inside a call.

        Args:
            begins: at which of them other rounds begin; the first is one.
        """
        self._window.append(Run(rows, values, begins, self._numbering))

    def is_inside_call(self, task: int | None) -> bool:
        """Whether what this task receives next was received inside a call."""
        return self.calls.open_in(task) is not None

    def feed_end(self, *, breaks_off: bool = False) -> None:
        """There are no more entries; `breaks_off`: because the recorder's process died there."""
        self._window.end(breaks_off=breaks_off)

    def feed_no_more(self, error: Exception) -> None:
        """There are more entries, but they cannot be read: whoever wants the next one must hear of it."""
        self._window.break_off(error)

    # --- told by the driver -------------------------------------------------------------------------

    def call(
        self, kind: str, type: str | None = None, key: str = "", cause: int | None = None
    ) -> RecordedCall | None:
        """The application made a call; which recorded one that is, or None. See `RecordedCalls.match`.

        Args:
            cause: the event in whose dynamic extent the live call was made, where that is known.
        """
        self._look()
        now = self._here = self._now()
        if self.may_be_ahead(kind, type) and not self.calls.is_certain(kind, type, key, cause):
            return None
        call = self.calls.match(kind, type, key, cause)
        if call is None:
            at_end = kind == Kind.CLOSE and self._window.ended
            return self.calls.close_at(self._window.next_seq) if at_end else None
        call.made = now
        if self._unclosed:
            self._let_behind_close_go(call)
        for one in self.calls.completed:  # of audio that is cut otherwise: none, or several
            one.made = now
            self.report.matched += 1
            self._recent.add_made(one.step)
            if one.late:
                self.report.late.append(one.seq)
                self._unskip(one)
        return call

    def take(self, call: RecordedCall) -> RecordedCall:
        """The application made this call with another content: it counts as made."""
        self._look()
        self.calls.take(call)
        call.made = self._now()
        if self._unclosed:
            self._let_behind_close_go(call)
        self._recent.add(call.step)
        self.report.differing += 1
        return call

    def begun(self, step: Step | Run) -> None:
        """What the last act said happens just now: a delivery, or the return of a call."""
        now = self._now()
        first = step.current or step if isinstance(step, Run) else step  # somebody may have looked at it
        # Else that was said already, or it is ahead of its place.
        if now is not self._schedule.live and self._window.head is first:
            self._schedule.happened(first.place, now)

    def handled(self, step: Step, outcome: Outcome) -> None:
        """The listeners returned from an event, or raised."""
        if self.giving is not None:
            self._look()
        step.at_work = False
        if step.ends:
            step.ended_at = self._now()
        else:
            self._delivered.pop(step.seq, None)
        if step.ends or outcome.how == "raised":
            step.taken = outcome
        if step.call is not None:
            self._leave_call(step)

    def cancelled(self, call: RecordedCall) -> None:
        """A live call was cancelled by the application."""
        self._look()
        self.calls.finish(call)
        self._release_nested(call)
        if call.end is not None and self._window.head is call.end:
            self._schedule.happened(call.end.place, self._now())

    def arrived(self, act: Approach) -> None:
        """The time and the rounds of an `Approach` have passed."""
        seq, rounds = act.seq, act.until.at_ns is None or act.until.rounds > 0
        if not rounds and self._instant == seq:
            self._waited = seq  # once more, until everything had run, other threads included
        self._instant = seq
        if rounds:
            self._there = seq
            if act.patient:
                self._waited = seq

    def quiescent(self) -> RecordedCall | None:
        """Nothing runs, no timer is due, and `next()` says Wait: let the first held call go, before
        its place. None where none is held: the replay is stuck."""
        self._look()
        for call in self.calls.live:
            held = call.nested or (call.end is not None and call.end.outcome.how != "cancelled")
            if held and not call.early and not call.late and call.running is None:
                call.early = True
                self.report.early.append(call.seq)
                return call
        return None

    def give_up(self, wait: Wait) -> None:
        """What is waited for will not come: go on as if it had."""
        self._look()
        call = wait.step.call
        if wait.what == "call" and wait.step.kind == Kind.CLOSE and call is not None and not call.required:
            self._gave_close_up = True  # and so the replay ends here
            return
        if wait.what == "call":
            self._skip(_call_of(wait.step))
        else:  # whenever they return, nobody waits for it any more
            step = wait.step
            step.at_work = False
            self._leave_call(step)
            if not step.ends:
                step.ends = True
                self._delivered.pop(step.seq, None)

    def stop_before(self, seq: int) -> None:
        """From now on the cursor goes no further than this entry."""
        self._look()
        self._stop_at = seq

    # --- what to do next ----------------------------------------------------------------------------

    def next(self, *, runs: bool = False) -> Act:
        """The next thing to do. Deliver, Complete, CancelHandler and CallTracker are taken as done.

        Args:
            runs: what lies together may be delivered so.
        """
        if self.giving is not None:
            self._look()
        for call in self.calls.live:
            act = self._free_turn(call) if call.early or call.late else None
            if act is not None:
                return act
        window = self._window
        if window.spare < 0 and not self._sees_enough():
            return More()
        while (head := window.head) is not None:
            if head.seq >= self._stop_at:
                return Stand()
            if head.kind == Kind.RECEIVED:
                act = self._received_turn(head, runs=runs)
                if act is not None:
                    return act
                window.advance()
            else:
                assert isinstance(head, Step), "a run is of received events"
                act = self._turn(head)
                if act is not None:
                    return act
                window.advance()
                self._passed(head)
        return End(self.closed) if window.ended else More()

    def rounds_on(self, run: Run) -> int:
        """All was given that a run has in this round, and nothing else has happened: so many rounds are to
        pass until its next one; 0: something else is to be done."""
        place = run.next_place
        if place is None or self._window.spare < run.given - run.at:  # it is fed where there is time
            return 0
        until = self._schedule.until(place, self._now())
        return until.rounds if until is not None and until.at_ns is None else 0

    def go_on(self, run: Run) -> None:
        """They have passed, and nothing has happened meanwhile."""
        self._schedule.happened(run.begin_round(), self._now())

    def given_last(self, run: Run) -> Step:
        """No more of a run is given for now: the event that was given last."""
        self._look()
        assert run.current is not None, "nobody but the one who gives it begins another run"
        return run.current

    def upcoming(self, call: RecordedCall) -> list[Approach]:
        """While a call returns: what the model has begun in it, and does later in this burst."""
        self._look()
        window = self._window
        if isinstance(window.head, Run):
            window.unfold()  # what comes after the first of a run is the next of it
        steps = window.caused_by(call.step)
        second = window.second
        if second is not None and second.kind == Kind.RECEIVED and second not in steps:
            steps.append(second)
        begun = [self._begins(step) for step in steps if step.call is None]
        return [act for act in begun if act is not None]

    def continuation(self, handled: Step) -> Approach | None:
        """When listeners have returned: what the task that gave them this event gives them next, if
        that is in the same burst."""
        step = self._window.next_of(handled)
        return None if step is None or step.call is not None else self._begins(step)

    # --- what others ask ----------------------------------------------------------------------------

    @property
    def cursor(self) -> int:
        """The first entry that has not happened."""
        self._look()
        step = self._window.head
        if step is None or isinstance(step, Run):
            return self._window.cursor
        if step.kind in CALL_ENDS:
            call = step.call
            return step.seq + int(call is not None and call.done)
        # What the application does of its own accord may be ahead of the cursor: sends, and playing.
        ours = step.performed if step.kind == Kind.RECEIVED else step is self._played
        return step.seq + int(ours)

    @property
    def expected(self) -> list[RecordedCall]:
        """Recorded calls ahead that nobody has made yet, nearest first."""
        return list(self.calls.unmade())

    @property
    def recent(self) -> Recent:
        """What was delivered and made, for whoever tells of it."""
        self._look()
        return self._recent

    def told_end(self) -> None:
        """The application is told that the stream has ended, which no recording holds."""
        self._told_end = self._now()

    @property
    def hears_of_end(self) -> bool:
        """Whether the application is just about to hear, or has just heard, of an end of the stream that no
        recording holds: what it does about that, nobody has recorded."""
        return self._told_end is not None and (not self._paced or self._now().ns == self._told_end.ns)

    @property
    def connects(self) -> bool:
        """Whether the recording begins with a `connect`; one of a model that was never connected
        does not."""
        return self._window.head is not None and self._window.head.kind == Kind.CONNECT

    @property
    def hungry(self) -> bool:
        """Whether it must be fed before a call can be judged."""
        self._look()
        return self._window.spare < 0 and not self._sees_enough()

    def may_be_ahead(self, kind: str, type: str | None) -> bool:
        """Whether a call may be one that is recognised once more was read, though nothing else asks for that
        yet."""
        return self.sparing and self._window.spare < 0 and self.comes(kind, type)

    @property
    def within_burst(self) -> bool:
        """Whether what is in memory ends within the burst that the cursor is in: a call of it, that was
        made at its beginning, may be one that was not read yet."""
        self._look()
        return self._window.within_burst

    @property
    def unreadable(self) -> Exception | None:
        """Why what comes cannot be read, if it cannot."""
        return self._window.unreadable

    @property
    def nothing_left(self) -> bool:
        """Whether all that is in memory has happened."""
        self._look()
        return self._window.head is None

    @property
    def next_to_read(self) -> int:
        """The first entry that is not in memory."""
        return self._window.next_seq

    def played(self) -> tuple[int, int]:
        """The first entry that the cursor has not passed, and when the one before it was recorded, in
        nanoseconds. Another thread may ask, too: see `_look`."""
        self._look()
        return self._window.cursor, self._window.passed_ns

    def is_given(self, seq: int | None) -> bool:
        """Whether the application was given this event; None: it needs none."""
        self._look()
        return seq is None or self._window.was_performed(seq)

    def is_at(self, seq: int) -> bool:
        """Whether this entry is the first that the cursor has not passed."""
        self._look()
        return self._window.head is not None and self._window.cursor == seq

    def overtaken(self, call: RecordedCall) -> RecordedCall | None:
        """The reaction that the same task made before this call, and that nobody has made yet."""
        return self.calls.unmade_before(call)

    def needs(self, wait: Wait) -> bool:
        """Whether it is a divergence if what is waited for does not come."""
        return wait.what != "call" or _call_of(wait.step).required

    def is_overdue(self, call: RecordedCall) -> bool:
        """Whether the instant of a recorded call has passed without it, where time passes as it did."""
        return self._paced and self._schedule.due_ns(call.step.place) < self._now().ns

    def is_near_gap(self) -> bool:
        """Whether the recorder lost something hereabouts, or its process died."""
        self._look()
        return self._window.near_gap

    def due_playback(self) -> Step | None:
        """The recorded call on the tracker that has its place now; see `Window.due_playback`."""
        self._look()
        return self._window.due_playback()

    def around(self, seq: int) -> list[Step]:
        """The entries around a place; see `Window.around`."""
        self._look()
        return self._window.around(seq)

    # --- whose turn it is: what the step at the cursor asks for ------------------------------------

    def _turn(self, step: Step) -> Act | None:
        """None: nothing, it can be passed."""
        kind = step.kind
        if kind in CALLS:
            return self._call_turn(step)
        if kind in CALL_ENDS:
            return self._end_turn(step)
        if kind == Kind.HANDLED:
            return self._cancelled_turn(step) or self._handled_turn(step)
        if kind == Kind.PLAYBACK:
            return self._playback_turn(step)
        if kind == Kind.GAP:
            lost = next((call for call in self.calls.live if call.end is step), None)
            return None if lost is None else self._complete(lost, step, self._now())
        return None

    def _free_turn(self, call: RecordedCall) -> Act | None:
        """Of a call that does not wait for its place."""
        if call.running is not None:
            return None
        if call.nested and not call.skipped:
            return self._deliver(call.nested[0], call, self._now())
        if call.end is None or call.end.outcome.how == "cancelled":
            return None  # it stays open, until the application cancels it
        return self._complete(call, call.end, self._now())

    def _received_turn(self, step: Step | Run, *, runs: bool) -> Act | None:
        if step.performed:
            assert isinstance(step, Step), "of a run that is given one becomes a step"
            return self._given_turn(step)
        window, call = self._window, step.call
        if call is not None and call.running is not None:
            return Wait("handler", call.running)
        act = self._approach(step)
        if act is not None:
            return act
        if isinstance(step, Run):
            if runs and step.end <= self._stop_at and not self.calls.live:
                return self._deliver_run(step)
            step = window.unfold()
        return self._deliver(step, call, self._here)

    def _given_turn(self, step: Step) -> Act | None:
        """Without a `handled` in the log its listeners returned before the next entry, and so they must
        now."""
        if step.ends:
            return None
        if not step.at_work:
            return None if step.taken is None else self._difference(step, RETURNED)
        following = self._window.second
        if following is None:
            return None if self._window.ended else More()
        if following.kind == Kind.GAP:
            return None  # the log lost its end
        if isinstance(following, Step) and following.entry.cause == step.seq:
            return None
        return Wait("handler", step)

    def _call_turn(self, step: Step) -> Act | None:
        call = _call_of(step)
        if call.matched or call.skipped:
            return None
        asked = call.asked and not self._gave_close_up
        if call.required or asked or self._may_make(step):
            call.awaited = True  # one that is not required, as long as the listener that made it is at work
            return Wait("call", step)
        # What happens inside it, or an end, is not brought about while it may still be about to come.
        if not self._paced and (call.nested or step.kind == Kind.CLOSE):
            settled = self._instant == step.seq
            act = None if settled else Approach(step.seq, Until(self._now().ns, 0), patient=True)
        else:
            act = self._approach(step, patient=True)
        if act is None and call.unknown and self._settled != step.seq and self._owed():
            self._settled = step.seq  # the application may make it with what a thread answers yet
            act = Approach(step.seq, Until(self._now().ns, 0), patient=True)
        if act is not None:
            return act
        if self.stands_in and not call.asked:
            call.asked = True
            return StandIn(call)
        if step.kind == Kind.CLOSE:
            if call.unknown and not self._paced and not self._gave_close_up:
                call.awaited = True  # for the application's own timers ring in real time
                return Wait("call", step)
            if call.unknown and not self._unclosed:
                self.report.leave_unchecked(step.entry)
            self._tell_close(step)
            self._unclosed = True
            for call in self.calls.live:
                self._let_behind_close_go(call)
            return End(closed=False)
        self._skip(call)
        return None

    def _end_turn(self, step: Step) -> Act | None:
        call = step.call
        if call is None or call.done or not call.matched:
            return None
        if step.outcome.how == "cancelled":  # with its listener, or by the model or the application
            return self._cancelled_turn(step) or self._approach(step, patient=True)
        if call.running is not None:
            return Wait("handler", call.running)
        return self._approach(step) or self._complete(call, step, self._here)

    def _cancelled_turn(self, end: Step) -> Act | None:
        """Something was cancelled: so are, where it was, the listeners that were cancelled in its round."""
        if end.outcome.how == "cancelled":
            for handled in self._window.cancelled_in(end):
                step = self._at_work(handled.entry.of)
                if step is not None and not step.cancelling:
                    return self._approach(end) or self._handled_turn(handled)
        return None

    def _handled_turn(self, step: Step) -> Act | None:
        """The listeners must have returned; cancelled ones are cancelled."""
        handled = self._delivered.get(step.entry.of)
        if handled is None or step.outcome.how == "open":
            return None
        if not handled.at_work:
            return self._difference(handled, step.outcome)
        if step.outcome.how == "cancelled" and not handled.cancelling:
            task = handled.task  # with it is cancelled all that it has delivered inside
            for one in self._delivered.values():
                one.cancelling = one.cancelling or (one.at_work and one.task == task)
            return CancelHandler(handled)
        return Wait("handler", handled)

    def _playback_turn(self, step: Step) -> Act | None:
        if step.performed:
            return None
        # The application makes its calls itself, or they are made for it.
        act = self._approach(step, patient=step.entry.type == "application")
        if act is not None:
            return act
        step.performed = True
        self._played = step
        self._schedule.happened(step.place, self._here)
        return CallTracker(step)

    def _approach(self, step: Step | Run, *, patient: bool = False) -> Approach | None:
        """What has to pass before this has its place; None: nothing."""
        seq, now = step.seq, self._now()
        self._here = now
        there, instant = self._there == seq, self._instant == seq
        until = None if there else self._schedule.until(step.place, now)
        if until is not None and not (until.at_ns is not None and instant):
            by_rounds = until.rounds > 0 and not patient and not step.approached
            return Approach(seq, until, patient, by_rounds and self._window.is_followed(step))
        waits = patient and self._waited != seq
        if waits and step.place.timed and self._paced:
            return Approach(seq, Until(now.ns, 0), patient)
        if waits or (step.approached and not there):
            return Approach(seq, Until(None, 0), patient)
        return None

    def _begins(self, step: Step | Run) -> Approach | None:
        """The way to a step that comes later in this burst: the model's side sets out on it."""
        until = self._schedule.until(step.place, self._now())
        if until is None or until.at_ns is not None:
            return None
        step.approached = True
        return Approach(step.seq, until)

    # --- what happens -------------------------------------------------------------------------------

    def _deliver(self, step: Step, call: RecordedCall | None, now: Place) -> Deliver:
        """An event is given to the listeners, inside a call or not."""
        if call is not None:
            call.nested.remove(step)
            call.running = step
        if self._window.head is step:  # else it is ahead of that
            self._schedule.happened(step.place, now)
        step.approached = False
        step.performed = step.at_work = True
        self._delivered[step.seq] = step
        self._recent.add(step)
        self.report.delivered += 1
        type = step.entry.type
        if type == TURN_STARTED:
            self.turn += 1
        elif type == "end_of_stream":
            self.stream_ended = True
        return Deliver(step, call)

    def _deliver_run(self, run: Run) -> Deliver:
        """Events are given to the listeners, one after another, until anybody looks."""
        self._schedule.happened(run.place, self._here)
        run.begin()
        self.giving, self._thread = run, threading.get_ident()
        return Deliver(run, None)

    def _look(self) -> None:
        """Somebody looks: a run that is being given is one no longer. Another thread, which may ask at
        any moment how far it has come, is told of its beginning."""
        run = self.giving
        if run is None or threading.get_ident() != self._thread:
            return
        self.giving = None
        rows = run.rows[run.at : run.given]
        step = self._window.interrupt(run)
        step.performed = step.at_work = True
        self._delivered[step.seq] = step
        self._recent.add_all(rows)
        self.report.delivered += len(rows)

    def _complete(self, call: RecordedCall, end: Step, now: Place) -> Complete:
        """A live call is to return, or raise, as it did."""
        self.calls.finish(call)
        if self._window.head is end:  # else it is ahead of that
            self._schedule.happened(end.place, now)
        return Complete(call, end.outcome)

    def _skip(self, call: RecordedCall) -> None:
        """Nobody made this call in time: what happened in it is delivered in its place."""
        if call.required:
            self.report.missing += 1
        elif call.unknown:
            self.report.leave_unchecked(call.step.entry)
        elif call.waived:
            self.report.waived += 1
        else:
            self.report.unsent += 1
        self._recent.add(call.step)
        self.calls.skip(call)
        self._release_nested(call)

    def _tell_close(self, step: Step) -> None:
        """Why the recorded application closed."""
        if self._told_close == step.seq:
            return
        self._told_close, cause = step.seq, step.entry.cause
        entry = None if cause is None else self._recent.entry(cause)
        because = "for a reason that the recording does not tell"
        if cause is not None:
            because = f"because of {f'entry {cause}' if entry is None else line(entry)}"
        self.report.closes.append(f"when recorded, the application closed (#{step.seq}) {because}")

    def _let_behind_close_go(self, call: RecordedCall) -> None:
        """The place of a send that was made is behind a close that does not come: it need not wait for it."""
        if call.step.kind == Kind.SENT and not call.early and not call.late:
            call.early = True
            self.report.early.append(call.seq)

    def _unskip(self, call: RecordedCall) -> None:
        """It came after all."""
        if call.unknown:
            self.report.check_late(call.seq)
        elif call.required:
            self.report.came_late(call.seq)
        elif call.waived:
            self.report.waived -= 1
        else:
            self.report.unsent -= 1

    def _release_nested(self, call: RecordedCall) -> None:
        """What was received inside a call waits no longer for it."""
        call.skipped = True
        for step in call.nested:
            step.call = None
        call.nested.clear()

    def _leave_call(self, step: Step) -> None:
        """The call inside which this event was given waits no longer for its listeners."""
        call, step.call = step.call, None
        if call is not None and call.running is step:
            call.running = None

    def _passed(self, step: Step) -> None:
        """The cursor has passed an entry that is no event for the listeners."""
        kind = step.kind
        if kind in CALLS:
            call = _call_of(step)
            waited = call.required or call.awaited
            if kind == Kind.CLOSE:
                self._tell_close(step)
            self._schedule.happened(step.place, call.made or self._now(), waited=waited)
        elif kind == Kind.HANDLED:
            handled = self._delivered.get(step.entry.of)
            ended_at = None if handled is None else handled.ended_at
            self._schedule.happened(step.place, ended_at or self._now(), waited=True)
            if handled is not None and not handled.at_work:
                del self._delivered[handled.seq]
        elif kind == Kind.LISTENER_ADDED:
            self.listeners += 1
        elif kind == Kind.LISTENER_REMOVED:
            self.listeners -= 1
        elif kind == Kind.GAP:
            self.report.gaps.append(f"entry {step.seq}: {content(step.entry)}")
        elif kind in CALL_ENDS:
            call = step.call
            given_up = call is not None and call.skipped
            self.closed = self.closed or (kind == Kind.CLOSED and not given_up)
            self.calls.passed(step)

    def _sees_enough(self) -> bool:
        """Whether nothing further ahead could be of any meaning now, but for a call: the bursts at the
        cursor, and of the calls that were made, are in memory."""
        window = self._window
        if not self.sparing or window.head is None:
            return False
        burst = window.head.place.burst
        for call in self.calls.live:
            if call.end is None:
                return False
            burst = max(burst, call.step.place.burst, call.end.place.burst)
        return window.reaches_beyond(burst)

    # --- the listeners ------------------------------------------------------------------------------

    def _at_work(self, seq: int | None) -> Step | None:
        """This event, if the listeners are at it."""
        step = self._delivered.get(seq)
        return step if step is not None and step.at_work else None

    def _may_make(self, call: Step) -> bool:
        """Whether the listener that made this call when recorded is at work: then it may still come."""
        handled = self._at_work(call.entry.cause)
        return handled is not None and handled.task == call.task

    def _difference(self, step: Step, recorded: Outcome) -> Act | None:
        live, step.taken = step.taken, None
        if live is None or live.how == recorded.how or "cancelled" in (live.how, recorded.how):
            return None
        return HandlerDiffers(step, recorded, live)


def _call_of(step: Step) -> RecordedCall:
    """The call that begins here."""
    assert step.call is not None, "each has one from where it was fed"
    return step.call
