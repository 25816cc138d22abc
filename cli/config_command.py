"""`realtape config`: which settings hold here, and where each comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ..integrations.project import SHARED, project_of
from ..integrations.replay_settings import replay_options
from . import output
from .commands import COMMANDS, command_of
from .defaults import options_of
from .exit_codes import Exit


def config(
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> int:
    """Print the settings that hold in this folder, and where each comes from."""
    project = project_of(Path.cwd(), COMMANDS)
    for name in project.commands:  # each of which says what is wrong with them
        project.told_to(name, options_of(command_of(name)))
    replay_options(project)
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
