"""`Gathering`: what a page shows of one session, read once, in order; and the blocks that it asks for.

A session that is being recorded is read on where it was left; what was gathered by then is shown already.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from ..lab.invariants import ALL, Watch
from ..schema import CorruptRecordError, Entry, Flag, Status
from ..schema.codec import REFERS, standard_json
from ..session import (
    Fold,
    Folder,
    LanesReader,
    Row,
    SessionSettings,
    State,
    entry_json,
    is_failure,
    row_of,
    words,
)
from .entry_sources import EntrySource
from .problems import Problems
from .session_sound import LANES, SessionSound
from .state_patches import EVERY, state_block
from .story import StoryReader

INDEX_ENTRIES = 16_384
"""Entries of a block of the index: a few numbers each."""

ROW_ENTRIES = 256
"""Entries of a block of rows: with all that they hold."""

LINES = 512
"""Lines of a block of the timeline, in which bursts are folded."""

_SLICE_ENTRIES = 2_000

ALARMING, SOUNDS, REDACTED, ASSUMED, DERIVED = 1, 2, 4, 8, 16
"""Marks of an entry in the index."""

_REDACTED, _ASSUMED = int(Flag.REDACTED), int(Flag.ASSUMED)  # bare numbers, for a million entries are asked


class Gathering:
    """One session. Every method is blocking, and may be called from any thread.

    Args:
        key: the name of its blocks.
        source: where it lies.
        sound: as its sound is kept: see `SessionSound`.
        called: the id of what is in a store, where this is a redacted copy of that; None: its own.
    """

    def __init__(self, key: str, source: EntrySource, sound: SessionSound, called: str | None = None) -> None:
        self.key = key
        self.called = source.header.id if called is None else called
        self.source = source
        self.sound = sound
        self._lock = threading.RLock()
        self._length, self._status = source.state()
        self._begin()

    # --- reading --------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """From the first entry on."""
        self._read = 0
        self._last_ns = 0
        self._last_seq = -1
        self._lanes = LanesReader()
        self._folder = Folder()
        self._lines: list[Row] = []
        self._story = StoryReader(self.source)
        self._problems = Problems()
        self._fold = Fold()
        self._settings: SessionSettings | None = None
        self._told_settings: list[dict[str, Any]] = []
        self._states = [State()]  # before each EVERY entries
        self._watch = Watch(ALL)
        self._watch.begin(self.source.header)
        self._over = self._damaged = False

    def advance(self, seconds: float | None = None) -> bool:
        """Read on, for so long at most; whether all that there is was read."""
        until = None if seconds is None else time.monotonic() + seconds
        with self._lock:
            self._length, self._status = self.source.state()
            if self._over and self._read < self._length:  # it was thought to be
                self._begin()
            try:
                self._read_until(until)
            except CorruptRecordError as error:  # what is in front of it is shown; where it ends is told
                self._damaged = True
                self._problems.damaged(str(error), self._read, self._last_ns)
            if self._damaged:
                self._length = self._read
            if self._read >= self._length:  # what has come so far is shown, before one waits for more
                self._lines += self._folder.rest()
            if self._read >= self._length and self._status != Status.RECORDING and not self._over:
                self._over = True
                self._problems.violated(self._watch.end(), self._last_ns)
                if self._status == Status.INTERRUPTED:
                    self._problems.broke_off(self._last_seq, self._last_ns)
            return self._read >= self._length

    def _read_until(self, until: float | None) -> None:
        entries, broken = self.source.entries(self._read), None
        while broken is None and not self._damaged:
            some: list[Entry] = []
            try:
                some.extend(islice(entries, _SLICE_ENTRIES))
            except CorruptRecordError as error:  # those before it come first
                broken = error
            for entry in some:
                self._add(entry)
            if not some or (until is not None and time.monotonic() > until and broken is None):
                break
        if broken is not None:
            raise broken

    def _add(self, entry: Entry) -> None:
        self._read += 1
        self._last_ns = max(self._last_ns, entry.at_ns)
        self._lanes.read(entry)
        self._lines += self._folder.add(entry)
        if entry.seq > self._last_seq:  # what is derived reads frames itself
            self._story.read(entry)
        self._problems.read(entry)
        self._problems.violated(self._watch.add(entry), entry.at_ns)
        self._last_seq = entry.seq
        self._fold.add(entry)
        settings = self._fold.settings
        if settings is not None and settings is not self._settings:
            self._told_settings.append(_settings_facts(settings))
        self._settings = settings
        if self._read % EVERY == 0:
            self._states.append(self._fold.state())

    # --- blocks ---------------------------------------------------------------------------------------

    def session(self) -> dict[str, Any]:
        """What the page is told first: who, how long, where the sound lies, and what the session says."""
        with self._lock:
            lanes = self._lanes.lanes()
            self.sound.lay(lanes, self.source)
            header = self.source.header
            story = self._story.facts(header, self._status, lanes)
            return {
                "key": self.key,
                "id": self.called,
                "copy": None if self.called == header.id else header.id,
                "previous": header.previous_session,
                "started_ns": header.started_ns,
                "host": header.host,
                "labels": header.labels,
                "versions": header.versions,
                "source": header.source,
                "format": header.format,
                "status": self._status,
                "entries": self._length,
                "read": self._read,
                "duration_ns": self._last_ns,
                "pace": lanes.pace,
                "sound": self.sound.facts(),
                "story": story,
                "settings": self._told_settings,
                "problems": self._problems.facts(story),
                "lines": len(self._lines),
                "sizes": {"index": INDEX_ENTRIES, "rows": ROW_ENTRIES, "lines": LINES, "states": EVERY},
            }

    def standing(self) -> dict[str, Any]:
        """How far it is, for who asks again and again."""
        with self._lock:
            return {"entries": self._length, "read": self._read, "status": self._status}

    def index(self, number: int) -> dict[str, Any]:
        """Of each entry when it was, of which kind and type, because of which it happened, which it ends."""
        columns: list[list[int]] = [[] for _ in range(7)]
        at, seqs, kinds, types, causes, ofs, marks = columns
        known: dict[str, int] = {}
        names: list[str] = []

        def name(text: str) -> int:
            if text not in known:
                known[text] = len(names)
                names.append(text)
            return known[text]

        before = -1
        for entry in self._some(number * INDEX_ENTRIES, INDEX_ENTRIES):
            at.append(entry.at_ns)
            seqs.append(entry.seq)
            kinds.append(name(entry.kind))
            types.append(name(entry.type or entry.method or ""))
            causes.append(-1 if entry.cause is None else entry.cause)
            ofs.append(-1 if entry.of is None else entry.of)
            marks.append(_marks(entry, before))
            before = entry.seq
        return {
            "names": list(map(words.visible, names)),
            "at": at,
            "seq": seqs,
            "kind": kinds,
            "type": types,
            "cause": causes,
            "of": ofs,
            "marks": marks,
        }

    def rows(self, number: int) -> list[Any]:
        """Entries whole: in words, and every column as `realtape show --json` prints it."""
        session_id = self.source.header.id
        return [
            [*_words(row_of(entry)), entry_json(session_id, entry)]
            for entry in self._some(number * ROW_ENTRIES, ROW_ENTRIES)
        ]

    def lines(self, number: int) -> list[Any]:
        """Lines of the timeline, as `realtape show` folds it."""
        with self._lock:
            some = self._lines[number * LINES : (number + 1) * LINES]
        return [[row.seq, row.at_ns, row.count, row.kind, *_words(row)] for row in some]

    def states(self, number: int) -> dict[str, Any] | None:
        """The state of the conversation from there on; None: it was not read that far yet."""
        with self._lock:
            if number >= len(self._states):
                return None
            begin = Fold(self._states[number])
        return state_block(begin, number * EVERY, self._some(number * EVERY, EVERY))

    def first_blocks(self, session: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """What is drawn first, by its name, once the session was read whole.

        Args:
            session: what `session` gave then.
        """
        yield "session", session
        for lane in LANES:
            yield f"peaks/{lane}", self.sound.peaks(lane)
        for number in range(-(-len(self._lines) // LINES)):
            yield f"lines/{number}", self.lines(number)
        for number in range(-(-self._read // INDEX_ENTRIES)):
            yield f"index/{number}", self.index(number)

    def later_blocks(self) -> Iterator[tuple[str, Any]]:
        """All others, of which a few at a time are asked for."""
        for number in range(-(-self._read // EVERY)):
            yield f"states/{number}", self.states(number)
        for number in range(-(-self._read // ROW_ENTRIES)):
            yield f"rows/{number}", self.rows(number)
        for lane in LANES:
            for number in range(self.sound.block_count(lane)):
                yield f"sound/{lane}/{number}", self.sound.block(lane, number, self.source)

    def block(self, name: str) -> Any:
        """One of them; None where there is no such."""
        what, _, number = name.partition("/")
        if what == "session" and not number:
            return self.session()
        if what == "standing" and not number:
            return self.standing()
        made = {"index": self.index, "rows": self.rows, "lines": self.lines, "states": self.states}.get(what)
        return None if made is None or not is_number(number) else made(int(number))

    def sound_block(self, what: str, name: str) -> bytes | None:
        """A block of sound, or a lane's waveform; None where there is no such."""
        lane, _, number = name.partition("/")
        with self._lock:
            for one in LANES:
                if lane == one and what == "peaks" and not number:
                    return self.sound.peaks(one)
                if lane == one and what == "sound" and is_number(number):
                    known = int(number) < self.sound.block_count(one)
                    return self.sound.block(one, int(number), self.source) if known else None
        return None

    def _some(self, first: int, count: int) -> Iterator[Entry]:
        """Up to where it can be read: that it ends there is one of the problems."""
        try:
            yield from islice(self.source.entries(first), count)
        except CorruptRecordError:
            return


def is_number(text: str) -> bool:
    """Whether a block may be called so."""
    return text.isascii() and text.isdigit() and len(text) < 10


def _settings_facts(settings: SessionSettings) -> dict[str, Any]:
    """As JSON text: a page keeps its digits."""
    return {"seq": settings.seq, "told_by": settings.told_by, "json": standard_json(settings.fields)}


def _words(row: Row) -> list[Any]:
    return [row.direction, row.title, row.playback, row.cause, row.content, row.alarming]


def _marks(entry: Entry, before: int) -> int:
    marks = ALARMING if is_failure(entry) else 0
    if REFERS in entry.payload:
        marks |= SOUNDS
    if entry.flags & _REDACTED:
        marks |= REDACTED
    if entry.flags & _ASSUMED:
        marks |= ASSUMED
    return marks | (DERIVED if entry.seq == before else 0)
