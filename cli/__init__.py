"""The command line: `realtape …`, and `main()` for those who call it from Python.

May import every other package; none imports this one.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]

INTERRUPTED = 130
"""What a shell reports of a program that Ctrl-C ended: 128 and the signal's number."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; without `arguments`, the one in `sys.argv`.

    Never raises for bad input: one line on stderr says what to do.
    """
    try:
        from .commands import run  # here, so that Ctrl-C during the imports is no traceback either

        return run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
