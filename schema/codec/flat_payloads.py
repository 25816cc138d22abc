"""Payloads of flat values: those that come by the thousand, deltas above all, written piece by piece.

What a realtime model says is the same from one delta to the next but for a few texts. How its keys are
written is found once for each shape, and what does not vary once for each text that is cut into deltas. Each
text that comes again is known, as it is written and to hold no secret. The payload is, character by
character, what `to_json` writes of the tree that `Encoding` makes; of whatever is not plain, or may hold a
secret, there is none here: that is encoded with care.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, cast

from ..frames import MIN_BASE64_LENGTH, Frame, base64_bytes, cut, is_text_delta
from .encoding import BASE64_KEYS, INT64
from .json_text import to_json
from .references import Reference
from .secrets import KnownTexts, Secrets
from .vocabulary import FRAME, Vocabulary, Word

MAX_KEYS = 64
MAX_SHAPES = 256
MAX_PATTERNS = 4
MAX_PATTERN_LENGTH = 4096
"""So many patterns of so many characters are remembered of a shape: as many texts as come at once."""

VARYING = ("delta", "event_id", "obfuscation")
"""What differs between the pieces of one text."""


@dataclass(slots=True, eq=False)
class Pattern:
    """How values of one shape are written that differ in nothing but what varies.

    Attributes:
        lead: what stands before the first value that varies.
        rest: where each of these stands, and what follows it.
        audio: where base64 may stand, if anywhere.
        delta: where the piece of a text stands, or None.
        numbers: where the others are numbers, each with its class: True and 1 are the same key.
    """

    lead: str
    rest: tuple[tuple[int, str], ...]
    audio: int | None
    delta: int | None
    numbers: tuple[tuple[int, type[Any]], ...]


@dataclass(slots=True, eq=False)
class FlatShape:
    """How values of one class, with the same keys, are written.

    Attributes:
        before: what stands before each value.
        after: and behind the last one.
        base64: where base64 may stand, if anywhere.
        delta: where the piece of a text stands, or None.
        type: where its type stands that may say that it is one, or None.
        varying: where that stands which is another each time.
        others: takes all the other values.
        patterns: by these, how such a value is written: of the last of them.
    """

    before: tuple[str, ...]
    after: str
    base64: int | None
    delta: int | None
    type: int | None
    varying: frozenset[int]
    others: Callable[[Any], Hashable]
    patterns: dict[Hashable, Pattern] = field(default_factory=dict[Hashable, Pattern])


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
        self._quoted: dict[str, str] = {}

    def payload(self, form: int, first: dict[str, Any] | None, others: Sequence[Any]) -> FlatPayload | None:
        """Of the form of a snapshot, and the fields that it holds, a frame's too; None where that is to be
        encoded with care."""
        if form == _FRAME_FORM:
            return self._frame(*others)
        known = self._secrets.known
        if known is not self._known:  # what is clean, and which keys are, may be other ones
            self._known, self._quoted = known, known.quoted
            self._shapes.clear()
        if first is None:
            key, values = form, others
        else:
            key: Any = (form, *first)
            values = (*first.values(), *others)
        shape = self._shapes.get(key)
        if shape is None:
            shape = self._new_shape(key, form, values)
            if shape is None:
                return None
        same = shape.others(values)
        pattern = shape.patterns.get(same)
        if pattern is None:
            pattern = self._new_pattern(shape, same, values)
            if pattern is None:
                return None
        else:
            for at, cls in pattern.numbers:
                if values[at].__class__ is not cls:
                    return None
        written, delta_at = pattern.lead, pattern.delta
        for at, after in pattern.rest:
            value = values[at]
            text = self._quoted.get(value) if value.__class__ is str else None
            if at == pattern.audio and value.__class__ is str and len(value) >= MIN_BASE64_LENGTH:
                audio = base64_bytes(value)
                if audio is not None:
                    delta_at = None
                    text = f'{{"$":"base64","at":[{_at(self._put(audio))}]}}'
            if text is None:
                text = self._written(value)
                if text is None:
                    return None
            written += text + after
        if delta_at is None or values[delta_at].__class__ is not str:
            return written, None
        return written, (pattern, values[delta_at])

    def _frame(
        self, message: str | bytes, opcode: str, suspended: bool | None, redacted: bool
    ) -> FlatPayload | None:
        """A text, cut at its base64: what else stands in it is known from the last one, but for its ids."""
        if redacted or message.__class__ is not str:
            return None
        pieces: list[Any] = cut(cast("str", message))
        written: list[str] = []
        for piece in pieces:  # first all that may be declined
            text = self._secrets.quoted_message(piece) if piece.__class__ is str else ""
            if text is None:
                return None
            written.append(text)
        for number in range(1, len(pieces), 2):  # every other one is base64
            piece = pieces[number]
            tag = "base64url" if piece.urlsafe else "base64"
            written[number] = f'{{"$":"{tag}","at":[{_at(self._put(piece.data))}]}}'
        gave_way = "" if suspended is None else f',"suspended":{"true" if suspended else "false"}'
        return f'{{"$":"{FRAME}","opcode":"{opcode}","pieces":[{",".join(written)}]{gave_way}}}', None

    def _written(self, value: Any) -> str | None:
        """One value as JSON; None where that takes a closer look."""
        cls: Any = value.__class__
        if cls is str:
            return self._quoted.get(value) or self._secrets.quoted(value)
        if cls is int:
            return str(value) if -INT64 <= value < INT64 else None
        if value is None:
            return "null"
        if cls is bool:
            return "true" if value else "false"
        return f'{{"$":"py:bytes","at":[{_at(self._put(value))}]}}' if cls is bytes else None

    def _new_shape(self, key: Any, form: int, values: Sequence[Any]) -> FlatShape | None:
        if key in self._shapes or len(self._shapes) >= MAX_SHAPES:
            return None
        shape = None
        word, nested = (self._words[~form], key[1:]) if form < 0 else (self._words[form], None)
        if word.shape == "dataclass" and word.version == 1 and self._secrets.clean_keys(nested or ()):
            shape = _shape(word, nested, [at for at, value in enumerate(values) if value.__class__ is bytes])
        self._shapes[key] = shape
        return shape

    def _new_pattern(self, shape: FlatShape, others: Hashable, values: Sequence[Any]) -> Pattern | None:
        """How values are written that have the others in common with these; None where one of these takes a
        closer look."""
        lead, rest, written = "", list[tuple[int, str]](), ""
        numbers: list[tuple[int, type[Any]]] = []
        varying_at = -1
        for at, (before, value) in enumerate(zip(shape.before, values, strict=True)):
            written += before
            if at in shape.varying:
                if varying_at < 0:
                    lead = written
                else:
                    rest.append((varying_at, written))
                varying_at, written = at, ""
                continue
            cls: Any = value.__class__
            text = None if cls is bytes or at == shape.base64 else self._written(value)
            if text is None:
                return None
            if cls is int or cls is bool:
                numbers.append((at, cls))
            written += text
        written += shape.after
        if varying_at < 0:
            lead = written
        else:
            rest.append((varying_at, written))
        is_text = shape.delta == shape.base64 and shape.type is not None and is_text_delta(values[shape.type])
        pattern = Pattern(lead, tuple(rest), None if is_text else shape.base64, shape.delta, tuple(numbers))
        if shape.varying and len(lead) + sum(len(after) for _, after in rest) <= MAX_PATTERN_LENGTH:
            if len(shape.patterns) >= MAX_PATTERNS:
                shape.patterns.clear()
            shape.patterns[others] = pattern
        return pattern


def _shape(word: Word, nested: tuple[str, ...] | None, bytes_at: list[int]) -> FlatShape | None:
    """How such values are written; None where that is not as simple.

    Args:
        nested: the keys of the dictionary that is the first field, if it is one.
        bytes_at: where bytes stand, which are other ones each time.
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
    varying = {number for number, name in enumerate(names) if name in VARYING} | {*bytes_at, *audio}
    others = [number for number in range(len(names)) if number not in varying]
    if len(audio) > 1 or len(delta) > 1 or not others:
        return None
    places = _first(audio), _first(delta), _first(type)
    return FlatShape(tuple(before), after, *places, frozenset(varying), itemgetter(*others))


_FRAME_FORM = id(Frame)


def _first(places: list[int]) -> int | None:
    return places[0] if places else None


def _at(reference: Reference) -> str:
    return "{},{},{}".format(*reference)
