"""Payloads of one session: snapshots encoded by the writer, without secrets, their bytes gathered apart."""

from __future__ import annotations

import logging
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, Self, cast, overload

from ..schema.codec import (
    MAX_SIZE,
    TEXT,
    Codec,
    FlatPayloads,
    KnownTexts,
    Reference,
    Secrets,
    Snapshot,
    unrecordable,
)
from ..schema.entries import Entry, Flag, text_column
from ..schema.errors import EncodingError
from ..schema.log import BLOB_FIELDS, Appended
from .causes import LOST
from .ctrl_c import may_be_ctrl_c
from .gaps import gap_instead
from .playback import Playing

logger = logging.getLogger("realtape.recorder")

_new: Any = cast("Any", tuple).__new__  # past the classes' own, which are Python

MAX_VALUE_BYTES = 256 * 1024 * 1024
"""Larger payloads and byte values are not recorded: no database takes a gigabyte in one value."""

RECENT_BYTES = 4
"""Byte values looked back on: an audio event follows the raw event that carried the same audio."""

KEPT_BYTES = 32
MAX_KEPT_LENGTH = 16 * 1024
"""So many JSON texts of so many bytes a session remembers: what an exception says comes again with each."""

MAX_COLUMNS = 256
"""So many names of types and items a session remembers as they are written."""

# As plain integers: an `enum.Flag` takes ten times as long to add up.
_ASSUMED, _CAUSE_LOST = int(Flag.ASSUMED), int(Flag.CAUSE_LOST)
_REDACTED, _LOSSY = int(Flag.REDACTED), int(Flag.LOSSY)

_COLUMNS = len(Entry._fields)
_payload_of: Callable[[Any], str] = itemgetter(Entry._fields.index("payload"))

PLACE_COLUMNS = 10
"""Of an `Entry`: what is known of it when it is appended."""


class SegmentBuffer:
    """Gathers bytes, and answers where they will lie. One thread at a time."""

    def __init__(self) -> None:
        self._segment = 0
        self._parts: list[bytes] = []
        self._length = 0
        self._recent: deque[tuple[bytes, Reference]] = deque(maxlen=RECENT_BYTES)
        self._kept: OrderedDict[bytes, tuple[Reference, bytes]] = OrderedDict()

    def put(self, data: bytes) -> tuple[Reference, bytes]:
        """Keep bytes; returns where they lie, and the one object that is kept of them."""
        for known, reference in self._recent:
            if known == data:
                return reference, known
        is_text = data[:1] == b"{" and len(data) <= MAX_KEPT_LENGTH
        if is_text and data in self._kept:
            return self._kept[data]
        reference = (self._segment, self._length, len(data))
        self._parts.append(data)
        self._length += len(data)
        self._recent.append((data, reference))
        if is_text:
            self._kept[data] = reference, data
            if len(self._kept) > KEPT_BYTES:
                self._kept.popitem(last=False)
        return reference, data

    def forget(self) -> None:
        """What was put before is in another file, and does not lie where it did."""
        self._recent.clear()
        self._kept.clear()

    def take(self) -> tuple[int, list[bytes]]:
        """The segment's number and its parts; what is put from now on goes into the next one."""
        segment, parts = self._segment, self._parts
        self._parts, self._length = [], 0
        if parts:
            self._segment += 1
        return segment, parts


class Pending(NamedTuple):
    """An entry that is encoded and not in the database yet, with the bytes that it refers to.

    Attributes:
        kept: both. The bytes may lie in the segment of an earlier commit, and the digest is over them all the
            same.
        piece: of a text that comes in deltas: of which one, and the piece; None where that is not known yet.
    """

    kept: Appended
    piece: tuple[Hashable, str] | None = None

    @classmethod
    def of(
        cls, entry: Entry, blobs: Mapping[Reference, bytes] = {}, piece: tuple[Hashable, str] | None = None
    ) -> Self:
        """An entry, and the bytes at each of its references."""
        return cls((*entry, *_flat(blobs)) if blobs else tuple(entry), piece)

    @property
    def entry(self) -> Entry:
        """The entry, by the names of its fields."""
        return _new(Entry, self.kept[:_COLUMNS])

    @property
    def blobs(self) -> dict[Reference, bytes]:
        """The bytes at each of its references."""
        kept = self.kept
        return {kept[at : at + 3]: kept[at + 3] for at in range(_COLUMNS, len(kept), BLOB_FIELDS)}

    def with_entry(self, entry: Entry) -> Self:
        """Another entry, with the same bytes."""
        return self._replace(kept=(*entry, *self.kept[_COLUMNS:]))


class KeptEntries(Sequence[Pending]):
    """Entries that are encoded, until they are committed, in order; as plain tuples of what cannot change.

    Such tuples the garbage collector forgets when it sees them first. Thousands of objects that live until a
    commit would make it look through the whole process again and again, a tenth of a second each time.
    """

    def __init__(self, entries: Iterable[Pending] = ()) -> None:
        self.plain: list[Appended] = [one.kept for one in entries]

    @property
    def payload_chars(self) -> int:
        """How long their payloads are together."""
        return sum(map(len, map(_payload_of, self.plain)))

    def __len__(self) -> int:
        return len(self.plain)

    @overload
    def __getitem__(self, index: int) -> Pending: ...
    @overload
    def __getitem__(self, index: slice) -> list[Pending]: ...
    def __getitem__(self, index: int | slice) -> Pending | list[Pending]:
        if isinstance(index, slice):
            return [Pending(kept) for kept in self.plain[index]]
        return Pending(self.plain[index])

    def __setitem__(self, index: int, entry: Pending) -> None:
        self.plain[index] = entry.kept


