"""What the bare core asks its driver to do at each kind of entry, and what it keeps account of."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from realtape.replay.core.machine import ReplayCore
from realtape.replay.reporting.report_builder import ReportBuilder
from realtape.replay.terms.acts import (
    Act,
    Approach,
    CallTracker,
    CancelHandler,
    Complete,
    Deliver,
    End,
    HandlerDiffers,
    Stand,
    StandIn,
    Wait,
)
from realtape.replay.terms.steps import START, Outcome, RecordedCall
from realtape.schema import Kind
from realtape.session.places import Place
from support.course import APPLICATION, READ_LOOP, Take, core_of

LISTENERS_TASK = 2
FAILED = Outcome("raised", error=ValueError("no"))
CANCELLED = Outcome("cancelled")


def connected() -> Take:
    """A recording that begins as all do."""
    take = Take()
    connect = take.add(Kind.CONNECT, task=APPLICATION)
    take.add(Kind.CONNECTED, task=APPLICATION, of=connect)
    return take


def begun(take: Take, now: Callable[[], Place] = lambda: START) -> ReplayCore:
    """Its core, behind the connect."""
    core = core_of(take, now)
    assert isinstance(core.next(), Complete)
    return core


def arrive(core: ReplayCore) -> Act:
    """What comes once time and rounds have passed."""
    act = core.next()
    while isinstance(act, Approach):
        core.arrived(act)
        act = core.next()
    return act


def given(core: ReplayCore, seq: int) -> Deliver:
    """The next act, which gives this event."""
    act = arrive(core)
    assert isinstance(act, Deliver)
    assert act.step.seq == seq
    return act


def sent(core: ReplayCore, key: str, cause: int | None = None) -> RecordedCall:
    """The recorded call that the application makes."""
    call = core.call(Kind.SENT, "send_user_input", key, cause)
    assert call is not None
    return call


def send(take: Take, key: str, *, cause: int | None = None, task: int = APPLICATION) -> int:
    """A send of a recording, without its end."""
    return take.add(Kind.SENT, task=task, type="send_user_input", key=key, cause=cause)


# --- gaps ------------------------------------------------------------------------------------------


def test_a_gap_ends_the_calls_whose_end_it_may_have_swallowed() -> None:
    """What their task receives after it has a place of its own."""
    take = Take()
    take.add(Kind.CONNECT, task=APPLICATION)
    inside = take.add(Kind.RECEIVED, task=APPLICATION)
    take.add(Kind.HANDLED, task=APPLICATION, of=inside)
    gap = take.add(Kind.GAP, task=None)
    after = take.add(Kind.RECEIVED, task=APPLICATION)
    take.add(Kind.HANDLED, task=APPLICATION, of=after)
    core = core_of(take)
    assert core.calls.open_in(APPLICATION) is None
    first = given(core, inside)
    assert first.call is not None, "it was received inside the call"
    core.handled(take.steps[inside], Outcome())
    act = core.next()
    assert isinstance(act, Complete)
    assert act.call.end is take.steps[gap]
    second = given(core, after)
    assert second.call is None
    core.handled(take.steps[after], Outcome())
    assert isinstance(arrive(core), End)
    assert len(core.report.gaps) == 1
    assert core.report.gaps[0].startswith(f"entry {gap}: ")


@pytest.mark.parametrize("kind", [Kind.PLAYBACK, Kind.LISTENER_ADDED, Kind.HANDLED])
def test_nothing_but_a_gap_does(kind: Kind) -> None:
    take = Take()
    connect = take.add(Kind.CONNECT, task=APPLICATION)
    take.add(kind, task=APPLICATION)
    inside = take.add(Kind.RECEIVED, task=APPLICATION)
    take.add(Kind.HANDLED, task=APPLICATION, of=inside)
    take.add(Kind.CONNECTED, task=APPLICATION, of=connect)
    core = core_of(take)
    if kind == Kind.PLAYBACK:
        assert isinstance(arrive(core), CallTracker)
    assert given(core, inside).call is not None
    assert not core.report.gaps


def test_who_was_still_at_an_event_before_a_gap_is_not_awaited() -> None:
    take = connected()
    event = take.add(Kind.RECEIVED)
    take.add(Kind.GAP, task=None)
    behind = take.add(Kind.RECEIVED)
    core = begun(take)
    given(core, event)
    given(core, behind)


# --- listeners ------------------------------------------------------------------------------------


def test_an_event_without_an_end_of_its_own_is_awaited_before_the_next() -> None:
    take = connected()
    event = take.add(Kind.RECEIVED)
    behind = take.add(Kind.RECEIVED)
    core = begun(take)
    given(core, event)
    assert core.next() == Wait("handler", take.steps[event])
    core.handled(take.steps[event], Outcome())
    given(core, behind)


def test_but_not_before_what_it_has_caused() -> None:
    take = connected()
    event = take.add(Kind.RECEIVED)
    send(take, "hello", cause=event, task=LISTENERS_TASK)
    core = begun(take)
    given(core, event)
    waits = core.next()
    assert isinstance(waits, Wait)
    assert waits.what == "call"


def test_listeners_are_counted_as_the_cursor_passes_them() -> None:
    take = connected()
    take.add(Kind.LISTENER_ADDED, task=APPLICATION)
    take.add(Kind.LISTENER_ADDED, task=APPLICATION)
    event = take.add(Kind.RECEIVED)
    take.add(Kind.HANDLED, of=event)
    take.add(Kind.LISTENER_REMOVED, task=APPLICATION)
    core = begun(take)
    given(core, event)
    assert core.listeners == 2
    core.handled(take.steps[event], Outcome())
    assert isinstance(arrive(core), End)
    assert core.listeners == 1


@pytest.mark.parametrize(
    ("ends", "recorded", "live", "differs"),
    [
        (True, Outcome(), FAILED, True),
        (True, FAILED, Outcome(), True),
        (True, FAILED, FAILED, False),
        (True, Outcome(), Outcome(), False),
        (True, Outcome(), CANCELLED, False),
        (False, Outcome(), FAILED, True),
        (False, Outcome(), Outcome(), False),
        (False, Outcome(), CANCELLED, False),
    ],
)
def test_how_listeners_took_an_event_is_compared(
    ends: bool, recorded: Outcome, live: Outcome, differs: bool
) -> None:
    """Who raised has an end of his own in the log."""
    take = connected()
    event = take.add(Kind.RECEIVED)
    if ends:
        take.add(Kind.HANDLED, of=event, outcome=recorded)
    core = begun(take)
    given(core, event)
    core.handled(take.steps[event], live)
    act = arrive(core)
    if differs:
        assert act == HandlerDiffers(take.steps[event], recorded, live)
        act = arrive(core)  # it is told once
    assert isinstance(act, End)


def test_all_that_a_task_has_delivered_is_cancelled_with_it_once() -> None:
    take = connected()
    outer = take.add(Kind.RECEIVED)
    call = send(take, "hello", cause=outer, task=READ_LOOP)
    inner = take.add(Kind.RECEIVED, cause=call)
    other = take.add(Kind.RECEIVED, task=LISTENERS_TASK)
    take.tick += 1
    take.add(Kind.HANDLED, of=inner, outcome=CANCELLED)
    take.add(Kind.SENT_DONE, of=call, outcome=CANCELLED)
    take.add(Kind.HANDLED, of=outer, outcome=CANCELLED)
    take.add(Kind.HANDLED, task=LISTENERS_TASK, of=other)
    core = begun(take)
    given(core, outer)
    live = sent(core, "hello", outer)
    given(core, inner)
    given(core, other)
    act = arrive(core)
    assert isinstance(act, CancelHandler)
    assert [take.steps[seq].cancelling for seq in (outer, inner, other)] == [True, True, False]
    waits = core.next()
    assert isinstance(waits, Wait), "nobody is cancelled twice"
    for step in (take.steps[inner], take.steps[outer]):
        core.handled(step, CANCELLED)
    core.cancelled(live)
    assert arrive(core) == Wait("handler", take.steps[other])
    core.handled(take.steps[other], Outcome())
    assert isinstance(arrive(core), End)


def test_who_was_still_at_it_when_the_recorder_was_closed_need_not_return() -> None:
    take = connected()
    event = take.add(Kind.RECEIVED)
    take.add(Kind.HANDLED, of=event, outcome=Outcome("open"))
    core = begun(take)
    given(core, event)
    assert isinstance(arrive(core), End)


# --- the tracker, turns, the stream -----------------------------------------------------------------


@pytest.mark.parametrize("who", ["application", "model"])
def test_a_call_on_the_tracker_is_made_once(who: str) -> None:
    take = connected()
    played = take.add(Kind.PLAYBACK, task=APPLICATION, type=who)
    event = take.add(Kind.RECEIVED)
    core = begun(take)
    act = arrive(core)
    assert isinstance(act, CallTracker)
    assert (act.step.seq, core.cursor) == (played, played + 1)
    given(core, event)


def test_turns_and_the_end_of_the_stream_are_known_as_they_are_given() -> None:
    take = connected()
    events = [take.add(Kind.RECEIVED, type=type) for type in ("turn_started", "audio", "end_of_stream")]
    core = begun(take)
    known: list[tuple[int, bool]] = []
    for event in events:
        given(core, event)
        known.append((core.turn, core.stream_ended))
        core.handled(take.steps[event], Outcome())
    assert known == [(1, False), (1, False), (1, True)]


def test_it_goes_no_further_than_it_is_told() -> None:
    take = connected()
    first, second = take.add(Kind.RECEIVED), take.add(Kind.RECEIVED)
    core = begun(take)
    core.stop_before(second)
    given(core, first)
    core.handled(take.steps[first], Outcome())
    assert core.next() == Stand()
    assert core.is_at(second)
    core.stop_before(second + 1)
    given(core, second)


# --- calls ----------------------------------------------------------------------------------------


def test_a_call_that_was_given_up_and_comes_is_late_and_not_missing() -> None:
    take = connected()
    event = take.add(Kind.RECEIVED)
    take.add(Kind.HANDLED, of=event)
    call = send(take, "hello", cause=event, task=LISTENERS_TASK)
    inside = take.add(Kind.RECEIVED, task=LISTENERS_TASK, cause=call)
    take.add(Kind.SENT_DONE, task=LISTENERS_TASK, of=call)
    core = begun(take)
    given(core, event)
    core.handled(take.steps[event], Outcome())
    waits = arrive(core)
    assert isinstance(waits, Wait)
    assert core.needs(waits)
    core.give_up(waits)
    assert (core.report.missing, core.report.late) == (1, [])
    assert given(core, inside).call is None, "what happened in it has a place of its own"
    core.handled(take.steps[inside], Outcome())
    assert sent(core, "hello", event).late
    assert core.report.late == [call]
    assert core.report.matched == 2, "the connect, and it"


@pytest.mark.parametrize("comes", [True, False])
def test_a_call_of_unknown_origin_that_comes_late_is_not_unchecked(comes: bool) -> None:
    take = connected()
    call = send(take, "hello")
    take.add(Kind.SENT_DONE, task=APPLICATION, of=call)
    event = take.add(Kind.RECEIVED)
    core = begun(take)
    given(core, event)
    if comes:
        sent(core, "hello")
    assert [seq for _, seq in core.report.unchecked] == ([] if comes else [call])
    assert core.report.missing == core.report.unsent == 0


@pytest.mark.parametrize("kind", [Kind.SENT, Kind.CLOSE])
def test_a_call_of_unknown_origin_may_come_of_what_a_thread_owes_yet(kind: Kind) -> None:
    """And where that thread itself waits, it is awaited once."""
    take = connected()
    if kind == Kind.SENT:
        send(take, "hello")
    else:
        take.add(kind, task=APPLICATION)
    core = core_of(take, paced=True, owed=lambda: True)
    assert isinstance(core.next(), Complete)
    waited: list[Act] = []
    while isinstance(act := core.next(), Approach):
        waited.append(act)
        core.arrived(act)
    free = core_of(take, paced=True)
    assert isinstance(free.next(), Complete)
    while isinstance(other := free.next(), Approach):
        waited.remove(other)
        free.arrived(other)
    assert [(one.patient, one.until.rounds) for one in waited if isinstance(one, Approach)] == [(True, 0)]
    assert type(act) is type(other)
    assert len(core.report.unchecked) == 1


def test_who_holds_a_call_back_lets_the_first_one_go_and_only_once() -> None:
    take = connected()
    called = take.add(Kind.RECEIVED)
    take.add(Kind.HANDLED, of=called)
    calls = [send(take, f"answer {task}", cause=called, task=task) for task in (2, 3, 4)]
    for task, call in zip((2, 3, 4), calls, strict=True):
        take.add(Kind.SENT_DONE, task=task, of=call, outcome=CANCELLED if task == 4 else None)
    core = begun(take)
    given(core, called)
    core.handled(take.steps[called], Outcome())
    held = [sent(core, f"answer {task}", called) for task in (4, 3)]
    assert isinstance(arrive(core), Wait), "the first one"
    assert core.quiescent() is held[1], "one that the model let return; the other is cancelled by who made it"
    assert core.report.early == [calls[1]]
    assert core.quiescent() is None
    act = core.next()
    assert isinstance(act, Complete)
    assert act.call is held[1]


@pytest.mark.parametrize("told", [True, False])
def test_why_the_recorded_application_closed_is_told_once(told: bool) -> None:
    take = connected()
    event = take.add(Kind.RECEIVED, type="turn_ended")
    take.add(Kind.HANDLED, of=event)
    close = take.add(Kind.CLOSE, task=APPLICATION, cause=event if told else None)
    take.add(Kind.CLOSED, task=APPLICATION, of=close)
    core = begun(take)
    given(core, event)
    core.handled(take.steps[event], Outcome())
    assert core.call(Kind.CLOSE, cause=event if told else None) is not None
    assert isinstance(arrive(core), Complete)
    assert arrive(core) == End(closed=True)
    (because,) = core.report.closes
    assert because.endswith("the recording does not tell") is not told
    assert (f"#{event} " in because) is told


def test_a_close_that_does_not_come_is_where_it_ends_and_what_is_behind_it_goes_free() -> None:
    """A send that was made already, as one that is made then: no place is awaited that is behind the end."""
    take = connected()
    close = take.add(Kind.CLOSE, task=APPLICATION)
    take.add(Kind.CLOSED, task=APPLICATION, of=close)
    behind = [send(take, key, task=LISTENERS_TASK) for key in ("goodbye", "see you", "bye")]
    core = begun(take)
    made = [sent(core, "goodbye")]
    waits = arrive(core)
    assert isinstance(waits, Wait)
    assert (waits.step.seq, core.needs(waits)) == (close, False)
    core.give_up(waits)
    assert arrive(core) == End(closed=False)
    assert core.report.early == behind[:1]
    made.append(sent(core, "see you"))
    made.append(core.take(core.expected[-1]))
    assert [call.seq for call in made] == behind
    assert core.report.early == behind
    assert core.call(Kind.CLOSE) is not None
    assert core.report.early == behind, "a close is no send"


def test_a_close_that_comes_is_awaited() -> None:
    """Also one of which nobody knows whether it must come."""
    take = connected()
    close = take.add(Kind.CLOSE, task=APPLICATION)
    take.add(Kind.CLOSED, task=APPLICATION, of=close)
    core = begun(take)
    waits = arrive(core)
    assert isinstance(waits, Wait)
    assert waits.step.seq == close
    assert core.call(Kind.CLOSE) is not None
    assert isinstance(core.next(), Complete)
    assert core.next() == End(closed=True)
    assert not core.report.unchecked


def test_who_stands_in_for_the_user_is_asked_once() -> None:
    take = connected()
    call = send(take, "hello")
    take.add(Kind.SENT_DONE, task=APPLICATION, of=call)
    core = begun(take)
    core.stands_in = True
    act = arrive(core)
    assert isinstance(act, StandIn)
    assert act.call.seq == call
    waits = core.next()
    assert isinstance(waits, Wait)
    core.give_up(waits)
    assert isinstance(arrive(core), End)


def test_a_close_that_the_recording_lacks_is_made_at_its_end_and_nowhere_else() -> None:
    take = connected()
    event = take.add(Kind.RECEIVED)
    take.add(Kind.HANDLED, of=event)
    core = begun(take)
    given(core, event)
    core.handled(take.steps[event], Outcome())
    assert core.call(Kind.SENT, "send_user_input", "new") is None
    close = core.call(Kind.CLOSE)
    assert close is not None
    assert (close.early, close.required) == (True, False)
    unread = ReplayCore(ReportBuilder())
    for step in connected().steps:
        unread.feed(step)
    assert unread.call(Kind.CLOSE) is None, "there may be one in what is not read yet"


def test_what_has_caused_the_close_may_be_long_ago() -> None:
    """Of sound nothing is remembered, for there is so much of it."""
    take = connected()
    event = take.add(Kind.RECEIVED, type="audio")
    take.add(Kind.HANDLED, of=event)
    close = take.add(Kind.CLOSE, task=APPLICATION, cause=event)
    take.add(Kind.CLOSED, task=APPLICATION, of=close)
    core = begun(take)
    given(core, event)
    core.handled(take.steps[event], Outcome())
    assert core.call(Kind.CLOSE, cause=event) is not None
    assert isinstance(arrive(core), Complete)
    assert arrive(core) == End(closed=True)
    assert core.report.closes[0].endswith(f"because of entry {event}")


def test_a_close_that_had_to_come_and_did_not_has_not_closed() -> None:
    take = connected()
    event = take.add(Kind.RECEIVED)
    take.add(Kind.HANDLED, of=event)
    close = take.add(Kind.CLOSE, task=LISTENERS_TASK, cause=event)
    take.add(Kind.CLOSED, task=LISTENERS_TASK, of=close)
    core = begun(take)
    given(core, event)
    core.handled(take.steps[event], Outcome())
    waits = arrive(core)
    assert isinstance(waits, Wait)
    assert core.needs(waits)
    core.give_up(waits)
    assert arrive(core) == End(closed=False)
    assert core.report.missing == 1


def test_what_ends_after_the_close_leaves_it_closed() -> None:
    take = connected()
    call = send(take, "hello")
    close = take.add(Kind.CLOSE, task=LISTENERS_TASK)
    take.add(Kind.CLOSED, task=LISTENERS_TASK, of=close)
    take.add(Kind.SENT_DONE, task=APPLICATION, of=call)
    core = begun(take)
    sent(core, "hello")
    assert core.call(Kind.CLOSE) is not None
    assert [isinstance(arrive(core), Complete) for _ in range(2)] == [True, True]
    assert arrive(core) == End(closed=True)


@pytest.mark.parametrize("late", [True, False])
def test_a_listeners_stimulus_that_comes_late_is_not_unsent(late: bool) -> None:
    take = connected()
    event = take.add(Kind.RECEIVED)
    take.add(Kind.HANDLED, of=event)
    call = take.add(Kind.SENT, task=LISTENERS_TASK, cause=event, type="send_audio", key="audio")
    take.add(Kind.SENT_DONE, task=LISTENERS_TASK, of=call)
    core = begun(take)
    given(core, event)
    core.handled(take.steps[event], Outcome())
    assert arrive(core) == End(closed=False)
    if late:
        assert core.call(Kind.SENT, "send_audio", "audio", event) is not None
        assert core.report.late == [call]
    assert (core.report.unsent, core.report.missing) == (int(not late), 0)


def test_listeners_are_cancelled_in_the_round_in_which_they_were() -> None:
    now = Place(0, 0, 0)
    take = connected()
    event = take.add(Kind.RECEIVED)
    take.tick += 3
    take.add(Kind.HANDLED, of=event, outcome=CANCELLED)
    core = begun(take, lambda: now)
    given(core, event)
    act = core.next()
    assert isinstance(act, Approach)
    assert act.until.rounds == 3
    now = Place(0, 0, 3)
    core.arrived(act)
    assert core.next() == CancelHandler(take.steps[event])


def test_a_call_that_was_cancelled_is_awaited_in_its_round() -> None:
    """Whoever made it cancels it; nobody else can."""
    now = Place(0, 0, 0)
    take = connected()
    call = send(take, "hello")
    take.tick += 4
    take.add(Kind.SENT_DONE, task=APPLICATION, of=call, outcome=CANCELLED)
    core = begun(take, lambda: now)
    live = sent(core, "hello")
    act = core.next()
    assert isinstance(act, Approach)
    assert (act.until.rounds, act.patient) == (4, True)
    now = Place(0, 0, 4)
    core.arrived(act)
    core.cancelled(live)
    assert core.next() == End(closed=False)
    assert core.calls.live == []


def test_a_listener_that_has_returned_is_not_cancelled() -> None:
    """Though another one of its task is, and the entry that says so is ahead."""
    take = connected()
    first, second = take.add(Kind.RECEIVED), take.add(Kind.RECEIVED)
    take.tick += 1
    take.add(Kind.HANDLED, of=second, outcome=CANCELLED)
    take.add(Kind.HANDLED, of=first)
    core = begun(take)
    given(core, first)
    given(core, second)
    core.handled(take.steps[first], Outcome())
    assert arrive(core) == CancelHandler(take.steps[second])
    assert [take.steps[seq].cancelling for seq in (first, second)] == [False, True]


def test_a_listener_may_still_make_its_own_sends_and_not_those_of_another_task() -> None:
    """A task that it had begun when recorded may have been begun and have ended before."""
    take = connected()
    event = take.add(Kind.RECEIVED)
    call = take.add(Kind.SENT, task=LISTENERS_TASK, cause=event, type="send_audio", key="audio")
    take.add(Kind.SENT_DONE, task=LISTENERS_TASK, of=call)
    take.add(Kind.HANDLED, of=event)
    core = begun(take)
    given(core, event)
    waits = arrive(core)
    assert waits == Wait("handler", take.steps[event]), "the sound is not awaited"
    assert core.report.unsent == 1


def test_what_is_taken_for_a_recorded_call_returns_in_its_place() -> None:
    """Though its content is another one: only where nothing else goes on it returns before."""
    now = Place(0, 0, 0)
    take = connected()
    call = send(take, "hello")
    take.tick += 3
    take.add(Kind.SENT_DONE, task=APPLICATION, of=call)
    core = begun(take, lambda: now)
    live = core.take(core.expected[0])
    assert (core.report.differing, core.report.matched, core.report.early) == (1, 1, [])
    act = core.next()
    assert isinstance(act, Approach)
    assert act.until.rounds == 3
    now = Place(0, 0, 3)
    core.arrived(act)
    act = core.next()
    assert isinstance(act, Complete)
    assert act.call is live
