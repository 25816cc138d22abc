"""Where in a replay the recorded places are: instants between bursts, rounds within one."""

from __future__ import annotations

import pytest
from realtape.replay.core.schedule import Schedule
from realtape.replay.terms.acts import Until
from realtape.session.places import Place


def begun(*, paced: bool = True) -> Schedule:
    """Round 2 of the recorded burst 0, at 100 ns, was round 3 of the live burst 5, at 1,000 ns."""
    schedule = Schedule(paced=paced)
    schedule.happened(Place(100, 0, 2), Place(1000, 5, 3))
    return schedule


def test_before_anything_has_happened_the_instants_are_those_recorded() -> None:
    schedule = Schedule(paced=True)
    assert schedule.until(Place(70, 1, 0), Place(20, 0, 0)) == Until(70, 0)
    assert schedule.until(Place(70, 1, 0, timed=True), Place(20, 0, 0)) == Until(70, 0)
    assert schedule.is_here(Place(70, 1, 0), Place(70, 1, 0))


@pytest.mark.parametrize("paced", [True, False])
def test_within_a_burst_rounds_are_kept(paced: bool) -> None:
    schedule = begun(paced=paced)
    for passed, left in ((3, 2), (4, 1), (5, 0), (6, 0)):
        now = Place(1000, 5, passed)
        assert schedule.until(Place(100, 0, 4), now) == (Until(None, left) if left else None)
    # The replay's burst is over: what stood in the recorded one is due.
    assert schedule.until(Place(100, 0, 4), Place(1000, 6, 0)) is None


def test_between_bursts_time_passes_as_recorded() -> None:
    schedule = begun()
    recorded = Place(150, 1, 2)
    assert schedule.until(recorded, Place(1000, 5, 3)) == Until(1050, 2)
    assert schedule.until(recorded, Place(1080, 5, 3)) == Until(1080, 0)  # all that can run must have, first
    assert schedule.until(recorded, Place(1049, 6, 0)) == Until(1050, 2)
    assert schedule.until(recorded, Place(1050, 6, 0)) == Until(None, 2)  # at its instant, rounds again
    assert schedule.until(recorded, Place(1050, 6, 2)) is None
    assert schedule.until(recorded, Place(1050, 6, 3)) is None
    assert schedule.until(recorded, Place(1051, 6, 0)) is None  # late: at once


def test_without_a_pace_all_must_have_run_that_can_and_no_more() -> None:
    schedule = begun(paced=False)
    recorded = Place(150, 1, 2)
    assert schedule.until(recorded, Place(1000, 5, 3)) == Until(1000, 0)
    assert schedule.until(recorded, Place(1001, 6, 0)) is None
    assert schedule.until(recorded, Place(1050, 6, 0)) is None


def test_of_another_thread_only_the_instant_is_known() -> None:
    recorded = Place(150, 0, 2, timed=True)
    assert begun().until(recorded, Place(1049, 5, 3)) == Until(1050, 0)
    assert begun().until(recorded, Place(1050, 5, 3)) is None
    assert begun(paced=False).until(recorded, Place(1049, 5, 3)) is None
    schedule = begun()
    schedule.happened(Place(100, 0, 9, timed=True), Place(1000, 5, 4))  # moves nothing
    assert schedule.until(Place(100, 0, 4), Place(1000, 5, 3)) == Until(None, 2)


@pytest.mark.parametrize(("waited", "due_ns"), [(True, 1220), (False, 1100)])
def test_what_was_waited_for_and_came_late_delays_what_follows(waited: bool, due_ns: int) -> None:
    schedule = begun()
    schedule.happened(Place(150, 1, 0), Place(1170, 6, 0), waited=waited)
    assert schedule.until(Place(200, 2, 0), Place(1171, 7, 0)) == (
        Until(due_ns, 0) if due_ns > 1171 else None
    )


def test_what_was_waited_for_and_came_in_time_makes_nothing_earlier() -> None:
    schedule = begun()
    schedule.happened(Place(150, 1, 0), Place(1040, 6, 0), waited=True)
    assert schedule.until(Place(200, 2, 0), Place(1041, 7, 0)) == Until(1100, 0)


def test_what_comes_before_the_instant_of_its_burst_is_not_where_the_replay_stands() -> None:
    """Or the rounds of its burst would be counted from there, before the burst begins."""
    schedule = begun()
    schedule.happened(Place(150, 1, 4), Place(1040, 5, 6))
    assert schedule.live == Place(1000, 5, 3)
    unpaced = begun(paced=False)
    unpaced.happened(Place(150, 1, 4), Place(1040, 5, 6))
    assert unpaced.live == Place(1040, 5, 6)
    punctual = begun()
    punctual.happened(Place(150, 1, 4), Place(1050, 6, 0))
    assert punctual.live == Place(1050, 6, 0)
    within = begun()
    within.happened(Place(100, 0, 4), Place(999, 5, 4))  # of the burst that has begun: it is never too early
    within.happened(Place(100, 0, 5), Place(1000, 5, 4))
    assert within.until(Place(100, 0, 6), Place(1000, 5, 4)) == Until(None, 1)


def test_it_never_goes_back() -> None:
    schedule = begun()
    schedule.happened(Place(100, 0, 1), Place(1000, 5, 2))
    assert schedule.live == Place(1000, 5, 3)
    schedule.happened(Place(100, 0, 4), Place(1000, 5, 3))
    assert schedule.until(Place(100, 0, 5), Place(1000, 5, 3)) == Until(None, 1)


def test_here_is_the_instant_and_the_round() -> None:
    schedule = begun()
    assert schedule.is_here(Place(100, 0, 4), Place(1000, 5, 5))
    assert not schedule.is_here(Place(100, 0, 4), Place(1000, 5, 4))
    assert not schedule.is_here(Place(100, 0, 4), Place(1001, 5, 5))
    assert schedule.is_here(Place(100, 0, 4), Place(1000, 6, 4))  # another burst live: rounds as numbered
    assert not schedule.is_here(Place(100, 0, 4), Place(1000, 6, 5))
    assert schedule.is_here(Place(150, 1, 2), Place(1050, 5, 2))  # another burst recorded
    assert not schedule.is_here(Place(150, 1, 2), Place(1050, 5, 3))
    assert not begun(paced=False).is_here(Place(100, 0, 4), Place(1000, 5, 5))
