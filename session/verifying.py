"""Is a log what was appended to it? A session read whole, and held against its digest chain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy.engine import Connection

from ..schema.entries import Entry, SessionRecord
from ..schema.log import DigestChain, SealedChain, SealKey, entry_batches
from .payloads import Payloads


def verified_batches(
    connection: Connection, session: SessionRecord, keys: Sequence[SealKey] = ()
) -> Iterator[list[Entry]]:
    """The entries of a session, READ_BATCH at a time, each held against the chain before it is given.

    Args:
        keys: with any, the chain is held against the session's seals.

    Raises:
        CorruptRecordError: names the first entry that is not what was appended, or sealed.
    """
    payloads = Payloads(session.header.id)
    chain = DigestChain(session, payloads.bytes_at)
    sealed = SealedChain(connection, session, keys) if keys else None
    for batch in entry_batches(connection, session.key):
        for entry in batch:
            payloads.load(connection, session.key, [entry.payload])
            chain.follow([entry])
        if sealed is not None:
            sealed.follow(batch)
        yield batch
    chain.end()
    if sealed is not None:
        sealed.end()
