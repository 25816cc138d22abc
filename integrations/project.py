"""The settings of a project: `[tool.realtape]` in its `pyproject.toml`, for command line and plugin alike.

A setting is named as the option of the command line is, without its dashes in front; in a table with a
command's name it counts for that command only.
"""

from __future__ import annotations

import difflib
import importlib
import sys
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ..schema import UsageError

FILE = "pyproject.toml"

PATHS = ("origins", "recordings")
"""Of these, settings that are places of files, beside the file with the settings unless they are absolute."""

SHARED = (
    "app",
    "audio",
    "client-ids",
    "clocks",
    "expect",
    "jobs",
    "keep-word",
    "matchers",
    "origins",
    "pattern",
    "playback",
    "playback-ms",
    "recordings",
    "redactor",
    "region",
    "rule",
    "strict",
    "stuck-after",
    "timeout",
    "word",
)
"""Settings that may stand outside of a command's table: of them, each command takes those that it has."""


@dataclass(frozen=True)
class Project:
    """What a project says.

    Attributes:
        path: of the file; None where no folder above has one with such a table.
        shared: what counts for every command that has such an option, and for the plugin.
        commands: what counts for one command, by its name.
    """

    path: Path | None = None
    shared: Mapping[str, Any] = field(default_factory=dict[str, Any])
    commands: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, "Mapping[str, Any]"])

    @property
    def origins(self) -> Path | None:
        """The file that keeps what was learned of recordings that are only read."""
        told = self.shared.get("origins")
        return None if told is None else Path(str(told))

    def redaction(self) -> dict[str, Any]:
        """What is to be taken out of recordings beside what is found by itself: arguments of `redacted`.

        Raises:
            UsageError: a pattern has no name.
        """
        patterns: Any = self.shared.get("pattern", {})
        if not isinstance(patterns, Mapping):
            raise UsageError(f"{self.path}: pattern = {patterns!r}: a table of names and regular expressions")
        told = {
            "words": _texts(self.shared.get("word", ())),
            "regions": _texts(self.shared.get("region", ())),
            "keep": _texts(self.shared.get("keep-word", ())),
        }
        found: dict[str, Any] = {name: value for name, value in told.items() if value}
        return found | ({"extra": dict(cast("Mapping[str, Any]", patterns))} if patterns else {})

    def told_to(self, command: str, known: Collection[str]) -> dict[str, Any]:
        """What counts for a command: of what is shared what it knows, and what its own table says.

        Args:
            known: its options.

        Raises:
            UsageError: its table has one that it does not know.
        """
        told = self.commands.get(command, {})
        for name in told:
            if name not in known:
                raise unknown(name, known, f"{self.path}: [tool.realtape.{command}]")
        return {name: value for name, value in self.shared.items() if name in known} | dict(told)


def project_of(folder: Path, commands: Collection[str] | None = None) -> Project:
    """The settings that count in a folder: those of the nearest file above it that has any.

    Args:
        commands: which there are, whose options are looked at by who asks for them (`told_to`); None: their
            tables are passed over.

    Raises:
        UsageError: the file cannot be read, or has a setting that there is not.
    """
    for place in (folder, *folder.parents):
        path = place / FILE
        if path.is_file():
            table = _table(path)
            if table is not None:
                return _project(path, table, commands)
    return Project()


def named(setting: str, name: str) -> Any:
    """What `module:name` names, from the current folder too.

    Raises:
        UsageError: nothing.
    """
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise UsageError(f"{setting}: {name!r} is no module:name")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"{setting}: {name!r} is not there ({error})") from error
    return found


def unknown(key: str, known: Collection[str], where: str) -> UsageError:
    """There is no such setting."""
    near = difflib.get_close_matches(key, known, 1, 0.0)
    nearest = f"; the nearest is {near[0]!r}" if near else ""
    return UsageError(f"{where}: there is no setting {key!r}{nearest}")


def _placed(folder: Path, name: str, value: Any) -> Any:
    """A setting that is a place, or several, seen from the current folder."""
    if name not in PATHS or folder == Path.cwd():
        return value
    if isinstance(value, list):
        return [_placed(folder, name, one) for one in cast("list[Any]", value)]
    return str(folder / value) if isinstance(value, str) else value


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _table(path: Path) -> Mapping[str, Any] | None:
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    tool: Any = facts.get("tool", {})
    table: Any = cast("dict[str, Any]", tool).get("realtape") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise UsageError(f"{path}: [tool.realtape] is no table")
    return cast("Mapping[str, Any] | None", table)


def _project(path: Path, table: Mapping[str, Any], commands: Collection[str] | None) -> Project:
    shared: dict[str, Any] = {}
    of_commands: dict[str, Mapping[str, Any]] = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name in SHARED:
            shared[name] = _placed(path.parent, name, value)
        elif isinstance(value, dict) and (commands is None or name in commands):
            told = cast("dict[str, Any]", value)
            options = {one.replace("_", "-"): it for one, it in told.items()}
            of_commands[name] = {one: _placed(path.parent, one, it) for one, it in options.items()}
        else:
            raise unknown(key, [*SHARED, *(commands or ())], f"{path}: [tool.realtape]")
    return Project(path, shared, of_commands)
