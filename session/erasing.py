"""Erasing a person's sessions: removed, overwritten, and sought for in the file, before anybody is told that
they are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Engine
from sqlalchemy.engine import Connection

from ..schema import CorruptRecordError, SessionRecord, Status
from ..schema.log import (
    Address,
    Remains,
    fetch_headers,
    give_back,
    held_by_others,
    mark_erased,
    note_erasure,
    open_blocking,
    open_for_changes,
    pending_erasures,
    pinned,
    remove_sessions,
    rewrite,
)
from .retention import kin

_HELD = "held by a reader"
_FOUND = "a piece of them was found in the file after it was written anew"
_ON_A_SERVER = "what the files and the log of a server hold cannot be searched from here"


@dataclass(frozen=True)
class Erasure:
    """What became of sessions that were to be erased.

    Attributes:
        removed: they are in the store no more.
        left: they are, each with why: it, or one of its chain, is being recorded, or pinned.
        unreadable: sessions of which nobody knows whose they are.
        erased: how many sessions are proven to be gone now, those of earlier attempts too.
        pending: why those that were removed may still lie in the file; None where they do not.
    """

    removed: Sequence[SessionRecord] = ()
    left: Sequence[tuple[SessionRecord, str]] = ()
    unreadable: Sequence[CorruptRecordError] = ()
    erased: int = 0
    pending: str | None = None


@dataclass
class _Named:
    free: list[tuple[SessionRecord, ...]] = field(default_factory=list[tuple[SessionRecord, ...]])
    left: list[tuple[SessionRecord, str]] = field(default_factory=list[tuple[SessionRecord, str]])
    unreadable: list[CorruptRecordError] = field(default_factory=list[CorruptRecordError])


def named_for_erasure(address: Address, labels: Mapping[str, str]) -> Erasure:
    """What `erase` would remove; blocking."""
    with open_blocking(address) as connection:
        named = _named(connection, labels)
    return Erasure([one for group in named.free for one in group], named.left, named.unreadable)


def erase(address: Address, labels: Mapping[str, str]) -> Erasure:
    """Erase the sessions with these labels, the chains that they belong to whole, and what was derived of
    them; and end what an earlier attempt left pending. Blocking: it reads all of the file. No connection of
    this process may have it open, no recorder's either.

    They are removed, a chain in each transaction, and overwritten; the write-ahead log is merged and emptied;
    then pieces of them are sought in the file. Where one is found the whole store is written anew.

    Args:
        labels: a session must have all of them; none, if only to end what is pending.

    Raises:
        StoreError: as in `errors.py`. What was removed by then is, and stays pending.
    """
    remains = Remains()
    removed: list[SessionRecord] = []
    with open_for_changes(address) as engine:
        with engine.connect() as connection:
            earlier = set(pending_erasures(connection))
            named = _named(connection, labels)
        sqlite = engine.dialect.name == "sqlite"

        def before(connection: Connection, key: int) -> None:
            note_erasure(connection, key)
            if sqlite:
                remains.gather(connection, key)

        for group in named.free:
            if remove_sessions(engine, [one.key for one in group], "erasure", before):
                removed += group
            else:
                named.left += [(one, "it has changed meanwhile") for one in group]
        with engine.connect() as connection:
            going = pending_erasures(connection)
        for digests in going.values():
            remains.take(digests)
        keys = set(going)
        pending = _overwritten(engine, anew=bool(earlier)) if keys else None
    if keys and pending is None:
        pending = _sought(address, remains)
    if keys and pending is None:
        with open_for_changes(address) as engine, engine.begin() as connection:
            mark_erased(connection, keys)
    return Erasure(removed, named.left, named.unreadable, 0 if pending else len(keys), pending)


def _overwritten(engine: Engine, *, anew: bool) -> str | None:
    """Why what was removed may still be there, if it may.

    Args:
        anew: write the whole store anew: of texts that were removed earlier nobody has pieces any more.
    """
    merged = rewrite(engine) if anew else give_back(engine)
    if engine.dialect.name != "sqlite":
        return _ON_A_SERVER
    return None if merged else _HELD


def _sought(address: Address, remains: Remains) -> str | None:
    if not _lie_in(address, remains):
        return None
    with open_for_changes(address) as engine:
        pending = _overwritten(engine, anew=True)
    if pending is None and _lie_in(address, remains):
        return _FOUND
    return pending


def _lie_in(address: Address, remains: Remains) -> bool:
    files = [address.file, *map(address.beside, ("-wal", "-journal"))]
    found = {piece for path in files for piece in remains.found_in(path)}
    if not found:
        return False
    with open_blocking(address) as connection:
        return not found <= held_by_others(connection, found)


def _named(connection: Connection, labels: Mapping[str, str]) -> _Named:
    named = _Named()
    sessions: list[SessionRecord] = []
    for one in fetch_headers(connection):
        if isinstance(one, CorruptRecordError):
            named.unreadable.append(one)
        else:
            sessions.append(one)
    pins = pinned(connection)
    for group in kin(sessions) if labels else ():
        if not any(labels.items() <= one.header.labels.items() for one in group):
            continue
        whys = [
            "is being recorded" if one.status is Status.RECORDING else "is pinned"
            for one in group
            if one.status is Status.RECORDING or one.key in pins
        ]
        if whys:
            named.left += [(one, f"it, or one that belongs to it, {whys[0]}") for one in group]
        else:
            named.free.append(group)
    return named
