"""The entries in memory, from the cursor on: what is passed, what was performed, what follows."""

from __future__ import annotations

from typing import Any

import pytest
from realtape.replay.core.window import FOLLOWERS, GAP_GRACE, LOOK_AHEAD, PASSED, Window
from realtape.replay.terms.runs import Run
from realtape.replay.terms.steps import Outcome, Step
from realtape.schema import Entry, Kind
from realtape.session.places import Numbering, Place

LOOP, OTHER = 0, 1
HERE = Place(0, 0, 0)


def step(seq: int, kind: Kind = Kind.RECEIVED, place: Place = HERE, **more: Any) -> Step:
    """An entry at a place; its instant is ten times its number."""
    outcome = Outcome(how=more.pop("how", "returned"))
    entry = Entry(seq, seq * 10, 0, more.pop("task", LOOP), kind, more.pop("type", None), None, **more)
    one = Step(entry, outcome=outcome)
    one.place = place
    return one


def run(first: int, count: int) -> Run:
    """So many events one after another, in one round."""
    rows = [tuple(step(seq, type="audio").entry) for seq in range(first, first + count)]
    return Run(rows, list(range(count)), [0], Numbering())


def window(*steps: Step | Run) -> Window:
    made = Window()
    for one in steps:
        made.append(one)
    return made


def test_the_cursor_is_at_the_first_that_is_not_passed() -> None:
    made = window()
    assert (made.cursor, made.head, made.second, made.passed_ns) == (0, None, None, 0)
    first, rest = step(0), run(1, 5)
    made = window(first, rest)
    assert (made.cursor, made.head, made.second, made.next_seq) == (0, first, rest, 6)
    made.advance()
    assert (made.cursor, made.head, made.second, made.passed_ns) == (1, rest, None, 0)
    one = made.unfold()
    assert (one.seq, made.head, made.second) == (1, one, rest)
    made.advance()
    assert (made.cursor, made.passed_ns) == (2, 10)
    while made.head is not None:
        made.unfold()
        made.advance()
    assert (made.cursor, made.passed_ns) == (6, 50)


def test_a_burst_is_read_where_something_of_a_later_one_is() -> None:
    made = window(step(0), step(1))
    assert not made.reaches_beyond(0)
    made.append(step(2, place=Place(20, 1, 0)))
    assert made.reaches_beyond(0)
    assert not made.reaches_beyond(1)