def _flat(blobs: Mapping[Reference, bytes]) -> Iterator[Any]:
    """Each with where it lies, nothing within anything: of that the garbage collector forgets one layer at a
    time."""
    return (part for reference, data in blobs.items() for part in (*reference, data))


_complaints: weakref.WeakKeyDictionary[Codec, set[str]] = weakref.WeakKeyDictionary()
"""What was said of a recorder's codec: not again for each entry."""


class EntryEncoder:
    """Makes entries of what one session appended. The writer's, on one thread at a time.

    Attributes:
        segments: gathers the bytes.
        started_ns: when the session began, by its clock.
    """

    def __init__(self, codec: Codec, secrets: Secrets) -> None:
        self.segments = SegmentBuffer()
        self.started_ns = 0
        self._blobs: dict[Reference, bytes] = {}
        self._columns: dict[str, str | None] = {}
        self._known: KnownTexts | None = None
        self._codec = codec
        self._secrets = secrets
        self._flat = FlatPayloads(codec.vocabulary, secrets, self._put)
        self._filtered = bool(codec.filters)
        self._scrubbed = False
        self._lost = 0

    def begin(self) -> None:
        """A batch begins: secrets may have come since the last one."""
        known = self._secrets.known
        if known is not self._known:
            self._known = known
            self._columns.clear()

    def entry(self, appended: tuple[Any, ...], dictionary: dict[str, Any] | None) -> Pending:
        """The entry, with the payload of its snapshot. Raises nothing: what fails is a gap at its place.

        Args:
            appended: as the session's log has it.
            dictionary: the snapshot's, which that has apart.
        """
        # fmt: off
        (
            seq, at_ns, tick, task, kind, type, method, cause, of, connection,
            item_id, content_index, elapsed_ms, since_ns, assumed, form, size, *held,
        ) = appended
        # fmt: on
        flags = _ASSUMED if assumed and item_id is not None else 0
        if cause is not None and cause < 0:
            cause, flags = None, flags | _CAUSE_LOST if cause == LOST else flags
        if of == LOST:
            of = None
        try:
            if since_ns is not None:
                elapsed_ms = Playing(since_ns, elapsed_ms).elapsed_ms(self.started_ns + at_ns)
            flat, piece = None, None
            if (form > TEXT or form < 0) and size < MAX_SIZE and not self._filtered:
                self._blobs, self._scrubbed = {}, False
                flat = self._flat.payload(form, dictionary, held)
            if flat is None:
                payload, more = self._encode((form, size, dictionary, tuple(held)))
            else:
                payload, piece = flat
                more = _REDACTED if self._scrubbed else 0
            if item_id is not None:
                item_id = self._columns.get(item_id) or self._column(item_id)
            if type is not None:  # a frame's is the server's word
                type = self._columns.get(type) or self._column(type)
            # fmt: off
            kept = (
                seq, at_ns, tick, task, kind, type, method, cause, of, connection,
                item_id, content_index, elapsed_ms, payload, flags | more, b"",
            )
            # fmt: on
            if self._blobs:
                kept = (*kept, *_flat(self._blobs))
            return _new(Pending, (kept, piece))
        except BaseException as error:  # a redactor may raise anything
            if may_be_ctrl_c(error):
                raise
            name = self._complain(error)
            self._lost += 1
            lost = Entry(seq, at_ns, tick, task, kind, payload="")
            return Pending.of(gap_instead(lost, f"the recorder failed: {name}"))

    def take_lost(self) -> int:
        """In how many entries' places gaps stand, since this was asked last."""
        lost, self._lost = self._lost, 0
        return lost

    def _column(self, text: str) -> str | None:
        column = text_column(self._secrets.scrub(str(text)))
        if len(self._columns) < MAX_COLUMNS:
            self._columns[text] = column
        return column

    def _complain(self, error: BaseException) -> str:
        """Say once for each recorder what went wrong; by its name, for its text may quote what was said."""
        name = (error.__cause__ or error).__class__.__name__
        complaints = _complaints.setdefault(self._codec, set())
        if name not in complaints:
            complaints.add(name)
            logger.error("entries are lost: %s where a redactor or the recorder made a payload", name)
        return name

    def _encode(self, snapshot: Snapshot) -> tuple[str, int]:
        """A value's payload, and its flags. What cannot be encoded says so in its place."""
        self._blobs = {}
        self._scrubbed = False
        try:
            encoded = self._codec.encode_snapshot(snapshot, self._put, self._secrets)
            if len(encoded.payload) > MAX_VALUE_BYTES:
                raise EncodingError(
                    f"more than {MAX_VALUE_BYTES} characters in one payload: record less at once"
                )
        except EncodingError as error:
            if error.__cause__ is not None:
                self._complain(error)
            self._blobs = {}
            substitute = unrecordable(self._codec.snapshots.class_of(snapshot), error)
            encoded = self._codec.encode(substitute, self._put, self._secrets)
            return encoded.payload, _LOSSY | (_REDACTED if encoded.redacted else 0)
        flags = _REDACTED if encoded.redacted or self._scrubbed else 0
        return encoded.payload, flags | _LOSSY if encoded.lossy else flags

    def _put(self, data: bytes) -> Reference:
        if len(data) > MAX_VALUE_BYTES:
            raise EncodingError(f"more than {MAX_VALUE_BYTES} bytes in one value: record less at once")
        scrubbed = self._secrets.scrub_bytes(data)
        if scrubbed is not data:
            self._scrubbed = True
        reference, kept = self.segments.put(scrubbed)
        self._blobs[reference] = kept
        return reference
