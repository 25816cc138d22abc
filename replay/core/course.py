"""The course of a replay so far: what the core keeps account of, and what happens in it."""

from __future__ import annotations

from collections.abc import Callable

from ...schema.entries import CALL_ENDS, CALLS, Kind
from ...session.places import Numbering, Place
from ...session.words import content
from ..matching.matching import Expectation, Matching
from ..terms.acts import Approach, Complete, Deliver, RecordedCall
from ..terms.schedule import Schedule
from ..terms.steps import START, Step
from .calls import Calls
from .handlings import Handlings
from .report_builder import ReportBuilder
from .runs import Run
from .story import Story
from .window import Window


class Course:
    """Where a replay is, and what has come of it.

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
        calls, handlings: the application's calls, and what the listeners do with their events.
        numbering, schedule: the recorded places, and where in the replay they are.
        turn: number of the conversation's turn, from 1; 0 before the first.
        stream_ended: the listeners were given an end of stream.
        listeners: how many there were when recorded, at the cursor.
        stop_at: the cursor goes no further than this entry.
        nested_in: events that were received inside a call, and not left out with it; by seq.
        not_given: events that were not delivered, but for those that lie folded in a run.
        approached: steps that the model's side has begun to approach.
        instant, there, waited: the step whose instant has come; whose round has come, too; and which was
            waited for in that round.
        played: the last call on the tracker that we made.
        closed: the application has closed.
        unclosed: the recorded application closed here, and this one goes on.
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
        self.now = now
        self.paced = paced
        self.window = Window(self._unfolds)
        self.calls = Calls(expect, self.matching)
        self.handlings = Handlings()
        self.numbering = Numbering()
        self.schedule = Schedule(paced=paced)
        self.turn = 0
        self.stream_ended = False
        self.listeners = 0
        self.stop_at = 1 << 63
        self.nested_in: dict[int, RecordedCall] = {}
        self.not_given: set[int] = set()
        self.approached: set[int] = set()
        self.instant: Step | None = None
        self.there: Step | None = None
        self.waited: Step | None = None
        self.played: Step | None = None
        self.closed = False
        self.unclosed = False
        self._story = Story()

    @property
    def story(self) -> Story:
        """What was delivered and made, for whoever tells of it."""
        self.window.look()
        return self._story

    def is_given(self, seq: int | None) -> bool:
        """Whether the application was given this event; None: it needs none."""
        self.window.look()
        return seq not in self.not_given and (seq is None or not self.window.holds_folded(seq))

    # --- what happens -------------------------------------------------------------------------------

    def begun(self, step: Step) -> None:
        """What the last act said happens just now: a delivery, or the return of a call."""
        run = self.window.giving
        if (run is not None and run.head is step) or self.window.first is step:  # else it is ahead of that
            self.schedule.happened(step.place, self.now())

    def deliver(self, step: Step, call: RecordedCall | None) -> Deliver:
        """An event is to be given to the listeners, inside a call or not."""
        if call is not None:
            call.nested.remove(step)
            call.running = step
        self.approached.discard(step.seq)
        self.perform(step)
        self.begun(step)
        self.handlings.begin(step)
        return Deliver(step, call)

    def perform(self, step: Step) -> None:
        """An event is given to the listeners."""
        step.performed = True
        self._story.add(step)
        self.not_given.discard(step.seq)
        if step.entry.type == "turn_started":
            self.turn += 1
        elif step.entry.type == "end_of_stream":
            self.stream_ended = True
        self.report.delivered += 1

    def complete(self, call: RecordedCall, end: Step) -> Complete:
        """A live call is to return, or raise, as it did."""
        self.calls.finish(call)
        self.begun(end)
        return Complete(call, end.outcome)

    def skip(self, call: RecordedCall) -> None:
        """Nobody made this call in time: what happened in it is delivered in its place."""
        if call.required:
            self.report.missing += 1
        else:
            self.report.unsent += 1
        self._story.add(call.step)
        self.calls.skip(call)
        self.release_nested(call)

    def release_nested(self, call: RecordedCall) -> None:
        """What was received inside a call waits no longer for it."""
        call.skipped = True
        for step in call.nested:
            self.nested_in.pop(step.seq, None)
        call.nested.clear()

    def passes(self, step: Step) -> None:
        """The cursor passes a step."""
        kind = step.entry.kind
        if kind in CALLS:
            call = self.calls.at(step)
            self.schedule.happened(step.place, call.made or self.now(), waited=call.required or call.awaited)
        elif kind == Kind.HANDLED:
            self.schedule.happened(step.place, self.handlings.place(step) or self.now(), waited=True)
        elif kind == Kind.LISTENER_ADDED:
            self.listeners += 1
        elif kind == Kind.LISTENER_REMOVED:
            self.listeners -= 1
        elif kind == Kind.GAP:
            self.report.gaps.append(f"entry {step.seq}: {content(step.entry)}")
        elif kind in CALL_ENDS:
            call = self.calls.ended_by(step)
            given_up = call is not None and call.skipped
            self.closed = self.closed or (kind == Kind.CLOSED and not given_up)
            self.calls.passed(step)

    def begins(self, step: Step) -> Approach | None:
        """The way to a step that comes later in this burst: the model's side sets out on it."""
        until = self.schedule.until(step.place, self.now())
        if until is None or until.at_ns is not None:
            return None
        self.approached.add(step.seq)
        return Approach(step, until)

    def _unfolds(self, run: Run) -> None:
        """A run is one no longer; so much of it was given."""
        self.not_given.update(range(run.seq + run.given, run.seq + len(run)))
        if not run.given:
            return
        self._story.add_all(run.rows[: run.given])
        if run.current is not None:
            self.handlings.begin(run.current)
        self.report.delivered += run.given
