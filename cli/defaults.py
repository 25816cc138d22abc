"""What the settings of a project make of the defaults of a command's options."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ..integrations.project import Project, project_of


class Defaults(dict[str, Any]):
    """Of each command the defaults that its options have here, read when the parser asks for them.

    Args:
        folder: whose settings count.
        commands: which there are.
        command_of: what makes one of them.
    """

    def __init__(self, folder: Path, commands: Collection[str], command_of: Callable[[str], Any]) -> None:
        super().__init__()
        self._folder = folder
        self._commands = commands
        self._command_of = command_of

    def get(self, name: str, default: Any = None) -> Any:
        """Those of a command, by its parameters; of anything else none.

        Raises:
            UsageError: the settings cannot be read, or say what there is not.
        """
        if name not in self._commands:
            return default
        told = self._project.told_to(name, known := options_of(self._command_of(name)))
        return {known[one].name: _as_option(known[one], value) for one, value in told.items()}

    @functools.cached_property
    def _project(self) -> Project:
        return project_of(self._folder, self._commands)


def options_of(command: Any) -> Mapping[str, Any]:
    """The options of a command, by the names that settings have; and a list that may be left out."""
    found = {
        option.removeprefix("--"): parameter
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--") and option != "--help"
    }
    lists = {one.name: one for one in command.params if one.nargs == -1 and not one.required}
    return found | lists


def _as_option(parameter: Any, value: Any) -> Any:
    """A setting as one would type it."""
    if parameter.nargs == -1:
        return value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
    if parameter.multiple:
        if isinstance(value, dict):
            return [f"{key}={one}" for key, one in value.items()]  # pyright: ignore[reportUnknownVariableType]
        return value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
    return json.dumps(value) if isinstance(value, dict) else value
