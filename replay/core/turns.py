"""Whose turn it is: what the step at the cursor asks for, or a call that does not wait for its place."""

from __future__ import annotations

from ...schema.entries import CALL_ENDS, CALLS, Kind
from ..terms.acts import Act, Approach, End, More, Play, RecordedCall, Wait
from ..terms.schedule import Until
from ..terms.steps import Step
from .course import Course


def free(course: Course, call: RecordedCall) -> Act | None:
    """Of a call that does not wait for its place."""
    if call.running is not None:
        return None
    if call.nested and not call.skipped:
        return course.deliver(call.nested[0], call)
    if call.end is None or call.end.outcome.how == "cancelled":
        return None  # it stays open, until the application cancels it
    return course.complete(call, call.end)


def at_cursor(course: Course, step: Step) -> Act | None:
    """Of the step at the cursor; None: nothing, it can be passed."""
    kind = step.entry.kind
    if kind == Kind.RECEIVED:
        return _received_turn(course, step)
    if kind in CALLS:
        return _call_turn(course, step)
    if kind in CALL_ENDS:
        return _end_turn(course, step)
    if kind == Kind.HANDLED:
        return _handled_turn(course, step)
    if kind == Kind.PLAYBACK:
        return _playback_turn(course, step)
    if kind == Kind.GAP:
        lost = next((call for call in course.calls.live if call.end is step), None)
        return None if lost is None else course.complete(lost, step)
    return None


def _received_turn(course: Course, step: Step) -> Act | None:
    if not step.performed:
        call = course.nested_in.get(step.seq)
        if call is not None and call.running is not None:
            return Wait("handler", call.running)
        return _approach(course, step) or course.deliver(step, call)
    following = course.window.second
    if following is None and not course.window.ended:
        return More()
    return course.handlings.delivered_turn(step, following)


def _call_turn(course: Course, step: Step) -> Act | None:
    call = course.calls.at(step)
    if call.matched or call.skipped:
        return None
    if call.required or course.handlings.may_make(step):
        call.awaited = True  # one that is not required, as long as the listener that made it is at work
        return Wait("call", step)
    # What happens inside it, or an end, is not brought about while it may still be about to come.
    settles = not course.paced and (call.nested or step.kind == Kind.CLOSE)
    act = _settle(course, step) if settles else _approach(course, step, patient=True)
    if act is not None:
        return act
    if step.kind == Kind.CLOSE:
        course.unclosed = True
        return End(closed=False)
    course.skip(call)
    return None


def _end_turn(course: Course, step: Step) -> Act | None:
    call = course.calls.ended_by(step)
    if call is None or call.done or not call.matched:
        return None
    if step.outcome.how == "cancelled":
        return _cancelled_turn(course, step)
    if call.running is not None:
        return Wait("handler", call.running)
    return _approach(course, step) or course.complete(call, step)


def _cancelled_turn(course: Course, end: Step) -> Act | None:
    """A call was cancelled: with the listener that made it, by the model, or by the application."""
    for handled in course.window.cancelled_in(end):
        if course.handlings.cancels(handled):
            return _approach(course, end) or course.handlings.handled_turn(handled)
    return _approach(course, end, patient=True)


def _handled_turn(course: Course, step: Step) -> Act | None:
    if step.outcome.how == "cancelled":
        for handled in course.window.cancelled_in(step):
            if course.handlings.cancels(handled):
                return _approach(course, step) or course.handlings.handled_turn(handled)
    return course.handlings.handled_turn(step)


def _playback_turn(course: Course, step: Step) -> Act | None:
    if step.performed:
        return None
    # The application makes its calls itself, or they are made for it.
    act = _approach(course, step, patient=step.entry.type == "application")
    if act is None:
        step.performed = True
        course.played = step
        course.begun(step)
        return Play(step)
    return act


def _approach(course: Course, step: Step, *, patient: bool = False) -> Act | None:
    """What has to pass before this step has its place; None: nothing."""
    until = None if course.there is step else course.schedule.until(step.place, course.now())
    if until is not None and not (until.at_ns is not None and course.instant is step):
        first = not patient and step.seq not in course.approached and course.window.is_followed(step)
        return Approach(step, until, patient, first)
    if patient and step.place.timed and course.paced and course.waited is not step:
        return Approach(step, Until(course.now().ns, 0), patient)
    if (patient and course.waited is not step) or (
        step.seq in course.approached and course.there is not step
    ):
        return Approach(step, Until(None, 0), patient)
    return None


def _settle(course: Course, step: Step) -> Act | None:
    return None if course.instant is step else Approach(step, Until(course.now().ns, 0), patient=True)
