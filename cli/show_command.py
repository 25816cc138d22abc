"""`realtape show`: a recording as a timeline, as a conversation, or its entries as JSON Lines."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Annotated

import typer

from ..schema import WIRE_FORMAT, CorruptRecordError, Entry, Kind, SessionRecord, Status, UsageError
from ..schema.log import open_blocking
from ..session import (
    EVERY,
    NOTED,
    ConversationLine,
    ConversationReader,
    Folder,
    Notes,
    OwnPattern,
    Recording,
    Row,
    SessionFilter,
    Target,
    entry_columns,
    parse_target,
    row_of,
    seconds,
    words,
)
from ..session.fields import server_message, text_of
from ..session.fixture import located
from . import output, play_options
from .bounds import Bound, parse_bound
from .exit_codes import Exit
from .filter_options import filtered, fitting, refuse_both
from .ls_command import SDK, started_at
from .timeline_views import Link, PlainView, TerminalView, TimelineView

_MAX_SAID = 100_000
"""Characters of a line of a conversation."""


AGAIN_SECONDS = 10.0
"""Who follows a session waits so long behind its end for the model to connect again."""

_LANES_WIDTH = 110
"""Columns of lanes that go into a pipe."""


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which entries to show, and how; an empty set selects all.

    Attributes:
        without: types that are left out, of events and of the provider's messages.
        pattern: only what contains this.
        everything: fold nothing, leave out nothing.
        conversation: only who said what.
        follow: wait for what is still to be recorded.
        lanes: draw the sound only.
        page: into which each entry's number is a link; a file, or what `view` printed.
        origins: a file that keeps what was learned.
    """

    kinds: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    first: Bound = dataclasses.field(default_factory=Bound)
    last: Bound = dataclasses.field(default_factory=Bound)
    without: frozenset[str] = frozenset()
    pattern: OwnPattern | None = None
    everything: bool = False
    conversation: bool = False
    follow: bool = False
    lanes: bool = False
    page: str | None = None
    origins: Path | None = None

    @property
    def folds(self) -> bool:
        """Whether bursts become a row; not where certain entries are asked for: of those none is left out."""
        return not (self.everything or self.kinds or self.types)

    def matches(self, entry: Entry) -> bool:
        """Whether the entry is of a selected kind and type."""
        if self.without and (entry.type in self.without or _message_type(entry) in self.without):
            return False
        return (not self.kinds or entry.kind in self.kinds) and (not self.types or entry.type in self.types)

    def contains(self, *texts: str) -> bool:
        """Whether the pattern is found in one of them."""
        return self.pattern is None or any(map(self.pattern.is_in, texts))


@filtered
def show(
    target: Annotated[
        str, typer.Argument(metavar="STORE[#SESSION]", help="The recording; without #, the newest.")
    ],
    conversation: Annotated[
        bool, typer.Option("--conversation", help="Only who said what, tools and interruptions, in full.")
    ] = False,
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
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="TYPE", help="Leave out entries of this type; may be repeated."),
    ] = None,
    grep: Annotated[
        str | None,
        typer.Option(metavar="PATTERN", help="Only what contains this regular expression, in any case."),
    ] = None,
    first: play_options.First = None,
    last: play_options.Last = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every entry on a line of its own: fold nothing, leave out nothing.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="While it is recorded: go on with what comes, to its end.")
    ] = False,
    lanes: Annotated[
        bool, typer.Option("--lanes", help="Only the sound, and what was heard of it, drawn over the time.")
    ] = False,
    page: Annotated[
        str | None,
        typer.Option(metavar="PAGE", help="Link each entry into this page: a file, or what `view` printed."),
    ] = None,
    origins: play_options.OriginsFile = None,
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
        frozenset(without or ()),
        None if grep is None else OwnPattern("--grep", grep, re.IGNORECASE),
        everything,
        conversation,
        follow,
        lanes,
        page,
        origins,
    )
    if page is not None:
        _require_page(page)
        if as_json or conversation:
            raise UsageError("--page links the entries of a timeline: leave --json and --conversation out")
    if lanes and (as_json or selection != Selection(lanes=True, origins=origins)):
        raise UsageError("--lanes draws whole sessions: leave the other options out")
    if conversation and (kind or type or everything):
        raise UsageError("--conversation is what was said and done, and no entries: leave the others out")
    words = parse_target(target)
    refuse_both(words, wanted)
    if wanted == EVERY:
        return asyncio.run(_show(words, selection, as_json))
    code = Exit.SAME
    for one in _fitting(words, wanted):
        if isinstance(one, CorruptRecordError):
            output.note(str(one))
            code = Exit.INCOMPLETE
        else:
            asyncio.run(_show(Target(words.store, one.header.id), selection, as_json))
    return code


