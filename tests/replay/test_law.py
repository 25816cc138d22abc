"""The law: a session recorded under virtual time, replayed and recorded again, gives the same log."""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from realtape.recorder import Recorder
from realtape.replay import Recording, ReplayModel, ReplayReport, run
from support.generated import GeneratedModel, Program, Provider, Running, programs, providers
from support.stored import Stored, only

_REFERENCE = re.compile(r'"at":\[(\d+),(\d+),(\d+)\]')


async def record(store: Path, provider: Provider, program: Program) -> list[Any]:
    async with Recorder(store) as recorder:
        return await Running(program, recorder.wrap(GeneratedModel(provider))).run()


async def replay(store: Path, program: Program, into: Path) -> tuple[list[Any], ReplayReport]:
    async with await Recording.open(store) as recording, Recorder(into) as recorder:
        model = ReplayModel(recording, at_end="hold")
        notes = await Running(program, recorder.wrap(model)).run()
        return notes, await model.finished()


def rows(store: Path) -> list[tuple[Any, ...]]:
    """Every column but the digest; bytes by what they are, not by where they lie."""
    stored = asyncio.run(only(store))
    return [(*entry[:-3], _payload(stored, entry.payload), *entry[-2:-1]) for entry in stored.entries]


def _payload(stored: Stored, payload: str) -> str:
    def content(found: re.Match[str]) -> str:
        return hashlib.sha256(stored.bytes_at(*map(int, found.groups()))).hexdigest()

    return _REFERENCE.sub(content, payload)


@given(providers(), programs())
def test_identity(provider: Provider, program: Program) -> None:
    """The same application, replayed under virtual time and recorded again: the same log."""
    with tempfile.TemporaryDirectory() as folder:
        first, second = Path(folder, "first.db"), Path(folder, "second.db")
        recorded = run(record(first, provider, program))
        replayed, report = run(replay(first, program, second))
        assert not report.diverged, report
        assert replayed == recorded
        assert rows(second) == rows(first)
