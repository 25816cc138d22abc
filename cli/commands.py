"""The application: which commands there are, and what becomes of their errors."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from ..integrations.project import project_of
from ..schema import RealtapeError
from . import output
from .accept_command import accept
from .check_command import check
from .config_command import config, defaults_of, options_of
from .demo_command import demo
from .diff_command import diff
from .erase_command import erase
from .exit_codes import Exit, exit_of
from .export_command import export
from .heard_command import heard
from .import_command import import_
from .learn_command import learn
from .ls_command import ls
from .pin_command import pin, unpin
from .proxy_command import proxy
from .prune_command import prune
from .recover_command import recover
from .replay_command import replay
from .serve_command import serve
from .show_command import show
from .shrink_command import shrink
from .stats_command import stats
from .sweep_command import sweep
from .trim_command import trim
from .verify_command import verify

app = typer.Typer(
    name="realtape",
    help="A flight recorder for realtime voice models. A recording is named STORE[#SESSION]: "
    "the path of an SQLite file (or a postgresql:// URL), and how a session's id begins; "
    "without #, the newest (with those before it, if its model had connected again). "
    "Or by a fixture: its folder, or its .zip file.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _command(name: str, command: Callable[..., int]) -> None:
    app.command(name)(_reported(command))


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
        except RealtapeError as error:
            if _debugging():
                raise
            output.note(str(error))
            return exit_of(error)
        except Exception as error:
            if _debugging():
                raise
            output.note(
                f"unexpected {type(error).__name__}: {error}; REALTAPE_DEBUG=1 shows where, please report it"
            )
            return Exit.MISUSE

    return reported


# One line each, in the order of the help. What needs an extra imports it when it is called.
_command("demo", demo)
_command("ls", ls)
_command("show", show)
_command("heard", heard)
_command("stats", stats)
_command("replay", replay)
_command("serve", serve)
_command("proxy", proxy)
_command("check", check)
_command("learn", learn)
_command("accept", accept)
_command("config", config)
_command("sweep", sweep)
_command("diff", diff)
_command("trim", trim)
_command("shrink", shrink)
_command("verify", verify)
_command("recover", recover)
_command("prune", prune)
_command("erase", erase)
_command("pin", pin)
_command("unpin", unpin)
_command("export", export)
_command("import", import_)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit code."""
    output.prepare()
    command: Any = typer.main.get_command(app)
    try:
        options = options_of(command.commands)
        code: Any = command.main(
            args=None if arguments is None else list(arguments),
            prog_name="realtape",
            standalone_mode=False,
            default_map=defaults_of(project_of(Path.cwd(), options), options),
        )
    except RealtapeError as error:
        if _debugging():
            raise
        output.note(str(error))
        return exit_of(error)
    except Exception as error:
        if not hasattr(error, "format_message"):  # those of the parser have one
            raise
        return _misuse(error)
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
        try:
            output.put(f"realtape {version('realtape')}")
        except PackageNotFoundError:  # run from a folder that nobody installed
            output.put("realtape (not installed)")
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
        output.put(context.get_help())
