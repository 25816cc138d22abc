"""`realtape heard`: what the user really heard of what the model said."""

from __future__ import annotations

import dataclasses
import sys
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from ..schema import CorruptRecordError
from ..session import EVERY, SessionFilter, parse_target
from ..session.derived import Derived, HeardRecord
from ..session.words import short, short_id
from . import output
from .derived_sessions import derived_sessions
from .exit_codes import Exit
from .filter_options import filtered

_HEADINGS = ("item", "generated", "given", "heard", "truncated", "said", "never heard", "")
_WIDE_HEADINGS = frozenset({"said", "never heard", ""})
UNKNOWN = "?"
"""What the log does not tell."""


@filtered
def heard(
    target: Annotated[
        str, typer.Argument(metavar="STORE[#SESSION]", help="The recording; without #, the newest.")
    ],
    wanted: SessionFilter = EVERY,
    as_json: Annotated[bool, typer.Option("--json", help="Print an array of objects.")] = False,
) -> int:
    """Show, for each part of an item that the model spoke, what was generated, played and heard of it."""
    code = Exit.SAME
    told: list[dict[str, Any]] = []
    for one in derived_sessions([parse_target(target)], wanted, every=False):
        if isinstance(one, CorruptRecordError):
            output.note(str(one))
            code = Exit.INCOMPLETE
        elif as_json:
            header, parts = one.derived.header, one.derived.heard
            told += [{"session": header.id, **dataclasses.asdict(part)} for part in parts]
        else:
            _show(one.derived)
    if as_json:
        output.put_json(told, indent=2)
    return code


def _show(derived: Derived) -> None:
    count = sum(bool(part.discrepancies) for part in derived.heard)
    output.put(f"session {derived.header.id}: {len(derived.heard)} spoken, {count} with discrepancies")
    rows = [_cells(part) for part in derived.heard]
    console = output.console(sys.stdout)
    if not rows:
        return
    if not console.is_terminal:
        output.put_aligned([_HEADINGS, *rows])
        return
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for heading in _HEADINGS:
        wide = heading in _WIDE_HEADINGS
        table.add_column(heading, justify="left" if wide or heading == "item" else "right", no_wrap=not wide)
    for part, row in zip(derived.heard, rows, strict=True):
        table.add_row(*map(Text, row), style="red" if part.discrepancies else "")
    console.print(table)


def _cells(part: HeardRecord) -> tuple[str, ...]:
    assumed = "~" if part.assumed else ""
    return (
        short_id(part.item_id) + (f"/{part.content_index}" if part.content_index else ""),
        _ms(part.generated_ms),
        _ms(part.given_ms),
        assumed + _ms(part.heard_ms),
        _truncated(part),
        short(part.text, 60) or "-",
        short(part.unheard_text, 60) or "-",
        ", ".join(part.discrepancies) or "-",
    )


def _truncated(part: HeardRecord) -> str:
    """Where it was truncated: what was sent, and what was acknowledged or refused of it."""
    if part.refused:
        return f"{_ms(part.truncate_ms)} refused"
    if part.truncate_ms is None:
        return "-" if part.acknowledged_ms is None else _ms(part.acknowledged_ms)
    if part.acknowledged_ms is None:
        return f"{_ms(part.truncate_ms)} unanswered"
    same = part.acknowledged_ms == part.truncate_ms
    return _ms(part.truncate_ms) if same else f"{_ms(part.truncate_ms)}, {_ms(part.acknowledged_ms)}"


def _ms(told: float | None) -> str:
    return UNKNOWN if told is None else f"{told:,.0f} ms"
