"""The bare core, driven by hypothesis: what holds for every recording and every application."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.replay.core.machine import ReplayCore
from realtape.replay.terms.acts import Approach, Complete, Deliver, End, Until, Wait
from realtape.replay.terms.steps import Outcome, Step
from realtape.schema import Kind
from realtape.session.places import Place
from support.course import APPLICATION, READ_LOOP, Application, Script, Take, core_of, faithful, takes


def play(take: Take, script: Script, data: st.DataObject) -> Application:
    """Replay with an application whose every next step hypothesis chooses."""
    application = Application(core_of(take), script)

    def choose(count: int) -> int:
        return data.draw(st.integers(0, count - 1))

    application.pending += list(application.core.calls.live)
    application.run(choose)
    return application


def returns(core: ReplayCore, act: Deliver) -> None:
    """The listeners return from an event."""
    assert isinstance(act.step, Step)
    core.handled(act.step, Outcome())


def received(take: Take) -> list[int]:
    return [step.seq for step in take.steps if step.kind == Kind.RECEIVED]


@given(takes(), st.data())
def test_the_same_application_gets_every_event_once(take: Take, data: st.DataObject) -> None:
    application = play(take, faithful(take), data)
    assert application.ended
    assert sorted(application.delivered) == received(take)
    assert not application.unmatched
    assert not application.pending
    assert not application.core.report.divergences


@given(takes(), st.data())
def test_the_read_loop_keeps_its_order(take: Take, data: st.DataObject) -> None:
    application = play(take, faithful(take), data)
    plain = [seq for seq in application.delivered if application.inside[seq] is None]
    assert plain == sorted(plain)


@given(takes(), st.data())
def test_an_event_is_given_inside_its_own_call_or_in_its_place(take: Take, data: st.DataObject) -> None:
    application = play(take, faithful(take), data)
    for seq, call in application.inside.items():
        if call is not None:
            assert take.steps[seq].entry.cause == call.seq


@given(takes(), st.data())
def test_an_event_waits_for_the_reactions_before_it(take: Take, data: st.DataObject) -> None:
    application = play(take, faithful(take), data)
    reactions = {step.seq for step in take.steps if step.kind == Kind.SENT and step.entry.cause is not None}
    for seq, call in application.inside.items():
        if call is None:
            assert {one for one in reactions if one < seq} <= application.made_before[seq]


@given(takes(), st.data())
def test_sends_may_move_between_listener_and_task(take: Take, data: st.DataObject) -> None:
    """Awaiting a send inside a listener that was made in a task must not deadlock; nor the reverse."""
    script = faithful(take)
    moved = Script({}, {}, script.stimuli, script.closes_after)
    for cause, keys in [*script.inside.items(), *script.in_tasks.items()]:
        home = data.draw(st.sampled_from([moved.inside, moved.in_tasks]))
        home.setdefault(cause, []).extend(keys)
    application = play(take, moved, data)
    assert application.ended, f"stuck on {application.stuck}"
    assert sorted(application.delivered) == received(take)
    assert not application.unmatched


@given(takes(), st.data())
def test_stimuli_need_not_come(take: Take, data: st.DataObject) -> None:
    """Offline nobody speaks: what happened inside is delivered all the same, in its place."""
    application = play(take, replace(faithful(take), stimuli=[]), data)
    assert application.ended
    assert sorted(application.delivered) == received(take)


@given(takes(), st.data())
def test_a_missing_reaction_is_known(take: Take, data: st.DataObject) -> None:
    """It is stuck on exactly the first reaction that does not come, never hangs, never goes on."""
    reactions = [step for step in take.steps if step.kind == Kind.SENT and step.entry.cause is not None]
    if not reactions or len({step.key for step in reactions}) < len(reactions):
        return
    lost = data.draw(st.sampled_from(reactions))
    script = faithful(take)
    for keys in [*script.inside.values(), *script.in_tasks.values()]:
        if lost.key in keys:
            keys.remove(lost.key)
    script.stimuli = [key for key in script.stimuli if key != lost.key]
    application = play(take, script, data)
    assert application.stuck is not None
    assert application.stuck.step.seq <= lost.seq
    later = [seq for seq in application.delivered if seq > lost.seq and application.inside[seq] is None]
    assert not later


@given(takes(), st.data())
def test_giving_up_plays_to_the_end(take: Take, data: st.DataObject) -> None:
    """An application that does nothing at all still gets every event, once the core gives up."""
    application = Application(core_of(take), Script({}, {}, [], None))
    application.pending += list(application.core.calls.live)
    for _ in range(len(take.steps) + 1):
        application.run(lambda count: 0)
        if application.ended:
            break
        assert application.stuck is not None
        application.core.give_up(application.stuck)
    assert application.ended
    assert sorted(application.delivered) == received(take)


def test_a_send_unlike_any_recorded_matches_none() -> None:
    take = Take()
    connect = take.add(Kind.CONNECT)
    take.add(Kind.CONNECTED, of=connect)
    core = core_of(take)
    assert core.call(Kind.SENT, "send_user_input", "new") is None


@pytest.mark.parametrize(
    ("apart", "until"), [(0, None), (1, Until(None, 1)), (15, Until(None, 15)), (16, Until(0, 0))]
)
def test_rounds_of_the_loop_are_kept(apart: int, until: Until | None) -> None:
    """Events of one tick go back to back; a few rounds are passed one by one; more means: settled."""
    take = Take()
    connect = take.add(Kind.CONNECT)
    take.add(Kind.CONNECTED, of=connect)
    take.add(Kind.RECEIVED, task=READ_LOOP)
    take.tick += apart
    take.add(Kind.RECEIVED, task=READ_LOOP)
    core = core_of(take)
    assert isinstance(core.next(), Complete)
    first = core.next()
    assert isinstance(first, Deliver)
    returns(core, first)
    act = core.next()
    if until is not None:
        assert isinstance(act, Approach)
        assert act.until == until
        core.arrived(act)
        act = core.next()
    assert isinstance(act, Deliver)


def test_a_stimulus_is_awaited_in_its_round() -> None:
    """If it comes then it is at its place; if not, the rounds go on from there."""
    now = Place(0, 0, 0)
    take = Take()
    connect = take.add(Kind.CONNECT)
    take.add(Kind.CONNECTED, of=connect)
    take.add(Kind.RECEIVED, task=READ_LOOP)
    take.tick += 3
    sent = take.add(Kind.SENT, task=APPLICATION, type="send_user_input", key="hello")
    take.add(Kind.SENT_DONE, task=APPLICATION, of=sent)
    take.tick += 2
    take.add(Kind.RECEIVED, task=READ_LOOP)
    core = core_of(take, now=lambda: now)
    assert isinstance(core.next(), Complete)
    first = core.next()
    assert isinstance(first, Deliver)
    returns(core, first)
    act = core.next()
    assert isinstance(act, Approach)
    assert (act.until.rounds, act.patient) == (3, True)
    now = Place(0, 0, 3)
    core.arrived(act)
    second = core.next()
    assert isinstance(second, Approach)
    assert (second.until.rounds, second.patient) == (2, False)
    assert len(core.report.unchecked) == 1


@pytest.mark.parametrize("comes", [True, False])
def test_a_stimulus_that_a_listener_made_is_awaited_while_that_is_at_work(comes: bool) -> None:
    """Though its round has passed: who handles an event a little slower than it was still gets to it."""
    take = Take()
    connect = take.add(Kind.CONNECT)
    take.add(Kind.CONNECTED, of=connect)
    event = take.add(Kind.RECEIVED, task=READ_LOOP)
    sent = take.add(Kind.SENT, task=READ_LOOP, cause=event, type="send_audio", key="audio")
    take.add(Kind.SENT_DONE, task=READ_LOOP, of=sent)
    take.add(Kind.HANDLED, task=READ_LOOP, of=event)
    core = core_of(take)
    assert isinstance(core.next(), Complete)
    given = core.next()
    assert isinstance(given, Deliver)
    waits = core.next()
    assert isinstance(waits, Wait)
    assert waits == Wait("call", take.steps[sent])
    assert not core.needs(waits)
    if comes:
        assert core.call(Kind.SENT, "send_audio", "audio", event) is not None
        assert isinstance(core.next(), Complete)
    returns(core, given)
    act = core.next()  # nothing holds it up any more
    while isinstance(act, Approach):
        core.arrived(act)
        act = core.next()
    assert isinstance(act, End)
    assert core.report.unsent == int(not comes)
    assert not core.report.missing


def test_what_happened_inside_two_answers_happens_in_the_order_of_the_log() -> None:
    """The second answer comes first now: it waits, unless nothing else can go on."""
    take = Take()
    connect = take.add(Kind.CONNECT)
    take.add(Kind.CONNECTED, of=connect)
    called = take.add(Kind.RECEIVED, task=READ_LOOP)
    for task in (2, 3):
        sent = take.add(Kind.SENT, task=task, type="send_user_input", cause=called, key=f"answer {task}")
        take.add(Kind.RECEIVED, task=task, cause=sent)
        take.add(Kind.SENT_DONE, task=task, of=sent)
    core = core_of(take)
    assert isinstance(core.next(), Complete)
    first = core.next()
    assert isinstance(first, Deliver)
    returns(core, first)
    core.call(Kind.SENT, "send_user_input", "answer 3")
    assert isinstance(core.next(), Wait)
    core.call(Kind.SENT, "send_user_input", "answer 2")
    inside: list[str] = []
    for _ in range(4):
        act = core.next()
        if isinstance(act, Deliver) and act.call is not None:
            inside.append(act.call.step.key)
            returns(core, act)
    assert inside == ["answer 2", "answer 3"]


@given(takes(), st.data())
def test_nothing_is_kept_of_what_was_played(take: Take, data: st.DataObject) -> None:
    """Or a session of a million events would grow with each."""
    application = play(take, faithful(take), data)
    assert application.ended
    core = application.core
    assert not core.calls.live
    assert not core._delivered
    assert not core.calls._due
    kept = [call.step.kind for call in core.calls._by_seq.values()]
    assert kept in ([], [Kind.CLOSE])  # one that is a stimulus is where the replay ends


def _two_inside_a_call() -> tuple[ReplayCore, Take, Deliver]:
    """The listeners are at the first of two events that a call brought, and were when the second came."""
    take = Take()
    connect = take.add(Kind.CONNECT)
    take.add(Kind.CONNECTED, of=connect)
    sent = take.add(Kind.SENT, task=2, type="send_user_input", key="hello")
    first = take.add(Kind.RECEIVED, task=2, cause=sent)
    second = take.add(Kind.RECEIVED, task=2, cause=sent)
    take.add(Kind.HANDLED, task=2, of=first)
    take.add(Kind.HANDLED, task=2, of=second)
    take.add(Kind.SENT_DONE, task=2, of=sent)
    core = core_of(take)
    assert isinstance(core.next(), Complete)
    assert core.call(Kind.SENT, "send_user_input", "hello") is not None
    act = core.next()
    assert isinstance(act, Deliver)
    assert act.step is take.steps[first]
    return core, take, act


def test_an_event_inside_a_call_waits_for_the_one_before_it() -> None:
    """The task of the call gives both: it cannot, as long as the listeners keep it."""
    core, take, first = _two_inside_a_call()
    assert core.next() == Wait("handler", take.steps[3])
    assert core.quiescent() is None, "there is nothing to let go: the call is at work"
    assert not core.report.early
    returns(core, first)
    second = core.next()
    assert isinstance(second, Deliver)
    assert (second.step, second.call) == (take.steps[4], first.call)


def test_who_is_given_up_inside_a_call_is_not_awaited_again() -> None:
    """Neither by the event after it, nor by the call's return."""
    core, take, _ = _two_inside_a_call()
    for step in take.steps[3:5]:
        wait = core.next()
        assert wait == Wait("handler", step)
        assert isinstance(wait, Wait)
        core.give_up(wait)
        if step is take.steps[3]:
            assert isinstance(core.next(), Deliver)
    act = core.next()
    assert isinstance(act, Complete)
    assert act.call.step is take.steps[2]
    assert isinstance(core.next(), End)


