"""The payloads of one recording, decoded; the bytes that they refer to, of a few commits, are in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from ..schema.codec import REFERS, Codec, references
from ..schema.entries import PAYLOAD, Entry
from ..schema.errors import CorruptRecordError, DecodingError
from ..schema.rows import Row, entry_of
from ..schema.vocabulary import Vocabulary

SEGMENTS_IN_MEMORY = 8
"""Commits whose bytes are kept while a recording is read; each is what 50 ms brought."""

payload_of = itemgetter(PAYLOAD)
"""That of a row."""


class Payloads:
    """Decodes, once it was given the bytes that are referred to.

    Args:
        session_id: which errors name.
        vocabulary: of what comes out.

    Attributes:
        codec: decodes with the vocabulary.
        notes: what could not be rebuilt.
    """

    def __init__(self, session_id: str, vocabulary: Vocabulary) -> None:
        self.codec = Codec(vocabulary)
        self.notes: set[str] = set()
        self._session_id = session_id
        self._segments: OrderedDict[int, bytes] = OrderedDict()

    def wanted(self, payloads: Sequence[str]) -> list[int]:
        """The segments to which these refer; those of them that are in memory stay there for now."""
        referring = [payload for payload in payloads if REFERS in payload]
        wanted = sorted({segment for payload in referring for segment, _, _ in references(payload)})
        for segment in wanted:
            if segment in self._segments:
                self._segments.move_to_end(segment)
        return wanted

    def lacks(self, segment: int) -> bool:
        """Whether the bytes of this segment are not in memory."""
        return segment not in self._segments

    def keep(self, segments: Sequence[tuple[int, bytes | None]], *, among: int) -> None:
        """Bytes of segments that were lacking, each with its number; None where the log lacks them.

        Args:
            among: so many are wanted at once.
        """
        for segment, data in segments:
            if data is not None:
                self._segments[segment] = data
        while len(self._segments) > max(SEGMENTS_IN_MEMORY, among):
            self._segments.popitem(last=False)

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """Bytes of a segment that is in memory: those of the entry decoded last are.

        Raises:
            DecodingError: they are not.
        """
        data = self._segments.get(segment)
        if data is None or not 0 <= offset <= offset + length <= len(data):
            raise DecodingError(f"bytes {offset}+{length} of segment {segment} are missing")
        return data[offset : offset + length]

    def value(self, entry: Entry) -> Any:
        """The decoded payload of an entry.

        Raises:
            CorruptRecordError: it cannot be decoded, or its bytes are missing.
        """
        try:
            decoded = self.codec.decode(entry.payload, self.bytes_at)
        except DecodingError as error:
            raise CorruptRecordError(self._session_id, entry.seq, str(error)) from error
        self.notes |= decoded.notes
        return decoded.value

    def values(self, rows: Sequence[Row]) -> list[Any]:
        """The decoded payloads of some entries, in one go where that can be done.

        Raises:
            CorruptRecordError: one cannot be decoded, or its bytes are missing.
        """
        decoded = self.codec.decode_all(list(map(payload_of, rows)), self.bytes_at)
        if decoded is None:
            return [self.value(entry_of(row)) for row in rows]
        self.notes |= decoded[1]
        return decoded[0]
