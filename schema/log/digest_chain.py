"""`DigestChain`: a session's digest chain, held against what is read of it, an entry at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..entries import Entry, SessionRecord, Status
from ..errors import CorruptRecordError, DecodingError
from .digests import bare_digest, entry_digest, header_digest
from .rows import BARE_FIELDS, Row


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
        session_id = self._session.header.id
        for row in rows:
            seq = row[0]
            if seq != self.length:
                raise CorruptRecordError(session_id, self.length, f"missing; {seq} follows")
            try:
                if len(row) == BARE_FIELDS:
                    digest = bare_digest(self.digest, row, self._get)
                else:
                    digest = entry_digest(self.digest, Entry._make(row), self._get)
            except DecodingError as error:
                raise CorruptRecordError(session_id, seq, str(error)) from error
            if digest != row[-1]:
                raise CorruptRecordError(session_id, seq, "changed after it was appended")
            self.digest = digest
            self.length += 1
            self._reached = digest == self._session.last_digest or (self._reached and self._growing)

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