def test_of_equal_calls_what_is_not_due_yet_goes_last() -> None:
    """A reaction to what was not given yet stands before the stimulus in the log, and is not meant."""
    take = Take()
    connect = take.add(Kind.CONNECT)
    take.add(Kind.CONNECTED, of=connect)
    event = take.add(Kind.RECEIVED)
    sends = [take.add(Kind.SENT, task=2, type="send_user_input", key="hello", cause=event)]
    take.add(Kind.SENT_DONE, task=2, of=sends[0])
    sends.append(take.add(Kind.SENT, task=APPLICATION, type="send_user_input", key="hello"))
    take.add(Kind.SENT_DONE, task=APPLICATION, of=sends[1])
    core = core_of(take)
    assert isinstance(core.next(), Complete)
    call = core.call(Kind.SENT, "send_user_input", "hello")
    assert call is not None
    assert call.seq == sends[1]


def test_a_call_that_is_cancelled_early_brings_its_place_here() -> None:
    """In the very round in which something else happened, too: what follows keeps its distance to it."""
    now = Place(0, 0, 0)
    take = Take()
    connect = take.add(Kind.CONNECT)
    take.add(Kind.CONNECTED, of=connect)
    event = take.add(Kind.RECEIVED)
    sent = take.add(Kind.SENT, task=2, type="send_user_input", key="hello", cause=event)
    take.tick += 5
    take.add(Kind.SENT_DONE, task=2, of=sent, outcome=Outcome("cancelled"))
    take.tick += 2
    take.add(Kind.RECEIVED)
    core = core_of(take, now=lambda: now)
    assert isinstance(core.next(), Complete)
    given = core.next()
    assert isinstance(given, Deliver)
    call = core.call(Kind.SENT, "send_user_input", "hello", event)
    assert call is not None
    returns(core, given)
    assert isinstance(core.next(), Approach)
    core.cancelled(call)
    act = core.next()
    assert isinstance(act, Approach)
    assert act.until.rounds == 2
