"""An entry that the database refuses becomes a gap at its place; what stands around it survives."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.schema.codec import Codec
from realtape.schema.codec.codec import Encoded
from realtape.schema.entries import Kind
from support.stored import begin, flushed, intact, mark, not_flushed, numbers, only, until

pytestmark = pytest.mark.real_time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def refuse(path: Path, condition: str, table: str = "entries") -> None:
    """Let the database refuse rows from now on."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            f"CREATE TRIGGER refusing BEFORE INSERT ON {table} WHEN {condition} "
            "BEGIN SELECT RAISE(ABORT, 'refused: sk-private'); END"
        )
        connection.commit()


def accept(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER refusing")
        connection.commit()


async def test_only_the_refused_entry_becomes_a_gap(path: Path, caplog: pytest.LogCaptureFixture):
    async with Recorder(path) as recorder:
        logs = [begin(recorder, str(number)) for number in range(3)]
        for log in logs:
            mark(log, -1)
        await recorder.flush()
        refuse(path, "NEW.payload LIKE '%poison%'")
        for number in range(150):
            for log in logs:
                text = "poison" if log is logs[1] and number in (0, 77, 149) else "wholesome"
                log.append(Kind.MARKER, {"number": number, "text": text, "bytes": text.encode() * 9})
        await recorder.flush()
    for stored in await intact(path):
        gaps = stored.of_kind(Kind.GAP)
        if stored.label == "1":
            assert [gap.seq for gap in gaps] == [1, 78, 150]
            assert [value["kinds"] for value in stored.payloads(Kind.GAP)] == [{"marker": 1}] * 3
            assert "IntegrityError" in stored.payloads(Kind.GAP)[0]["reason"]
            assert len(stored.entries) == 151
        else:
            assert numbers(stored) == list(range(-1, 150))
    told = re.findall(r"refused (\d+) entries", caplog.text)  # they may fall into several commits
    assert sum(map(int, told)) == 3
    assert "sk-private" not in caplog.text


async def test_an_entry_that_cannot_be_bound(path: Path):
    class Faulty(Codec):
        def encode_snapshot(self, snapshot: Any, put: Any, secrets: Any = None) -> Encoded:
            encoded = super().encode_snapshot(snapshot, put, secrets)
            return Encoded('"\ud800"', False, False) if "faulty" in encoded.payload else encoded

    recorder = Recorder(path)
    recorder.codec = Faulty(recorder.codec.vocabulary)
    log = begin(recorder)
    mark(log, 0)
    log.append(Kind.MARKER, "faulty")
    mark(log, 2)
    await recorder.close()
    stored = await only(path)
    assert [entry.kind for entry in stored.entries] == ["marker", "gap", "marker"]
    assert numbers(stored) == [0, 2]


async def test_no_time_is_too_late_for_a_column(path: Path):
    times = iter([0, 1, 1 << 80, 1 << 90])
    async with Recorder(path, clock=lambda: next(times)) as recorder:
        mark(begin(recorder), 0, 1, 2)
    assert numbers(await only(path)) == [0, 1, 2]


@pytest.mark.parametrize("table", ["entries", "segments", "sessions"])
async def test_where_nothing_is_accepted_it_is_not_the_entries(
    path: Path, table: str, caplog: pytest.LogCaptureFixture
):
    """They are kept, and written once the database has come to its senses."""
    async with Recorder(path) as recorder:
        mark(begin(recorder, "first"), 0)
        await recorder.flush()
        refuse(path, "true", table)
        log = begin(recorder, "second")
        log.append(Kind.MARKER, {"number": 1, "bytes": b"bytes" * 9})
        await until(lambda: bool(caplog.records))
        assert "tried again" in str(await not_flushed(recorder))
        assert len(caplog.records) == 1
        accept(path)
        await flushed(recorder)
    assert {stored.label: numbers(stored) for stored in await intact(path)} == {"first": [0], "second": [1]}


@pytest.mark.parametrize("before", [0, 1])
async def test_a_commit_whose_answer_was_lost_is_not_made_twice(
    path: Path, monkeypatch: pytest.MonkeyPatch, before: int
):
    """A server may die after it has committed, and before it has said so."""
    armed = False

    class Forgetful(sqlite3.Connection):
        def commit(self) -> None:
            nonlocal armed
            super().commit()
            if armed:
                armed = False
                raise sqlite3.OperationalError("server closed the connection unexpectedly")

    connect = sqlite3.connect

    def forgetful(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        return connect(*args, **{"factory": Forgetful, **kwargs})  # who only reads has one of his own

    monkeypatch.setattr(sqlite3, "connect", forgetful)
    async with Recorder(path) as recorder:
        mark(begin(recorder, "other"), 0)
        await recorder.flush()
        log = begin(recorder, "this")
        if before:
            mark(log, 0)
            await recorder.flush()
        armed = True
        log.append(Kind.MARKER, {"number": before, "bytes": b"bytes" * 9})
        await recorder.flush()
        assert not armed
        mark(log, before + 1)
    found = {stored.label: numbers(stored) for stored in await intact(path)}
    assert found == {"other": [0], "this": list(range(before + 2))}
