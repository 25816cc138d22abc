"""A store that is named by a link: what lies beside it lies beside the file that the link leads to."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from realtape.recorder import Recorder
from support.command_line import Ran
from support.stored import begin, mark

Realtape = Callable[..., Ran]


@pytest.fixture
def link(tmp_path: Path) -> Path:
    """To a store as a process leaves it that was killed: what it recorded is in the `-wal` alone."""
    path, folder = tmp_path / "recorded.db", tmp_path / "elsewhere"
    folder.mkdir()

    async def record() -> None:
        async with Recorder(path) as recorder:
            mark(begin(recorder, "ada"), *range(7))
            await recorder.flush()
            for suffix in ("", "-wal"):
                shutil.copy(f"{path}{suffix}", folder / f"killed.db{suffix}")

    asyncio.run(record())
    link = tmp_path / "link.db"
    link.symlink_to(folder / "killed.db")
    return link


def test_who_reads_it_merges_nothing(realtape: Realtape, link: Path) -> None:
    files = [link.resolve(), link.resolve().with_name("killed.db-wal")]
    before = [file.read_bytes() for file in files]
    assert " 7  " in realtape("ls", link).out
    assert [file.read_bytes() for file in files] == before


def test_what_is_beside_it_is_recovered_and_erased(realtape: Realtape, link: Path, tmp_path: Path) -> None:
    ran = realtape("recover", link, tmp_path / "out.db")
    assert ran.out.endswith(f"{tmp_path / 'out.db'}: 7 entries of 1 sessions\n")
    link.resolve().with_name("killed.db-wal-4711").touch()
    ran = realtape("erase", link, "--label", "name=ada")
    assert ran.code == 0
    assert ran.out.endswith("not looked at: killed.db-wal-4711, which lies beside it\n")
