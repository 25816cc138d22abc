"""Running `realtape` as people do: in a pipe, on a terminal, and stopped in the midst."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REALTAPE = (sys.executable, "-m", "realtape.cli")
TESTS = Path(__file__).parent.parent
_FROM_OUTSIDE = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "COLUMNS", "REALTAPE_DEBUG", "TTY_COMPATIBLE")


@dataclass(frozen=True)
class Ran:
    """What came of a command; on a terminal, `err` is part of `out`."""

    code: int
    out: str
    err: str = ""

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


def environment(**more: str) -> dict[str, str]:
    """Ours, without what a user or a CI may have set about colours."""
    ours = {name: value for name, value in os.environ.items() if name not in _FROM_OUTSIDE}
    return {**ours, "PYTHONPATH": str(TESTS), "PYTHONWARNINGS": "error", **more}


def run(*arguments: object, cwd: Path | None = None, **more: str) -> Ran:
    """In a process of its own, into pipes."""
    done = subprocess.run(
        [*REALTAPE, *map(str, arguments)],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def shell(script: str, **more: str) -> Ran:
    """A script for bash, in which `$realtape` runs the command."""
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; realtape='{' '.join(REALTAPE)}'; {script}"],
        env=environment(**more),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def start(*arguments: object, **more: str) -> subprocess.Popen[str]:
    """In a process of its own, and let it run."""
    return subprocess.Popen(
        [*REALTAPE, *map(str, arguments)],
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def run_on_terminal(*arguments: object, columns: int = 120, **more: str) -> Ran:
    """In a process of its own, on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    streams: dict[str, Any] = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    process = subprocess.Popen(
        [*REALTAPE, *map(str, arguments)],
        env=environment(**{"TERM": "xterm-256color", **more}),
        **streams,
    )
    os.close(theirs)
    told = bytearray()
    read_terminal(ours, told)
    os.close(ours)
    return Ran(process.wait(timeout=120), told.decode())


def read_terminal(ours: int, told: bytearray) -> None:
    """All that is written to the other end, until nobody holds that any more."""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux's way of saying so
            return
        if not piece:
            return
        told += piece
