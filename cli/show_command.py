"""`realtape show`: a recording as a timeline, or its entries as JSON Lines."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from ..schema import WIRE_FORMAT, CorruptRecordError, Entry, Kind, SessionRecord
from ..schema.log import locate, open_for_reading, read
from ..session import (
    EVERY,
    Folder,
    Recording,
    SessionFilter,
    Target,
    entries_with_events,
    parse_target,
    row_of,
    seconds,
    words,
)
from ..session.fields import payload
from ..session.fixture import is_fixture, read_into_memory
from . import output
from .bounds import Bound, parse_bound
from .exit_codes import Exit
from .filter_options import filtered, fitting, refuse_both
from .ls_command import SDK, started_at
from .timeline_views import PlainView, TerminalView, TimelineView


@dataclass(frozen=True)
class Selection:
    """Which entries to show; an empty set selects all."""

    kinds: frozenset[str]
    types: frozenset[str]
    first: Bound
    last: Bound

    @property
    def picks(self) -> bool:
        """Whether certain entries are asked for, of which none should be left out."""
        return bool(self.kinds or self.types)

    def shows(self, entry: Entry) -> bool:
        """Whether the entry is of these, and lies within the bounds."""
        return self.matches(entry) and not self.first.is_after(entry) and not self.last.is_before(entry)

    def matches(self, entry: Entry) -> bool:
        """Whether the entry is of a selected kind and type."""
        return (not self.kinds or entry.kind in self.kinds) and (not self.types or entry.type in self.types)


@filtered
def show(
    target: Annotated[
        str, typer.Argument(metavar="STORE[#SESSION]", help="The recording; without #, the newest.")
    ],
    kind: Annotated[
        list[Kind] | None,
        typer.Option(metavar="KIND", help="Only entries of this kind, such as sent; may be repeated."),
    ] = None,
    type: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE", help="Only entries of this type, such as function_call; may be repeated."
        ),
    ] = None,
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="PLACE", help="Begin at an entry (120) or a time (1.5s, 1500ms)."),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="PLACE", help="End with an entry, or at a time.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every entry on a line of its own: fold nothing, leave out nothing.")
    ] = False,
    wanted: SessionFilter = EVERY,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one entry a line, with every column.")
    ] = False,
) -> int:
    """Show a recording as a timeline."""
    selection = Selection(
        frozenset(kind or ()),
        frozenset(type or ()),
        parse_bound("--from", first),
        parse_bound("--to", last),
    )
    words = parse_target(target)
    refuse_both(words, wanted)
    if wanted == EVERY:
        return asyncio.run(_show(words, selection, everything, as_json))
    code = Exit.SAME
    for one in asyncio.run(_fitting(words, wanted)):
        if isinstance(one, CorruptRecordError):
            output.note(str(one))
            code = Exit.INCOMPLETE
        else:
            found = Target(words.store, one.header.id)
            asyncio.run(_show(found, selection, everything, as_json))
    return code


async def show_timeline(target: Target) -> None:
    """Print a whole recording as a timeline, speech folded."""
    everything = Selection(frozenset(), frozenset(), parse_bound("--from", None), parse_bound("--to", None))
    await _show(target, everything, everything=False, as_json=False)


async def _fitting(target: Target, wanted: SessionFilter) -> list[SessionRecord | CorruptRecordError]:
    address = read_into_memory(target.store)[0] if is_fixture(target.store) else locate(target.store)
    async with open_for_reading(address) as connection:
        return await read(connection, fitting, address, wanted)


async def _show(target: Target, selection: Selection, everything: bool, as_json: bool) -> int:
    recording: Recording | None = await Recording.open(target.store, target.session)
    shown = set[str]()
    while recording is not None and recording.header.id not in shown:
        shown.add(recording.header.id)
        async with recording:
            await _show_session(recording, selection, everything, as_json)
        recording = None if target.is_single else recording.following()
    return Exit.SAME


async def _show_session(recording: Recording, selection: Selection, everything: bool, as_json: bool) -> None:
    if as_json:
        async for entry in _selected(recording, selection):
            output.put_json(_facts(recording, entry))
    else:
        view = await _view(recording)
        view.begin(_title(recording))
        view.end(await _show_rows(recording, selection, view, everything))
        learned = recording.origins
        if learned is not None:
            output.put(f"origins: {learned}")


async def _entries(recording: Recording, selection: Selection, folder: Folder | None) -> AsyncIterator[Entry]:
    """What is shown: of frames also the events that they come to, unless entries are picked."""
    if folder is None or recording.header.format < WIRE_FORMAT:
        async for entry in _selected(recording, selection):
            yield entry
        return
    for entry in entries_with_events(recording.drafts()[0]):
        if selection.shows(entry):
            yield entry


async def _show_rows(recording: Recording, selection: Selection, view: TimelineView, everything: bool) -> str:
    """Fill the view; returns a sentence on what it does not show."""
    folder = None if everything or selection.picks else Folder()
    shown = 0
    async for entry in _entries(recording, selection, folder):
        shown += 1
        for row in [row_of(entry)] if folder is None else folder.add(entry):
            view.add(row)
    if folder is not None:
        for row in folder.rest():
            view.add(row)
        if folder.rows < folder.entries:
            return f"{folder.entries:,} entries on {folder.rows:,} lines; --all shows each on its own"
    return "" if shown else f"none of the {recording.length:,} entries is selected"


async def _selected(recording: Recording, selection: Selection) -> AsyncIterator[Entry]:
    async for entry in recording.entries(selection.first.seq or 0):
        if selection.last.is_before(entry):
            return
        if not selection.first.is_after(entry) and selection.matches(entry):
            yield entry


async def _view(recording: Recording) -> TimelineView:
    last_seq, last_time = max(recording.length - 1, 0), seconds(0)
    with suppress(CorruptRecordError):  # what comes before it is shown all the same
        async for entry in recording.entries(last_seq):
            last_time = seconds(entry.at_ns)
    console = output.console(sys.stdout)
    if console.is_terminal:
        return TerminalView(console, last_seq, last_time)
    return PlainView(last_seq, last_time)


def _title(recording: Recording) -> str:
    header = recording.header
    facts = [f"session {header.id}", started_at(header), recording.status, f"{recording.length:,} entries"]
    if SDK in header.versions:
        facts.append(f"{SDK} {header.versions[SDK]}")
    facts += [f"{name}={value}" for name, value in header.labels.items()]
    return words.short(" · ".join(facts), 200)


def _facts(recording: Recording, entry: Entry) -> dict[str, Any]:
    """Every column by its name."""
    facts: dict[str, Any] = {"session": recording.header.id, **entry._asdict()}
    facts["payload"] = payload(entry)
    facts["digest"] = entry.digest.hex()
    return facts
