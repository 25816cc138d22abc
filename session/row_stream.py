"""All entries of a recording as rows with their decoded payloads, a millisecond's work at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy.engine import Connection

from ..schema.addresses import Address
from ..schema.codec import REFERS, references
from ..schema.driver_errors import store_errors
from ..schema.entries import SEQ, Entry
from ..schema.errors import CorruptRecordError, RealtapeError
from ..schema.rows import BARE_FIELDS, READ_BATCH, Row, fetch_rows, fetch_segment
from .payloads import Payloads, payload_of

AT_ONCE_ENTRIES = 256
AT_ONCE_BYTES = 1 << 20
"""How much is decoded in one go: a millisecond's work."""

MOSTLY_BARE = (BARE_FIELDS + len(Entry._fields)) / 2
"""Fields of a row, at most, on average: else it is sooner read all of it."""


class RowStream:
    """Reads one session; blocking.

    Args:
        connection: to the store at `address`.
        key: of the session.
        payloads: decodes, and keeps bytes.
    """

    def __init__(self, connection: Connection, address: Address, key: int, payloads: Payloads) -> None:
        self._connection = connection
        self._address = address
        self._key = key
        self._payloads = payloads

    def __iter__(self) -> Iterator[tuple[list[Row], list[Any]]]:
        """AT_ONCE_ENTRIES at a time. Fewer come at the end; and before what cannot be read, which then
        raises.

        Raises:
            StoreError, CorruptRecordError: it cannot be read any further.
        """
        rows: list[Row] = []
        values: list[Any] = []
        try:
            for some, decoded in self._portions():
                rows += some
                values += decoded
                if len(rows) >= AT_ONCE_ENTRIES:
                    yield rows[:AT_ONCE_ENTRIES], values[:AT_ONCE_ENTRIES]
                    del rows[:AT_ONCE_ENTRIES], values[:AT_ONCE_ENTRIES]
        except RealtapeError:
            if rows:
                yield rows, values
            raise
        if rows:
            yield rows, values

    def _portions(self) -> Iterator[tuple[list[Row], list[Any]]]:
        """As many at a time as are decoded in one go; never more than AT_ONCE_ENTRIES."""
        first, bare = 0, True
        while True:
            with store_errors(self._address):
                batch = fetch_rows(self._connection, self._key, first, bare=bare)
            bare = bare and sum(map(len, batch)) < MOSTLY_BARE * len(batch)
            text = "".join(map(payload_of, batch))
            if len(text) <= AT_ONCE_BYTES and REFERS not in text:
                for begin in range(0, len(batch), AT_ONCE_ENTRIES):
                    yield from self._decoded(batch[begin : begin + AT_ONCE_ENTRIES])
            else:
                for some in _cut(batch):
                    self._load(some)
                    yield from self._decoded(some)
            if len(batch) < READ_BATCH:
                return
            first = batch[-1][SEQ] + 1

    def _decoded(self, rows: list[Row]) -> Iterator[tuple[list[Row], list[Any]]]:
        try:
            values = self._payloads.values(rows)
        except CorruptRecordError as error:
            whole = [row for row in rows if error.seq is not None and row[SEQ] < error.seq]
            if whole:
                yield whole, self._payloads.values(whole)
            raise
        yield rows, values

    def _load(self, rows: list[Row]) -> None:
        wanted = self._payloads.wanted(list(map(payload_of, rows)))
        with store_errors(self._address):
            found = [
                (segment, fetch_segment(self._connection, self._key, segment))
                for segment in wanted
                if self._payloads.lacks(segment)
            ]
        self._payloads.keep(found, among=len(wanted))


def _cut(batch: list[Row]) -> Iterator[list[Row]]:
    """Cut a batch so that what is decoded in one go stays small."""
    begin, size = 0, 0
    for number, payload in enumerate(map(payload_of, batch)):
        weight = len(payload) + sum(length for _, _, length in references(payload))
        if number > begin and (size + weight > AT_ONCE_BYTES or number - begin >= AT_ONCE_ENTRIES):
            yield batch[begin:number]
            begin, size = number, 0
        size += weight
    if batch:
        yield batch[begin:]
