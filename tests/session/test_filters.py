"""Filters: which sessions of a store are meant, by what their header says and by what happened in them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.schema import Entry, Kind, SessionRecord, Status, UsageError
from realtape.schema.log import fetch_sessions, locate, open_blocking
from realtape.session import EVERY, Recording, SessionFilter, listed, write_drafts
from realtape.wire import read_frames
from support.stores import header, sql
from support.telephone import record
from support.wire_talk import TURN

WORDS = st.text("abcAB ß\u0130", min_size=1, max_size=6)


def delta(item: str, text: str, seq: int = 0) -> Entry:
    return Entry(
        seq, 0, 0, 0, Kind.RECEIVED, "transcript_delta", payload=json.dumps({"item_id": item, "delta": text})
    )


@given(st.lists(st.tuples(st.sampled_from("xy"), WORDS), max_size=8), WORDS)
def test_a_text_is_found_wherever_it_was_cut(pieces: list[tuple[str, str]], text: str) -> None:
    """Against the slow reference: all of an item is put together first."""
    whole = {item: "".join(piece for one, piece in pieces if one == item) for item in "xy"}
    is_there = any(text.casefold() in said.casefold() for said in whole.values())
    found = SessionFilter(texts=(text,)).fits_entries([delta(*piece) for piece in pieces])
    assert found == is_there


def test_nothing_wanted_is_everything_and_reads_nothing() -> None:
    record = SessionRecord(1, header(None), Status.CLOSED, b"", b"")
    assert EVERY.fits(record)
    assert EVERY.fits_duration(None)
    assert EVERY.fits_entries(iter(()))
    assert not EVERY.reads_entries


def test_the_bounds_of_dates_and_durations() -> None:
    facts = dataclasses.replace(header(None), started_ns=100)
    began = SessionRecord(1, facts, Status.CLOSED, b"", b"")
    assert [SessionFilter(since_ns=ns).fits(began) for ns in (99, 100, 101)] == [True, True, False]
    assert [SessionFilter(until_ns=ns).fits(began) for ns in (99, 100, 101)] == [False, False, True]
    assert [SessionFilter(at_least_ns=5).fits_duration(ns) for ns in (None, 4, 5)] == [False, False, True]
    assert [SessionFilter(at_most_ns=5).fits_duration(ns) for ns in (None, 5, 6)] == [True, True, False]


@pytest.mark.parametrize(
    "facts", [{"since_ns": 2, "until_ns": 1}, {"at_least_ns": 2, "at_most_ns": 1}, {"texts": ("",)}]
)
def test_what_no_session_can_be_is_refused(facts: Any) -> None:
    with pytest.raises(UsageError):
        SessionFilter(**facts)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A call, one of frames, and one that never connected."""
    path = tmp_path_factory.mktemp("filters") / "calls.db"
    record(path, {"caller": "four"})
    lines = [{"dir": "server" if way == "<" else "client", "event": what} for way, what in TURN]
    frames = path.with_suffix(".jsonl")
    frames.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    write_drafts(locate(path), [read_frames(frames)])
    record(path, {"caller": "nine"}, url="ws://down")
    return path


def found(path: Path, **facts: Any) -> list[int]:
    """The places of the sessions that fit, in the order in which they were written."""
    with open_blocking(locate(path)) as connection:
        keys = sorted(one.key for one in fetch_sessions(connection))
        listing = listed(connection, SessionFilter(**facts))
        assert not listing.damaged
        return sorted(keys.index(one.record.key) for one in listing.sessions)


@pytest.mark.parametrize(
    ("facts", "places"),
    [
        ({}, [0, 1, 2]),
        ({"labels": {"caller": "nine"}}, [2]),
        ({"statuses": {Status.CLOSED}}, [0, 1]),
        ({"texts": ("good day",)}, [1]),
        ({"texts": ("GOOD MORNING.",)}, [0]),
        ({"texts": ("good", "platform 4")}, [0]),
        ({"texts": ("good", "never said")}, []),
        ({"texts": ("Brno",)}, [0]),
        ({"tools": ("departure",)}, [0]),
        ({"tools": ("Departure",)}, []),
        ({"interrupted": True}, [0]),
        ({"failed": True}, [0, 2]),
        ({"failed": True, "labels": {"caller": "nine"}}, [2]),
    ],
)
def test_what_happened_in_a_session(calls: Path, facts: Any, places: list[int]) -> None:
    assert found(calls, **facts) == places


async def test_a_session_is_named_behind_its_store(calls: Path) -> None:
    first, second, _ = (row[0] for row in sql(calls, "SELECT id FROM sessions ORDER BY key"))
    for name in (first, first.replace("-", ""), first[:25], "caller=four"):
        async with await Recording.open(f"{calls}#{name}") as recording:
            assert recording.header.id == first
    async with await Recording.open(calls, second.replace("-", "")) as recording:
        assert recording.header.id == second
