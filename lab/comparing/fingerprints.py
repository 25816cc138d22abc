"""What two recordings are aligned and compared by: some numbers for each entry, whatever its size."""

from __future__ import annotations

import hashlib
import re
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from ...schema.codec import Reference, references
from ...schema.entries import Entry, Flag, Kind
from ...session.fields import mapping, payload
from ...session.recording import Recording
from .comparison import Aspect
from .ids import id_key, ids_in, without_ids

COLUMNS: dict[str, Aspect | None] = {
    "at_ns": Aspect.TIMES,
    "tick": Aspect.TICKS,
    "task": Aspect.TASKS,
    "method": None,
    "connection": None,
    "item_id": Aspect.PLAYBACK,
    "content_index": Aspect.PLAYBACK,
    "elapsed_ms": Aspect.PLAYBACK,
    "flags": None,
}
"""The columns that are compared as they stand, each with what ignores it. Kind and type decide which
entries are compared at all; the numbers of other entries, and the payload, are looked at on their own."""

FLAGS: dict[Flag, Aspect] = {Flag.ASSUMED: Aspect.PLAYBACK, Flag.CAUSE_LOST: Aspect.CAUSES}
REFERRING: dict[str, Aspect | None] = {"cause": Aspect.CAUSES, "of": None}
"""The columns that hold numbers of other entries."""

_TIMES = re.compile(r'"(?:from_ns|to_ns|ns)":-?\d+')
_TIMED = frozenset({Kind.GAP, Kind.CLOCK})
_BYTES = re.compile(r'(\{"\$":"(?:py:(?:bytes|bytearray|memoryview)|base64)","at":)(\[\d+,\d+,\d+\])(?=\})')
_RECENT_BYTES = 16
_FROM_MODEL = frozenset({Kind.RECEIVED, Kind.FRAME_IN})
_TO_MODEL = frozenset({Kind.CONNECT, Kind.SENT, Kind.CLOSE, Kind.FRAME_OUT})
_OF_THE_RECORDER = frozenset({Kind.LISTENER_ADDED, Kind.LISTENER_REMOVED, Kind.PLAYBACK, Kind.CLOCK})


class Scope:
    """What of two recordings is compared.

    Args:
        ignore: aspects that may differ.
        content_only: only what was said and done, in the order of each direction.

    Attributes:
        columns, referring: names of the columns that are compared.
        lanes: how many sequences of entries are compared, each on its own.
    """

    def __init__(self, ignore: Collection[Aspect], content_only: bool) -> None:
        self._ignored = frozenset(ignore)
        self._content_only = content_only
        self.columns = tuple(name for name, aspect in COLUMNS.items() if self._compares(aspect))
        self.referring = tuple(name for name, aspect in REFERRING.items() if self._compares(aspect))
        self.lanes = 3 if content_only else 1
        self._pairs_ids = content_only or Aspect.IDS in self._ignored
        self._flags = ~sum(flag for flag, aspect in FLAGS.items() if aspect in self._ignored)

    def _compares(self, aspect: Aspect | None) -> bool:
        return not self._content_only and aspect not in self._ignored

    def lane(self, entry: Entry) -> Iterator[int]:
        """In which of the sequences an entry stands; a gap is one in all of them."""
        if not self._content_only:
            yield 0
        elif entry.kind == Kind.GAP:
            yield from range(self.lanes)
        elif entry.kind in _FROM_MODEL:
            yield 0
        elif entry.kind in _TO_MODEL:
            yield 1
        elif entry.kind not in _OF_THE_RECORDER and not _went_well(entry):
            yield 2

    def column(self, entry: Entry, name: str) -> Any:
        """A column's value, as far as it is compared."""
        value = getattr(entry, name)
        if name == "item_id" and self._pairs_ids:
            return value is not None
        return value & self._flags if name == "flags" else value

    def content(self, text: str, kind: str) -> str:
        """A payload, as far as it is compared; without ids, if these are paired."""
        text = self.content_with_ids(text, kind)
        return without_ids(text, kind) if self._pairs_ids else text

    def content_with_ids(self, text: str, kind: str, paired: Callable[[int], bool] | None = None) -> str:
        """The same, but for ids: of those go only the ones, by their place among them, that are paired."""
        if kind in _TIMED and (self._content_only or Aspect.TIMES in self._ignored):
            text = _TIMES.sub('"ns":0', text)
        return text if paired is None or not self._pairs_ids else without_ids(text, kind, paired)

    def ids(self, entry: Entry, text: str) -> list[int]:
        """The keys of the ids in an entry, if they are paired."""
        if not self._pairs_ids:
            return []
        found = ids_in(text, entry.kind)
        if "item_id" in self.columns and entry.item_id is not None:
            found.append(entry.item_id)
        return [id_key(id) for id in found]


