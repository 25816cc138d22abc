"""Recordings that are made of others: where they are written, and how they are looked at first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from ..replay import replay, run
from ..schema import StoreError, StoreWriteError, UsageError
from ..schema.log import locate
from ..session import Draft, Recording, Target, write_drafts
from ..session.fixture import write_fixture, written_aside
from . import output
from .exit_codes import Exit

Places: TypeAlias = Sequence[tuple[str, int | None, str]]
"""Where a replay diverged: the recorded session, its entry, and what it was."""

LINKS = 5
"""Links into a page that are printed."""


def read_session(target: Target, *, damaged: bool = False) -> tuple[Draft, bool]:
    """One session whole, and whether others followed it on the same model object."""
    drafts = read_chain(target, damaged=damaged)
    return drafts[0], len(drafts) > 1


def read_chain(target: Target, *, origins: Path | None = None, damaged: bool = False) -> list[Draft]:
    """A session whole, and those that followed it on the same model object.

    Args:
        origins: a file that keeps what was learned of them.
        damaged: of one that was damaged take the entries before that.
    """
    return Recording.open_blocking(target.store, target.session, origins=origins).drafts(damaged=damaged)


def refuse_existing(path: Path) -> None:
    """Nothing is written over.

    Raises:
        UsageError: something is there, or nothing can be put there.
    """
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} exists: name another place, or remove it")
    above = next(one for one in path.absolute().parents if one.exists())
    if not above.is_dir():
        raise UsageError(f"{path}: {above} is no folder; name another place")


def write(draft: Draft, path: Path) -> None:
    """A `*.db` is a store, anything else a fixture: a folder, or a `*.zip`."""
    refuse_existing(path)
    if path.suffix == ".db":
        write_store(path, [draft])
    else:
        write_fixture([draft], path)


def write_store(path: Path, drafts: Sequence[Draft]) -> None:
    """Make a store; it is there whole, or not at all."""
    with written_aside(path) as aside:
        try:
            write_drafts(locate(aside), drafts)
        except StoreError as error:  # which names the file beside it
            raise StoreWriteError(str(path), error.problem, error.remedy) from error


def replayed(draft: Draft, original: Draft) -> Exit:
    """Replay what is to be written; says if it diverges where the original does not."""
    verdict = _verdict(draft)
    if verdict == "same" or verdict == _verdict(original):
        return Exit.SAME
    output.note(f"replayed with its own answers it is not the same: {verdict}; please report it")
    return Exit.INCOMPLETE


def _verdict(draft: Draft) -> str:
    played = run(replay(Recording.of(draft, name="a draft"), on_divergence="collect"))
    return played.report.verdict


def put_page(
    a: Sequence[Draft],
    b: Sequence[Draft],
    path: Path,
    target: Target,
    *,
    redact: bool,
    places: Places = (),
    other_store: str | None = None,
) -> None:
    """Write a page of two chains, one beside the other; says where it is, and each divergence in it.

    Args:
        places: as a replay's report gives them.
        other_store: where the other lies; None: nowhere.
    """
    links = write_pair(a, b, path, target, redact=redact, places=places, other_store=other_store)
    output.note(f"one beside the other: {path}")
    for link in links[:LINKS]:
        output.note(f"it diverges at {link}")
    if len(links) > LINKS:
        output.note(f"and at {len(links) - LINKS} more places")


def write_pair(
    a: Sequence[Draft],
    b: Sequence[Draft],
    path: Path,
    target: Target,
    *,
    redact: bool,
    places: Places,
    other_store: str | None = None,
) -> list[str]:
    """Write a page of two chains; links to the divergences in it."""
    from ..viewer import links_of, write_comparison  # only a page needs what draws it

    write_comparison(
        a,
        b,
        path,
        store=Path(target.store).name,
        other_store=None if other_store is None else Path(other_store).name,
        redact={} if redact else None,
        divergences=places,
    )
    return links_of(path, a, places)