def test_what_is_spare_is_what_can_be_passed_before_more_is_needed() -> None:
    made = window(step(0), run(1, 9))
    assert made.spare == 10 - LOOK_AHEAD // 2
    made.advance()
    assert made.spare == 9 - LOOK_AHEAD // 2
    assert isinstance(made.head, Run)
    made.head.last = 4
    last = made.interrupt(made.head)
    assert (last.seq, made.cursor, made.spare) == (4, 4, 6 - LOOK_AHEAD // 2)
    assert made.passed_ns == 30
    made.end(breaks_off=False)
    assert made.spare > 1 << 60
    made = window(step(0))
    made.break_off(ValueError())
    assert made.spare > 1 << 60


def test_what_was_passed_of_an_interrupted_run_is_remembered() -> None:
    long = run(0, PASSED * 3)
    made = window(long)
    long.last = PASSED * 2
    made.interrupt(long)
    assert [one.seq for one in made.around(PASSED * 2, 4)] == list(range(PASSED * 2 - 4, PASSED * 2 + 5))
    assert made.around(PASSED * 2)[0].seq == PASSED
    short = run(0, 4)
    made = window(short)
    short.last = 3
    last = made.interrupt(short)  # nothing of it is left
    assert (made.head, made.second, made.cursor) == (last, None, 3)


def test_all_that_is_in_memory_may_be_of_one_burst() -> None:
    assert not window().within_burst
    made = window(step(0, place=Place(0, 1, 0)), step(1, place=Place(0, 1, 9)))
    assert made.within_burst
    made.append(step(2, place=Place(5, 2, 0)))
    assert not made.within_burst
    for over in ("ended", "unreadable"):
        made = window(step(0), step(1))
        if over == "ended":
            made.end(breaks_off=False)
        else:
            made.break_off(ValueError())
        assert not made.within_burst


def test_a_gap_is_near_for_a_while_and_so_is_a_recording_that_breaks_off() -> None:
    made = window(step(0, Kind.GAP), *(step(seq) for seq in range(1, GAP_GRACE + 3)))
    for cursor in range(GAP_GRACE + 2):
        assert (made.cursor, made.near_gap) == (cursor, cursor <= GAP_GRACE)
        made.advance()
    for breaks_off in (True, False):
        made = window(step(0))
        made.end(breaks_off=breaks_off)
        assert made.near_gap == breaks_off


def test_what_was_performed() -> None:
    assert window().was_performed(7)
    made = window(step(0), step(1, Kind.SENT), run(2, 3), step(5), step(6))
    made.advance()
    assert [made.was_performed(seq) for seq in range(8)] == [
        True, True, False, False, False, False, False, True,
    ]  # fmt: skip
    for one in list(made.around(5, 0)):
        one.performed = True
    assert made.was_performed(5)
    assert not made.was_performed(6)
    made = window(step(0), run(1, 3), step(4, Kind.SENT))
    made.advance()
    assert [made.was_performed(seq) for seq in range(5)] == [True, False, False, False, True]


@pytest.mark.parametrize(
    ("kind", "place", "more", "followed"),
    [
        (Kind.SENT, Place(0, 0, 0), {"task": OTHER}, True),
        (Kind.CLOSE, Place(0, 0, 0), {"task": OTHER}, True),
        (Kind.RECEIVED, Place(0, 0, 0), {"task": OTHER}, False),  # not something that the application did
        (Kind.SENT, Place(0, 0, 1), {"task": OTHER}, False),  # in another round
        (Kind.SENT, Place(0, 0, 0), {"task": OTHER, "cause": 1}, False),  # because of it
        (Kind.SENT, Place(0, 0, 0), {"task": LOOP}, False),  # by its own task
    ],
)
def test_what_the_application_does_of_its_own_accord_in_the_same_round(
    kind: Kind, place: Place, more: dict[str, Any], followed: bool
) -> None:
    asked = step(1)
    made = window(step(0, Kind.SENT, task=OTHER), asked, step(2), step(3, kind, place, **more))
    assert made.is_followed(asked) is followed


def test_what_follows_is_looked_for_only_so_far() -> None:
    asked = step(0)
    between = [step(seq) for seq in range(1, FOLLOWERS)]
    far = step(FOLLOWERS, Kind.SENT, task=OTHER)
    assert not window(asked, *between, far).is_followed(asked)
    near = step(FOLLOWERS - 1, Kind.SENT, task=OTHER)
    assert window(asked, *between[:-1], near).is_followed(asked)
    far, near = step(FOLLOWERS, task=OTHER), step(FOLLOWERS - 1, task=OTHER)
    asked = step(0, task=OTHER)
    assert window(asked, *between, far).next_of(asked) is None
    assert window(asked, *between[:-1], near).next_of(asked) is near
    call = step(0, Kind.SENT)
    far, near = step(FOLLOWERS, cause=0), step(FOLLOWERS - 1, cause=0)
    assert window(call, *between, far).caused_by(call) == []
    assert window(call, *between[:-1], near).caused_by(call) == [near]


def test_the_next_event_of_a_task_is_in_the_same_burst() -> None:
    asked = step(1)
    mine, later = step(4, place=Place(0, 0, 3)), step(5)
    others = (step(0), asked, step(2, task=OTHER), step(3, Kind.SENT))
    assert window(*others, mine, later).next_of(asked) is mine
    assert window(*others, step(4, place=Place(9, 1, 0))).next_of(asked) is None
    assert window(*others).next_of(asked) is None
    asked = step(1, place=Place(9, 1, 0))
    assert window(step(0), asked, step(2, place=Place(9, 1, 0))).next_of(asked) is not None


def test_the_first_events_of_tasks_that_a_call_started() -> None:
    call = step(0, Kind.SENT)
    first, second, other = step(1, cause=0), step(2, cause=0), step(3, cause=0, task=OTHER)
    beyond = step(6, cause=0, task=7, place=Place(9, 1, 0))
    no_event, another, many = step(4, Kind.SENT, cause=0, task=8), step(5, cause=3, task=9), run(6, 3)
    assert window(call, first, second, other, no_event, another, many).caused_by(call) == [first, other]
    assert window(call, first, beyond).caused_by(call) == [first]
    made = window(call, step(1, place=Place(9, 1, 0)), step(2, cause=0, place=Place(9, 1, 0)))
    assert made.caused_by(call) == []
    made.advance()  # the cursor is in a later burst than the call
    assert [one.seq for one in made.caused_by(call)] == [2]
    assert window().caused_by(call) == []


def test_whose_listeners_were_cancelled_in_the_round_of_a_close() -> None:
    def cancelled(seq: int, task: int, place: Place = HERE) -> Step:
        return step(seq, Kind.HANDLED, place, how="cancelled", task=task)

    close = step(1, Kind.CLOSE)
    before, inner, outer = cancelled(0, 5), cancelled(2, 6), cancelled(3, 6)
    returned, no_handler = step(4, Kind.HANDLED, task=7), step(5, Kind.SENT_DONE, how="cancelled", task=8)
    late = cancelled(7, 9, Place(0, 0, 1))
    made = window(before, close, inner, outer, returned, no_handler, late)
    assert made.cancelled_in(close) == [before, outer]
    there = Place(20, 0, 0)  # of the run
    close, behind = step(1, Kind.CLOSE, there), cancelled(5, 6, there)
    assert window(close, run(2, 3), behind).cancelled_in(close) == [behind]
    close, earlier = step(1, Kind.CLOSE), cancelled(0, 5, Place(0, 0, 7))  # before it, in whatever round
    assert window(earlier, close, inner).cancelled_in(close) == [earlier, inner]


def test_the_call_on_the_tracker_that_the_cursor_has_come_to() -> None:
    def playback(seq: int, by: str = "application", *, performed: bool = False) -> Step:
        one = step(seq, Kind.PLAYBACK, type=by)
        one.performed = performed
        return one

    due, passed, done = playback(2), step(0, Kind.SENT_DONE), playback(1, performed=True)
    assert window(passed, done, due).due_playback() is due
    assert window(passed, playback(1, "model")).due_playback() is None
    assert window(step(0, Kind.SENT), due).due_playback() is None
    given = step(0)
    given.performed = True
    assert window(given, due).due_playback() is due
    assert window(step(0), due).due_playback() is None
    assert window(run(0, 3), playback(3)).due_playback() is None
    assert window().due_playback() is None


def test_what_is_around_an_entry() -> None:
    made = window(*(step(seq) for seq in range(3)), run(3, 4), step(7))
    made.advance()
    made.advance()
    assert [one.seq for one in made.around(3, 2)] == [1, 2, 3, 4, 5]
    made.head = None
    assert [one.seq for one in made.around(0, 0)] == [0]
    assert [one.seq for one in made.around(7, 1)] == [6, 7]
