"""A person's sessions are called erased when no byte of them is left in the file; until then, pending."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from realtape.schema import Entry, Header, Status
from realtape.schema.log import (
    fetch_sessions,
    locate,
    open_blocking,
    open_for_changes,
    open_for_writing,
    pin,
    settle,
    stores,
)
from realtape.session import Erasure, erase, named_for_erasure, verified_batches
from support.stores import add, another_process, entry, fill, header, sql

CALLER = "customer-of-1042"
PROMPT = "You are a friendly desk of a railway company. " * 20
SECRET = "my daughter lives in Brno, in Veveri street "


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def said(*texts: str) -> list[Entry]:
    return [entry(seq, f'{{"text":"{text}"}}') for seq, text in enumerate([PROMPT, *texts])]


def words(count: int) -> Iterator[str]:
    """What a person says, some of it longer than a page."""
    return (f"{number}: {SECRET}" * (1 + number % 7 * 40) for number in range(count))


def write(path: Path, *sessions: tuple[Header, Sequence[Entry]], status: Status = Status.CLOSED) -> list[int]:
    engine = open_for_writing(locate(path))
    with engine.begin() as connection:
        keys = [add(connection, facts, entries, status) for facts, entries in sessions]
    engine.dispose()
    settle(locate(path))
    return keys


def three(path: Path) -> tuple[Header, Header]:
    """A person's chain of two sessions, of which one has the label, and another person's session."""
    first, other = header(customer=CALLER), header(customer="another one")
    second = header(first.id)
    write(path, (first, said(*words(40))), (other, said("nothing")), (second, said(*words(9))))
    return first, second


def ask(path: Path, **labels: str) -> Erasure:
    return erase(locate(path), labels)


def raw(path: Path) -> bytes:
    return b"".join(one.read_bytes() for one in path.parent.iterdir())


def assert_erased(path: Path, ids: set[str]) -> None:
    """Nothing of them is left but their ids, and the rest is whole."""
    data = raw(path)
    for text in (CALLER, SECRET[:20], SECRET[-20:]):
        assert text.encode() not in data
    with open_blocking(locate(path)) as connection:
        left = fetch_sessions(connection)
        assert not ids & {one.header.id for one in left}
        for one in left:
            assert sum(map(len, verified_batches(connection, one))) == one.entries
    assert {row[0] for row in sql(path, "SELECT id FROM prunings WHERE reason = 'erasure'")} == ids
    receipts = sql(path, "SELECT erased_ns > 0, digests FROM receipts JOIN prunings USING (session)")
    assert receipts == [(1, None)] * len(ids)


def test_whole_chains_are_gone_to_the_last_byte(path: Path) -> None:
    first, second = three(path)
    before = raw(path)
    named = named_for_erasure(locate(path), {"customer": CALLER})
    assert [one.header.id for one in named.removed] == [first.id, second.id]
    assert raw(path) == before
    done = ask(path, customer=CALLER)
    assert (done.erased, done.pending, done.left) == (2, None, [])
    assert_erased(path, {first.id, second.id})
    assert PROMPT[:200].encode() in raw(path)  # which is not theirs alone
    assert ask(path, customer=CALLER) == Erasure([], [], [], 0, None)


def test_what_was_derived_of_them_goes_too(path: Path) -> None:
    first, second = three(path)
    source = f"trimmed to 3–9, of {second.id}, whose last digest is {'0' * 64}"
    cut = dataclasses.replace(header(), source=source)
    write(path, (cut, said(*words(3))))
    assert ask(path, customer=CALLER).erased == 3
    assert_erased(path, {first.id, second.id, cut.id})


@pytest.mark.parametrize("why", ["is being recorded", "is pinned"])
def test_never_half_a_chain(path: Path, why: str) -> None:
    first, second = three(path)
    status = Status.RECORDING if why == "is being recorded" else Status.CLOSED
    (third,) = write(path, (header(second.id), said("more")), status=status)  # an older release's, elsewhere
    if status is Status.CLOSED:
        with open_for_changes(locate(path)) as engine, engine.begin() as connection:
            pin(connection, [third])
    left = ask(path, customer=CALLER)
    assert (left.removed, left.erased, len(left.left)) == ([], 0, 3)
    assert {reason for _, reason in left.left} == {f"it, or one that belongs to it, {why}"}
    assert sql(path, "SELECT count(*) FROM sessions") == [(4,)]
    assert first.id != second.id


def test_a_reader_keeps_it_pending(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "READ_BUSY_SECONDS", 0.05)
    first, second = three(path)
    sql(path, "PRAGMA journal_mode=WAL")
    reading = "connection.execute('BEGIN')\nconnection.execute('SELECT count(*) FROM entries').fetchone()"
    with another_process(reading, path):
        held = ask(path, customer=CALLER)
        assert (len(held.removed), held.erased, held.pending) == (2, 0, "held by a reader")
        assert SECRET.encode() in raw(path)
        again = ask(path)
        assert (again.removed, again.erased, again.pending) == ([], 0, "held by a reader")
    assert sql(path, "SELECT DISTINCT erased_ns FROM receipts") == [(None,)]
    done = ask(path)
    assert (done.removed, done.erased, done.pending) == ([], 2, None)
    assert_erased(path, {first.id, second.id})


def test_copies_that_sqlite_left_behind_are_found(path: Path) -> None:
    """In a store of an older release, whose free pages nobody overwrote."""
    sql(path, "PRAGMA journal_mode=WAL")  # so it is not made by us
    first, second = three(path)
    sql(
        path,
        "PRAGMA secure_delete=OFF",
        "CREATE TABLE copies AS SELECT * FROM entries",
        "DROP TABLE copies",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    )
    size = path.stat().st_size
    assert ask(path, customer=CALLER).erased == 2
    assert path.stat().st_size < size / 2
    assert_erased(path, {first.id, second.id})


def test_what_cannot_be_overwritten_is_told(path: Path) -> None:
    """Somebody keeps a copy in a table of his own."""
    three(path)
    sql(path, "CREATE TABLE copies AS SELECT digest FROM entries WHERE seq = 3")
    pending = ask(path, customer=CALLER).pending
    assert pending == "a piece of them was found in the file after it was written anew"
    assert ask(path) == Erasure([], [], [], 0, pending)
    sql(path, "PRAGMA secure_delete=OFF", "DROP TABLE copies")
    assert ask(path).erased == 2


KILLED = """
import os, signal, sys
from realtape.schema.log import locate
from realtape.session import erase, erasing
erasing.give_back = lambda engine: os.kill(os.getpid(), signal.SIGKILL)
erase(locate(sys.argv[1]), {"customer": sys.argv[2]})
"""


@pytest.mark.real_time
def test_killed_before_it_was_proven(path: Path) -> None:
    first, second = three(path)
    assert subprocess.run([sys.executable, "-c", KILLED, str(path), CALLER]).returncode == -signal.SIGKILL
    assert sql(path, "SELECT count(*) FROM sessions") == [(1,)]
    assert sql(path, "SELECT DISTINCT erased_ns FROM receipts") == [(None,)]
    assert ask(path).erased == 2
    assert_erased(path, {first.id, second.id})


def test_nothing_of_that_name(path: Path) -> None:
    fill(path, 2)
    assert ask(path, number="7") == Erasure([], [], [], 0, None)
    assert sql(path, "SELECT count(*) FROM sessions") == [(2,)]
