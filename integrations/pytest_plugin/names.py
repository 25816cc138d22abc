"""What a test's recording is called: names that are files' names on every system, and nobody else's."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from .settings import Settings

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


def recording_name(item: pytest.Item, settings: Settings) -> str:
    """The name of the test's recording: the marker's, or the test's own.

    A marker's name is shared by all examples of a parametrised test, so the example's id follows it.
    """
    if settings.name is None:
        return safe_name(own_name(item))
    callspec = getattr(item, "callspec", None)
    return safe_name(settings.name if callspec is None else f"{settings.name}[{callspec.id}]")


def module_folder(item: pytest.Item, settings: Settings) -> Path:
    """The folder in which the recordings of this test's module lie."""
    folder = Path(settings.folder)
    if not folder.is_absolute():
        return item.path.parent / folder / item.path.stem
    try:  # modules of the same name in several folders
        below = item.path.parent.relative_to(item.config.rootpath)
    except ValueError:
        below = Path()
    return folder / below / item.path.stem


def recording_path(item: pytest.Item, settings: Settings) -> Path:
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
