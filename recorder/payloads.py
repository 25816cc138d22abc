"""Payloads of one session: snapshots encoded by the writer, without secrets, their bytes gathered apart."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any, NamedTuple

from ..schema.codec import Codec, Reference, Secrets, Snapshot, unrecordable
from ..schema.entries import Entry, Flag, text_column
from ..schema.errors import EncodingError
from .gaps import gap_instead

logger = logging.getLogger("realtape.recorder")

MAX_VALUE_BYTES = 256 * 1024 * 1024
"""Larger payloads and byte values are not recorded: no database takes a gigabyte in one value."""

RECENT_BYTES = 4
"""Byte values looked back on: an audio event follows the raw event that carried the same audio."""

# As plain integers: an `enum.Flag` takes ten times as long to add up.
_REDACTED, _LOSSY = int(Flag.REDACTED), int(Flag.LOSSY)


class SegmentBuffer:
    """Gathers bytes, and answers where they will lie. One thread at a time."""

    def __init__(self) -> None:
        self._segment = 0
        self._parts: list[bytes] = []
        self._length = 0
        self._recent: deque[tuple[bytes, Reference]] = deque(maxlen=RECENT_BYTES)

    def put(self, data: bytes) -> tuple[Reference, bytes]:
        """Keep bytes; returns where they lie, and the one object that is kept of them."""
        for known, reference in self._recent:
            if known == data:
                return reference, known
        reference = (self._segment, self._length, len(data))
        self._parts.append(data)
        self._length += len(data)
        self._recent.append((data, reference))
        return reference, data

    def take(self) -> tuple[int, list[bytes]]:
        """The segment's number and its parts; what is put from now on goes into the next one."""
        segment, parts = self._segment, self._parts
        self._parts, self._length = [], 0
        if parts:
            self._segment += 1
        return segment, parts


class Pending(NamedTuple):
    """An entry that is encoded and not in the database yet, with the bytes that it refers to.

    The bytes may lie in the segment of an earlier commit, and its digest is over them all the same.
    """

    entry: Entry
    blobs: dict[Reference, bytes]

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """The bytes at a reference of the entry's payload."""
        return self.blobs[segment, offset, length]


class EntryEncoder:
    """Makes entries of what one session appended. The writer's, on one thread at a time.

    Attributes:
        segments: gathers the bytes.
    """

    def __init__(self, codec: Codec, secrets: Secrets) -> None:
        self.segments = SegmentBuffer()
        self._blobs: dict[Reference, bytes] = {}
        self._codec = codec
        self._secrets = secrets
        self._scrubbed = False

    def entry(self, appended: tuple[Any, ...]) -> Pending:
        """The entry, with the payload of its snapshot. Raises nothing: what fails is a gap at its place."""
        *columns, flags, snapshot, _ = appended
        entry = Entry._make((*columns, "", flags, b""))
        try:
            payload, more = self._encode(snapshot)
            type = text_column(entry.type)
            return Pending(entry._replace(type=type, payload=payload, flags=flags | more), self._blobs)
        except Exception as error:  # noqa: BLE001 - the others go on, whatever happens here
            name = error.__class__.__name__  # its text may quote what was to be recorded
            logger.error("an entry is lost, please report this: %s", name)
            return Pending(gap_instead(entry, f"the recorder failed: {name}"), {})

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