class Contents:
    """Payloads with their bytes told by content: where they lie is another place in every recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._recent: OrderedDict[Reference, str] = OrderedDict()

    async def text(self, entry: Entry) -> str:
        """The payload, in which each reference is the length and the digest of its bytes.

        Raises:
            CorruptRecordError: bytes are missing.
        """
        told: dict[str, str] = {}
        for reference in references(entry.payload):
            told["[{},{},{}]".format(*reference)] = await self._told(entry, reference)
        if not told:
            return entry.payload
        return _BYTES.sub(lambda found: found[1] + told.get(found[2], found[2]), entry.payload)

    async def _told(self, entry: Entry, reference: Reference) -> str:
        known = self._recent.get(reference)
        if known is None:
            # Nothing of the payload but its bytes: the rest need not be known to this release.
            only = entry._replace(payload='{{"$":"py:bytes","at":[{},{},{}]}}'.format(*reference))
            data = await self._recording.decode(only)
            known = f'"{len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()[:16]}"'
            self._recent[reference] = known
            if len(self._recent) > _RECENT_BYTES:
                self._recent.popitem(last=False)
        return known


class Lane:
    """The numbers of one sequence of entries, each 64 bits long.

    Attributes:
        seqs: of the entries.
        literal: equal where `exact` is, and the ids are.
        exact: equal where `columns` and `content` are.
        columns: equal where all is, but for the numbers of other entries.
        content: equal where the payload is, and what the entry ends is equal in this.
        sort: equal for entries that are of a kind and type.
        payload: equal where the payload is.
        cause, of: as recorded; -1 for None.
        gaps: places of gaps, and how many entries were lost there.
    """

    def __init__(self) -> None:
        self.seqs, self.literal = array("q"), array("Q")
        self.exact, self.columns, self.content = array("Q"), array("Q"), array("Q")
        self.sort, self.payload = array("Q"), array("Q")
        self.cause, self.of = array("q"), array("q")
        self._ids, self._ids_end = array("Q"), array("Q")
        self.gaps: dict[int, int] = {}

    def add_ids(self, keys: Iterable[int]) -> None:
        """Those of the next entry."""
        self._ids.extend(keys)
        self._ids_end.append(len(self._ids))

    def ids(self, place: int) -> array[int]:
        """The keys of the ids of an entry."""
        return self._ids[self._ids_end[place - 1] if place else 0 : self._ids_end[place]]

    def rename(self, name: Callable[[int], int]) -> None:
        """Call the ids otherwise, by their keys."""
        for place, exact in enumerate(self.exact):
            self.literal[place] = _key(exact, list(map(name, self.ids(place))))

    @property
    def tiers(self) -> tuple[array[int], ...]:
        """What it is aligned by, from the strictest to the loosest."""
        return self.literal, self.exact, self.columns, self.content, self.sort

    def place(self, seq: int) -> int | None:
        """Where an entry stands; None where there is no such entry here."""
        place = bisect_left(self.seqs, seq)
        return place if place < len(self.seqs) and self.seqs[place] == seq else None


async def lanes_of(recording: Recording, scope: Scope) -> list[Lane]:
    """Read a whole recording.

    Raises:
        CorruptRecordError: bytes are missing.
    """
    contents = Contents(recording)
    lanes = [Lane() for _ in range(scope.lanes)]
    seqs, keys = array("q"), array("Q")  # of all entries, to tell what others end
    async for entry in recording.entries():
        places = list(scope.lane(entry))
        whole = await contents.text(entry) if places else ""
        text = scope.content(whole, entry.kind)
        ended = bisect_left(seqs, entry.of) if entry.of is not None and entry.of < entry.seq else len(seqs)
        ends = keys[ended] if ended < len(seqs) else 0
        content = _key(entry.kind, entry.type, text, ends)
        seqs.append(entry.seq)
        keys.append(content)
        for lane in (lanes[index] for index in places):
            if entry.kind == Kind.GAP:
                lost = mapping(payload(entry)).get("lost")
                lane.gaps[len(lane.seqs)] = lost if isinstance(lost, int) else 0
            lane.seqs.append(entry.seq)
            lane.content.append(content)
            columns = _key(
                entry.kind, entry.type, text, *(scope.column(entry, name) for name in scope.columns)
            )
            lane.exact.append(_key(columns, content))
            lane.columns.append(columns)
            lane.sort.append(_key(entry.kind, entry.type))
            lane.payload.append(_key(text))
            lane.add_ids(found := scope.ids(entry, whole))
            lane.literal.append(_key(lane.exact[-1], found))
            lane.cause.append(-1 if entry.cause is None else entry.cause)
            lane.of.append(-1 if entry.of is None else entry.of)
    return lanes


def _key(*facts: Any) -> int:
    told = repr(facts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest())


def _went_well(entry: Entry) -> bool:
    """Whether it only says that a call, or the listeners, returned as they always do."""
    if entry.of is None:
        return False
    facts = mapping(payload(entry))
    if entry.kind == Kind.HANDLED:
        return "raised" not in facts
    return facts.get("outcome") == "returned" and facts.get("value") in (None, True)
