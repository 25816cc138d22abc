"""Payloads of one session: values encoded at once, without secrets, their bytes gathered apart."""

from __future__ import annotations

from collections import deque
from typing import Any, cast

from ..schema.codec import Codec, Reference, Secrets
from ..schema.entries import Flag
from ..schema.errors import EncodingError

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


class PayloadEncoder:
    """Encodes the values of one session's entries. One thread at a time.

    Attributes:
        segments: gathers the bytes.
        blobs: the bytes that the payload encoded last refers to.
    """

    def __init__(self, codec: Codec, secrets: Secrets) -> None:
        self.segments = SegmentBuffer()
        self.blobs: dict[Reference, bytes] = {}
        self._codec = codec
        self._secrets = secrets
        self._scrubbed = False

    def encode(self, value: Any) -> tuple[str, int]:
        """A value's payload, and its flags. What cannot be encoded says so in its place."""
        self.blobs = {}
        self._scrubbed = False
        try:
            encoded = self._codec.encode(value, self._put, self._secrets)
            if len(encoded.payload) > MAX_VALUE_BYTES:
                raise EncodingError(
                    f"more than {MAX_VALUE_BYTES} characters in one payload: record less at once"
                )
        except EncodingError as error:
            self.blobs = {}
            # Of what a redactor or a describer raised only the name: its text may quote the value.
            reason = str(error) if error.__cause__ is None else type(error.__cause__).__name__
            cls = cast("type[Any]", type(value))
            substitute = {"name": f"{cls.__module__}.{cls.__qualname__}", "error": reason}
            encoded = self._codec.encode({"unrecordable": substitute}, self._put, self._secrets)
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
        self.blobs[reference] = kept
        return reference
