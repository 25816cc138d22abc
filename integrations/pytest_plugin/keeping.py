"""What failing tests did is kept under `.realtape/kept`, for people to look at."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

_IGNORED = "# Realtape's own; not redacted, and not for a repository\n*\n"


def keep(folder: Path, recording: Path, store: Path, what: str) -> Path:
    """Keep a store, beside those kept before. Returns its new path.

    Args:
        folder: `.realtape`, at the root of the suite.
        recording: of the test: its module and name become the folder's.
        what: begins the file's name.
    """
    kept = folder / "kept" / recording.parent.name / recording.name
    kept.mkdir(parents=True, exist_ok=True)
    ignored = folder / ".gitignore"
    if not ignored.exists():
        ignored.write_text(_IGNORED, encoding="utf-8")
    for number in itertools.count(1):
        path = kept / f"{what}-{number}.db"
        try:  # nobody else takes this name from now on
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            continue
        shutil.copyfile(store, path)
        return path
    raise AssertionError("numbers do not end")
