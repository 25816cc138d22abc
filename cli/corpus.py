"""A corpus: the recordings that lie in some folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..schema import RealtapeError, UsageError
from ..schema.log import fetch_sessions, open_blocking
from ..session import EVERY, SessionFilter, Target, chains, listed, parse_target
from ..session.fixture import SESSION, located
from .filter_options import refuse_both

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


def find(places: Sequence[str], wanted: SessionFilter = EVERY) -> list[CorpusMember]:
    """All recordings in these folders, or named outright; by name, each once.

    Of a session and those that the same model had after it, the first one: a replay plays them all.

    Args:
        wanted: of which sessions; of those that one model had, one at least. What cannot be read may fit.

    Raises:
        UsageError: a place that is not there, or nothing in any of them, or nothing that fits.
    """
    found: dict[str, CorpusMember] = {}
    for place in places:
        for one in _in_place(place, wanted):
            found.setdefault(one.name, one)
    if not found and wanted != EVERY:
        raise UsageError(f"no session in {', '.join(places)} fits; `realtape ls STORE` lists what there is")
    if not found:
        raise UsageError(
            f"no recordings in {', '.join(places)}: a fixture is a folder with a {SESSION} or a .zip, "
            f"a store ends in {' or '.join(STORES)}"
        )
    return list(found.values())


def _in_place(place: str, wanted: SessionFilter) -> Iterator[CorpusMember]:
    target = parse_target(place)
    path = Path(place)
    refuse_both(target, wanted)
    if target.session is not None or "://" in place:
        yield CorpusMember(place, target)
    elif not path.exists():
        raise UsageError(f"{place}: no such file or folder; check the path")
    elif path.is_dir() and not _is_fixture(path):
        for one in _within(path):
            yield from _at(one, wanted)
    else:
        yield from _at(path, wanted)


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


def _at(path: Path, wanted: SessionFilter) -> Iterator[CorpusMember]:
    whole = Target(str(path), None)
    is_store = not (path.is_dir() or path.suffix == ".zip")
    if not is_store and wanted == EVERY:
        yield CorpusMember(str(path), whole)
        return
    try:
        heads, fitting = _first_sessions(path, wanted)
    except RealtapeError as error:
        yield CorpusMember(str(path), whole, error)
        return
    for session in heads:
        if session not in fitting:
            continue
        if not is_store:
            yield CorpusMember(str(path), whole)
            return
        name = f"{path}#{session}" if len(heads) > 1 else str(path)
        yield CorpusMember(name, Target(str(path), session))


def _first_sessions(path: Path, wanted: SessionFilter) -> tuple[list[str], set[str]]:
    """The ids of the sessions that follow on none that the store holds, oldest first; and which of these lead
    to one that fits."""
    with open_blocking(located(path)) as connection:
        sessions = fetch_sessions(connection)
        known = {one.header.id for one in sessions}
        heads = [one.header.id for one in sessions if one.header.previous_session not in known]
        if wanted == EVERY:
            return heads, set(heads)
        listing = listed(connection, wanted)
    fit = {one.record.header.id for one in listing.sessions} | {one.session_id for one in listing.damaged}
    kin = [{one.header.id for one in chain} for chain in chains(sessions)]
    return heads, {head for head in heads for ids in kin if head in ids and ids & fit}
