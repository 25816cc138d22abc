"""Is a log what was appended to it? A session read whole, and held against its digest chain."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.engine import Connection

from ..schema.codec import STANDARD
from ..schema.entries import Entry, SessionRecord
from ..schema.log import DigestChain, entry_batches
from .payloads import Payloads


def verified_batches(connection: Connection, session: SessionRecord) -> Iterator[list[Entry]]:
    """The entries of a session, READ_BATCH at a time, each held against the chain before it is given.

    Raises:
        CorruptRecordError: names the first entry that is not what was appended.
    """
    payloads = Payloads(session.header.id, STANDARD)
    chain = DigestChain(session, payloads.bytes_at)
    for batch in entry_batches(connection, session.key):
        for entry in batch:
            payloads.load(connection, session.key, [entry.payload])
            chain.follow([entry])
        yield batch
    chain.end()
