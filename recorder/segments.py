"""The bytes that a session's entries refer to, gathered for the segment that the next commit
writes."""

from __future__ import annotations

from collections import deque

from ..schema.encoding import Reference

RECENT_BYTES = 4
"""Byte values looked back on: an audio event follows the raw event that carried the same audio."""


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
