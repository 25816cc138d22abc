"""Straight on: what comes right after an event that was given, where there is nothing to decide.

Most of what a server sends comes so. A step at a time, `turns` would say the same; here whole runs are given,
and go on from round to round, until anybody looks.
"""

from __future__ import annotations

from ...schema.entries import Kind
from ..terms.acts import Approach
from ..terms.steps import Step
from .course import Course
from .runs import Run


def folded(course: Course, step: Step, *, runs: bool) -> Step | Run | None:
    """What is given where this event is: it alone, or the run whose round it begins, if `runs`."""
    run = course.window.giving
    if run is None or run.head is not step:
        return step
    if runs and run.seq + len(run) <= course.stop_at:
        return run
    course.window.look()
    return step


def run_on(course: Course, before: Step, *, runs: bool) -> Step | Run | None:
    """The listeners have returned from an event, and nothing else has happened: the next one, if it
    comes right after it; or all that come so, if `runs`. As `handled` and `next`, where these have
    nothing to decide."""
    window = course.window
    if window.first is not before or course.calls.live or window.hungry:  # it is fed where there is time
        return None
    step = window.run_on(course.stop_at if runs else 0)
    if step is None or step.seq >= course.stop_at:
        return None
    if isinstance(step, Run):
        course.handlings.leave(before)
        window.give(step)
        return step
    if step.seq in course.nested_in or step.seq in course.approached:
        return None
    window.advance()
    course.handlings.leave(before)
    course.handlings.begin(step)
    course.perform(step)
    return step


def given(course: Course, run: Run) -> Step:
    """The event of a run that the listeners were given last."""
    if run.current is None:
        course.window.look()
    assert run.current is not None, "nobody but the one who gives it begins another run"
    return run.current


def rounds_on(course: Course, run: Run) -> int:
    """The listeners have returned from the last event that a run has in this round, and nothing else has
    happened: so many rounds of the same burst are to pass until its next one, and nothing else is to be
    done; else 0."""
    place = run.next_place
    if place is None or run.seq + run.given >= course.stop_at or course.window.hungry:
        return 0
    return course.schedule.rounds_until(place, course.now())


def pass_rounds(course: Course, run: Run) -> None:
    """They have passed, and nothing has happened meanwhile. As `way_on` and `come_to`."""
    course.schedule.happened(run.go_on(), course.now())


def way_on(course: Course, run: Run) -> Approach | None:
    """The listeners have returned from the last event that a run has in this round, and nothing else
    has happened: the way to its next round. As `pass_on`."""
    head = run.next_head()
    if head is None or head.seq >= course.stop_at:
        return None
    act = course.begins(head)
    if act is not None:
        run.set_out(head)
    return act


def pass_on(course: Course, before: Step, *, runs: bool) -> Approach | None:
    """The listeners have returned from an event, and nothing else has happened: the way to the next
    one, if its task gives it in another round of this burst, and nothing lies between. As `handled`,
    `continuation` and `next`, where these have nothing to decide."""
    window = course.window
    if window.first is not before or course.calls.live or before.ends:
        return None
    run = window.run_after(course.stop_at if runs else 0)
    if run is not None and run.task == before.task and run.place.burst == before.place.burst:
        act = way_on(course, run)
        if act is not None:
            course.handlings.leave(before)
            window.give(run)
            return act
    step = window.second
    if step is None or step.kind != Kind.RECEIVED or step.task != before.task:
        return None
    if step.place.burst != before.place.burst or step.seq >= course.stop_at or step.seq in course.nested_in:
        return None
    act = course.begins(step)
    if act is not None:
        course.handlings.leave(before)
        window.advance()
    return act


def come_to(course: Course, act: Approach) -> Step | None:
    """The rounds of a way have passed: the event at its end, which is to be delivered. As `arrived`
    and `next`, and None, where these have something to decide."""
    step, run = act.step, course.window.giving
    if run is not None and run.head is step and step.seq < course.stop_at:
        course.instant = course.there = step
        course.approached.discard(step.seq)
        run.given += 1
        step.performed = True
        return step
    if course.window.first is not step or step.performed or course.calls.live or act.patient:
        return None
    if act.until.at_ns is not None or step.kind != Kind.RECEIVED or step.seq in course.nested_in:
        return None
    if step.seq >= course.stop_at:
        return None
    course.instant = course.there = step
    course.deliver(step, None)
    return step
