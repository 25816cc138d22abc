"""`--from` and `--to`: entries by number, moments by time, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from realtape.cli.bounds import Bound, parse_bound
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


def test_both_ends_are_included() -> None:
    nothing: Any = dict.fromkeys(Entry._fields)
    entry = Entry._make({**nothing, "seq": 7, "at_ns": 1_000_000_000}.values())
    for bound in (Bound(seq=7), Bound(at_ns=1_000_000_000), Bound()):
        assert not bound.is_after(entry)
        assert not bound.is_before(entry)
    assert Bound(seq=8).is_after(entry)
    assert Bound(at_ns=999_999_999).is_before(entry)
