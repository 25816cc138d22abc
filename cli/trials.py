"""How a candidate is tried: by a command that finds it in `REALTAPE_RECORDING`, or by a function."""

from __future__ import annotations

import contextlib
import inspect
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..replay import run
from ..schema import UsageError
from ..schema.log import locate
from ..session import Draft, Recording, write_drafts

RECORDING = "REALTAPE_RECORDING"
"""Where a command finds the path of the recording."""

GRACE_SECONDS = 1.0
"""Between asking a command to end, and ending it."""

MAX_OUTPUT_BYTES = 1 << 24
"""Of a command's output, so much is looked through; its end."""


@dataclass(frozen=True)
class WantedFailure:
    """Which failure is looked for.

    Attributes:
        code: the exit code; None: any but 0.
        text: must be in the output; None: anything may be.
    """

    code: int | None = None
    text: str | None = None

    def is_this(self, code: int, output: str) -> bool:
        """Whether a command failed so."""
        wanted = code != 0 if self.code is None else code == self.code
        return wanted and (self.text is None or self.text in output)


class Commands:
    """Runs a command on candidates, each in a folder of its own and a group of processes of its own.

    Args:
        command: its words.
        original: what candidates are made of.
        failure: which one counts.
        timeout: seconds after which a run is ended; that is no failure.
    """

    def __init__(
        self, command: Sequence[str], original: Draft, failure: WantedFailure, timeout: float | None
    ) -> None:
        if shutil.which(command[0]) is None:
            raise UsageError(f"no command {command[0]}; check its name, or give its path")
        self._command = command
        self._original = original
        self._failure = failure
        self._timeout = timeout
        self._numbers = itertools.count()
        self._trials: list[CommandTrial] = []
        # Ctrl-C comes to the main thread: it must not come in between a process and who knows of it.
        self._starting = ThreadPoolExecutor(1, "realtape-starting")
        self._starting.submit(int).result()  # nor between a thread and its pool: the thread is there
        self._folder = Path(tempfile.mkdtemp(prefix="realtape-shrink-"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._starting.shutdown()
        for trial in self._trials:  # nobody waited for: we were interrupted
            if trial.is_running:
                trial.end()
                trial.fails()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __call__(self, draft: Draft) -> CommandTrial:
        """Write the candidate, and run the command on it."""
        folder = self._folder / str(next(self._numbers))
        folder.mkdir()
        store = folder / "candidate.db"
        write_drafts(locate(store), [self._original.derived("a candidate", draft.entries)])
        trial = CommandTrial(self._command, store, self._failure, self._timeout)
        self._trials = [one for one in self._trials if one.is_running]
        self._trials.append(trial)
        self._starting.submit(trial.start).result()
        return trial


class CommandTrial:
    """A run of the command.

    Attributes:
        code: its exit code, once it has ended; negative: the signal that ended it.
        timed_out: it was ended, because it took too long.
    """

    def __init__(
        self, command: Sequence[str], store: Path, failure: WantedFailure, timeout: float | None
    ) -> None:
        self.code: int | None = None
        self.timed_out = False
        self._command = command
        self._failure = failure
        self._store = store
        self._timeout = timeout
        self._lock = threading.RLock()
        self._output = store.with_name("output").open("w+b")
        self._process: subprocess.Popen[bytes] | None = None
        self._timer: threading.Timer | None = None

    def start(self) -> None:
        """Run it.

        Raises:
            UsageError: it cannot be run.
        """
        command = self._command
        try:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, RECORDING: str(self._store)},
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            self._output.close()
            raise UsageError(f"{command[0]} cannot be run: {error.strerror or error}; check it") from None
        if self._timeout is not None:
            self._timer = threading.Timer(self._timeout, self._time_out)
            self._timer.daemon = True
            self._timer.start()

    @property
    def is_running(self) -> bool:
        """Whether it was started, and nobody has waited for its end."""
        return self._process is not None and self.code is None

    def fails(self) -> bool:
        """Wait for its end; whether it failed as it should."""
        assert self._process is not None, "it was started"
        _wait_for(self._process)
        if self._timer is not None:
            self._timer.cancel()
        with self._lock:
            self._signal(signal.SIGKILL)  # what it has started and left behind
            self.code = self._process.wait()
            output = self.output
            self._output.close()
        shutil.rmtree(self._store.parent, ignore_errors=True)
        return not self.timed_out and self._failure.is_this(self.code, output)

    @property
    def output(self) -> str:
        """What it wrote, or its end, if that is much."""
        if self._output.closed:
            return ""
        self._output.flush()
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - MAX_OUTPUT_BYTES))
        return self._output.read().decode("utf-8", "replace")

    def end(self) -> None:
        """Ask it to end, it and what it has started; a second later it is ended."""
        self._signal(signal.SIGTERM)
        killer = threading.Timer(GRACE_SECONDS, self._signal, [signal.SIGKILL])
        killer.daemon = True
        killer.start()

    def _time_out(self) -> None:
        self.timed_out = True
        self.end()

    def _signal(self, number: int) -> None:
        """Send a signal to the group of processes that is ours: its number is the first one's, and
        nobody else's as long as that one was not waited for."""
        with self._lock:
            if self._process is not None and self.code is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):  # all of them have ended
                    os.killpg(self._process.pid, number)


def _wait_for(process: subprocess.Popen[bytes]) -> None:
    """Wait for its end, and leave its number to it."""
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()  # macOS, before Python 3.13


class Checks:
    """Calls a function with each candidate, in this process; it fails by raising.

    Args:
        check: gets a `Recording`; `async def` runs on virtual time.
        failure: its text must be in the exception's.
    """

    def __init__(self, check: Callable[[Recording], Any], failure: WantedFailure) -> None:
        self._check = check
        self._failure = failure
        self.kind: type[BaseException] | None = None
        """What it raises; once that is known, only such a one counts."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def __call__(self, draft: Draft) -> CheckTrial:
        """Ask about a candidate."""
        return CheckTrial(self, draft)

    def fails(self, draft: Draft) -> bool:
        """Whether the check raises of it what it raised at first."""
        recording = Recording.of(draft.sealed(), name="a candidate")
        try:
            if inspect.iscoroutinefunction(self._check):
                run(self._check(recording))
            else:
                self._check(recording)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - that is how it fails; `sys.exit()` too
            told = "".join(traceback.format_exception_only(error))
            if self._failure.text is not None and self._failure.text not in told:
                return False
            self.kind = self.kind or type(error)
            return type(error) is self.kind
        finally:
            recording.close_blocking()
        return False


class CheckTrial:
    """One call of the function."""

    def __init__(self, checks: Checks, draft: Draft) -> None:
        self._checks = checks
        self._draft = draft

    def fails(self) -> bool:
        """Call it."""
        return self._checks.fails(self._draft)

    def end(self) -> None:
        """A function cannot be ended; it is waited for."""
