"""`realtape config`: which settings hold here, and where each comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..integrations.project import SHARED, Project, project_of
from . import output
from .exit_codes import Exit


def options_of(commands: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The options of each command, by the names that settings have."""
    return {
        name: {
            option.removeprefix("--"): parameter
            for parameter in command.params
            for option in parameter.opts
            if option.startswith("--") and option != "--help"
        }
        for name, command in commands.items()
    }


def defaults_of(project: Project, options: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the settings make of the defaults of each command's options, by its parameters."""
    return {
        command: {
            known[name].name: _as_option(known[name], value)
            for name, value in (_shared(project, known) | dict(project.commands.get(command, {}))).items()
        }
        for command, known in options.items()
    }


def config(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> int:
    """Print the settings that hold in this folder, and where each comes from."""
    assert context.parent is not None, "this is a command of a group"
    group: Any = context.parent.command
    options = options_of(group.commands)
    project = project_of(Path.cwd(), options)
    project.replay_options()  # which says what is wrong with them
    place = str(project.path)
    rows = [(name, project.shared[name], place) for name in SHARED if name in project.shared]
    rows += [(name, None, "default") for name in SHARED if name not in project.shared]
    rows += [
        (f"{command}.{name}", value, place)
        for command, told in project.commands.items()
        for name, value in told.items()
    ]
    if as_json:
        output.put_json([{"setting": one, "value": value, "from": place} for one, value, place in rows])
    else:
        for name, value, place in rows:
            output.put(f"{name:<20} {'' if value is None else json.dumps(value):<30} {place}".rstrip())
    return Exit.SAME


def _shared(project: Project, known: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in project.shared.items() if name in known}


def _as_option(parameter: Any, value: Any) -> Any:
    """A setting as one would type it."""
    if parameter.multiple:
        if isinstance(value, dict):
            return [f"{key}={one}" for key, one in value.items()]  # pyright: ignore[reportUnknownVariableType]
        return value if isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]
    return json.dumps(value) if isinstance(value, dict) else value