async def show_timeline(target: Target) -> None:
    """Print a whole recording as a timeline, speech folded."""
    await _show(target, Selection(), as_json=False)


def _message_type(entry: Entry) -> str | None:
    """The type of the provider's message that an entry brings."""
    return text_of((server_message(entry) or {}).get("type")) or None


def _fitting(target: Target, wanted: SessionFilter) -> list[SessionRecord | CorruptRecordError]:
    address = located(target.store)
    with open_blocking(address) as connection:
        return fitting(connection, address, wanted)


async def _show(target: Target, selection: Selection, as_json: bool) -> int:
    # The loop is there for who follows; nobody else is on it, and what does not block is long to import.
    recording: Recording | None = Recording.open_blocking(
        target.store, target.session, origins=selection.origins
    )
    shown = set[str]()
    while recording is not None and recording.header.id not in shown:
        shown.add(recording.header.id)
        is_live = selection.follow and recording.status is Status.RECORDING
        async with recording:
            await _show_session(recording, selection, as_json)
        if target.is_single:
            break
        recording = await recording.next_session(AGAIN_SECONDS if is_live else 0)
    return Exit.SAME


async def _show_session(recording: Recording, selection: Selection, as_json: bool) -> None:
    if selection.lanes:
        _show_lanes(recording)
    elif selection.conversation:
        await _show_conversation(recording, selection, as_json)
    elif as_json:
        async for entry in _read(recording, selection, sys.stdout.flush):
            is_meant = selection.matches(entry) and not selection.first.is_after(entry)
            if is_meant and selection.contains(f"{entry.kind} {entry.type or ''}", words.told(entry)):
                output.put_json(entry_columns(recording.header.id, entry))
    else:
        view = _view(recording, selection.page)
        view.begin(_title(recording))
        view.end(await _show_rows(recording, selection, view))
        learned = recording.origins
        if learned is not None:
            output.put(f"origins: {learned}")


def _show_lanes(recording: Recording) -> None:
    from ..viewer import lane_text  # what draws is not needed for anything else

    console = output.console(sys.stdout)
    width = console.width if console.is_terminal else _LANES_WIDTH
    for line in [_title(recording), *lane_text(recording.drafts()[0], width)]:
        output.put(line)


async def _show_conversation(recording: Recording, selection: Selection, as_json: bool) -> None:
    """Who said what. What comes before it is read, for turns are counted."""
    if not as_json:
        output.put(_title(recording))
    reader = ConversationReader()
    turn = 0

    def put(lines: list[ConversationLine]) -> None:
        nonlocal turn
        for line in lines:
            if selection.first.is_after(line) or not selection.contains(line.text, line.who):
                continue
            if as_json:
                output.put_json({"session": recording.header.id, **dataclasses.asdict(line)})
                continue
            if line.turn != turn:
                turn = line.turn
                output.put(f"turn {turn}")
            output.put(
                f"{seconds(line.at_ns):>9} {line.who:<11} {words.short(line.text, _MAX_SAID)}".rstrip()
            )

    whole = dataclasses.replace(selection, first=Bound())
    async for entry in _entries(recording, whole, sys.stdout.flush):
        put(reader.add(entry))
    put(reader.rest())


