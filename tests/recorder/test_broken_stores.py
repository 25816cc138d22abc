"""A store that cannot be written never stops the session, is never overwritten, and says what to do."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.schema.errors import (
    NewerFormatError,
    NotAStoreError,
    StoreError,
    StoreNotFoundError,
    StoreWriteError,
)
from support.stored import begin, beside, mark, numbers, only, until
from support.stores import as_nobody

pytestmark = pytest.mark.real_time

DRAIN_SECONDS = 0.2


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


# --- what lies at the path --------------------------------------------------------------------------


def missing_folder(path: Path) -> Path:
    return path / "folder" / "log.db"


def a_file_as_folder(path: Path) -> Path:
    path.write_text("not a folder")
    return path / "log.db"


def a_folder(path: Path) -> Path:
    path.mkdir()
    (path / "precious.txt").write_text("precious")
    return path


def file_of(size: int) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.write_bytes((b"precious data, and no database " * 4_000)[:size])
        return path

    return make


def another_database(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE precious (data)")
        connection.execute("INSERT INTO precious VALUES ('precious')")
        connection.commit()
    return path


def a_newer_log(path: Path) -> Path:
    recorder = Recorder(path)
    mark(begin(recorder), 1)
    asyncio.run(recorder.close())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE store SET format = 99")
        connection.commit()
    return path


@pytest.mark.parametrize(
    ("make", "cause", "told"),
    [
        (missing_folder, StoreNotFoundError, "check that its folder exists"),
        (a_file_as_folder, StoreNotFoundError, "check that its folder exists"),
        (a_folder, NotAStoreError, "name the path of an SQLite file"),
        (file_of(1), NotAStoreError, "name another file"),
        (file_of(20), NotAStoreError, "name another file"),
        (file_of(600), NotAStoreError, "name another file"),
        (file_of(100_000), NotAStoreError, "name another file"),
        (another_database, NotAStoreError, "record into one of its own"),
        (a_newer_log, NewerFormatError, "pip install --upgrade realtape"),
    ],
)
def test_what_lies_there_is_left_alone(
    path: Path,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[Path], Path],
    cause: type[StoreError],
    told: str,
):
    store = make(path)
    before = {found: found.read_bytes() for found in path.parent.rglob("*") if found.is_file()}

    async def record() -> None:
        recorder = Recorder(store, drain_seconds=DRAIN_SECONDS)
        log = begin(recorder)
        mark(log, *range(100))
        await until(lambda: "cannot write" in caplog.text)
        for call in (recorder.flush, recorder.flush, recorder.close):
            with pytest.raises(StoreWriteError, match=told) as raised:
                await call()
            assert isinstance(raised.value.__cause__, cause)
            mark(log, 100)
        await recorder.close()  # it has said what is lost

    asyncio.run(record())
    assert {found: found.read_bytes() for found in path.parent.rglob("*") if found.is_file()} == before
    (line,) = [record.getMessage() for record in caplog.records]
    assert told in line
    assert str(store) in line


async def test_waiting_is_not_in_vain_only_where_it_can_help(path: Path):
    """What is no store will be none in ten seconds, nor in a day."""
    recorder = Recorder(a_folder(path), drain_seconds=100_000)
    mark(begin(recorder), 1)
    with pytest.raises(StoreWriteError):
        await recorder.flush()
    with pytest.raises(StoreWriteError):
        await recorder.close()


async def test_what_was_missing_may_come(path: Path, caplog: pytest.LogCaptureFixture):
    store = missing_folder(path)
    async with Recorder(store) as recorder:
        log = begin(recorder)
        mark(log, 1)
        while "cannot write" not in caplog.text:
            await asyncio.sleep(0.01)
        mark(log, 2)
        store.parent.mkdir(parents=True)
        await recorder.flush()
        mark(log, 3)
    assert numbers(await only(store)) == [1, 2, 3]


async def test_an_empty_file_becomes_a_store(path: Path):
    path.touch()
    async with Recorder(path) as recorder:
        mark(begin(recorder), 1)
    assert numbers(await only(path)) == [1]


async def test_the_applications_own_exception_is_not_masked(path: Path, caplog: pytest.LogCaptureFixture):
    async def application() -> None:
        async with Recorder(a_folder(path), drain_seconds=DRAIN_SECONDS) as recorder:
            mark(begin(recorder), 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await application()
    assert "the end of the recording is lost" in caplog.text


@pytest.mark.parametrize("fail_closed", [False, True])
async def test_without_one_the_end_of_the_block_raises_where_one_must_record(
    path: Path, caplog: pytest.LogCaptureFixture, fail_closed: bool
):
    async def application() -> None:
        async with Recorder(a_folder(path), drain_seconds=DRAIN_SECONDS, fail_closed=fail_closed) as recorder:
            mark(begin(recorder), 1)

    if fail_closed:
        with pytest.raises(StoreWriteError, match="the end of the recording is lost"):
            await application()
    else:
        await application()
        assert "the end of the recording is lost" in caplog.text


async def test_a_missing_driver_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    recorder = Recorder("postgresql://localhost/nowhere")
    mark(begin(recorder), 1)
    with pytest.raises(StoreWriteError, match=r"pip install 'realtape\[postgresql\]'"):
        await recorder.flush()
    with pytest.raises(StoreWriteError):
        await recorder.close()


# --- permissions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder_mode", "file_mode"),
    [(0o555, None), (0o000, None), (0o555, 0o444), (0o755, 0o444), (0o755, 0o000)],
)
async def test_what_may_not_be_written(
    reachable: Path, caplog: pytest.LogCaptureFixture, folder_mode: int, file_mode: int | None
):
    folder = reachable / "folder"
    folder.mkdir()
    path = folder / "log.db"
    async with Recorder(reachable / "other.db") as recorder:
        mark(begin(recorder), 1)  # imports what only root may read
    if file_mode is not None:
        (reachable / "other.db").rename(path)
        path.chmod(file_mode)
    folder.chmod(folder_mode)
    try:
        with as_nobody():
            recorder = Recorder(path, drain_seconds=DRAIN_SECONDS)
            mark(begin(recorder), 2)
            await until(lambda: "cannot write" in caplog.text)
            with pytest.raises(StoreWriteError, match="permissions") as raised:
                await recorder.flush()
            assert isinstance(raised.value.__cause__, StoreNotFoundError)
            with pytest.raises(StoreWriteError):
                await recorder.close()
    finally:
        folder.chmod(0o755)
    if file_mode is not None:
        path.chmod(0o644)
        assert numbers(await only(path)) == [1]
    else:
        assert beside(path) == set()
