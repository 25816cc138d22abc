"""Plain values into trees: containers, texts, bytes and numbers, and what bounds them."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, cast

import pybase64

from .errors import EncodingError
from .inspection import dict_items, dict_len, is_a, list_iter, list_len, qualified, tuple_iter
from .json_text import to_ascii
from .scalars import TO_TREE

Reference = tuple[int, int, int]
"""(segment, offset, length) of bytes within one session."""

MAX_DEPTH = 100
"""Values nested deeper than this are refused."""

MAX_VALUES = 200_000
"""Payloads of more values than this are refused (a list that holds itself twice has no end)."""

MAX_SIZE = 1 << 27
"""Payloads of more characters and bytes are refused: 128 Mi, each counted as often as it is met."""

BASE64_KEYS = frozenset({"delta", "audio"})
"""Where the realtime protocol carries base64 audio: `*.audio.delta`, `input_audio_buffer.append`."""

MIN_BASE64_LENGTH = 24
_INT64 = 1 << 63


class PlainEncoding:
    """The part of an `Encoding` that needs no vocabulary.

    Args:
        put: stores bytes, answers where.

    Attributes:
        lossy: a value of an unknown class was kept as a description.
    """

    def __init__(self, put: Callable[[bytes], Reference]) -> None:
        self._put = put
        self._depth = 0
        self._count = 0
        self._size = 0
        self.lossy = False

    def tree(self, value: Any) -> Any:
        """The tree of a value, or of a part of one.

        Raises:
            EncodingError: nested deeper than MAX_DEPTH, more than MAX_VALUES values, or changed by
                another thread meanwhile.
        """
        cls = cast("type[Any]", type(value))
        if cls is str:
            self._size += len(value)
            return value
        if value is None or cls is bool or (cls is int and -_INT64 <= value < _INT64):
            return value
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise EncodingError(f"nested deeper than {MAX_DEPTH} levels: record a flatter value")
        plain = PLAIN.get(id(cls))
        tree = self._object(cls, value) if plain is None else plain(self, value)
        self._depth -= 1
        return tree

    def spend(self, count: int, size: int) -> None:
        """Count values, and characters or bytes.

        Raises:
            EncodingError: there are more by now than MAX_VALUES or MAX_SIZE.
        """
        self._count += count
        self._size += size
        if self._count > MAX_VALUES:
            raise EncodingError(f"more than {MAX_VALUES} values in one payload: record less at once")
        if self._size > MAX_SIZE:
            raise EncodingError(f"more than {MAX_SIZE} characters and bytes in one payload: record less")

    def described(self, name: str, value: Any) -> Any:
        """What stands for a value that cannot come back."""
        return self.mark(name, self.tree(value))

    def mark(self, name: str, tree: Any) -> Any:
        """What stands for a value of which the tree is what can be told."""
        self.lossy = True
        self.spend(1, len(name))
        return {"$": "described", "name": name, "value": tree}

    def base64(self, text: str) -> Any:
        """Audio inside a raw event, as a reference to its bytes; any other text as it is."""
        self.spend(0, len(text))
        if len(text) < MIN_BASE64_LENGTH or len(text) % 4 or not text.isascii():
            return text
        try:
            data = pybase64.b64decode(text, validate=True)
        except ValueError:
            return text
        if pybase64.b64encode_as_string(data) != text:
            return text
        return {"$": "base64", "at": list(self._put(data))}

    def _object(self, cls: type[Any], value: Any) -> Any:
        raise NotImplementedError

    # --- containers ---------------------------------------------------------------------------

    def mapping(self, value: dict[Any, Any]) -> Any:
        """A dictionary, or the plain part of a subclass's instance."""
        self.spend(1 + dict_len(value), 0)
        tree: dict[str, Any] = {}
        visit = self.tree
        size = 0
        items = iter(dict_items(value))
        for key, item in items:
            if type(key) is not str or key == "$":
                pairs = [[known, done] for known, done in tree.items()]
                pairs.append([visit(key), visit(item)])
                pairs.extend([visit(key), visit(item)] for key, item in items)
                return self._pairs(pairs)
            size += len(key)
            if type(item) is not str:
                tree[key] = visit(item)
            elif key in BASE64_KEYS:
                tree[key] = self.base64(item)
            else:
                size += len(item)
                tree[key] = item
        self._size += size
        return tree

    def _pairs(self, pairs: list[Any]) -> Any:
        """A dictionary whose keys are not all texts; described, if two of them would be the same."""
        if len({to_ascii(key) for key, _ in pairs}) < len(pairs):
            return self.mark("builtins.dict", pairs)
        return {"$": "py:dict", "items": pairs}

    def sequence(self, value: list[Any]) -> Any:
        """A list, or the plain part of a subclass's instance."""
        self.spend(1 + list_len(value), 0)
        visit = self.tree
        return [visit(item) for item in list_iter(value)]

    def items(self, value: tuple[Any, ...]) -> Any:
        """The items of a tuple, or of a subclass's instance."""
        return self.sequence([*tuple_iter(value)])

    def _tuple(self, value: tuple[Any, ...]) -> Any:
        return {"$": "py:tuple", "items": self.items(value)}

    def members(self, value: Any) -> Any:
        """A set or frozenset, or the plain part of a subclass's instance.

        Sorted by what is written: its own order differs from process to process.
        """
        cls: type[Any] = set if is_a(cast("type[Any]", type(value)), set) else frozenset
        members: list[Any] = [*cls.__iter__(value)]
        if all(type(member) is bytes for member in members):
            members.sort()  # what is written of them is where they are put, one after the other
        items = sorted(self.sequence(members), key=to_ascii)
        if len(set(map(to_ascii, items))) < len(items):
            return self.mark(f"builtins.{cls.__name__}", items)
        return {"$": f"py:{cls.__name__}", "items": items}

    # --- bytes, numbers, times ----------------------------------------------------------------

    def _bytes(self, value: bytes) -> Any:
        self.spend(1, len(value))
        return {"$": "py:bytes", "at": list(self._put(value))}

    def buffer(self, value: Any) -> Any:
        """Bytes of another class than `bytes`."""
        actual = cast("type[Any]", type(value))
        bases: tuple[Any, ...] = (bytes, bytearray, memoryview)
        cls = next(base for base in bases if is_a(actual, base))
        self.spend(1, value.nbytes if cls is memoryview else cls.__len__(value))
        data = bytes(value if cls is memoryview else cls.__getitem__(value, slice(None)))
        return {"$": f"py:{cls.__name__}", "at": list(self._put(data))}

    def _scalar(self, value: Any) -> Any:
        tree: Any = TO_TREE[cast("type[Any]", type(value))](value)
        if tree is None:
            return self.described(qualified(cast("Any", type(value.tzinfo))), value.replace(tzinfo=None))
        if type(tree) is not float:
            self.spend(1, sum(len(item) for item in tree.values() if type(item) is str))
        return tree


