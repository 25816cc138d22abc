"""How far a long piece of work is: a bar on stderr, if that is a terminal."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.status import Status

from . import output

if TYPE_CHECKING:
    from ..lab import Hunt

DELAY_SECONDS = 0.7
"""Work that is done by then shows no bar."""

REFRESH_SECONDS = 0.1


class Progress:
    """Shows how much of a recording was read, from a thread of its own: the event loop belongs to
    the application.

    Args:
        read: how many entries were read, and how many there are.
    """

    def __init__(self, read: Callable[[], tuple[int, int]], label: str) -> None:
        self._read = read
        self._label = label
        self._done = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        console = output.console(sys.stderr)
        if console.is_terminal:
            self._thread = threading.Thread(target=self._show, args=(console,), daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        if self._thread is not None:
            self._thread.join()

    def _show(self, console: Console) -> None:
        if self._done.wait(DELAY_SECONDS):
            return
        columns = (TextColumn(self._label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bar(
            *columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False
        ) as bar:
            task = bar.add_task(self._label)
            while not self._done.wait(REFRESH_SECONDS):
                position, length = self._read()
                bar.update(task, completed=position, total=length)


class HuntProgress:
    """Shows how far the search for a smaller recording is, if stderr is a terminal."""

    def __init__(self) -> None:
        console = output.console(sys.stderr)
        self._status = Status("shrinking", console=console) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._status is not None:
            self._status.stop()

    def show(self, hunt: Hunt) -> None:
        """What is known by now."""
        if self._status is not None:
            left, runs = len(hunt.best.entries), hunt.runs
            self._status.update(f"shrinking {hunt.shrinking.level}: {left:,} entries left, {runs:,} runs")
