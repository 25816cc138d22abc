"""What a policy takes: what it names, and never what is protected; the rest of a store stays as it was."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realtape.schema import SessionRecord, Status, UsageError
from realtape.schema.log import (
    fetch_sessions,
    locate,
    open_blocking,
    open_for_changes,
    pin,
    remove_sessions,
    shares,
    used_bytes,
)
from realtape.session import EVERY, Retention, SessionFilter, chains, kin, verified_batches
from support.stores import add, entry, fill, header, sql

NOW = 1_732_000_000_000_000_000
HOUR_NS = 3_600 * 10**9

Drafted = list[tuple[SessionRecord, bool]]


@st.composite
def stores(draw: st.DrawFn) -> Drafted:
    """Sessions of any age, some of one model, some pinned."""
    found: Drafted = []
    for key in range(1, draw(st.integers(1, 8)) + 1):
        ids = [one.header.id for one, _ in found]
        previous = draw(st.sampled_from([None, None, *ids]))
        facts = header(previous, caller=draw(st.sampled_from(["four", "nine"])))
        facts = dataclasses.replace(facts, started_ns=NOW - draw(st.integers(0, 9)) * HOUR_NS)
        status = draw(st.sampled_from(Status))
        record = SessionRecord(key, facts, status, b"", b"", draw(st.integers(1, 30)))
        found.append((record, draw(st.integers(0, 4)) == 0))
    return found


POLICIES: dict[str, st.SearchStrategy[Any]] = {
    "older_than_s": st.none() | st.integers(0, 9).map(lambda hours: hours * 3_600.0),
    "keep_last": st.none() | st.integers(0, 5),
    "max_bytes": st.none() | st.integers(0, 100),
    "about": st.builds(
        SessionFilter,
        labels=st.sampled_from([{}, {"caller": "four"}]),
        statuses=st.frozensets(st.sampled_from([Status.CLOSED, Status.FAILED])),
    ),
    "chains": st.booleans(),
}


@st.composite
def policies(draw: st.DrawFn) -> Retention:
    facts = draw(st.fixed_dictionaries(POLICIES))
    limits = ("older_than_s", "keep_last", "max_bytes")
    if facts["about"] == EVERY and all(facts[name] is None for name in limits):
        facts["keep_last"] = 2
    return Retention(**facts)


@given(stores(), policies())
def test_it_takes_what_it_names_and_nothing_else(store: Drafted, policy: Retention) -> None:
    sessions = [record for record, _ in store]
    pins = {record.key for record, pinned in store if pinned}
    sizes = {record.key: record.entries for record in sessions}
    going = policy.chosen(sessions, now_ns=NOW, pinned=pins, sizes=sizes)
    gone = [one.key for each in going for one in each.sessions]
    assert len(gone) == len(set(gone))
    about = [
        record
        for record in sessions
        if policy.about.labels.items() <= record.header.labels.items()
        and (not policy.about.statuses or record.status in policy.about.statuses)
    ]
    newest = sorted(about, key=lambda one: (one.header.started_ns, one.key), reverse=True)
    kept = {one.key for one in newest[: policy.keep_last or 0]} | pins
    kept |= {one.key for one in sessions if one.status is Status.RECORDING}
    assert not kept & set(gone)
    assert set(gone) <= {one.key for one in about}
    groups = chains(sessions) if policy.chains else [(one,) for one in sessions]
    assert all(each.sessions in groups for each in going)
    free = [group for group in groups if all(one in about and one.key not in kept for one in group)]
    left = [group for group in free if group[0].key not in gone]
    if policy.older_than_s is not None:
        assert not [
            group
            for group in left
            if all(NOW - one.header.started_ns > policy.older_than_s * 1e9 for one in group)
        ]
    if policy.max_bytes is not None:
        rest = sum(one.entries for one in about if one.key not in gone)
        assert rest <= policy.max_bytes or not left
    elif policy.older_than_s is None:
        assert not left


@settings(max_examples=8)
@given(stores(), policies())
def test_what_is_left_is_what_the_policy_keeps_and_verifies(store: Drafted, policy: Retention) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        fill(path, 0)
        keys: dict[int, int] = {}
        with open_for_changes(locate(path)) as engine:
            with engine.begin() as connection:
                for record, pinned in store:
                    rows = list(map(entry, range(record.entries)))
                    key = keys[record.key] = add(connection, record.header, rows, record.status)
                    if pinned:
                        pin(connection, [key])
            with engine.connect() as connection:
                sessions = fetch_sessions(connection)
                sizes = shares(connection)
                assert 0 <= used_bytes(connection) - sum(sizes.values()) <= len(sizes)
            pins = {keys[record.key] for record, pinned in store if pinned}
            going = policy.chosen(sessions, now_ns=NOW, pinned=pins, sizes=sizes)
            for each in going:
                assert remove_sessions(engine, [one.key for one in each.sessions], each.reason)
        gone = {one.header.id for each in going for one in each.sessions}
        with open_blocking(locate(path)) as connection:
            left = fetch_sessions(connection)
            assert {one.header.id for one in left} == {one.header.id for one in sessions} - gone
            for one in left:
                assert sum(map(len, verified_batches(connection, one))) == one.entries
        assert {row[0] for row in sql(path, "SELECT id FROM prunings")} == gone


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"keep_last": -1},
        {"older_than_s": -1.0},
        {"about": SessionFilter(statuses=frozenset({Status.RECORDING}))},
    ],
)
def test_what_makes_no_sense_is_refused(facts: Any) -> None:
    with pytest.raises(UsageError):
        Retention(**facts)


def test_chains_and_what_was_derived_of_them() -> None:
    def record(key: int, previous: str | None = None, source: str = "recorder") -> SessionRecord:
        facts = dataclasses.replace(header(previous), source=source)
        return SessionRecord(key, facts, Status.CLOSED, b"", b"", 1)

    first, other = record(1), record(2)
    second = record(3, first.header.id)
    cut = record(4, source=f"trimmed to 3–9, of {second.header.id}, whose last digest is {'0' * 64}")
    lost = [record(key, "01a2029e-a593-7b1f-be30-ce7d8d438220") for key in (5, 6)]  # of one that was pruned
    sessions = [first, other, second, cut, *lost]
    assert chains(sessions) == [(first, second), (other,), (cut,), tuple(lost)]
    assert kin(sessions) == [(first, second, cut), (other,), tuple(lost)]
