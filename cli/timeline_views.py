"""How the rows of a timeline are laid out: for a terminal, and for a pipe. Both stream."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol, TypeAlias

from rich import box
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from ..schema import Kind
from ..session import Row, words
from . import output

BATCH_ROWS = 100
"""Rows that a terminal gets at once."""

WIDE = 110
"""From so many columns on, there is room."""

TITLE, HEARD = 28, 22
"""Columns of a plain line for what it is, and for what was heard."""

Link: TypeAlias = Callable[[Row], str]
"""The address of a row's entry in a page."""

_HEADINGS = ("seq", "time", "", "type", "heard", "cause", "content")


class TimelineView(Protocol):
    """Takes rows, writes them to stdout."""

    def begin(self, title: str) -> None:
        """Before the first row."""

    def add(self, row: Row) -> None:
        """The next row."""

    def flush(self) -> None:
        """Before one waits for the next row."""

    def end(self, summary: str) -> None:
        """After the last row."""


class PlainView:
    """Aligned text, every line complete in itself: for `grep`, `less` and files.

    Args:
        last_seq: of the session.
        last_time: the time of its last entry, as it is shown.
        link: a row's address in a page, which ends its line; None: there is no page.
    """

    def __init__(self, last_seq: int, last_time: str, link: Link | None = None) -> None:
        self._link = link
        digits = len(str(max(last_seq, 0)))
        self._seq = max(digits, 3)
        self._time = max(len(last_time), 5)
        self._cause = max(digits + 1, 5)

    def begin(self, title: str) -> None:
        """The title, and the headings."""
        output.put(title)
        self._put(_HEADINGS)

    def add(self, row: Row) -> None:
        """One line."""
        content = row.content if self._link is None else f"{row.content}  {self._link(row)}"
        self._put((str(row.seq), row.time, row.direction, row.title, row.playback, row.cause, content))

    def flush(self) -> None:
        """What is in a buffer is written."""
        sys.stdout.flush()

    def end(self, summary: str) -> None:
        """Nothing: who counts lines wants to count rows."""

    def _put(self, cells: tuple[str, ...]) -> None:
        seq, time, direction, title, playback, cause, content = cells
        place = f"{seq:>{self._seq}}  {time:>{self._time}} {direction or ' '}"
        # A long title takes from the blanks of the column after it.
        what = f"{title:<{TITLE}}  {playback}"
        line = f"{place} {what:<{TITLE + 2 + HEARD}}  {cause:<{self._cause}}  {content}".rstrip()
        output.put(words.visible(line))  # also a kind's name may have been forged


class TerminalView:
    """Rich tables, a batch of rows each, of which only the first has headings.

    Args:
        console: of the terminal.
        last_seq: of the session.
        last_time: the time of its last entry, as it is shown.
        link: a row's address in a page, to which its number leads; None: there is no page.
    """

    def __init__(self, console: Console, last_seq: int, last_time: str, link: Link | None = None) -> None:
        self._link = link
        self._console = console
        digits = len(str(max(last_seq, 0)))
        wide = console.width >= WIDE
        self._gap = 2 if wide else 1
        fixed = (
            max(digits, 3),
            max(len(last_time), 5),
            1,
            26 if wide else 20,
            21 if wide else 18,
            max(digits + 1, 5),
        )
        rest = console.width - sum(fixed) - self._gap * len(fixed)
        self._widths = (*fixed, max(rest, 8))
        self._rows: list[Row] = []
        self._heard = ""
        self._headed = False

    def begin(self, title: str) -> None:
        """The title; the headings come with the first rows."""
        self._console.print(Text(title, style="bold"), soft_wrap=True)

    def add(self, row: Row) -> None:
        """One row; what was heard is shown where it changes."""
        self._rows.append(row)
        if len(self._rows) >= BATCH_ROWS:
            self.flush()

    def end(self, summary: str) -> None:
        """The rows that are left, and the summary."""
        self.flush()
        if summary:
            self._console.print(Text(summary, style="dim"))

    def flush(self) -> None:
        """The rows so far."""
        if not self._rows:
            return
        table = Table(
            box=box.SIMPLE_HEAD,
            show_header=not self._headed,
            show_edge=False,
            pad_edge=False,
            padding=(0, self._gap - 1, 0, 0),
            header_style="bold",
        )
        for index, (heading, width) in enumerate(zip(_HEADINGS, self._widths, strict=True)):
            table.add_column(
                heading,
                width=width,
                justify="right" if index < 2 else "left",
                no_wrap=True,
                overflow="ellipsis",
            )
        for row in self._rows:
            heard = row.playback or "-"
            shown = "" if heard == self._heard or (not self._heard and not row.playback) else heard
            self._heard = heard
            cells = (str(row.seq), row.time, row.direction, row.title, shown, row.cause, row.content)
            texts = list(map(Text, cells))
            if self._link is not None:
                texts[0].stylize(Style(link=self._link(row)))
            table.add_row(*texts, style=_style_of(row))
        self._rows.clear()
        self._headed = True
        self._console.print(table)


def _style_of(row: Row) -> str:
    if row.alarming:
        return "red"
    if row.kind == Kind.MARKER:
        return "yellow"
    return {"◀": "cyan", "▶": "green"}.get(row.direction, "dim")
