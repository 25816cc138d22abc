"""`--fault`: faults as the command line names them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..schema import UsageError

if TYPE_CHECKING:
    from ..wire import Fault

FaultOption = Annotated[
    list[str] | None,
    typer.Option(
        "--fault", metavar="FAULT", help="TOXIC,NAME=VALUE,…, or @FILE of toxiproxy's JSON. Repeatable."
    ),
]
SeedOption = Annotated[int, typer.Option("--fault-seed", metavar="N", help="Of the faults' chances.")]


def faults_in(options: Iterable[str] | None) -> list[Fault]:
    """The faults, in order.

    Raises:
        UsageError: one is none, or a file of them cannot be read.
    """
    from ..wire import Fault  # with its servers: not for who injects none

    found: list[Fault] = []
    for option in options or ():
        if option.startswith("@"):
            found += [Fault.of(facts) for facts in _read(Path(option[1:]))]
        else:
            found.append(Fault.of_text(option))
    return found


def _read(path: Path) -> list[Any]:
    try:
        tree = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"--fault @{path}: cannot be read as JSON ({error})") from error
    if not isinstance(tree, list):
        raise UsageError(f"--fault @{path}: a list of faults is wanted")
    return [*tree]  # pyright: ignore[reportUnknownVariableType]
