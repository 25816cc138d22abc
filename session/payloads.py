"""The payloads of one recording, decoded: one, or all of them, a millisecond's work at a time. The bytes that
they refer to, of a few commits, are in memory."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection

from ..schema.codec import BRACKET, REFERS, bytes_in, references
from ..schema.entries import PAYLOAD, SEQ, Entry
from ..schema.errors import CorruptRecordError, DecodingError
from ..schema.log import (
    Address,
    DigestChain,
    RowBatch,
    entry_of,
    fetch_segment,
    row_batches,
    store_errors,
)

if TYPE_CHECKING:
    from ..schema.codec import Codec, Vocabulary

SEGMENTS_IN_MEMORY = 8
"""Commits whose bytes are kept while a recording is read; each is what 50 ms brought."""

AT_ONCE_ENTRIES = 256
AT_ONCE_BYTES = 1 << 20
"""How much is decoded in one go: a millisecond's work."""


class Payloads:
    """Decodes, once it was given the bytes that are referred to.

    Args:
        session_id: which errors name.
        vocabulary: of what comes out; None: the standard one.

    Attributes:
        notes: what could not be rebuilt.
    """

    def __init__(self, session_id: str, vocabulary: Vocabulary | None = None) -> None:
        self._vocabulary = vocabulary
        self.notes: set[str] = set()
        self._session_id = session_id
        self._segments: OrderedDict[int, bytes] = OrderedDict()

    @functools.cached_property
    def codec(self) -> Codec:
        """Decodes with the vocabulary. Made for who decodes: a timeline needs no models."""
        from ..schema.codec import STANDARD, Codec

        return Codec(STANDARD if self._vocabulary is None else self._vocabulary)

    def lacking(self, payloads: Sequence[str]) -> list[int]:
        """The segments to which these refer, and whose bytes are not in memory; the others stay for now."""
        return [segment for segment in self._wanted(payloads) if segment not in self._segments]

    def load(self, connection: Connection, key: int, payloads: Sequence[str]) -> None:
        """Bring the bytes to which these refer into memory, if the log holds them. Where somebody else puts
        them out meanwhile, they are brought again.

        Args:
            connection: to the store.
            key: of the session.
        """
        wanted, missing = self._wanted(payloads), set[int]()
        while lacking := [one for one in wanted if one not in self._segments and one not in missing]:
            found = {one: fetch_segment(connection, key, one) for one in lacking}
            self._segments.update((one, data) for one, data in found.items() if data is not None)
            missing.update(one for one, data in found.items() if data is None)
            while len(self._segments) > max(SEGMENTS_IN_MEMORY, len(wanted)):
                self._segments.popitem(last=False)

    def _wanted(self, payloads: Sequence[str]) -> list[int]:
        referring = [payload for payload in payloads if REFERS in payload]
        wanted = sorted({segment for payload in referring for segment, _, _ in references(payload)})
        for segment in wanted:
            if segment in self._segments:
                self._segments.move_to_end(segment)
        return wanted

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """Bytes of a segment that is in memory: those of the entry decoded last are.

        Raises:
            DecodingError: they are not.
        """
        return bytes_in(self._segments, segment, offset, length)

    def value(self, entry: Entry) -> Any:
        """The decoded payload of an entry.

        Raises:
            CorruptRecordError: it cannot be decoded, or its bytes are missing.
        """
        return self._decoded(entry, self.bytes_at)

    def values(self, batch: RowBatch) -> list[Any]:
        """The decoded payloads of some entries, in one go where that can be done.

        Raises:
            CorruptRecordError: one cannot be decoded, or its bytes are missing.
        """
        decoded = self.codec.decode_all(batch.column(PAYLOAD), self.bytes_at)
        if decoded is None:
            return [self.value(entry_of(row)) for row in batch.rows]
        self.notes |= decoded[1]
        return decoded[0]

    def one_by_one(
        self, entries: Iterable[Entry], bytes_at: Callable[[int, int, int], bytes]
    ) -> Iterator[tuple[RowBatch, list[Any]]]:
        """Entries with their decoded payloads, each when it is asked for.

        Args:
            bytes_at: gives the bytes to which they refer.

        Raises:
            CorruptRecordError: a payload cannot be decoded, or its bytes are missing.
        """
        for entry in entries:
            yield RowBatch([entry]), [self._decoded(entry, bytes_at)]

    def _decoded(self, entry: Entry, bytes_at: Callable[[int, int, int], bytes]) -> Any:
        try:
            decoded = self.codec.decode(entry.payload, bytes_at)
        except DecodingError as error:
            raise CorruptRecordError(self._session_id, entry.seq, str(error)) from error
        self.notes |= decoded.notes
        return decoded.value

    def stream(
        self, connection: Connection, address: Address, key: int, chain: Callable[[], DigestChain] | None
    ) -> Iterator[tuple[RowBatch, list[Any]]]:
        """All rows of a session with their decoded payloads, as many at a time as are decoded in one go;
        blocking. Before what cannot be read come those that can.

        Args:
            connection: to the store at `address`.
            key: of the session.
            chain: makes the one that the rows are held against as they come, where they are.

        Raises:
            StoreError, CorruptRecordError: it cannot be read any further; or it was changed there.
        """
        held = None if chain is None else chain()
        with store_errors(address):
            for batch in row_batches(connection, key, bare=True):
                for part, refers in _cut(batch):
                    if refers:
                        self.load(connection, key, part.column(PAYLOAD))
                    try:
                        if held is not None:
                            held.follow(part.rows)
                        values = self.values(part)
                    except CorruptRecordError as error:
                        whole = part.part(
                            0, 0 if error.seq is None else max(0, error.seq - part.rows[0][SEQ])
                        )
                        if whole.rows:
                            yield whole, self.values(whole)
                        raise
                    yield part, values
        if held is not None:
            held.end()


def _cut(batch: RowBatch) -> Iterator[tuple[RowBatch, bool]]:
    """Cut a batch so that what is decoded in one go stays small; and whether any of it refers to bytes."""
    payloads = batch.column(PAYLOAD)
    text = "".join(payloads)
    if len(text) <= AT_ONCE_BYTES and not (BRACKET in text and REFERS in text):
        for begin in range(0, len(payloads), AT_ONCE_ENTRIES):
            yield batch.part(begin, min(begin + AT_ONCE_ENTRIES, len(payloads))), False
        return
    begin, size = 0, 0
    for number, payload in enumerate(payloads):
        weight = len(payload) + sum(length for _, _, length in references(payload))
        if number > begin and (size + weight > AT_ONCE_BYTES or number - begin >= AT_ONCE_ENTRIES):
            yield batch.part(begin, number), True
            begin, size = number, 0
        size += weight
    if begin < len(payloads):
        yield batch.part(begin, len(payloads)), True
