"""The codec: any value ↔ (payload, bytes). What the rest of Realtape uses of encoding and decoding."""

from __future__ import annotations

import marshal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from ..errors import EncodingError
from .decoding import Decoding
from .encoding import Encoding
from .json_text import escaped, quickly_written, to_json, written
from .raised import text_of
from .references import MAX_SIZE, Reference
from .secrets import Secrets
from .snapshots import FIELDS, PLAIN, TEXT, TREE, Snapshot, Snapshots, fields_of
from .text_places import TextPlace, changed
from .vocabulary import FRAME, Vocabulary

TextFilter = Callable[[str], str]
"""Takes a text out of a payload, returns what may be kept of it."""


class Encoded(NamedTuple):
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

    Attributes:
        snapshots: takes what `encode_snapshot` encodes.
    """

    def __init__(self, vocabulary: Vocabulary, filters: Sequence[TextFilter] = ()) -> None:
        self.vocabulary = vocabulary
        self.snapshots = Snapshots(vocabulary)
        self.filters = tuple(filters)

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
        return self._encoded(encoding, lambda: encoding.payload_tree(value), secrets)

    def encode_snapshot(
        self, snapshot: Snapshot, put: Callable[[bytes], Reference], secrets: Secrets | None = None
    ) -> Encoded:
        """As `encode`, of a value as it was when the snapshot was taken."""
        form, size, _, held = snapshot
        if form == TEXT:
            return Encoded(held[0], False, False)
        encoding = Encoding(self.vocabulary, put)
        if form == TREE:
            encoding.simple, encoding.lossy = False, held[0].lossy
        elif form != PLAIN and form != FIELDS and size < MAX_SIZE:
            cls, fields = fields_of(snapshot)
            word = self.vocabulary.by_class[cls]
            if word.shape != "custom":
                return self._encoded(
                    encoding,
                    lambda: encoding.plain_fields(word, fields) or self._tree(encoding, snapshot, put),
                    secrets,
                )
        return self._encoded(encoding, lambda: self._tree(encoding, snapshot, put), secrets)

    def _tree(self, encoding: Encoding, snapshot: Snapshot, put: Callable[[bytes], Reference]) -> Any:
        form, _, _, held = snapshot
        if form == TREE:
            for place, data in held[0].blanks:
                place[:] = put(data)
            return held[0].tree
        if form == PLAIN:
            return encoding.payload_tree(marshal.loads(held[0]))
        cls, fields = fields_of(snapshot)
        word = self.vocabulary.by_class[cls]
        if word.shape == "custom":
            return encoding.payload_tree(word.cls(*fields))
        return encoding.checked(encoding.fields(word, zip(word.fields, fields, strict=True)))

    def _encoded(self, encoding: Encoding, make: Callable[[], Any], secrets: Secrets | None) -> Encoded:
        try:
            tree = make()
            payload = quickly_written(tree) if encoding.simple else written(tree)
            if not payload.isascii():
                payload = escaped(tree, payload)
            redacted = type(tree) is dict and _is_redacted_frame(cast("dict[str, Any]", tree))
            if self.filters or (secrets is not None and secrets.within(tree)):
                filtered = to_json(self._filtered(tree, secrets))
                redacted = redacted or filtered != payload
                payload = filtered
        except EncodingError:
            raise
        except RecursionError:  # the caller's stack is nearly used up; what is in it is counted by `Encoding`
            raise EncodingError("nested too deep for what is left of this thread's stack") from None
        except Exception as error:
            reason = f"{type(error).__name__}: {text_of(error)}"
            raise EncodingError(f"cannot be encoded: {reason}") from error
        return Encoded(payload, redacted, encoding.lossy)

    def decode(self, payload: str, get: Callable[[int, int, int], bytes]) -> Decoded:
        """Decode a payload; see `Decoding`.

        Raises:
            DecodingError: no codec of this format wrote it.
        """
        decoding = Decoding(self.vocabulary, get)
        return Decoded(decoding.value(payload), frozenset(decoding.notes))

    def decode_all(
        self, payloads: Sequence[str], get: Callable[[int, int, int], bytes]
    ) -> tuple[list[Any], set[str]] | None:
        """The values of several payloads, faster than one by one, and the notes on them; None where
        each must be decoded by itself."""
        decoding = Decoding(self.vocabulary, get)
        values = decoding.values(payloads)
        return None if values is None else (values, decoding.notes)

    def filtered(self, tree: Any) -> Any:
        """A JSON tree as the filters leave it: a frame's message, which they are given text by text.

        Raises:
            EncodingError: a filter answered something else than a text, or raised.
        """
        try:
            return self._filtered(tree, None)
        except EncodingError:
            raise
        except Exception as error:
            raise EncodingError(f"a redactor raised {type(error).__name__}") from error

    def _filtered(self, tree: Any, secrets: Secrets | None) -> Any:
        def change(text: str, place: TextPlace) -> str:
            if secrets is not None:
                text = secrets.scrub(text, place)
            # What stands in a frame is a protocol's text: it was filtered before it was cut.
            for text_filter in () if place is TextPlace.FRAME else self.filters:
                answer: Any = text_filter(text)
                if not isinstance(answer, str):
                    raise EncodingError(f"a redactor answered {type(answer).__name__}: a text was expected")
                text = str.__str__(answer)  # a subclass such as `Markup` may spell itself otherwise
            return text

        return changed(tree, change, strict=secrets is not None and secrets.strict)


def _is_redacted_frame(tree: dict[str, Any]) -> bool:
    """Whether redactors changed a frame's message before its text was cut."""
    return tree.get("redacted") is True and tree.get("$") == FRAME
