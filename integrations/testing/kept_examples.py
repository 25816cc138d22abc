"""Failing examples, kept where they can be replayed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ...session import Draft
from ...session.fixture import write_fixture

_ours: dict[Path, None] = {}
"""What this process has written: only that is ever replaced, by a smaller example of the same failure."""


def keep(drafts: Sequence[Draft], folder: Path, name: str) -> Path:
    """Write the sessions of a failing example; returns where.

    What was there before this process began is left alone: then the name gets a number.

    Raises:
        RealtapeError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = _free(folder, name)
    aside = path.with_name(f"{path.name}.new")
    sealed = [draft.sealed() for draft in drafts]
    _remove(aside)
    write_fixture(sealed, aside)
    _remove(path)
    aside.rename(path)
    _ours[path] = None
    return path


def _free(folder: Path, name: str) -> Path:
    number = 1
    while True:
        path = (folder / (name if number == 1 else f"{name}-{number}")).resolve()
        if path in _ours or not path.exists():
            return path
        number += 1


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
