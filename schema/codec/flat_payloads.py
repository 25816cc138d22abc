"""Payloads of flat values: those that come by the thousand, deltas above all, written piece by piece.

What a realtime model says is the same from one delta to the next but for a few texts. How its keys are
written is found once for each shape, and each text that comes again is known, as it is written and to hold no
secret. The payload is, character by character, what `to_json` writes of the tree that `Encoding` makes; of
whatever is not plain, or may hold a secret, there is none here: that is encoded with care.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from operator import itemgetter
from typing import Any, NamedTuple

from ..frames import is_text_delta
from .encoding import BASE64_KEYS, INT64, MIN_BASE64_LENGTH, base64_bytes
from .json_text import to_json
from .references import Reference
from .secrets import KnownTexts, Secrets
from .vocabulary import Vocabulary, Word

MAX_KEYS = 64
MAX_SHAPES = 256

VARYING = ("delta", "event_id", "obfuscation")
"""What differs between the pieces of one text."""


class FlatShape(NamedTuple):
    """How values of one class, with the same keys, are written.

    Attributes:
        before: what stands before each value.
        after: and behind the last one.
        base64: where base64 may stand, if anywhere.
        delta: where the piece of a text stands, or None.
        type: where its type stands that may say that it is one, or None.
        others: takes the values that tell which text that is.
    """

    before: tuple[str, ...]
    after: str
    base64: int | None
    delta: int | None
    type: int | None
    others: Callable[[Any], Hashable]


FlatPayload = tuple[str, tuple[Hashable, str] | None]
"""What was written; and where that is a piece of a text that comes in deltas, which one, and the piece."""


class FlatPayloads:
    """Writes them, for one session. One thread at a time.

    Args:
        vocabulary: which classes have names.
        secrets: what must not be in them.
        put: stores bytes, answers where.
    """

    def __init__(self, vocabulary: Vocabulary, secrets: Secrets, put: Callable[[bytes], Reference]) -> None:
        self._words = vocabulary.by_class
        self._secrets = secrets
        self._put = put
        self._shapes: dict[Any, FlatShape | None] = {}
        self._known: KnownTexts | None = None

    def payload(self, form: int, data: tuple[Any, ...]) -> FlatPayload | None:
        """Of the fields of a registered dataclass, the first of which may be a flat dictionary; None where
        that is to be encoded with care."""
        known = self._secrets.known
        if known is not self._known:  # what is clean, and which keys are, may be other ones
            self._known = known
            self._shapes.clear()
        first: Any = data[0]
        if first.__class__ is dict:
            key: Any = (form, *first)
            data = (*first.values(), *data[1:])
        else:
            key = form
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._new_shape(key, form, first)
            if shape is None:
                return None
        quoted = known.quoted
        text_at = shape.delta
        parts: list[str] = []
        for before, value in zip(shape.before, data, strict=True):
            cls: Any = value.__class__
            if cls is str:
                text = quoted.get(value)
                if len(parts) == shape.base64 and len(value) >= MIN_BASE64_LENGTH:
                    is_text = text_at == shape.base64 and shape.type is not None
                    is_text = is_text and is_text_delta(data[shape.type or 0])
                    audio = None if is_text else base64_bytes(value)
                    if audio is not None:
                        text_at = None
                        parts.append(f'{before}{{"$":"base64","at":[{_at(self._put(audio))}]}}')
                        continue
                if text is None:
                    text = self._secrets.quoted(value)
                    if text is None:
                        return None
            elif cls is int:
                if not -INT64 <= value < INT64:
                    return None
                text = str(value)
            elif value is None:
                text = "null"
            elif cls is bool:
                text = "true" if value else "false"
            elif cls is bytes:
                text = f'{{"$":"py:bytes","at":[{_at(self._put(value))}]}}'
            else:
                return None
            parts.append(before + text)
        parts.append(shape.after)
        delta: Any = None if text_at is None else data[text_at]
        if delta.__class__ is not str:
            return "".join(parts), None
        return "".join(parts), ((shape.before, shape.others(data)), delta)

    def _new_shape(self, key: Any, form: int, first: Any) -> FlatShape | None:
        if key in self._shapes or len(self._shapes) >= MAX_SHAPES:
            return None
        word, shape = self._words[form], None
        nested: tuple[str, ...] | None = tuple(first) if first.__class__ is dict else None
        if word.shape == "dataclass" and word.version == 1 and self._secrets.clean_keys(nested or ()):
            shape = _shape(word, nested)
        self._shapes[key] = shape
        return shape


def _shape(word: Word, nested: tuple[str, ...] | None) -> FlatShape | None:
    """How such values are written; None where that is not as simple.

    Args:
        nested: the keys of the dictionary that is the first field, if it is one.
    """
    if nested is not None and (not 0 < len(nested) <= MAX_KEYS or "$" in nested):
        return None
    names = word.fields if nested is None else (*nested, *word.fields[1:])
    lead, before = f'{{"$":{to_json(word.name)},', list[str]()
    if nested is not None:
        lead += f"{to_json(word.fields[0])}:{{"
    for number, name in enumerate(names, 1):
        before.append(f"{lead}{to_json(name)}:")
        lead = "}," if nested is not None and number == len(nested) else ","
    after = "}}" if nested is not None and len(nested) == len(names) else "}"
    audio = [number for number, name in enumerate(nested or ()) if name in BASE64_KEYS]
    delta = [number for number, name in enumerate(names) if name == "delta"]
    type = [number for number, name in enumerate(nested or ()) if name == "type"]
    others = [number for number, name in enumerate(names) if name not in VARYING]
    if len(audio) > 1 or len(delta) > 1 or not others:
        return None
    places = _first(audio), _first(delta), _first(type)
    return FlatShape(tuple(before), after, *places, itemgetter(*others))


def _first(places: list[int]) -> int | None:
    return places[0] if places else None


def _at(reference: Reference) -> str:
    return "{},{},{}".format(*reference)
