"""`realtape verify`: is the log what was appended to it?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy.engine import Connection

from ..schema import (
    CorruptRecordError,
    Kind,
    NewerFormatError,
    NotAStoreError,
    SessionRecord,
    Status,
    UsageError,
)
from ..schema.log import Address, Pages, SealKey, fetch_headers, file_damage, open_blocking
from ..session import EVERY, SessionFilter, Target, choose, choose_all, parse_target, survey, verified_batches
from ..session.fixture import located
from . import output
from .exit_codes import Exit
from .filter_options import filtered, fitting, refuse_both
from .progress import Progress
from .surveys import put_survey

DIGEST_BYTES = 32
MAX_GAPS = 5
"""Gaps that are named; of the rest, how many."""


@filtered
def verify(
    target: Annotated[
        str,
        typer.Argument(metavar="STORE[#SESSION]", help="The store, or one recording in it."),
    ],
    wanted: SessionFilter = EVERY,
    expect: Annotated[
        str | None,
        typer.Option(metavar="HEAD", help="A head that was kept elsewhere: the session must still hold it."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="What it was sealed with. Others see it in the list of processes."),
    ] = None,
    key_file: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A file that holds the key; may be repeated.")
    ] = None,
) -> int:
    """Check a store against the digest chains of its sessions.

    Finds what was changed, taken out, swapped or cut off after it was recorded, and says what is still good.
    With a key, which may also stand in REALTAPE_SEAL_KEY, what somebody forged who computed the chains anew.
    """
    words = parse_target(target)
    head = None if expect is None else _head(expect)
    refuse_both(words, wanted)
    if head is not None and not words.is_single:
        raise UsageError("--expect is of one session: name it, STORE#SESSION")
    address = located(words.store)
    keys = _keys(key or [], key_file or [])
    try:
        return _verify_store(address, words, wanted, head, keys)
    except NotAStoreError as error:
        if address.path is None:
            raise
        return _tell_what_is_left(address, error)


def _tell_what_is_left(address: Address, error: NotAStoreError) -> Exit:
    """Of a file that SQLite cannot open."""
    with Pages(address.file) as pages:
        found = survey(pages)
    if not found.sessions and not found.strays:
        raise error
    put_survey(found)
    output.note(f"{address}: {error.problem}; `realtape recover` writes the above into a new store")
    return Exit.INCOMPLETE


def _verify_store(
    address: Address, words: Target, wanted: SessionFilter, head: bytes | None, keys: Sequence[SealKey]
) -> Exit:
    with open_blocking(address) as connection:
        if wanted != EVERY:
            return _verify(connection, address, fitting(connection, address, wanted), head, keys)
        sessions = fetch_headers(connection, strays=True)
        if not sessions or words.session is not None:
            sessions = [*choose_all(address, sessions, words)]
        code = _verify(connection, address, sessions, head, keys)
        if words.session is not None:
            return code
        damage = file_damage(connection) if code is Exit.SAME else None
    if damage is None:
        return code
    output.note(
        f"{address}: every entry is intact, but the file is damaged elsewhere ({damage}); "
        "`realtape recover` writes them into a new one"
    )
    return Exit.INCOMPLETE


def _verify(
    connection: Connection,
    address: Address,
    sessions: Sequence[SessionRecord | CorruptRecordError],
    head: bytes | None,
    keys: Sequence[SealKey],
) -> Exit:
    intact, lacking = 0, 0
    position, length = 0, sum(one.entries for one in sessions if isinstance(one, SessionRecord))

    def passed(count: int) -> None:
        nonlocal position
        position += count

    with Progress(lambda: (position, length), "verifying"):
        for session in sessions:
            try:
                missing = _verified(connection, choose(address, [session], None), head, keys, passed)
            except (CorruptRecordError, NewerFormatError) as error:
                output.note(str(error))
                continue
            intact += 1
            lacking += bool(missing)
    if len(sessions) > 1:
        output.put(f"{len(sessions)} sessions: {intact} intact, {lacking} of these incomplete")
    return Exit.SAME if intact == len(sessions) and not lacking else Exit.INCOMPLETE


def _verified(
    connection: Connection,
    session: SessionRecord,
    head: bytes | None,
    keys: Sequence[SealKey],
    passed: Callable[[int], None],
) -> str:
    """What an intact session lacks all the same; said, too.

    Raises:
        CorruptRecordError: it is not intact.
    """
    gaps: list[int] = []
    length = 0
    held = head in (None, session.first_digest)
    for batch in verified_batches(connection, session, keys):
        gaps += [entry.seq for entry in batch if entry.kind == Kind.GAP]
        length += len(batch)
        held = held or any(entry.digest == head for entry in batch)
        passed(len(batch))
    if not held:
        raise CorruptRecordError(session.header.id, length, "the expected head is not in its chain")
    missing = _missing(session.status, gaps)
    place = f"session {session.header.id}: {'sealed, ' if keys else ''}intact, {length} entries"
    output.put(f"{place}; {missing}" if missing else place)
    return missing


def _keys(texts: Sequence[str], files: Sequence[Path]) -> list[SealKey]:
    try:
        keys = [*map(SealKey, texts), *(SealKey(path.read_bytes()) for path in files)]
    except OSError as error:
        raise UsageError(f"--key-file {error.filename}: {error.strerror}") from error
    of_environment = None if keys else SealKey.of_environment()
    return keys if of_environment is None else [of_environment]


def _head(text: str) -> bytes:
    try:
        head = bytes.fromhex(text)
    except ValueError:
        head = b""
    if len(head) != DIGEST_BYTES:
        raise UsageError(
            f"--expect {text}: 64 hexadecimal digits were expected, as `realtape ls --json` has them"
        )
    return head


def _missing(status: Status, gaps: list[int]) -> str:
    """What an intact log may lack all the same."""
    lacks: list[str] = []
    if status is Status.INTERRUPTED:
        lacks.append("interrupted: its process died, what came last may be missing")
    elif status is Status.RECORDING:
        lacks.append("still being recorded, this is how far it has come")
    if gaps:
        named = ", ".join(f"#{seq}" for seq in gaps[:MAX_GAPS])
        more = f" and {len(gaps) - MAX_GAPS} more" if len(gaps) > MAX_GAPS else ""
        lacks.append(f"the recorder lost entries at {named}{more}")
    return "; ".join(lacks)
