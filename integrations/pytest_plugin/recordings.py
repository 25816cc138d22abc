"""The recordings of a suite: where a test's lies, by a name that is a file's on every system and nobody
else's; reading it, moving a new one into place, and keeping what a failing test did.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from ...schema import RealtapeError, StoreError
from ...session import Draft, read_origins, with_origins
from ...session.fixture import read_fixture, replace_fixture, replaced_at, write_fixture
from .plugin_options import PluginOptions

_SESSION = "session.json"
"""The file that every fixture has."""

_IGNORED = "# Realtape's own; not redacted, and not for a repository\n*\n"

LONGEST_NAME = 100
"""Characters of a name; file systems take 255 bytes, and the fixture's own files follow."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def safe_name(name: str) -> str:
    """The name as a file's: letters, digits, `_` and `-`.

    The brackets of a parametrised test become a `-`. Where anything else is replaced or cut, eight
    digits of a hash follow, so that two names never become one.
    """
    readable = re.sub(r"\[(.*)\]$", r"-\1", name, flags=re.DOTALL)
    safe = _UNSAFE.sub("_", readable)
    if safe != readable or len(safe) > LONGEST_NAME or not safe:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        safe = f"{safe[:LONGEST_NAME]}-{digest}"
    return safe


def own_name(item: pytest.Item) -> str:
    """The test's own name, with those of the classes that it is in."""
    classes = [node.name for node in item.listchain() if isinstance(node, pytest.Class)]
    return "-".join([*classes, item.name])


def recording_name(item: pytest.Item, settings: PluginOptions) -> str:
    """The name of the test's recording: the marker's, or the test's own.

    A marker's name is shared by all examples of a parametrised test, so the example's id follows it.
    """
    if settings.name is None:
        return safe_name(own_name(item))
    callspec = getattr(item, "callspec", None)
    return safe_name(settings.name if callspec is None else f"{settings.name}[{callspec.id}]")


def module_folder(item: pytest.Item, settings: PluginOptions) -> Path:
    """The folder in which the recordings of this test's module lie."""
    folder = Path(settings.folder)
    if not folder.is_absolute():
        return item.path.parent / folder / item.path.stem
    try:  # modules of the same name in several folders
        below = item.path.parent.relative_to(item.config.rootpath)
    except ValueError:
        below = Path()
    return folder / below / item.path.stem


def recording_path(item: pytest.Item, settings: PluginOptions) -> Path:
    """Where the recording of the test's first model lies, or is to lie."""
    return module_folder(item, settings) / recording_name(item, settings)


def model_path(first: Path, name: str) -> Path:
    """Where the recording of another model of the same test lies. No name of a test holds a dot."""
    return first.with_name(f"{first.name}.{safe_name(name)}")


class Claims:
    """Which test has which recording: no two have the same."""

    def __init__(self) -> None:
        self._claimed: dict[str, str] = {}

    def claim(self, path: Path, nodeid: str) -> str | None:
        """Note that this test has this recording. Returns the test that has it already, if another does.

        Names that differ by capitals alone are one file on many a machine.
        """
        owner = self._claimed.setdefault(str(path).casefold(), nodeid)
        return None if owner == nodeid else owner


class UnreadableRecordingError(StoreError):
    """Something lies where the recording is to be, and it is no recording that can be read."""


def exists(path: Path) -> bool:
    """Whether a recording lies here, readable or not.

    Raises:
        UnreadableRecordingError: a process died while it replaced this one.
    """
    if os.path.lexists(path):
        return True
    if os.path.lexists(replaced_at(path)):
        raise UnreadableRecordingError(
            str(path),
            "a process died while it put a new recording here",
            f"move the one before back from {replaced_at(path).name}, or delete that to record anew",
        )
    return False


def exists_any(first: Path) -> bool:
    """Whether the test whose first model is recorded here has any recording.

    Raises:
        UnreadableRecordingError: a process died while it replaced the first.
    """
    return exists(first) or any(first.parent.glob(f"{first.name}.*"))


def read(path: Path, origins: Path | None = None) -> list[Draft]:
    """Read a recording.

    Args:
        origins: a file that keeps what was learned of it.

    Raises:
        UnreadableRecordingError: it cannot be read, or does not say what was recorded.
        UsageError: `origins` cannot be read.
    """
    try:
        drafts = read_fixture(path)
    except (RealtapeError, OSError) as error:
        raise UnreadableRecordingError(
            str(path),
            f"cannot be read ({error})",
            "restore it, or delete it to record anew; nothing is recorded over what cannot be read",
        ) from error
    return with_origins(drafts, {} if origins is None else read_origins(origins))


def require_place(path: Path) -> None:
    """Check that a recording may be put here, before one is made.

    Raises:
        UnreadableRecordingError: what lies here is no recording, and would be lost.
    """
    if exists(path) and (path.is_symlink() or not (path / _SESSION).is_file()):
        raise UnreadableRecordingError(str(path), "is no recording", "move it away, or delete it")


def put(drafts: Sequence[Draft], path: Path, *, audio_files: bool | None = True) -> None:
    """Write a recording, whole or not at all. The one that lies here stays until the new one is
    written beside it and was read back; two renames replace it.

    Args:
        audio_files: False: the audio was dropped, and only its length is kept. None: as it is there.

    Raises:
        UnreadableRecordingError: what lies here is no recording.
        StoreError, OSError: it could not be written; what lies here is as it was.
    """
    require_place(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not exists(path):
        write_fixture(drafts, path, audio_files=audio_files is not False)
        return
    replace_fixture(drafts, path, audio_files=audio_files)


def page_path(folder: Path, recording: Path) -> Path:
    """Where the next page of a recording is to lie, beside those before it.

    Args:
        folder, recording: as of `keep`.
    """
    pages = _folder_for(folder, "pages", recording)
    return next(path for number in itertools.count(1) if not (path := pages / f"{number}.html").exists())


def _folder_for(folder: Path, what: str, recording: Path) -> Path:
    kept = folder / what / recording.parent.name / recording.name
    kept.mkdir(parents=True, exist_ok=True)
    ignored = folder / ".gitignore"
    if not ignored.exists():
        ignored.write_text(_IGNORED, encoding="utf-8")
    return kept


def keep(folder: Path, recording: Path, store: Path, what: str) -> Path:
    """Keep a store, beside those kept before. Returns its new path.

    Args:
        folder: `.realtape`, at the root of the suite.
        recording: of the test: its module and name become the folder's.
        what: begins the file's name.
    """
    kept = _folder_for(folder, "kept", recording)
    for number in itertools.count(1):
        path = kept / f"{what}-{number}.db"
        try:  # nobody else takes this name from now on
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            continue
        shutil.copyfile(store, path)
        return path
    raise AssertionError("numbers do not end")
