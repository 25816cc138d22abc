"""Seals: what a session came to at each commit, vouched for by who has the key.

Anybody can compute a digest chain anew. A seal is an HMAC over a point of it, which only the key makes.
"""

from __future__ import annotations

import hmac
import json
import os
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import column, select, table
from sqlalchemy.engine import Connection

from ..entries import Entry, SessionRecord, Status
from ..errors import CorruptRecordError, UsageError
from .additions import SEALS, has_addition

MIN_KEY_BYTES = 16
"""Whoever has one seal can try all shorter keys."""

_VARIABLE = "REALTAPE_SEAL_KEY"
_NAME_BYTES = 8
_COLUMNS = ("session", "seq", "status", "sealed_by", "seal")
_seals = table(SEALS.name, *map(column, _COLUMNS))
_PUT = (
    f"INSERT INTO seals ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    "ON CONFLICT (session, seq) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS[2:])
)


class Seal(NamedTuple):
    """One row.

    Attributes:
        seq: of the last entry of the commit; -1 where the session had none yet.
        status: of the session after it.
        sealed_by: the name of the key.
        seal: 64 hexadecimal digits.
    """

    seq: int
    status: str
    sealed_by: str
    seal: str


class SealKey:
    """A key that seals, and tells whether something was sealed with it.

    Args:
        key: 16 bytes or more; of a text, its UTF-8. Line breaks at its end do not count: files have them.

    Attributes:
        name: 16 hexadecimal digits that say which key it is, and nothing else about it.

    Raises:
        UsageError: it is shorter.
    """

    def __init__(self, key: bytes | str) -> None:
        self._key = (key.encode() if isinstance(key, str) else bytes(key)).rstrip(b"\r\n")
        if len(self._key) < MIN_KEY_BYTES:
            raise UsageError(
                f"a seal's key of {len(self._key)} bytes: {MIN_KEY_BYTES} or more are needed, such as "
                "`openssl rand -hex 32` writes"
            )
        self.name = hmac.digest(self._key, b"realtape seal key", "sha256")[:_NAME_BYTES].hex()

    @classmethod
    def of_environment(cls) -> SealKey | None:
        """The one that the environment has under REALTAPE_SEAL_KEY, if any.

        Raises:
            UsageError: it is too short.
        """
        key = os.environ.get(_VARIABLE)
        try:
            return cls(key) if key else None
        except UsageError as error:
            raise UsageError(f"{_VARIABLE}: {error}") from error

    @property
    def text(self) -> str | None:
        """The key, where it is a text: not to be recorded."""
        try:
            return self._key.decode()
        except UnicodeDecodeError:
            return None

    def seal(self, session_id: str, seq: int, status: str, digest: bytes) -> Seal:
        """The seal of a session that stands at an entry, with this status.

        Args:
            digest: of the entry; of the header, where `seq` is -1.
        """
        facts = json.dumps(["realtape seal", 1, session_id, seq, str(status), digest.hex()])
        return Seal(seq, str(status), self.name, hmac.digest(self._key, facts.encode(), "sha256").hex())


def can_seal(connection: Connection) -> bool:
    """Whether a store has room for seals; it has not where somebody made another table of that name."""
    return has_addition(connection, SEALS)


def put_seal(connection: Connection, key: int, seal: Seal) -> None:
    """Add the seal of a commit, in its transaction; in the place of the one before where the session only got
    another status."""
    statement = _PUT if connection.dialect.paramstyle == "qmark" else _PUT.replace("?", "%s")
    connection.exec_driver_sql(statement, (key, *seal))


class SealedChain:
    """A session's seals: is told the entries in their order, after the digest chain has found them good.

    Args:
        connection: to read the seals by.
        session: as its store lists it.
        keys: any of which may have sealed it.

    Raises:
        CorruptRecordError: it has no seal, or none by one of these keys.
    """

    def __init__(self, connection: Connection, session: SessionRecord, keys: Sequence[SealKey]) -> None:
        self._connection = connection
        self._session = session
        self._keys = {key.name: key for key in keys}
        self._good = -2  # up to which entry it is sealed
        self._status: str | None = None  # with which it is
        self._length = 0
        if not can_seal(connection) or not self._between(-1, None):
            raise self._wrong(0, "it has no seal: it was recorded without a key, or its seals were taken out")
        self._check(self._between(-1, -1), {-1: session.first_digest})

    def follow(self, entries: Sequence[Entry]) -> None:
        """The next entries.

        Raises:
            CorruptRecordError: they are not those that were sealed; names the first that is not proven.
        """
        self._length += len(entries)
        seals = self._between(entries[0].seq, entries[-1].seq)
        self._check(seals, {entry.seq: entry.digest for entry in entries})

    def end(self) -> None:
        """There are no more entries.

        Raises:
            CorruptRecordError: there were, or the last ones are not sealed, or the status is another one.
        """
        growing = self._session.status is Status.RECORDING
        if not growing and self._between(self._length, None):
            raise self._wrong(self._length, "the end was cut off: more was sealed")
        if self._good < self._length - 1:
            raise self._wrong(max(self._good + 1, 0), "from here on it has no seal")
        told = self._session.status
        died = told is Status.INTERRUPTED and self._status == Status.RECORDING  # which anybody may find
        if not growing and not died and self._status != told:
            raise self._wrong(None, f"its status is {str(told)!r}, and {self._status!r} was sealed")

    def _check(self, seals: Sequence[Seal], digests: dict[int, bytes]) -> None:
        for found in seals:
            first = max(self._good + 1, 0)
            key = self._keys.get(found.sealed_by)
            if key is None:
                names = ", ".join(self._keys)
                raise self._wrong(
                    first, f"sealed with another key ({found.sealed_by}; that which was given is {names})"
                )
            digest = digests[found.seq]
            if not hmac.compare_digest(
                key.seal(self._session.header.id, *found[:2], digest).seal, found.seal
            ):
                raise self._wrong(
                    first,
                    f"forged: what stands here, up to entry {max(found.seq, 0)}, is not what was sealed",
                )
            self._good, self._status = found.seq, found.status

    def _between(self, first: int, last: int | None) -> list[Seal]:
        """The seals of entries from `first` to `last`; at most one where there is no `last`."""
        query = select(*(_seals.c[name] for name in _COLUMNS[1:])).where(
            _seals.c.session == self._session.key, _seals.c.seq >= first
        )
        query = query.limit(1) if last is None else query.where(_seals.c.seq <= last)
        rows = self._connection.execute(query.order_by(_seals.c.seq)).all()
        for row in rows:
            if [type(value) for value in row] != [int, str, str, str]:
                raise self._wrong(max(self._good + 1, 0), "a seal of it cannot be read")
        return [Seal(*row) for row in rows]

    def _wrong(self, seq: int | None, problem: str) -> CorruptRecordError:
        return CorruptRecordError(self._session.header.id, seq, problem)
