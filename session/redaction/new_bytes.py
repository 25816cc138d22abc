"""The bytes of a session that is being redacted: silence in the place of audio, stand-ins in texts."""

from __future__ import annotations

from collections.abc import Mapping

import pybase64

from ...schema.codec import Reference
from ..drafts import Draft
from .views import Cell, View

MAX_TEXT_BYTES = 1 << 20
"""Bytes that are no audio are looked into, if they are so few, and UTF-8."""


class NewBytes:
    """What is put in the place of a draft's bytes. The same bytes are replaced by the same ones."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._number = max(draft.segments, default=-1) + 1
        self._data = bytearray()
        self._silent: dict[tuple[Reference, bytes], Reference] = {}
        self._cells: dict[Reference, Cell | None] = {}
        self._places: dict[Reference, Reference] = {}

    def text(self, reference: Reference) -> Cell | None:
        """The bytes as a text of as many characters; None if they are none.

        Raises:
            DecodingError: they are missing.
        """
        if reference not in self._cells:
            self._cells[reference] = self._text(self._draft.bytes_at(*reference))
        return self._cells[reference]

    def replaced(self, reference: Reference) -> Reference:
        """Where what was put into the text of these bytes is; the same place, if nothing was."""
        cell = self._cells.get(reference)
        if cell is None or not cell.changed:
            return reference
        if reference not in self._places:
            self._places[reference] = self._put(cell.now.encode("latin-1"))
        return self._places[reference]

    def silence(self, reference: Reference, fill: bytes) -> Reference:
        """Where as many bytes of silence are."""
        if (reference, fill) not in self._silent:
            self._silent[reference, fill] = self._put(fill * reference[2])
        return self._silent[reference, fill]

    @property
    def segments(self) -> Mapping[int, bytes]:
        """The old bytes, and the new ones."""
        return {**self._draft.segments, self._number: bytes(self._data)}

    def _put(self, data: bytes) -> Reference:
        place = (self._number, len(self._data), len(data))
        self._data += data
        return place

    @staticmethod
    def _text(data: bytes) -> Cell | None:
        if not data or len(data) > MAX_TEXT_BYTES:
            return None
        try:
            data.decode()
        except UnicodeDecodeError:
            return None
        return Cell(data.decode("latin-1"), lambda text: None)


def silence_within(cell: View, fill: bytes) -> bool:
    """Put silence into base64 that stands in a payload itself; returns whether it was any."""
    try:
        data = pybase64.b64decode(cell.text, validate=True)
    except ValueError:
        return False
    silent = pybase64.b64encode_as_string(fill * len(data))
    for at, (old, new) in enumerate(zip(cell.text, silent, strict=False)):
        if old != new:
            cell.put(at, new)
    return True
