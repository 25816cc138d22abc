"""`realtape erase`: a person's sessions, and the proof that they are gone."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from ..schema.log import Address, locate
from ..session import Erasure, named_for_erasure, parse_labels, parse_store
from ..session import erase as erase_sessions
from . import output
from .exit_codes import Exit

_NOT_COVERED = (
    "not covered: copies, backups and replicas of the store, fixtures and other files that were made of it "
    "(export, trim, shrink, recover, what tests kept), and what the disk itself keeps of overwritten blocks"
)


def erase(
    store: Annotated[str, typer.Argument(metavar="STORE", help="Path of a store, or a URL.")],
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Whose sessions; may be repeated, and all must fit."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be erased.")] = False,
) -> int:
    """Erase a person's sessions, and prove it.

    Whole chains, and what was derived of them. They are removed and overwritten, and then sought in the file:
    only when nothing is found they are called erased. Without --label it ends what is pending.
    """
    address = locate(parse_store(store))
    labels = parse_labels("--label", label or [])
    if dry_run:
        erasure = named_for_erasure(address, labels)
        for session in erasure.removed:
            output.put(f"session {session.header.id}: would be erased, {session.entries:,} entries")
        return _told_what_is_left(erasure)
    erasure = erase_sessions(address, labels)
    word = "removed" if erasure.pending else "erased"
    for session in erasure.removed:
        output.put(f"session {session.header.id}: {word}, {session.entries:,} entries")
    code = _told_what_is_left(erasure)
    if erasure.pending:
        again = "" if address.path is None else "; run `realtape erase` on it again"
        output.note(f"{address}: pending, {erasure.pending}; what was removed may still lie there{again}")
        return Exit.INCOMPLETE
    if not erasure.erased:
        output.put(f"{address}: nothing to erase")
        return code
    output.put(
        f"{address}: {erasure.erased:,} sessions erased: overwritten, and not found in the file any more"
    )
    output.put(_NOT_COVERED)
    for name in _beside(address):
        output.put(f"not looked at: {name}, which lies beside it")
    return code


def _told_what_is_left(erasure: Erasure) -> Exit:
    for session, why in erasure.left:
        output.note(f"session {session.header.id} is not erased: {why}")
    for error in erasure.unreadable:
        output.note(f"{error}; nobody knows whose it is, it is not erased")
    return Exit.INCOMPLETE if erasure.left or erasure.unreadable else Exit.SAME


def _beside(address: Address) -> list[str]:
    """Files of a forked recorder, and what was left of a store that was moved while it was recorded into."""
    if address.path is None:
        return []
    found: set[str] = set()
    for path in {address.path, address.file}:
        ours = re.compile(re.escape(path.name) + r"-(\d+|(wal|shm)-\d+)")
        found.update(one.name for one in path.parent.iterdir() if ours.fullmatch(one.name))
    return sorted(found)
