"""The recent past of a replay: what the application was given and did, for whoever tells how it came to
something."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from operator import itemgetter

from ...schema.entries import SEQ, TYPE, Entry
from ...schema.log import Row, entry_of
from ...session.messages import answers_call, tool_called
from ...session.speech import Speech
from ...session.words import described
from ..terms.steps import Step

RECENT = 512
"""Entries that are remembered, in case something was caused by them."""

SPEECH = 256
"""Pieces of speech that are remembered; a sentence has some dozens."""

MADE = 64
"""Calls that are remembered, in case one of them is made again."""

MAX_CHAIN = 6
"""Links of a chain that are told: its beginning may be hours ago."""

_SPEECH = frozenset(
    {
        "transcript_delta",
        "output_text_delta",
        "input_audio_transcription_completed",
        "item_updated",
        "send_user_input",
    }
)
_BY_USER = frozenset({"input_audio_transcription_completed", "send_user_input"})
_SOUND = frozenset({"audio", "send_audio"})
_type = itemgetter(TYPE)


class Recent:
    """Is told each event that is delivered and each recorded call that is made or left out, in the order
    of the replay. Keeps their rows, and looks into them only when it is asked."""

    def __init__(self) -> None:
        self._recent: deque[Row] = deque(maxlen=RECENT)
        self._speech: deque[Row] = deque(maxlen=SPEECH)
        self._made: deque[Step] = deque(maxlen=MADE)

    def add(self, step: Step) -> None:
        """An event is delivered, or a call's place has passed."""
        type = step.entry.type
        if type in _SOUND:
            return
        self._recent.append(step.entry)
        if type in _SPEECH:
            self._speech.append(step.entry)

    def add_all(self, rows: list[Row]) -> None:
        """Events were delivered, one after another."""
        types = set(map(_type, rows))  # few, and mostly all of one sort
        self._recent.extend(rows if types.isdisjoint(_SOUND) else _not_of(rows, _SOUND))
        if not types.isdisjoint(_SPEECH):
            self._speech.extend(rows if types <= _SPEECH else _not_of(rows, types - _SPEECH))

    def add_made(self, step: Step) -> None:
        """The application has made a recorded call."""
        self.add(step)
        self._made.append(step)

    def spoken(self, before: int | None = None) -> Speech:
        """Who spoke last; before an entry, if one is named."""
        spoken = Speech()
        for entry in map(entry_of, self._speech):
            if before is None or entry.seq < before:
                spoken.read(entry)
        return spoken

    def made(self, kind: str, type: str | None, alike: Callable[[str], bool]) -> Step | None:
        """The last recorded call of this type, and a content that is alike, that was made."""
        for step in reversed(self._made):
            if step.kind == kind and step.entry.type == type and alike(step.key):
                return step
        return None

    def made_of(self, type: str) -> list[Step]:
        """The recorded calls of a type that were made lately."""
        return [step for step in self._made if step.entry.type == type]

    def open_calls(self) -> list[Entry]:
        """The calls of tools that were given lately, and not answered."""
        given: dict[str, Entry] = {}
        for entry in map(entry_of, self._recent):
            if (call_id := tool_called(entry)) is not None:
                given[call_id] = entry
            elif (call_id := answers_call(entry)) is not None:
                given.pop(call_id, None)
        return list(given.values())

    def entry(self, seq: int) -> Entry | None:
        """An entry that has happened, if that is not long ago."""
        return next((entry_of(row) for row in reversed(self._recent) if row[SEQ] == seq), None)

    def chain(self, cause: int | None, end: str) -> tuple[str, ...]:
        """How it came to something that this entry caused: each link because of the one before it, from
        who had spoken last on."""
        known: dict[int | None, Entry] = {entry.seq: entry for entry in map(entry_of, self._recent)}
        links: list[Entry] = []
        while cause in known and len(links) < MAX_CHAIN:
            links.append(known[cause])
            cause = links[-1].cause
        if not links:
            return ()
        links.reverse()
        told = [_link(entry) for entry in links]
        spoken = self.spoken(links[0].seq)
        if spoken.speaker is not None and links[0].type not in _BY_USER:
            told.insert(0, f"{spoken.speaker}: {spoken.words!r}")
        return (*told, end)


def _not_of(rows: list[Row], types: Collection[str]) -> list[Row]:
    return [row for row in rows if row[TYPE] not in types]


def _link(entry: Entry) -> str:
    return f"user: {_words(entry)!r}" if entry.type in _BY_USER else described(entry)


def _words(entry: Entry) -> str:
    spoken = Speech()
    spoken.read(entry)
    return spoken.words or ""
