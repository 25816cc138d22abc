"""Generated recordings for the bare core, and an application that is driven a choice at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from realtape.replay.core.machine import ReplayCore
from realtape.replay.reporting.report_builder import ReportBuilder
from realtape.replay.terms.acts import (
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
    Wait,
)
from realtape.replay.terms.runs import Run
from realtape.replay.terms.steps import START, Outcome, RecordedCall, Step
from realtape.schema import Entry, Kind
from realtape.session.places import Place

READ_LOOP = 0
APPLICATION = 1


@dataclass
class Take:
    """A recording in the making: the entries of one session, as a recorder would append them."""

    steps: list[Step] = field(default_factory=list[Step])
    tick: int = 0
    sends: int = 0
    tasks: int = 2

    def add(
        self,
        kind: Kind,
        *,
        task: int | None = READ_LOOP,
        type: str | None = None,
        cause: int | None = None,
        of: int | None = None,
        key: str = "",
        outcome: Outcome | None = None,
    ) -> int:
        """Append an entry; returns its seq."""
        seq = len(self.steps)
        nothing = (None, None, None, None)
        entry = Entry(seq, seq, self.tick, task, kind, type, None, cause, of, *nothing, "{}", 0)
        step = Step(entry, value=seq, key=key, outcome=outcome or Outcome())
        self.steps.append(step)
        if of is not None and kind == Kind.HANDLED:
            self.steps[of].ends = True
        return seq


@st.composite
def takes(draw: Callable[..., Any], max_events: int = 12) -> Take:
    """Whole sessions: bursts, sends inside listeners and in tasks, nested events, stimuli, a close."""
    take = Take()
    connect = take.add(Kind.CONNECT, task=APPLICATION)
    take.add(Kind.CONNECTED, task=APPLICATION, of=connect)
    waiting: list[int] = []  # events whose reaction comes later, from a task
    last = connect
    for _ in range(draw(st.integers(0, max_events))):
        take.tick += draw(st.sampled_from([0, 0, 1, 3, 16]))
        what = draw(st.sampled_from(["event", "event", "event", "listener", "task", "stimulus"]))
        if what == "stimulus":
            send(draw, take, task=APPLICATION, cause=None)
            continue
        while waiting and draw(st.booleans()):
            take.tick += 1
            take.tasks += 1
            send(draw, take, task=take.tasks, cause=waiting.pop(draw(st.integers(0, len(waiting) - 1))))
        last = take.add(Kind.RECEIVED, type=what)
        if what == "listener":
            for _ in range(draw(st.integers(1, 2))):
                send(draw, take, task=READ_LOOP, cause=last)
            take.add(Kind.HANDLED, of=last)
        elif what == "task":
            waiting.append(last)
    for cause in draw(st.permutations(waiting)):
        take.tick += 1
        take.tasks += 1
        send(draw, take, task=take.tasks, cause=cause)
    if draw(st.booleans()):
        take.tick += 1
        cause = last if last != connect and draw(st.booleans()) else None
        close = take.add(Kind.CLOSE, task=APPLICATION, cause=cause)
        take.add(Kind.CLOSED, task=APPLICATION, of=close)
    return take


def send(draw: Callable[..., Any], take: Take, *, task: int, cause: int | None) -> None:
    """One send, with what happens inside it."""
    take.sends += 1
    key = f"send {take.sends}" if draw(st.booleans()) else "the same again"
    sent = take.add(Kind.SENT, task=task, type="send_user_input", cause=cause, key=key)
    for _ in range(draw(st.integers(0, 2))):
        take.add(Kind.RECEIVED, task=task, type="nested", cause=sent)
    take.add(Kind.SENT_DONE, task=task, of=sent)


@dataclass
class Script:
    """What the application does because of an event: keys of sends, inside its listener or a task."""

    inside: dict[int, list[str]]
    in_tasks: dict[int, list[str]]
    stimuli: list[str]
    closes_after: int | None


@dataclass
class Handling:
    """An event that the listeners are handling: the sends still to make inside."""

    step: Step
    todo: list[str]
    pending: RecordedCall | None = None


class Application:
    """An application without tasks: every next thing that it could do is a choice."""

    def __init__(self, core: ReplayCore, script: Script) -> None:
        self.core = core
        self.script = script
        self.delivered: list[int] = []
        self.made_before: dict[
            int, set[int]
        ] = {}  # by event: recorded calls that were made before it was given
        self.made: set[int] = set()
        self.inside: dict[int, RecordedCall | None] = {}
        self.handling: list[Handling] = []
        self.tasks: list[tuple[str, int | None]] = [(key, None) for key in script.stimuli]
        self.pending: list[RecordedCall] = []
        self.unmatched: list[str] = []
        self.closing = False
        self.ended: bool | None = None
        self.stuck: Wait | None = None
        self.released = 0

    def choices(self) -> list[Callable[[], None]]:
        """What could happen next."""
        found: list[Callable[[], None]] = [lambda one=one: self.start(*one) for one in self.tasks]
        found += [lambda one=one: self.go_on(one) for one in self.handling if one.pending is None]
        return found

    def start(self, key: str, cause: int | None) -> None:
        """A task makes its send; one that a listener started, in its extent."""
        self.tasks.remove((key, cause))
        call = self.core.call(Kind.SENT, "send_user_input", key, cause)
        if call is None:
            self.unmatched.append(key)
        else:
            self.made.add(call.seq)
            self.pending.append(call)

    def go_on(self, one: Handling) -> None:
        """A listener makes its next send, or returns."""
        if not one.todo:
            self.handling.remove(one)
            self.core.handled(one.step, Outcome())
            return
        call = self.core.call(Kind.SENT, "send_user_input", one.todo.pop(0), one.step.seq)
        if call is None:
            self.unmatched.append("inside")
        else:
            self.made.add(call.seq)
            one.pending = call
            self.pending.append(call)

    def run(self, choose: Callable[[int], int]) -> None:
        """Until the end, or until it is stuck."""
        for _ in range(10_000):
            act = self.core.next()
            match act:
                case Deliver(step, call):
                    assert not isinstance(step, Run), "nobody has asked for runs"
                    self.deliver(step, call)
                case Complete(call, _):
                    self.complete(call)
                case Approach() | Wait():
                    if not self.settle(choose, act):
                        return
                case End():
                    if self.rest(choose):
                        continue
                    self.ended = True
                    return
                case More() | CallTracker() | CancelHandler() | HandlerDiffers() | Stand() | StandIn():
                    raise AssertionError(f"not in a generated session: {act}")
        raise AssertionError("it does not come to an end")

    def settle(self, choose: Callable[[int], int], act: Approach | Wait) -> bool:
        """Let the application run a while, or until it is at rest; False when stuck."""
        choices = self.choices()
        if choices:
            choices[choose(len(choices))]()
        elif isinstance(act, Approach):
            self.core.arrived(act)
        elif self.core.quiescent():
            self.released += 1
        elif not self.core.needs(act):  # a close that nothing caused
            self.core.give_up(act)
        else:
            self.stuck = act
            return False
        return True

    def rest(self, choose: Callable[[int], int]) -> bool:
        """At the end the application still does what it can."""
        choices = self.choices()
        if choices:
            choices[choose(len(choices))]()
            return True
        return False

    def deliver(self, step: Step, call: RecordedCall | None) -> None:
        """The listeners get an event."""
        self.delivered.append(step.seq)
        self.made_before[step.seq] = set(self.made)
        self.inside[step.seq] = call
        self.handling.append(Handling(step, list(self.script.inside.get(step.seq, ()))))
        self.tasks += [(key, step.seq) for key in self.script.in_tasks.get(step.seq, ())]
        if self.script.closes_after == step.seq:
            call = self.core.call(Kind.CLOSE)
            assert call is not None, "the recording holds a close"
            self.pending.append(call)

    def complete(self, call: RecordedCall) -> None:
        """A send returns to whoever made it."""
        assert call in self.pending, "only a live call is completed"
        self.pending.remove(call)
        for one in self.handling:
            if one.pending is call:
                one.pending = None


def faithful(take: Take) -> Script:
    """What an application did that made this recording."""
    inside: dict[int, list[str]] = {}
    in_tasks: dict[int, list[str]] = {}
    stimuli: list[str] = []
    closes_after: int | None = None
    for step in take.steps:
        entry = step.entry
        if entry.kind == Kind.CLOSE:
            closes_after = entry.cause
        if entry.kind != Kind.SENT:
            continue
        if entry.cause is None:
            stimuli.append(step.key)
        elif entry.task == READ_LOOP:
            inside.setdefault(entry.cause, []).append(step.key)
        else:
            in_tasks.setdefault(entry.cause, []).append(step.key)
    return Script(inside, in_tasks, stimuli, closes_after)


def core_of(take: Take, now: Callable[[], Place] = lambda: START, **options: Any) -> ReplayCore:
    """A core that was fed all of a recording, and told of the connect."""
    core = ReplayCore(ReportBuilder(), now=now, **options)
    for step in take.steps:
        core.feed(step)
    core.feed_end()
    assert core.call(Kind.CONNECT) is not None
    return core
