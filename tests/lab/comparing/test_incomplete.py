"""`compare` where something was lost: what is known to be missing is no difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from realtape.lab import compare
from realtape.schema import CorruptRecordError, Entry, Kind, Status
from realtape.session import Recording
from support.small_logs import (
    CONVERSATION,
    EVERYTHING,
    Log,
    both_ways,
    changed,
    conversation,
    renumbered,
    write,
)
from support.stores import sql


def gap(seq: int, lost: int) -> tuple[Entry, Any]:
    kinds = {"received": lost}
    value: Any = {"lost": lost, "from_ns": 1, "to_ns": 2, "kinds": kinds, "reason": "overload"}
    return Entry(seq, seq * 1000, seq, 0, Kind.GAP), value


def without(begin: int, end: int, lost: int) -> Log:
    """The conversation with a gap in place of some entries."""
    entries = conversation()
    return renumbered([*entries[:begin], gap(begin, lost), *entries[end:]], entries)


@pytest.mark.parametrize("options", [{}, {"content_only": True}, {"ignore": EVERYTHING}])
def test_what_was_lost_in_a_gap_is_no_difference(options: dict[str, Any]) -> None:
    comparison = both_ways(CONVERSATION, without(3, 6, 3), **options)
    assert (comparison.verdict, comparison.same, comparison.missing) == ("incomplete", False, 4)
    assert comparison.incomplete == ("B has gaps: the recorder lost entries at #3",)
    assert "lacking because of that, on one side: 4 entries" in str(comparison)


def test_what_is_missing_elsewhere_or_beyond_a_gap_is_a_difference() -> None:
    more = both_ways(CONVERSATION, without(3, 6, 2))
    assert (more.verdict, more.total, more.missing) == ("different", 1, 3)
    elsewhere = without(3, 6, 3)
    del elsewhere[-1]
    assert both_ways(CONVERSATION, elsewhere).counts["only_a"] == 1


def test_both_may_have_the_same_gap() -> None:
    comparison = both_ways(without(3, 6, 3), without(3, 6, 3))
    assert (comparison.verdict, comparison.same, comparison.missing) == ("incomplete", True, 0)
    other = without(3, 6, 3)
    other[3][1]["to_ns"] = 99
    assert both_ways(without(3, 6, 3), other).verdict == "different"
    assert both_ways(without(3, 6, 3), other, ignore=["times"]).same


@pytest.mark.parametrize("status", [Status.INTERRUPTED, Status.RECORDING])
def test_what_came_after_the_process_died_is_no_difference(status: Status) -> None:
    """The header's process is on another machine: that it is gone is not known there."""
    comparison = both_ways(CONVERSATION, CONVERSATION[:5], status=status)
    assert (comparison.verdict, comparison.total, comparison.missing) == ("incomplete", 0, 6)
    assert len(comparison.incomplete) == 1
    assert both_ways(CONVERSATION, CONVERSATION[:5]).counts["only_a"] == 6
    other = changed(2, {"outcome": "withheld"})[:5]
    assert both_ways(CONVERSATION, other, status=status).verdict == "different"


def test_what_one_side_does_beyond_the_other_is_one_difference() -> None:
    comparison = both_ways(CONVERSATION, CONVERSATION[:5])
    (rest,) = comparison.differences
    assert (rest.summary, rest.count, rest.seq_a) == ("the rest is in A only", 6, 5)
    assert rest.a is not None
    assert rest.a.startswith("6 entries, from #5 ")
    assert " more" not in str(comparison).splitlines()[-1]
    # Before that, and of fewer entries, each is told by itself.
    assert [one.count for one in both_ways(CONVERSATION, CONVERSATION[:9]).differences] == [1, 1]


async def test_missing_bytes_are_corruption_and_not_a_difference(tmp_path: Path) -> None:
    store = tmp_path / "log.db"
    ids = write(store, CONVERSATION), write(store, CONVERSATION)
    sql(
        store,
        "DROP TRIGGER segments_no_delete",
        "DELETE FROM segments WHERE session = (SELECT max(key) FROM sessions)",
    )
    async with await Recording.open(store, ids[0]) as one, await Recording.open(store, ids[1]) as other:
        with pytest.raises(CorruptRecordError, match="entry 4: bytes"):
            await compare(one, other)
