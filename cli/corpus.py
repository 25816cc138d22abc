"""A corpus: the recordings that lie in some folders."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..schema import RealtapeError, UsageError
from ..schema.log import fetch_sessions, locate, open_for_reading, read
from ..session import Target, parse_target
from ..session.fixture import SESSION

STORES = (".db", ".sqlite", ".sqlite3")
"""How the files are named that are taken for stores when a folder is searched."""


@dataclass(frozen=True)
class CorpusMember:
    """A recording of the corpus.

    Attributes:
        name: how it is called in what is told of it: its path as the user would write it, and, where a
            store holds several, the session.
        problem: why it cannot even be listed; None if it can.
    """

    name: str
    target: Target
    problem: RealtapeError | None = None


def find(places: Sequence[str]) -> list[CorpusMember]:
    """All recordings in these folders, or named outright; by name, each once.

    Of a session and those that the same model had after it, the first one: a replay plays them all.

    Raises:
        UsageError: a place that is not there, or nothing in any of them.
    """
    found: dict[str, CorpusMember] = {}
    for place in places:
        for one in _in_place(place):
            found.setdefault(one.name, one)
    if not found:
        raise UsageError(
            f"no recordings in {', '.join(places)}: a fixture is a folder with a {SESSION} or a .zip, "
            f"a store ends in {' or '.join(STORES)}"
        )
    return list(found.values())


def _in_place(place: str) -> Iterator[CorpusMember]:
    target = parse_target(place)
    path = Path(place)
    if target.session is not None or "://" in place:
        yield CorpusMember(place, target)
    elif not path.exists():
        raise UsageError(f"{place}: no such file or folder; check the path")
    elif path.is_dir() and not _is_fixture(path):
        for one in _within(path):
            yield from _at(one)
    else:
        yield from _at(path)


def _within(folder: Path) -> Iterator[Path]:
    """Fixtures and stores in a folder and in those below, in the order of their names."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if _is_fixture(path):
                yield path
            elif not entry.name.startswith("."):
                yield from _within(path)
        elif path.suffix in (*STORES, ".zip"):
            yield path


def _is_fixture(path: Path) -> bool:
    return (path / SESSION).is_file()


def _at(path: Path) -> Iterator[CorpusMember]:
    if path.is_dir() or path.suffix == ".zip":
        yield CorpusMember(str(path), Target(str(path), None))
        return
    try:
        sessions = asyncio.run(_first_sessions(path))
    except RealtapeError as error:
        yield CorpusMember(str(path), Target(str(path), None), error)
        return
    for session in sessions:
        name = f"{path}#{session}" if len(sessions) > 1 else str(path)
        yield CorpusMember(name, Target(str(path), session))


async def _first_sessions(path: Path) -> list[str]:
    """The ids of the sessions that follow on none that the store holds, oldest first."""
    async with open_for_reading(locate(path)) as connection:
        headers = [session.header for session in await read(connection, fetch_sessions)]
    known = {header.id for header in headers}
    return [header.id for header in headers if header.previous_session not in known]
