"""The heart of a replay: a state machine without I/O, clock, tasks or randomness.

It is fed the recording, told what the application does and where in time the replay is, and answers
what to do next. Its states and invariants are written in `docs/replay.md`. Drivers put it behind the
ABC, behind a socket, or under hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..schema.entries import Kind
from ..schema.rows import Row
from .acts import (
    Act,
    Approach,
    Complete,
    Deliver,
    End,
    More,
    Play,
    RecordedCall,
    Stand,
    Wait,
)
from .calls import Calls
from .handlings import Handlings
from .matching import Expectation, Matching
from .places import Numbering, Place, Schedule, Until
from .report_builder import ReportBuilder
from .runs import Run
from .steps import CALL_ENDS, CALLS, START, Outcome, Step
from .story import Story
from .window import Window
from .words import content


class ReplayCore:
    """Decides the course of the replay of one session.

    Args:
        report: grows with what is found.
        expect: which recorded calls must come again.
        matching: how sends are compared.
        now: where in time the replay is.
        paced: time passes between what happens, as it did; if not, things happen as soon as all has
            run that can.

    Attributes:
        matching: the same.
        window: its steps in memory.
        turn: number of the conversation's turn, from 1; 0 before the first.
        stream_ended: the listeners were given an end of stream.
        listeners: how many there were when recorded, at the cursor.
        stop_at: the cursor goes no further than this entry.
    """

    def __init__(
        self,
        report: ReportBuilder,
        expect: Expectation = "reactions",
        matching: Matching | None = None,
        *,
        now: Callable[[], Place] = lambda: START,
        paced: bool = False,
    ) -> None:
        self.report = report
        self.matching = matching or Matching()
        self.turn = 0
        self.stream_ended = False
        self.listeners = 0
        self.stop_at = 1 << 63
        self.window = Window(self._unfolds)
        self._story = Story()
        self._now = now
        self._paced = paced
        self._numbering = Numbering()
        self._schedule = Schedule(paced=paced)
        self._calls = Calls(expect, self.matching)
        self._nested_in: dict[int, RecordedCall] = {}
        self._not_given: set[int] = set()  # events that were not delivered
        self._handlings = Handlings()
        self._instant: Step | None = None  # whose instant has come
        self._there: Step | None = None  # whose round has come, too
        self._waited: Step | None = None  # which was waited for in that round
        self._begun: set[int] = set()  # steps that the model's side has begun to approach
        self._played: Step | None = None  # the last call on the tracker that we made
        self._closed = False
        self._unclosed = False  # the recorded application closed here, and this one goes on

    # --- fed by the driver --------------------------------------------------------------------------

    def feed(self, step: Step) -> None:
        """The next step of the recording."""
        step.place = self._numbering.place(step.entry.tick, step.entry.at_ns)
        self.window.append(step)
        kind = step.entry.kind
        if kind == Kind.RECEIVED:
            self._not_given.add(step.seq)
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

    def feed_run(self, rows: list[Row], values: list[Any], begins: list[int]) -> None:
        """The next steps of the recording, behind the one that was fed last: they become a `Run`."""
        run = Run(rows, values, begins, self._numbering)
        self.window.append_run(run)

    def is_nested(self, step: Step) -> bool:
        """Whether this event was received inside a call that was not left out."""
        return step.seq in self._nested_in

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
        self.window.look()
        now = self._now()
        call = self._calls.match(
            kind,
            type,
            key,
            cause,
            self.is_given,
            lambda step: self._schedule.is_here(step.place, now),
        )
        if call is None:
            at_end = kind == Kind.CLOSE and self.window.ended
            return self._calls.close_at(self.window.next_seq) if at_end else None
        call.made = now
        if self._unclosed and kind == Kind.SENT and not call.late:
            call.early = True  # its place is behind a close that does not come
            self.report.early.append(call.seq)
        for one in self._calls.completed:  # of audio that is cut otherwise: none, or several
            one.made = call.made
            self.report.matched += 1
            self._story.add_made(one.step)
            if one.late:
                self.report.late.append(one.seq)
                self.report.unsent -= 0 if one.required else 1
        return call

    def take(self, call: RecordedCall) -> RecordedCall:
        """The application made this call with another content: it counts as made."""
        self._calls.take(call, self.is_given)
        call.made = self._now()
        self._story.add(call.step)
        self.report.differing += 1
        return call

    def is_given(self, seq: int | None) -> bool:
        """Whether the application was given this event; None: it needs none."""
        self.window.look()
        return seq not in self._not_given and (seq is None or not self.window.holds_folded(seq))

    def begun(self, step: Step) -> None:
        """What the last act said happens just now: a delivery, or the return of a call."""
        run = self.window.giving
        if (run is not None and run.head is step) or self.window.first is step:  # else it is ahead of that
            self._schedule.happened(step.place, self._now())

    def handled(self, step: Step, outcome: Outcome) -> None:
        """The listeners returned from an event, or raised."""
        self.window.look()
        self._handlings.end(step, outcome, self._now())
        call = self._nested_in.pop(step.seq, None)
        if call is not None and call.running is step:
            call.running = None

    def cancelled(self, call: RecordedCall) -> None:
        """A live call was cancelled by the application."""
        self._calls.finish(call)
        self._release_nested(call)
        if call.end is not None:
            self.begun(call.end)

    def arrived(self, act: Approach) -> None:
        """The time and the rounds of an `Approach` have passed."""
        if act.until.at_ns is not None and self._instant is act.step:
            self._waited = act.step  # once more, until everything had run, other threads included
        self._instant = act.step
        if act.until.at_ns is None:
            self._there = act.step
            if act.patient:
                self._waited = act.step

    @property
    def outlived(self) -> bool:
        """Whether the application goes on after a recording that ends without its close."""
        return self.window.ended and not len(self.window) and not self._closed

    def quiescent(self) -> RecordedCall | None:
        """Nothing runs, no timer is due, and `next()` says Wait: let the first held call go, before
        its place. None where none is held: the replay is stuck."""
        for call in self._calls.live:
            held = call.nested or (call.end is not None and call.end.outcome.how != "cancelled")
            if held and not call.early and not call.late and call.running is None:
                call.early = True
                self.report.early.append(call.seq)
                return call
        return None

    def overtaken(self, call: RecordedCall) -> RecordedCall | None:
        """The reaction that the same task made before this call, and that nobody has made yet."""
        return self._calls.unmade_before(call, self.is_given)

    def give_up(self, wait: Wait) -> None:
        """What is waited for will not come: go on as if it had."""
        if wait.what == "call":
            self._skip(self._calls.at(wait.step))
        else:
            self._handlings.give_up(wait.step)

    # --- what to do next ----------------------------------------------------------------------------

    def next(self) -> Act:
        """The next thing to do. Deliver, Complete, CancelHandler and Play are taken as done."""
        for call in self._calls.live:
            act = self._free_turn(call) if call.early or call.late else None
            if act is not None:
                return act
        while (step := self.window.first) is not None:
            if step.seq >= self.stop_at:
                return Stand()
            act = self._step_turn(step)
            if act is not None:
                return act
            self.window.advance()
            self._pass(step)
        return End(self._closed) if self.window.ended else More()

    def run_on(self, before: Step, *, runs: bool) -> Step | Run | None:
        """The listeners have returned from an event, and nothing else has happened: the next one, if it
        comes right after it; or all that come so, if `runs`. As `handled` and `next`, where these have
        nothing to decide."""
        window, giving = self.window, self.window.giving
        if giving is not None and giving.head is before:
            if runs and giving.seq + len(giving) <= self.stop_at:
                return giving
            window.look()
        if window.first is not before or self._calls.live:
            return None
        step = window.run_on(self.stop_at if runs else 0)
        if step is None or step.seq >= self.stop_at:
            return None
        if isinstance(step, Run):
            self._handlings.leave(before)
            window.give(step)
            return step
        if step.seq in self._nested_in or step.seq in self._begun:
            return None
        window.advance()
        self._handlings.leave(before)
        self._handlings.begin(step)
        self._perform(step)
        return step

    def given(self, run: Run) -> Step:
        """The event of a run that the listeners were given last."""
        if run.current is None:
            self.window.look()
        assert run.current is not None, "nobody but the one who gives it begins another run"
        return run.current

    def _unfolds(self, run: Run) -> None:
        """A run is one no longer; so much of it was given."""
        self._not_given.update(range(run.seq + run.given, run.seq + len(run)))
        if not run.given:
            return
        self._story.add_all(run.rows[: run.given])
        if run.current is not None:
            self._handlings.begin(run.current)
        self.report.delivered += run.given

    def way_on(self, run: Run) -> Approach | None:
        """The listeners have returned from the last event that a run has in this round, and nothing else
        has happened: the way to its next round. As `pass_on`."""
        head = run.next_head()
        if head is None or head.seq >= self.stop_at:
            return None
        act = self._begins(head)
        if act is not None:
            run.set_out(head)
        return act

    def pass_on(self, before: Step, *, runs: bool) -> Approach | None:
        """The listeners have returned from an event, and nothing else has happened: the way to the next
        one, if its task gives it in another round of this burst, and nothing lies between. As `handled`,
        `continuation` and `next`, where these have nothing to decide."""
        window = self.window
        if window.first is not before or self._calls.live or before.ends:
            return None
        run = window.run_after(self.stop_at if runs else 0)
        if run is not None and run.task == before.task and run.place.burst == before.place.burst:
            act = self.way_on(run)
            if act is not None:
                self._handlings.leave(before)
                window.give(run)
                return act
        step = window.second
        if step is None or step.kind != Kind.RECEIVED or step.task != before.task:
            return None
        if step.place.burst != before.place.burst or step.seq >= self.stop_at or step.seq in self._nested_in:
            return None
        act = self._begins(step)
        if act is not None:
            self._handlings.leave(before)
            window.advance()
        return act

    def come_to(self, act: Approach) -> Step | None:
        """The rounds of a way have passed: the event at its end, which is to be delivered. As `arrived`
        and `next`, and None, where these have something to decide."""
        step, run = act.step, self.window.giving
        if run is not None and run.head is step and step.seq < self.stop_at:
            self._instant = self._there = step
            self._begun.discard(step.seq)
            run.given += 1
            step.performed = True
            self._schedule.happened(step.place, self._now())
            return step
        if self.window.first is not step or step.performed or self._calls.live or act.patient:
            return None
        if act.until.at_ns is not None or step.kind != Kind.RECEIVED or step.seq in self._nested_in:
            return None
        if step.seq >= self.stop_at:
            return None
        self._instant = self._there = step
        self._deliver(step, None)
        return step

    def upcoming(self, call: RecordedCall) -> list[Approach]:
        """While a call returns: what the model has begun in it, and does later in this burst."""
        steps = self.window.caused_by(call.step)
        second = self.window.second
        if second is not None and second.kind == Kind.RECEIVED and second not in steps:
            steps.append(second)
        begun = [self._begins(step) for step in steps if step.seq not in self._nested_in]
        return [act for act in begun if act is not None]

    def continuation(self, handled: Step) -> Approach | None:
        """When listeners have returned: what the task that gave them this event gives them next, if
        that is in the same burst."""
        step = self.window.next_of(handled)
        return None if step is None or step.seq in self._nested_in else self._begins(step)

    def _begins(self, step: Step) -> Approach | None:
        until = self._schedule.until(step.place, self._now())
        if until is None or until.at_ns is not None:
            return None
        self._begun.add(step.seq)
        return Approach(step, until)

    @property
    def story(self) -> Story:
        """What was delivered and made, for whoever tells of it."""
        self.window.look()
        return self._story

    @property
    def cursor(self) -> int:
        """The first step that has not happened."""
        step = self.window.first
        if step is None:
            return self.window.next_seq
        if step.kind in CALL_ENDS:
            call = self._calls.ended_by(step)
            return step.seq + int(call is not None and call.done)
        # What the application does of its own accord may be ahead of the cursor: sends, and playing.
        ours = step.performed if step.kind == Kind.RECEIVED else step is self._played
        return step.seq + int(ours)

    @property
    def expected(self) -> list[RecordedCall]:
        """Recorded calls ahead that nobody has made yet, nearest first."""
        return list(self._calls.unmade())

    # --- the turn of a call that does not wait for its place --------------------------------------------

    def _free_turn(self, call: RecordedCall) -> Act | None:
        if call.running is not None:
            return None
        if call.nested and not call.skipped:
            return self._deliver(call.nested[0], call)
        if call.end is None or call.end.outcome.how == "cancelled":
            return None  # it stays open, until the application cancels it
        return self._complete(call, call.end)

    # --- the cursor's turn ------------------------------------------------------------------------------

    def _step_turn(self, step: Step) -> Act | None:
        kind = step.entry.kind
        if kind == Kind.RECEIVED:
            return self._received_turn(step)
        if kind in CALLS:
            return self._call_turn(step)
        if kind in CALL_ENDS:
            return self._end_turn(step)
        if kind == Kind.HANDLED:
            return self._handled_turn(step)
        if kind == Kind.PLAYBACK:
            return self._playback_turn(step)
        if kind == Kind.GAP:
            lost = next((call for call in self._calls.live if call.end is step), None)
            return None if lost is None else self._complete(lost, step)
        return None

    def _received_turn(self, step: Step) -> Act | None:
        if not step.performed:
            call = self._nested_in.get(step.seq)
            if call is not None and call.running is not None:
                return Wait("handler", call.running)
            return self._approach(step) or self._deliver(step, call)
        following = self.window.second
        if following is None and not self.window.ended:
            return More()
        return self._handlings.delivered_turn(step, following)

    def _call_turn(self, step: Step) -> Act | None:
        call = self._calls.at(step)
        if call.matched or call.skipped:
            return None
        if call.required:
            return Wait("call", step)
        # What happens inside it, or an end, is not brought about while it may still be about to come.
        settles = not self._paced and (call.nested or step.kind == Kind.CLOSE)
        act = self._settle(step) if settles else self._approach(step, patient=True)
        if act is not None:
            return act
        if step.kind == Kind.CLOSE:
            self._unclosed = True
            return End(closed=False)
        self._skip(call)
        return None

    def _end_turn(self, step: Step) -> Act | None:
        call = self._calls.ended_by(step)
        if call is None or call.done or not call.matched:
            return None
        if step.outcome.how == "cancelled":
            return self._cancelled_turn(step)
        if call.running is not None:
            return Wait("handler", call.running)
        return self._approach(step) or self._complete(call, step)

    def _cancelled_turn(self, end: Step) -> Act | None:
        """A call was cancelled: with the listener that made it, by the model, or by the application."""
        for handled in self.window.cancelled_in(end):
            if self._handlings.cancels(handled):
                return self._approach(end) or self._handlings.handled_turn(handled)
        return self._approach(end, patient=True)

    def _handled_turn(self, step: Step) -> Act | None:
        if step.outcome.how == "cancelled":
            for handled in self.window.cancelled_in(step):
                if self._handlings.cancels(handled):
                    return self._approach(step) or self._handlings.handled_turn(handled)
        return self._handlings.handled_turn(step)

    def _playback_turn(self, step: Step) -> Act | None:
        if step.performed:
            return None
        # The application makes its calls itself, or they are made for it.
        act = self._approach(step, patient=step.entry.type == "application")
        if act is None:
            step.performed = True
            self._played = step
            self.begun(step)
            return Play(step)
        return act

    def _approach(self, step: Step, *, patient: bool = False) -> Act | None:
        """What has to pass before this step has its place; None: nothing."""
        until = None if self._there is step else self._schedule.until(step.place, self._now())
        if until is not None and not (until.at_ns is not None and self._instant is step):
            first = not patient and step.seq not in self._begun and self.window.is_followed(step)
            return Approach(step, until, patient, first)
        if patient and step.place.timed and self._paced and self._waited is not step:
            return Approach(step, Until(self._now().ns, 0), patient)
        if (patient and self._waited is not step) or (step.seq in self._begun and self._there is not step):
            return Approach(step, Until(None, 0), patient)
        return None

    def _settle(self, step: Step) -> Act | None:
        return None if self._instant is step else Approach(step, Until(self._now().ns, 0), patient=True)

    def _pass(self, step: Step) -> None:
        kind = step.entry.kind
        if kind in CALLS:
            call = self._calls.at(step)
            self._schedule.happened(step.place, call.made or self._now(), waited=call.required)
        elif kind == Kind.HANDLED:
            self._schedule.happened(step.place, self._handlings.place(step) or self._now(), waited=True)
        elif kind == Kind.LISTENER_ADDED:
            self.listeners += 1
        elif kind == Kind.LISTENER_REMOVED:
            self.listeners -= 1
        elif kind == Kind.GAP:
            self.report.gaps.append(f"entry {step.seq}: {content(step.entry)}")
        elif kind in CALL_ENDS:
            call = self._calls.ended_by(step)
            given_up = call is not None and call.skipped
            self._closed = self._closed or (kind == Kind.CLOSED and not given_up)
            self._calls.passed(step)

    # --- small things -----------------------------------------------------------------------------------

    def _deliver(self, step: Step, call: RecordedCall | None) -> Deliver:
        if call is not None:
            call.nested.remove(step)
            call.running = step
        self._begun.discard(step.seq)
        self._perform(step)
        self.begun(step)
        self._handlings.begin(step)
        return Deliver(step, call)

    def _perform(self, step: Step) -> None:
        """An event is given to the listeners."""
        step.performed = True
        self._story.add(step)
        self._not_given.discard(step.seq)
        if step.entry.type == "turn_started":
            self.turn += 1
        elif step.entry.type == "end_of_stream":
            self.stream_ended = True
        self.report.delivered += 1

    def _complete(self, call: RecordedCall, end: Step) -> Complete:
        self._calls.finish(call)
        self.begun(end)
        return Complete(call, end.outcome)

    def _skip(self, call: RecordedCall) -> None:
        """Nobody made this call in time: what happened in it is delivered in its place."""
        if call.required:
            self.report.missing += 1
        else:
            self.report.unsent += 1
        self._story.add(call.step)
        self._calls.skip(call)
        self._release_nested(call)

    def _release_nested(self, call: RecordedCall) -> None:
        call.skipped = True
        for step in call.nested:
            self._nested_in.pop(step.seq, None)
        call.nested.clear()
