"""What goes to the terminal or into a pipe: lines to stdout, notes to stderr."""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from ..schema.codec import Secrets, standard_json
from ..session.words import short, visible

MAX_NOTE = 1000
"""Characters of a note on stderr."""


@functools.cache
def _secrets() -> Secrets:
    return Secrets.of_environment()


def scrubbed(text: str) -> str:
    """What may be shown of a text: a log of an earlier release, or the application, may have said a key."""
    return _secrets().scrub(text)


class _Scrubbing:
    """A stream into which no credential is written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Rich writes whole lines."""
        return self._stream.write(scrubbed(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Console(Console):
    """What is printed is shown; what only Rich itself says, such as colours, is obeyed."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Rich's segments, before it makes escapes of their styles."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text, lines=True), segment.style)

    def on_broken_pipe(self) -> None:
        """Rich would end the process here, with a code that means something else."""
        raise BrokenPipeError


def console(stream: TextIO) -> Console:
    """Rich's console on a stream, without colours where the user does not want any."""
    plain = bool(os.environ.get("NO_COLOR"))
    return _Console(
        file=cast("TextIO", _Scrubbing(stream)),
        color_system=None if plain else "auto",
        highlight=False,
        markup=False,
        emoji=False,
    )


def prepare() -> None:
    """What the stream's encoding lacks, and halves of surrogate pairs, are written as escapes."""
    _secrets.cache_clear()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def put(line: str) -> None:
    """A line to stdout, or several, without credentials and without what a terminal would obey."""
    sys.stdout.write(visible(scrubbed(line), lines=True) + "\n")


def put_error(text: str) -> None:
    """A traceback to stderr, as `put`."""
    sys.stderr.write(visible(scrubbed(text), lines=True))


def put_now(line: str) -> None:
    """A line to stdout, for who waits for it."""
    put(line)
    sys.stdout.flush()


def put_json(value: Any, *, indent: int | None = None) -> None:
    """A value to stdout as JSON, on one line if there is no `indent`; control characters are escaped."""
    unicode = (sys.stdout.encoding or "ascii").lower().startswith("utf")
    tree = _secrets().scrub_tree(value)
    text = standard_json(tree, unicode=unicode, indent=indent)
    sys.stdout.write(visible(text, escape="\\u{:04x}".format, lines=True) + "\n")


def put_aligned(rows: Sequence[Sequence[str]]) -> None:
    """Rows to stdout, in columns two blanks apart."""
    rows = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        put("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def note(text: str) -> None:
    """One line to stderr."""
    sys.stderr.write(f"realtape: {short(scrubbed(text), MAX_NOTE)}\n")


def let_go_of_stdout() -> None:
    """Nobody reads it any more: what is still in its buffer goes nowhere, without a complaint."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # stdout is no file
        pass
