"""The codec: any value ↔ (payload, bytes). What the rest of Realtape uses of encoding and decoding."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from .decoding import Decoding
from .encoding import Encoding, Reference, to_json
from .errors import EncodingError
from .secrets import Secrets
from .vocabulary import Vocabulary

TextFilter = Callable[[str], str]
"""Takes a text out of a payload, returns what may be kept of it."""

_REFERENCE = re.compile(r'\{"\$":"(?:py:(?:bytes|bytearray|memoryview)|base64)","at":\[(\d+),(\d+),(\d+)\]\}')


@dataclass(frozen=True, slots=True)
class Encoded:
    """A payload, as it goes into the log.

    Attributes:
        payload: JSON text.
        redacted: a filter took something out.
        lossy: a value of an unknown class was kept as a description.
    """

    payload: str
    redacted: bool
    lossy: bool


@dataclass(frozen=True, slots=True)
class Decoded:
    """A value out of the log, and notes on what could not be rebuilt here."""

    value: Any
    notes: frozenset[str]


class Codec:
    """Encodes and decodes with one vocabulary. Safe from any thread.

    Args:
        vocabulary: which types have names.
        filters: applied to every text of a payload before it leaves the process's memory.
    """

    def __init__(self, vocabulary: Vocabulary, filters: Sequence[TextFilter] = ()) -> None:
        self.vocabulary = vocabulary
        self._filters = tuple(filters)

    def encode(
        self, value: Any, put: Callable[[bytes], Reference], secrets: Secrets | None = None
    ) -> Encoded:
        """Encode a value at once: what others do to it afterwards does not matter.

        Args:
            value: any Python value.
            put: stores bytes, answers where: (segment, offset, length).
            secrets: texts that must not appear in the payload.

        Raises:
            EncodingError: and no other exception, whatever the value.
        """
        encoding = Encoding(self.vocabulary, put)
        try:
            tree = encoding.tree(value)
            payload = to_json(tree)
            redacted = False
            if self._filters or (secrets is not None and secrets.within(payload)):
                filtered = to_json(self._filtered(tree, secrets))
                redacted = filtered != payload
                payload = filtered
        except EncodingError:
            raise
        except RecursionError:
            raise EncodingError("nested too deep for this thread's stack") from None
        except Exception as error:
            raise EncodingError(f"cannot be encoded: {type(error).__name__}: {error}") from error
        return Encoded(payload, redacted, encoding.lossy)

    def decode(self, payload: str, get: Callable[[int, int, int], bytes]) -> Decoded:
        """Decode a payload; see `Decoding`.

        Raises:
            DecodingError: no codec of this format wrote it.
        """
        decoding = Decoding(self.vocabulary, get)
        return Decoded(decoding.value(payload), frozenset(decoding.notes))

    def _filtered(self, tree: Any, secrets: Secrets | None) -> Any:
        if isinstance(tree, str):
            text = tree if secrets is None else secrets.scrub(tree)
            for text_filter in self._filters:
                text = text_filter(text)
            return text
        if isinstance(tree, list):
            return [self._filtered(item, secrets) for item in cast("list[Any]", tree)]
        if isinstance(tree, dict):
            return {
                key if key.startswith("$") else self._filtered(key, secrets): (
                    item if key == "$" else self._filtered(item, secrets)
                )
                for key, item in cast("dict[str, Any]", tree).items()
            }
        return tree


def references(payload: str) -> list[Reference]:
    """The bytes that a payload refers to: each reference once, in ascending order."""
    if '"at":[' not in payload:
        return []
    return sorted({(int(a), int(b), int(c)) for a, b, c in _REFERENCE.findall(payload)})
