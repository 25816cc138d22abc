"""Recordings that are kept as fixtures, each under a new number: nothing that is there is touched."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..schema.errors import UsageError
from ..session.drafts import Draft
from ..session.fixture import write_fixture

MAX_WORDS = 48
"""Characters of a name that tell what it is."""


def keep(folder: Path, what: str, drafts: Sequence[Draft]) -> Path:
    """Write sessions as a fixture into a folder; returns its place.

    Raises:
        UsageError: the folder cannot be made, or is none.
        StoreWriteError: the fixture cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = [int(found[1]) for one in folder.iterdir() if (found := re.match(r"(\d+)-", one.name))]
    except OSError as error:
        raise UsageError(f"--keep {folder}: {error.strerror}; name a folder that can be written") from error
    words = re.sub("[^a-z0-9]+", "-", what.lower()).strip("-")[:MAX_WORDS].strip("-")
    path = folder / f"{max(taken, default=0) + 1}-{words}"
    write_fixture(drafts, path)
    return path
