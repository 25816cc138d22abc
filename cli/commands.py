"""The application: which commands there are, and what becomes of their errors.

A command's module is imported when it is called, or asked for its options: `realtape --help` imports none of
them, and `realtape ls` none of the others, with all that they need.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from . import output
from .defaults import Defaults
from .exit_codes import Exit, exit_of, is_ours


class Declared(NamedTuple):
    """A command: where its function is, and what the list of commands says of it."""

    module: str
    function: str
    help: str


COMMANDS: Mapping[str, Declared] = {
    "demo": Declared("demo_command", "demo", "Record a conversation with a local provider, and replay it"),
    "ls": Declared("ls_command", "ls", "List the sessions of a store, the oldest first"),
    "show": Declared("show_command", "show", "Show a recording as a timeline, or as a conversation"),
    "view": Declared("view_command", "view", "See and hear a store's sessions in a browser of this machine"),
    "heard": Declared("heard_command", "heard", "Show what the user really heard of what the model said"),
    "stats": Declared("stats_command", "stats", "Count and measure what happened in sessions"),
    "views": Declared("views_command", "views", "Make SQL views of what sessions come to in a store"),
    "replay": Declared("replay_command", "replay", "Replay a recording into an application"),
    "serve": Declared("serve_command", "serve", "Replay a recording to any client, as its server"),
    "proxy": Declared("proxy_command", "proxy", "Record what any client and its provider say to each other"),
    "check": Declared("check_command", "check", "Replay a corpus of recordings into an application"),
    "learn": Declared("learn_command", "learn", "Find out what the recorded application does by itself"),
    "accept": Declared("accept_command", "accept", "Let what an application does now be what was recorded"),
    "config": Declared("config_command", "config", "Print the settings that hold here, and where from"),
    "sweep": Declared("sweep_command", "sweep", "Move an interruption to every place of a session"),
    "diff": Declared("diff_command", "diff", "Compare two recordings, entry by entry"),
    "trim": Declared("trim_command", "trim", "Cut a stretch out of a recording, with what it needs"),
    "shrink": Declared("shrink_command", "shrink", "Find the smallest recording for which a command fails"),
    "verify": Declared("verify_command", "verify", "Check a store against the digest chains of its sessions"),
    "recover": Declared("recover_command", "recover", "Save what is still good of a damaged store"),
    "prune": Declared("prune_command", "prune", "Remove whole sessions"),
    "erase": Declared("erase_command", "erase", "Erase a person's sessions, and prove it"),
    "pin": Declared("pin_command", "pin", "Keep a recording: nothing removes it"),
    "unpin": Declared("pin_command", "unpin", "Take a recording's pin away"),
    "export": Declared("export_command", "export", "Write a recording as a fixture, or as a page, redacted"),
    "import": Declared("import_command", "import_", "Write a fixture, or what others captured, into a store"),
}
"""By name, in the order of the help."""


class _CommandGroup(TyperGroup):
    """The commands, each imported when it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of a name, or None."""
        return command_of(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """What the help says of them, without any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.help) for name, one in COMMANDS.items()])


_SETTINGS: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
}

app = typer.Typer(
    name="realtape",
    help="A flight recorder for realtime voice models. A recording is named STORE[#SESSION]: "
    "the path of an SQLite file (or a postgresql:// URL), and how a session's id begins; "
    "without #, the newest (with those before it, if its model had connected again). "
    "Or by a fixture: its folder, or its .zip file.",
    cls=_CommandGroup,
    **_SETTINGS,
)


@functools.cache
def command_of(name: str) -> Any:
    """A command, with its options.

    Raises:
        KeyError: there is no such command.
    """
    one = COMMANDS[name]
    module = importlib.import_module(f".{one.module}", __package__)
    alone = typer.Typer(**_SETTINGS)
    alone.command(name)(_reported(getattr(module, one.function)))
    return typer.main.get_command(alone)


def all_commands() -> dict[str, Any]:
    """Every command, by name: all their modules are imported."""
    return {name: command_of(name) for name in COMMANDS}


def _reported(command: Callable[..., int]) -> Callable[..., int]:
    """The command, with its errors told in one line."""

    @functools.wraps(command)
    def reported(*args: Any, **kwargs: Any) -> int:
        try:
            code = command(*args, **kwargs)
            sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            return Exit.INTERRUPTED
        except BrokenPipeError:
            output.let_go_of_stdout()
            return Exit.UNREAD
        except Exception as error:
            if _debugging():
                raise
            if is_ours(error):
                output.note(str(error))
                return exit_of(error)
            output.note(
                f"unexpected {type(error).__name__}: {error}; REALTAPE_DEBUG=1 shows where, please report it"
            )
            return Exit.MISUSE

    return reported


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    output.prepare()
    command: Any = typer.main.get_command(app)
    try:
        code: Any = command.main(
            args=None if arguments is None else list(arguments),
            prog_name="realtape",
            standalone_mode=False,
            default_map=Defaults(Path.cwd(), COMMANDS, command_of),
        )
    except Exception as error:
        if hasattr(error, "format_message"):  # those of the parser have one
            return _misuse(error)
        if _debugging() or not is_ours(error):
            raise
        output.note(str(error))
        return exit_of(error)
    return int(code) if isinstance(code, int) else Exit.SAME


def _misuse(error: Any) -> int:
    """What the parser refuses, in one line; and where to read more."""
    context = getattr(error, "ctx", None)
    path = "realtape" if context is None else context.command_path
    problem = str(error.format_message()).replace("Value error, ", "").rstrip(".")
    output.note(f"{problem}; see {path} --help")
    return Exit.MISUSE


def _debugging() -> bool:
    return os.environ.get("REALTAPE_DEBUG") == "1"


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version  # with all of `email`, for nobody else

        try:
            typer.echo(f"realtape {version('realtape')}")
        except PackageNotFoundError:  # run from a folder that nobody installed
            typer.echo("realtape (not installed)")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Print the help where no command is named."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
