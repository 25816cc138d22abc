"""References: the bytes that a payload stands for, and does not hold."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..errors import DecodingError

Reference = tuple[int, int, int]
"""(segment, offset, length) of bytes within one session."""

REFERS = '"at":['
"""In every payload that refers to bytes, and in few others."""

BRACKET = REFERS[-1]
"""Where this is not, that is not, either; and a single character is found ten times as fast."""

MAX_SIZE = 1 << 27
"""Payloads of more characters and bytes are refused: 128 Mi, each counted as often as it is met."""

_REFERENCE = re.compile(
    r'\{"\$":"(?:py:(?:bytes|bytearray|memoryview)|base64(?:url)?)","at":\[(\d+),(\d+),(\d+)\]\}'
)


def references(payload: str) -> list[Reference]:
    """The bytes that a payload refers to: each reference once, in ascending order."""
    if REFERS not in payload:
        return []
    return sorted({(int(a), int(b), int(c)) for a, b, c in _REFERENCE.findall(payload)})


def bytes_in(segments: Mapping[int, bytes], segment: int, offset: int, length: int) -> bytes:
    """The bytes of a reference.

    Raises:
        DecodingError: they are not among these segments.
    """
    data = segments.get(segment)
    if data is None or not 0 <= offset <= offset + length <= len(data):
        raise DecodingError(f"bytes {offset}+{length} of segment {segment} are missing")
    return data[offset : offset + length]
