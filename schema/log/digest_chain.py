"""`DigestChain`: a session's digest chain, held against what is read of it, an entry at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..entries import SessionRecord, Status
from ..errors import CorruptRecordError, DecodingError
from .digests import entry_digest, header_digest, intact_until
from .rows import Row, entry_of


class DigestChain:
    """Is told the entries of a session in their order, and raises at the first that is not what was appended.

    Args:
        session: as its store lists it.
        get: the bytes at (segment, offset, length) of the session; it raises a `DecodingError` where they
            are missing.

    Attributes:
        length: number of entries that hold.
        digest: of the last of these, or the header's.

    Raises:
        CorruptRecordError: the header is not the one with which the chain begins.
    """

    def __init__(self, session: SessionRecord, get: Callable[[int, int, int], bytes]) -> None:
        self.length = 0
        self.digest = header_digest(session.header)
        self._session = session
        self._get = get
        self._reached = self.digest == session.last_digest  # the head that the header names
        if self.digest != session.first_digest:
            raise CorruptRecordError(session.header.id, None, "the header was changed")

    def follow(self, rows: Sequence[Row]) -> None:
        """The next entries.

        Raises:
            CorruptRecordError: one is another, or was changed, or its bytes are missing; names it.
        """
        first = self.length
        self.length = intact_until(first, self.digest, rows, self._get)
        held = rows[: self.length - first]
        if held:
            self.digest, head = held[-1][-1], self._session.last_digest
            passed = self._growing and (self._reached or any(row[-1] == head for row in held))
            self._reached = passed or self.digest == head
        if len(held) < len(rows):
            raise self._broken(rows[len(held)])

    def end(self) -> None:
        """There are no more entries.

        Raises:
            CorruptRecordError: there were once.
        """
        if not self._reached:
            raise CorruptRecordError(self._session.header.id, self.length, "the end was cut off")

    @property
    def _growing(self) -> bool:
        """Whether entries may have been appended since the header was read."""
        return self._session.status is Status.RECORDING

    def _broken(self, row: Row) -> CorruptRecordError:
        """What is wrong with the row that comes next."""
        problem = "changed after it was appended"
        if row[0] != self.length:
            problem = f"missing; {row[0]} follows"
        else:
            try:
                entry_digest(self.digest, entry_of(row), self._get)
            except DecodingError as error:
                problem = str(error)
        return CorruptRecordError(self._session.header.id, self.length, problem)
