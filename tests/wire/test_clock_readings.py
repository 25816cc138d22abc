"""What a model is told when it reads the clock."""

from __future__ import annotations

import pytest
from realtape.wire.flight_plan import ClockReadings, FlightPlan, Reading

SITE = "playback_state"
S = 1_000_000_000
NOON = 1_790_000_000 * S
HOUR = 3_600 * S


def readings(*clock: int) -> ClockReadings:
    """Of a recording in which the clock said this, a second apart."""
    read = [Reading(seq, seq * S, seq, SITE, ns) for seq, ns in enumerate(clock)]
    return ClockReadings(FlightPlan(readings=read, frames={seq: seq * S for seq in range(len(clock))}))


@pytest.mark.parametrize("now_ns", [NOON, 500 * S])
def test_a_recorded_reading_is_told(now_ns: int) -> None:
    for clock in ((NOON, NOON + S), (70 * S, 71 * S)):
        told = readings(*clock)
        assert [told.read(SITE, seq, seq, 0, now_ns) for seq in (0, 1)] == list(clock)
        assert told.derived == 0


def test_that_the_time_of_day_was_set_is_told_only_to_who_reads_it() -> None:
    clock = NOON, NOON + S, NOON + 2 * S - HOUR
    by_the_wall, steady = readings(*clock), readings(*clock)
    assert [by_the_wall.read(SITE, seq, seq, 0, NOON) for seq in range(3)] == list(clock)
    assert [steady.read(SITE, seq, seq, 0, 500 * S) for seq in range(3)] == [NOON, NOON + S, NOON + 2 * S]
