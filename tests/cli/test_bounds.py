"""`--from` and `--to`: entries by number, moments by time, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from realtape.cli.bounds import Bound, Bounds, parse_bound, parse_bounds
from realtape.schema import Entry, UsageError


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        (None, Bound()),
        ("120", Bound(seq=120)),
        ("#120", Bound(seq=120)),
        ("1.5s", Bound(at_ns=1_500_000_000)),
        ("1500ms", Bound(at_ns=1_500_000_000)),
        (".5s", Bound(at_ns=500_000_000)),
        ("0s", Bound(at_ns=0)),
        ("9" * 40, Bound(seq=(1 << 63) - 1)),
    ],
)
def test_a_place_is_a_number_or_a_time(text: str | None, bound: Bound) -> None:
    assert parse_bound("--from", text) == bound


@pytest.mark.parametrize("text", ["", "x", "1.5", "-3", "1m", "s", "1e3s", "nan s"])
def test_anything_else_is_misuse(text: str) -> None:
    with pytest.raises(UsageError, match=r"--to .*give an entry's number"):
        parse_bound("--to", text)


def _entry(seq: int, at_ns: int) -> Entry:
    nothing: Any = dict.fromkeys(Entry._fields)
    return Entry._make({**nothing, "seq": seq, "at_ns": at_ns}.values())


def test_both_ends_are_included() -> None:
    entry = _entry(7, 1_000_000_000)
    for bound in (Bound(seq=7), Bound(at_ns=1_000_000_000), Bound()):
        assert not bound.is_after(entry)
        assert not bound.is_before(entry)
    assert Bound(seq=8).is_after(entry)
    assert Bound(at_ns=999_999_999).is_before(entry)


def test_of_several_sessions_a_bound_may_say_which() -> None:
    stretch = parse_bounds("2/7", "3/1s", of_chain=True)
    entry = _entry(7, 1_000_000_000)
    assert [nth for nth in (1, 2, 3, 4) if stretch.holds(entry, nth)] == [2, 3]
    assert [nth for nth in (1, 2, 3, 4) if stretch.is_open(nth)] == [2]
    assert [nth for nth in (1, 2, 3) if stretch.holds(_entry(0, 0), nth)] == [3]
    assert [nth for nth in (1, 2) if Bounds().is_open(nth)] == [1, 2]
    with pytest.raises(UsageError, match="leave out `2/`"):
        parse_bound("seek", "2/7")
    with pytest.raises(UsageError, match="counted from 1"):
        parse_bounds("0/7", None, of_chain=True)
