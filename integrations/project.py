"""The settings of a project: `[tool.realtape]` in its `pyproject.toml`, for command line and plugin alike.

A setting is named as the option of the command line is, without its dashes in front; in a table with a
command's name it counts for that command only.
"""

from __future__ import annotations

import difflib
import importlib
import json
import sys
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from ..replay import IGNORE, JSON_TEXT, Expected, Tolerance
from ..schema import UsageError

FILE = "pyproject.toml"

SHARED = (
    "app",
    "audio",
    "client-ids",
    "expect",
    "jobs",
    "matchers",
    "playback",
    "playback-ms",
    "strict",
    "stuck-after",
    "timeout",
)
"""Settings that may stand outside of a command's table: of them, each command takes those that it has."""

_RULES: Mapping[str, Any] = {"ignore": IGNORE, "json": JSON_TEXT}


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

    def replay_options(self) -> dict[str, Any]:
        """What of it are arguments of a `ReplayModel`.

        Raises:
            UsageError: one of them says what there is not.
        """
        options: dict[str, Any] = {}
        for name, value in self.shared.items():
            if name == "expect":
                options[name] = value
                Expected(value)
            elif name == "stuck-after":
                options["patience"] = value
            elif name in ("audio", "strict", "playback"):
                options[name] = value
            elif name == "playback-ms":
                options["playback_ms"] = value
            elif name == "matchers":
                options[name] = matchers_of(value)
            elif name == "client-ids":
                options["client_ids"] = client_ids_of(value)
        return options


def project_of(folder: Path, commands: Mapping[str, Collection[str]] | None = None) -> Project:
    """The settings that count in a folder: those of the nearest file above it that has any.

    Args:
        commands: which there are, each with its options; None: their tables are passed over.

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


def matchers_of(told: Any) -> Any:
    """Matchers as a setting says them: by the name of a mapping (`module:NAME`), as JSON text, or as a table
    of types, fields and rules: `ignore`, `json`, a tolerance (`{relative = 0.01}`), or a function's name.

    Raises:
        UsageError: there is no such rule, or nothing of that name.
    """
    told = _told("matchers", told)
    if not isinstance(told, Mapping):
        return told
    types = cast("Mapping[str, Any]", told)
    return {type: _rules(type, fields) for type, fields in types.items()}


def client_ids_of(told: Any) -> Any:
    """Fields with ids that the client mints, by type; or the name of such a mapping, or JSON text.

    Raises:
        UsageError: nothing has that name.
    """
    return _told("client-ids", told)


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


def _project(path: Path, table: Mapping[str, Any], commands: Mapping[str, Collection[str]] | None) -> Project:
    shared: dict[str, Any] = {}
    of_commands: dict[str, Mapping[str, Any]] = {}
    for key, value in table.items():
        name = key.replace("_", "-")
        if name in SHARED:
            shared[name] = value
        elif isinstance(value, dict) and (commands is None or name in commands):
            told = {one.replace("_", "-"): it for one, it in cast("dict[str, Any]", value).items()}
            known = told if commands is None else commands[name]
            for one in told:
                if one not in known:
                    raise unknown(one, known, f"{path}: [tool.realtape.{name}]")
            of_commands[name] = told
        else:
            raise unknown(key, [*SHARED, *(commands or ())], f"{path}: [tool.realtape]")
    return Project(path, shared, of_commands)


def _told(setting: str, told: Any) -> Any:
    if not isinstance(told, str):
        return told
    if told.lstrip().startswith("{"):
        try:
            return json.loads(told)
        except ValueError as error:
            raise UsageError(f"{setting}: no JSON ({error})") from error
    return named(setting, told)


def _rules(type: str, fields: Any) -> dict[str, Any]:
    if not isinstance(fields, Mapping):
        raise UsageError(f"matchers: {type} = {fields!r}: fields with their rules")
    return {
        one: _rule(f"matchers: {type}.{one}", rule) for one, rule in cast("Mapping[str, Any]", fields).items()
    }


def _rule(where: str, rule: Any) -> Any:
    if isinstance(rule, str):
        if rule in _RULES:
            return _RULES[rule]
        if ":" in rule:
            return named(where, rule)
    elif isinstance(rule, Mapping):
        try:
            return Tolerance(**cast("Mapping[str, Any]", rule))
        except TypeError as error:
            raise UsageError(f"{where} = {rule!r}: no tolerance ({error})") from error
    else:
        return rule  # of who calls, and not of a file
    raise UsageError(f"{where} = {rule!r}: one of {', '.join(_RULES)}, a tolerance, or module:function")
