"""A store read back, and what must hold of every log, whatever was recorded into it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from realtape.recorder import Recorder
from realtape.recorder.session_log import Backlog, SessionLog
from realtape.recorder.store import Store
from realtape.recorder.writer import Pace, Writer
from realtape.schema.codec import references
from realtape.schema.entries import Entry, Kind, SessionRecord, Status
from realtape.schema.errors import StoreWriteError
from realtape.schema.log import (
    StoreLocation,
    entry_batches,
    entry_digest,
    fetch_segment,
    fetch_sessions,
    header_digest,
    locate,
    open_for_reading,
    read_each,
)
from realtape.schema.log import read as ask

_REFERENCE = re.compile(r'"at":\[(\d+),(\d+),(\d+)\]')


@dataclass
class Stored:
    """One session, read back.

    Attributes:
        record: as the store lists it.
        entries: in order.
        segments: bytes by number, of those that the entries refer to.
    """

    record: SessionRecord
    entries: list[Entry]
    segments: dict[int, bytes]

    @property
    def status(self) -> Status:
        return self.record.status

    @property
    def label(self) -> str:
        """The label `name`."""
        return self.record.header.labels["name"]

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        data = self.segments[segment][offset : offset + length]
        assert len(data) == length, f"segment {segment} is torn"
        return data

    def rows(self) -> list[tuple[Any, ...]]:
        """Every column of the entries but the digest; bytes by what they are, not by where they lie."""
        return [(*entry[:-3], self.content(entry.payload), *entry[-2:-1]) for entry in self.entries]

    def content(self, payload: str) -> str:
        """A payload, with the bytes that it refers to as a digest of them."""

        def data(found: re.Match[str]) -> str:
            return hashlib.sha256(self.bytes_at(*map(int, found.groups()))).hexdigest()

        return _REFERENCE.sub(data, payload)

    def payloads(self, kind: Kind = Kind.MARKER) -> list[Any]:
        return [json.loads(entry.payload) for entry in self.entries if entry.kind == kind]

    def of_kind(self, kind: Kind) -> list[Entry]:
        return [entry for entry in self.entries if entry.kind == kind]


async def read(store: StoreLocation) -> list[Stored]:
    """All sessions of a store, oldest first."""
    async with open_for_reading(locate(store)) as connection:
        found: list[Stored] = []
        for record in await ask(connection, fetch_sessions):
            batches = [batch async for batch in read_each(connection, entry_batches, record.key)]
            entries = [entry for batch in batches for entry in batch]
            numbers = {place[0] for entry in entries for place in references(entry.payload)}
            segments: dict[int, bytes] = {}
            for number in sorted(numbers):
                data = await ask(connection, fetch_segment, record.key, number)
                assert data is not None, f"segment {number} is missing"
                segments[number] = data
            found.append(Stored(record, entries, segments))
        return found


def check(stored: Stored) -> None:
    """What must hold of every session, also of one that was killed."""
    record, entries = stored.record, stored.entries
    assert [entry.seq for entry in entries] == list(range(len(entries)))
    assert record.entries == len(entries)
    digest = header_digest(record.header)
    assert record.first_digest == digest
    for entry in entries:
        digest = entry_digest(digest, entry, stored.bytes_at)
        assert entry.digest == digest, f"the chain breaks at entry {entry.seq}"
        json.loads(entry.payload)
        for other in (entry.cause, entry.of):
            assert other is None or 0 <= other < entry.seq
    assert record.last_digest == digest
    for before, after in pairwise(entries):
        assert before.at_ns <= after.at_ns
    ticks = [entry.tick for entry in entries if entry.tick is not None]
    assert ticks == sorted(ticks)
    tasks = list(dict.fromkeys(entry.task for entry in entries if entry.task is not None))
    assert tasks == list(range(len(tasks)))


async def intact(store: StoreLocation) -> list[Stored]:
    """All sessions of a store, each of them checked, and the database itself if it is a file."""
    address = locate(store)
    found = await read(store)
    for stored in found:
        check(stored)
    if address.path is not None:
        connection = sqlite3.connect(f"file:{address.path}?mode=ro", uri=True)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        finally:
            connection.close()
    return found


async def only(store: StoreLocation) -> Stored:
    """The only session of a store, checked."""
    (stored,) = await intact(store)
    return stored


def exact(stored: Stored, appended: int) -> int:
    """Every number is there, or in a gap that stands where it is missing; how many are missing."""
    following, lost, latest_ns = 0, 0, 0
    gaps, marks = iter(stored.payloads(Kind.GAP)), iter(stored.payloads())
    for entry in stored.entries:
        if entry.kind == Kind.GAP:
            gap = next(gaps)
            assert gap["kinds"] == {"marker": gap["lost"]}
            assert latest_ns <= gap["from_ns"] <= gap["to_ns"] <= entry.at_ns
            following += gap["lost"]
            lost += gap["lost"]
        else:
            assert next(marks)["number"] == following
            following += 1
        latest_ns = entry.at_ns
    assert following == appended
    return lost


# --- recording --------------------------------------------------------------------------------------


def paced(store: Path, pace: Pace) -> Recorder:
    """A recorder whose writer waits as a test says."""

    class Paced(Recorder):
        def _new_writer(self, backlog: Backlog) -> Writer:
            return Writer(Store(self.address), backlog, pace)

    return Paced(store)


def writer_of(recorder: Recorder) -> Writer:
    """A recorder's writer, to see what it is at."""
    return recorder._writer  # pyright: ignore[reportPrivateUsage]


async def not_flushed(recorder: Recorder, seconds: float = 0.1) -> StoreWriteError:
    """The error of a flush that cannot succeed."""
    try:
        await asyncio.to_thread(writer_of(recorder).flush, seconds)
    except StoreWriteError as error:
        return error
    raise AssertionError("it was flushed")


def begin(recorder: Recorder, name: str = "") -> SessionLog:
    """A session labelled with a name, without a model around it."""
    return recorder.begin({"name": name})


def mark(log: SessionLog, *numbers: int) -> None:
    """Append markers that hold numbers."""
    for number in numbers:
        log.append(Kind.MARKER, {"number": number})


def numbers(stored: Stored) -> list[int]:
    """The numbers that `mark` appended."""
    return [payload["number"] for payload in stored.payloads()]


@contextmanager
def at_once(log: SessionLog) -> Generator[None]:
    """What is appended in here goes into one commit: the writer, who comes when it likes, waits outside."""
    with log._lock:  # pyright: ignore[reportPrivateUsage]
        yield


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Another connection holds the database."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA busy_timeout=5000")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


async def flushed(recorder: Recorder) -> None:
    """Flush once what was in the way is gone: the writer tries again once a second at the latest."""
    for _ in range(50):
        try:
            await recorder.flush()
        except StoreWriteError:
            await asyncio.sleep(0.05)
        else:
            return
    raise AssertionError("still not written")


async def until(condition: Callable[[], bool], seconds: float = 45.0) -> None:
    """Wait for something that another thread or process does; not for ever, if it never comes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        await asyncio.sleep(0.005)


def beside(path: Path) -> set[str]:
    """The files that begin with the store's name."""
    return {found.name for found in path.parent.iterdir() if found.name.startswith(path.name)}