async def _show_rows(recording: Recording, selection: Selection, view: TimelineView) -> str:
    """Fill the view; returns a sentence on what it does not show."""
    notes = Notes()
    for entry in recording.before_blocking(selection.first.seq or 0, NOTED):
        notes.read(entry)
    folder = Folder(notes) if selection.folds else None
    shown = 0

    def add(rows: list[Row]) -> None:
        nonlocal shown
        for row in rows:
            if selection.contains(row.title, row.text):
                shown += 1
                view.add(row)

    def wait() -> None:
        """What has come so far is shown, before one waits for more."""
        add([] if folder is None else folder.rest())
        view.flush()

    async for entry in _entries(recording, selection, wait):
        if selection.first.is_after(entry) or not selection.matches(entry):
            notes.read(entry)
        elif folder is not None:
            add(folder.add(entry))
        else:
            add([row_of(entry, notes.read(entry))])
    add([] if folder is None else folder.rest())
    if folder is not None and selection.pattern is None and folder.rows < folder.entries:
        return f"{folder.entries:,} entries on {folder.rows:,} lines; --all shows each on its own"
    return "" if shown else f"none of the {recording.length:,} entries is selected"


async def _entries(
    recording: Recording, selection: Selection, on_wait: Callable[[], object]
) -> AsyncIterator[Entry]:
    """As `_read`; of frames also the events that they come to, unless entries are picked."""
    if recording.header.format < WIRE_FORMAT or not selection.folds:
        async for entry in _read(recording, selection, on_wait):
            yield entry
        return
    if selection.follow:
        async for entry in _followed(recording, selection, on_wait):
            yield entry
        return
    from ..session import entries_with_events  # of frames only

    for entry in entries_with_events(recording.drafts()[0]):
        if selection.last.is_before(entry):
            return
        yield entry


async def _followed(
    recording: Recording, selection: Selection, on_wait: Callable[[], object]
) -> AsyncIterator[Entry]:
    """What comes, of frames with the events that they come to; from the first on, which those need."""
    from ..session import FrameEvents

    events = FrameEvents(recording.bytes_at)
    async for entry in _read(recording, dataclasses.replace(selection, first=Bound()), on_wait):
        if events.wants(entry):
            recording.load_blocking(entry)
        for one in events.of(entry):
            yield one


async def _read(
    recording: Recording, selection: Selection, on_wait: Callable[[], object]
) -> AsyncIterator[Entry]:
    """The entries up to the last that is asked for; before the first, those that may be needed to find it."""
    first = selection.first.seq or 0
    if not selection.follow:
        for entry in recording.entries_blocking(first):
            if selection.last.is_before(entry):
                return
            yield entry
        return
    async with aclosing(recording.follow(first, on_wait=on_wait)) as coming:
        async for entry in coming:
            if selection.last.is_before(entry):
                return
            yield entry


def _view(recording: Recording, page: str | None) -> TimelineView:
    last_seq, last_time = max(recording.length - 1, 0), seconds(0)
    with suppress(CorruptRecordError):  # what comes before it is shown all the same
        for entry in recording.entries_blocking(last_seq):
            last_time = seconds(entry.at_ns)
    link = None if page is None else _links_into(page, recording.header.id)
    console = output.console(sys.stdout)
    if console.is_terminal:
        return TerminalView(console, last_seq, last_time, link)
    return PlainView(last_seq, last_time, link)


def _links_into(page: str, session_id: str) -> Link:
    from ..viewer import entry_link  # of pages nothing else is needed here

    return lambda row: entry_link(page, session_id, row.seq, row.at_ns)


def _require_page(page: str) -> None:
    if not page.startswith(("http://", "https://")) and not Path(page).is_file():
        raise UsageError(f"--page {page}: no such file; `realtape export STORE --html {page}` writes one")


def _title(recording: Recording) -> str:
    header = recording.header
    facts = [f"session {header.id}", started_at(header), recording.status, f"{recording.length:,} entries"]
    if SDK in header.versions:
        facts.append(f"{SDK} {header.versions[SDK]}")
    facts += [f"{name}={value}" for name, value in header.labels.items()]
    return words.short(" · ".join(facts), 200)
