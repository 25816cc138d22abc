"""Which entry something happened because of: contexts inherit frames, and events carry theirs along."""

from __future__ import annotations

import contextlib

from realtape.recorder import causes
from realtape.recorder.causes import EVENTS_REMEMBERED, MAX_NESTED_SESSIONS, EventCauses, Frame


class Event:
    pass


def test_what_was_remembered_last_is_forgotten_last():
    """Python gives new objects the ids of dead ones: those must not inherit their age."""
    known = EventCauses()
    early, others = Event(), [Event() for _ in range(EVENTS_REMEMBERED - 1)]
    known.remember(early, Frame(1, 1))
    for event in others:
        known.remember(event, Frame(1, 2))
    known.remember(early, Frame(1, 3))
    assert known.of(others[0]) == Frame(1, 2)
    known.remember(Event(), Frame(1, 4))
    assert known.of(early) == Frame(1, 3)
    assert known.of(others[0]) is None  # it had become the oldest
    assert known.of(others[1]) == Frame(1, 2)


def test_an_event_is_itself_and_not_whoever_has_its_id():
    known = EventCauses()
    event = Event()
    known.remember(event, Frame(1, 1))
    assert known.of(event) == Frame(1, 1)
    del event
    assert [known.of(Event()) for _ in range(10)] == [None] * 10  # each of them at the place of the first


def test_a_frame_is_seen_by_its_own_session():
    with causes.extent(1, 5), causes.extent(2, 7):
        assert causes.current(1) == Frame(1, 5)
        assert causes.current(2) == Frame(2, 7, outer=Frame(1, 5))
        assert causes.current(3) is None
    assert causes.current(1) is None


def test_a_newer_frame_of_a_session_takes_the_older_ones_place():
    with causes.extent(1, 5), causes.extent(2, 7), causes.extent(1, 8):
        assert causes.here() == Frame(1, 8, outer=Frame(2, 7))


def test_frames_of_sessions_long_gone_are_let_go():
    with contextlib.ExitStack() as stack:
        for session in range(MAX_NESTED_SESSIONS):
            stack.enter_context(causes.extent(session, 0))
        assert causes.current(0) is not None
        stack.enter_context(causes.extent(MAX_NESTED_SESSIONS, 0))
        assert causes.current(0) is None
        assert causes.current(1) is not None


def test_what_a_connection_begins_has_no_cause_and_knows_where_it_is():
    inside = object()
    with causes.extent(1, 5), causes.extent(2, 7, 3, inside), causes.none():
        assert causes.current(1) is None
        assert causes.current(2) == Frame(2, None, 3, inside)
        assert causes.log_inside(3) is inside
        assert causes.log_inside(4) is None


def test_the_innermost_frame_of_a_model_says_whether_we_are_in_it():
    """A model that connects again inside its own former connection; then its listener is called."""
    first, second = object(), object()
    with causes.extent(1, None, 3, first), causes.extent(2, None, 3, second):
        assert causes.log_inside(3) is second
        with causes.extent(2, 9, 3):
            assert causes.log_inside(3) is None


def test_what_is_carried_along_is_the_applications():
    with causes.extent(1, 5), causes.extent(2, 7, 3, object()):
        carried = causes.here()
    assert carried == Frame(2, 7, 3, outer=Frame(1, 5))
    with causes.within(carried):
        assert causes.current(1) == Frame(1, 5)
        assert causes.log_inside(3) is None
