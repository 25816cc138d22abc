"""`redacted`: recordings without what must not leave the house, made of others."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...schema.entries import Entry, Flag, Kind
from ...schema.errors import UsageError
from ..drafts import Draft, with_tree
from ..fields import payload as payload_of
from ..provenance import AudioRedaction, Redaction
from ..sound import SoundFormats
from .finding import DEFAULT, KINDS, Finder, Match
from .new_bytes import NewBytes, silence_within
from .quotations import Quotations
from .stand_ins import StandIns
from .texts import KEYED, WORDS, PayloadTexts, SearchedText, Stream
from .views import Cell, Fixed, Joined, View

_FREE = frozenset({Kind.MARKER, Kind.FAULT})
_FRAMES = frozenset({Kind.FRAME_IN, Kind.FRAME_OUT})
_BY_USER = frozenset({Kind.SENT, Kind.FRAME_OUT})


NOT_SOUGHT = (
    "names, addresses, dates of birth, health, unless named as words",
    "numbers and addresses that are spelled out or dictated",
    "what is in pictures and base64",
)
"""What nothing looks for, in any recording."""


@dataclasses.dataclass(frozen=True)
class Replaced:
    """What was taken out of recordings.

    Attributes:
        drafts: without it.
        values: how many different values, by kind.
        places: in how many places they stood.
        not_sought: what nobody looked for, in words.
        quotations: takes it out of sentences about the recordings, too.
    """

    drafts: list[Draft]
    values: Mapping[str, int]
    places: Mapping[str, int]
    not_sought: tuple[str, ...]
    quotations: Quotations


def redacted(drafts: Sequence[Draft], **options: Any) -> list[Draft]:
    """The recordings of `replaced`: what its drafts are."""
    return replaced(drafts, **options).drafts


def replaced(
    drafts: Sequence[Draft],
    *,
    audio: AudioRedaction = "keep",
    kinds: Iterable[str] = DEFAULT,
    extra: Mapping[str, str | re.Pattern[str]] | Iterable[tuple[str, str | re.Pattern[str]]] = (),
    words: Iterable[str] = (),
    regions: Sequence[str] = (),
    keep: Iterable[str] = (),
) -> Replaced:
    """Recordings in which stand-ins are where values of people were; with a chain of their own.

    A pure function: the same drafts give the same ones, and stay as they are. One value has one
    stand-in in all of them.

    Args:
        drafts: sessions of one model object, in order; or of several, one behind another.
        audio: `keep`; `silence`, of the same number of bytes; `drop`: zeros of the same number,
            for a writer that keeps only the numbers.
        kinds: `email`, `phone`, `card`, `credential`; with the extra `redaction` also `iban` and
            `person number`.
        extra: further kinds: name → regular expression.
        words: to be found in any case, whatever stands around them.
        regions: countries (`DE`) by whose numbering plans telephone numbers are found, too; with that extra.
        keep: values that stay, in any case and spelling: a hotline that is everybody's. No credentials.

    Raises:
        UsageError: a kind is not known, a regular expression is none, or matches nothing at all.
        DecodingError: bytes are missing.
    """
    if audio not in ("keep", "silence", "drop"):
        raise UsageError(f"audio={audio!r}: keep, silence or drop it")
    finder = Finder(kinds, dict(extra), words, regions, keep)
    before = [Redaction.told_by(draft.header.source) for draft in drafts]
    stay = set(finder.names).intersection(*(one.counts if one else () for one in before)) if before else ()
    stand_ins = StandIns(stay)
    sessions = [_Session(draft) for draft in drafts]
    for session in sessions:
        for match in session.matches(finder):
            stand_ins.add(match.kind, match.value)
    finder.know(stand_ins)
    for session in sessions:
        for match in session.matches(finder):
            stand_ins.add(match.kind, match.value)
    for session in sessions:
        session.replace(stand_ins)
    redaction = Redaction({kind: stand_ins.count(kind) for kind in finder.names}, audio)
    found: list[Draft] = []
    for place, (session, earlier) in enumerate(zip(sessions, before, strict=True)):
        follows = place and drafts[place].header.previous_session == drafts[place - 1].header.id
        previous = found[-1].header.id if follows else None
        found.append(session.derived(str(redaction.after(earlier)), audio, previous))
    places = Counter(
        match.kind
        for session in sessions
        for match in session.found
        if stand_ins.replacing(match.kind, match.value)
    )
    return Replaced(
        found,
        redaction.counts,
        {kind: places[kind] for kind in finder.names},
        (
            *(f"{kind}s" for kind in KINDS if kind not in finder.kinds),
            *(() if regions else ("telephone numbers by a country's plan: digits that no word calls one",)),
            *(() if words else ("words of your own",)),
            *NOT_SOUGHT,
        ),
        Quotations(finder, stand_ins, {match.value for session in sessions for match in session.found}),
    )


def _stand_apart(words: Sequence[View]) -> bool:
    """Whether words that come one by one come without the spaces between them; letters have none."""
    texts = [word.text for word in words]
    return any(len(text) > 1 for text in texts) and not any(
        text[:1].isspace() or text[-1:].isspace() for text in texts
    )


class _Session:
    """One session on its way."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._bytes = NewBytes(draft)
        self._payloads: list[PayloadTexts] = []
        self._texts: list[SearchedText] = []
        self._streams: dict[Stream, list[View]] = {}
        self._items: dict[int, Cell] = {}
        self.found: list[Match] = []
        self._labels = PayloadTexts(dict(draft.header.labels), free=True)
        self._texts += self._labels.texts
        for entry in draft.entries:
            self._read(entry)
        for stream, parts in self._streams.items():
            if stream[1] == WORDS and _stand_apart(parts):
                parts = [part for one in parts for part in (one, Fixed(" "))]
            key = "dialled phone" if stream[1] == KEYED else ""
            self._texts.append(SearchedText(Joined(parts), key, True))

    def _read(self, entry: Entry) -> None:
        texts = PayloadTexts(payload_of(entry), free=entry.kind in _FREE, frame=entry.kind in _FRAMES)
        self._payloads.append(texts)
        self._texts += texts.texts
        for stream, view in texts.pieces:
            self._streams.setdefault((entry.kind, *stream), []).append(view)
        for found in texts.bytes:
            cell = None if found.audio else self._bytes.text(found.reference)
            if cell is not None:
                self._texts.append(SearchedText(cell, "", True))
        if entry.item_id is not None:
            cell = Cell(entry.item_id, lambda text: None)
            self._items[entry.seq] = cell
            self._texts.append(SearchedText(cell, "item_id", False))

    def matches(self, finder: Finder) -> list[Match]:
        """What is found in it."""
        self.found = [
            match for view, key, numbers in self._texts for match in finder.find(view, key, numbers=numbers)
        ]
        return self.found

    def replace(self, stand_ins: StandIns) -> None:
        """Put stand-ins in the place of all that was found last."""
        for match in self.found:
            for at, char in stand_ins.replacing(match.kind, match.value):
                match.view.put(match.start + at, char)

    def derived(self, how: str, audio: AudioRedaction, previous: str | None) -> Draft:
        """The new recording."""
        formats = SoundFormats()
        entries: list[Entry] = []
        for entry, payload in zip(self._draft.entries, self._payloads, strict=True):
            formats.read(entry)
            entries.append(self._entry(entry, payload, formats, audio))
        self._labels.write()
        columns: dict[str, Any] = {
            "host": "",
            "pid": 0,
            "previous_session": previous,
            "labels": self._labels.tree,
        }
        draft = dataclasses.replace(self._draft, segments=self._bytes.segments)
        sealed = draft.derived(how, entries, **columns)
        learned = self._draft.origins  # of the same calls, by the same numbers
        if learned is None:
            return sealed
        head = sealed.last_digest.hex()
        return dataclasses.replace(sealed, origins=dataclasses.replace(learned, head=head))

    def _entry(
        self, entry: Entry, payload: PayloadTexts, formats: SoundFormats, audio: AudioRedaction
    ) -> Entry:
        format = formats.user if entry.kind in _BY_USER else formats.model
        fill = format.silence if audio == "silence" else b"\0"
        changed = payload.changed
        for found in payload.bytes:
            new = self._bytes.replaced(found.reference)
            if found.audio and audio != "keep":
                new = self._bytes.silence(found.reference, fill)
            if new != found.reference:
                found.change(new)
                changed = True
        if audio != "keep":
            for cell in payload.encoded:
                changed |= silence_within(cell, fill)
        item = self._items.get(entry.seq)
        if item is not None and item.changed:
            entry, changed = entry._replace(item_id=item.now), True
        if not changed:
            return entry
        payload.write()
        return with_tree(entry, payload.tree)._replace(flags=entry.flags | Flag.REDACTED)
