"""A store that is taken away while it is recorded into: nothing is written in silence into nobody's file."""

from __future__ import annotations

from pathlib import Path

import pytest
from realtape.recorder import Recorder
from realtape.schema.entries import Status
from realtape.schema.errors import StoreWriteError
from support.stored import begin, intact, mark, numbers, only


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


async def test_a_store_that_is_removed(path: Path, caplog: pytest.LogCaptureFixture):
    """It ends its sessions; those that begin afterwards are recorded."""
    recorder = Recorder(path)
    old = begin(recorder, "old")
    mark(old, 1)
    await recorder.flush()
    path.unlink()
    mark(old, 2)
    await recorder.flush()
    new = begin(recorder, "new")
    mark(new, 3)
    mark(old, 4)
    await recorder.close()
    assert "was removed; its sessions end" in caplog.text
    stored = await only(path)
    assert (stored.label, numbers(stored), stored.status) == ("new", [3], Status.CLOSED)


async def test_a_store_that_is_replaced(path: Path):
    """The -wal of the old one must not be merged into the new one."""
    recorder = Recorder(path)
    old = begin(recorder, "old")
    mark(old, 1)
    await recorder.flush()
    async with Recorder(path.with_name("other.db")) as other:
        mark(begin(other, "other"), 7)
    path.with_name("other.db").rename(path)
    before = path.read_bytes()
    mark(old, 2)
    with pytest.raises(StoreWriteError, match="put the old one back"):
        await recorder.flush()
    assert path.read_bytes() == before
    path.with_name("log.db-wal").unlink()
    mark(begin(recorder, "new"), 3)
    await recorder.close()
    assert {stored.label: numbers(stored) for stored in await intact(path)} == {"other": [7], "new": [3]}
