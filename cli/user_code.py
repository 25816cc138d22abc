"""`--app module:callable`: the application to replay into."""

from __future__ import annotations

import gc
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from ..lab.invariants import Invariant
from ..replay import Application
from ..schema import UsageError
from . import output

_FOLDERS = Path(__file__).parent.parent
_OURS = (str(_FOLDERS / "cli"), str(_FOLDERS / "replay"))


class ApplicationError(Exception):
    """The application's module raises while it is imported.

    Attributes:
        cause: what.
    """

    def __init__(self, cause: BaseException) -> None:
        super().__init__(cause)
        self.cause = cause


def load_application(name: str) -> Application:
    """Import what `module:callable` names, from the current directory too.

    Raises:
        UsageError: no such module, no such callable, or not `async def`.
        ApplicationError: the module itself raises while it is imported.
    """
    found = _load("--app", name, "my_agent:app", "async def app(model): ...")
    if not (inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(type(found).__call__)):
        raise UsageError(f"--app {name}: not async; write `async def app(model): ...`")
    return cast("Application", found)


def load_check(name: str) -> Callable[[Any], Any]:
    """Import what `--check module:callable` names: it gets a recording, and raises or does not.

    Raises:
        UsageError: no such module, or no such callable.
        ApplicationError: the module itself raises while it is imported.
    """
    return _load("--check", name, "my_checks:answers", "def check(recording): ...")


def load_rule(name: str) -> Invariant:
    """What `--rule module:NAME` names: a rule, or a class of rules.

    Raises:
        UsageError: no such module, or no rule of that name.
        ApplicationError: the module itself raises while it is imported.
    """
    found = _load("--rule", name, "my_rules:answered_in_order", "@rule('…') def …(entries): ...")
    made: Any = found() if isinstance(found, type) else found
    if not isinstance(made, Invariant):
        raise UsageError(f"--rule {name}: no rule; make one with realtape.lab.invariants.rule")
    return made


def _load(option: str, name: str, example: str, how: str) -> Any:
    module_name, colon, path = name.partition(":")
    if not (module_name and colon and path):
        raise UsageError(f"{option} {name}: name it as module:callable, such as {example}")
    found: Any = _import(option, module_name)
    for attribute in path.split("."):
        try:
            found = getattr(found, attribute)
        except AttributeError:
            raise UsageError(f"{option} {name}: {module_name} has no {path}; check the name") from None
    if not (callable(found) or isinstance(found, Invariant)):
        raise UsageError(f"{option} {name}: that is no function; write `{how}`")
    return found


def _import(option: str, name: str) -> Any:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    try:
        return _imported(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise UsageError(
                f"{option}: no module {name}, here in {here} or installed; "
                "check the name, or change the folder"
            ) from None
        raise ApplicationError(error) from error
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as error:
        raise ApplicationError(error) from error


def _imported(name: str) -> Any:
    """Nothing of what is imported goes again: looking for what might costs a third of the SDK's import."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        if collects:
            gc.enable()


def traceback_of(error: BaseException) -> str:
    """The application's own traceback, without the frames of ours that called it, and without credentials."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and _is_ours(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return output.scrubbed("".join(traceback.format_exception(type(error), error, trace)))


def _is_ours(filename: str) -> bool:
    return filename.startswith((*_OURS, "<frozen importlib")) or filename == importlib.__file__