_Method = Callable[[Any, Any], Any]

# By identity: a metaclass may define `__hash__` and `__eq__`.
PLAIN: dict[int, _Method] = {
    id(dict): PlainEncoding.mapping,
    id(list): PlainEncoding.sequence,
    id(tuple): PlainEncoding._tuple,
    id(set): PlainEncoding.members,
    id(frozenset): PlainEncoding.members,
    id(bytes): PlainEncoding._bytes,
    id(bytearray): PlainEncoding.buffer,
    id(memoryview): PlainEncoding.buffer,
    **{id(cls): PlainEncoding._scalar for cls in TO_TREE},
}


def _moment(encoding: PlainEncoding, value: Any, kind: Any = datetime.datetime) -> Any:
    # Subclasses stand in for the class itself when tests freeze the time: hence the default.
    return encoding.tree(kind.combine(kind.date(value), kind.timetz(value)))


BASES: tuple[tuple[type[Any], _Method], ...] = (
    (str, lambda encoding, value: encoding.tree(str.__str__(value))),
    (int, lambda encoding, value: encoding.tree(int.__int__(value))),
    (float, lambda encoding, value: encoding.tree(float.__float__(value))),
    (bytes, PlainEncoding.buffer),
    (bytearray, PlainEncoding.buffer),
    (dict, PlainEncoding.mapping),
    (list, PlainEncoding.sequence),
    (tuple, PlainEncoding.items),
    (set, PlainEncoding.members),
    (frozenset, PlainEncoding.members),
    (datetime.datetime, _moment),
)
"""What is kept of an instance of a subclass: its plain value."""
