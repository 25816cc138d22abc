"""Where recordings lie: reading one, and moving a new one into place."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from ...schema.errors import RealtapeError, StoreError
from ...session.drafts import Draft
from ...session.fixture import read_fixture, write_fixture

_SESSION = "session.json"
"""The file that every fixture has."""


class UnreadableRecordingError(StoreError):
    """Something lies where the recording is to be, and it is no recording that can be read."""


def exists(path: Path) -> bool:
    """Whether a recording lies here, readable or not.

    Raises:
        UnreadableRecordingError: a process died while it replaced this one.
    """
    if os.path.lexists(path):
        return True
    if os.path.lexists(_old(path)):
        raise UnreadableRecordingError(
            str(path),
            "a process died while it put a new recording here",
            f"move the one before back from {_old(path).name}, or delete that to record anew",
        )
    return False


def exists_any(first: Path) -> bool:
    """Whether the test whose first model is recorded here has any recording.

    Raises:
        UnreadableRecordingError: a process died while it replaced the first.
    """
    return exists(first) or any(first.parent.glob(f"{first.name}.*"))


def read(path: Path) -> list[Draft]:
    """Read a recording.

    Raises:
        UnreadableRecordingError: it cannot be read, or does not say what was recorded.
    """
    try:
        return read_fixture(path)
    except (RealtapeError, OSError) as error:
        raise UnreadableRecordingError(
            str(path),
            f"cannot be read ({error})",
            "restore it, or delete it to record anew; nothing is recorded over what cannot be read",
        ) from error


def require_place(path: Path) -> None:
    """Check that a recording may be put here, before one is made.

    Raises:
        UnreadableRecordingError: what lies here is no recording, and would be lost.
    """
    if exists(path) and (path.is_symlink() or not (path / _SESSION).is_file()):
        raise UnreadableRecordingError(str(path), "is no recording", "move it away, or delete it")


def put(drafts: Sequence[Draft], path: Path, *, audio_files: bool = True) -> None:
    """Write a recording, whole or not at all. The one that lies here stays until the new one is
    written beside it and was read back; two renames replace it.

    Args:
        audio_files: False: the audio was dropped, and only its length is kept.

    Raises:
        UnreadableRecordingError: what lies here is no recording.
        StoreError, OSError: it could not be written; what lies here is as it was.
    """
    require_place(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not exists(path):
        write_fixture(drafts, path, audio_files=audio_files)
        return
    new, old = path.with_name(f".{path.name}.new-{uuid.uuid4().hex[:8]}"), _old(path)
    try:
        write_fixture(drafts, new, audio_files=audio_files)
        read(new)
        if old.exists():  # of a process that died after the second rename
            shutil.rmtree(old)
        path.rename(old)
        try:
            new.rename(path)
        except OSError:
            old.rename(path)
            raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(new)
    shutil.rmtree(old)


def _old(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")
