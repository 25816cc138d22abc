"""Values into payloads: a JSON tree in which everything that JSON lacks is a tagged object.

A tagged object has the key `$`, the name of its type; `docs/format.md` lists the tags. Bytes never
stay in the payload: they are handed to a `put`, and the payload holds the reference it answers.
No code of the recorded classes runs: no `repr`, no property, no `__reduce__`. Only what was
registered is asked: `to_state`, a describer, and the attributes of a registered dataclass.
"""

from __future__ import annotations

import datetime
import enum
import gc
import types
from collections.abc import Callable, Iterable
from typing import Any, cast

from pydantic import BaseModel

from ..errors import EncodingError
from ..frames import MIN_BASE64_LENGTH, Base64, base64_bytes, is_text_delta
from .described import Described, RecordedError
from .inspection import (
    dict_get,
    dict_items,
    dict_len,
    field_values,
    instance_dict,
    is_a,
    label,
    list_iter,
    list_len,
    qualified,
    tuple_iter,
)
from .json_text import to_ascii
from .raised import attributes, constructor_arguments, notes, origin, text_of
from .references import MAX_SIZE, Reference
from .scalars import TO_TREE
from .vocabulary import Vocabulary, Word

MAX_DEPTH = 100
"""Values nested deeper than this are refused."""

MAX_VALUES = 200_000
"""Payloads of more values than this are refused (a list that holds itself twice has no end)."""

_EXCEPTION_VALUES = 8
"""An exception takes as long as so many values, and it is encoded where it came up."""

BASE64_KEYS = frozenset({"delta", "audio"})
"""Where the realtime protocol carries base64 audio: `*.audio.delta`, `input_audio_buffer.append`."""

INT64 = 1 << 63
_SHALLOW = 16  # of what is deeper, another writer than Python's would use up a small stack


class Encoding:
    """One value on its way into a payload.

    Args:
        vocabulary: which classes have names.
        put: stores bytes, answers where; None: they are put later, see `blanks`.

    Attributes:
        lossy: a value of an unknown class was kept as a description.
        simple: the tree holds nothing that another JSON writer than Python's might spell otherwise: no
            floats, and no texts but those of registered dataclasses and plain containers; and is not deep.
        blanks: where nothing is put yet: the lists that are to hold a place, each with the bytes to put.
    """

    def __init__(self, vocabulary: Vocabulary, put: Callable[[bytes], Reference] | None = None) -> None:
        self._vocabulary = vocabulary
        self._words = vocabulary.by_class
        self._put = put
        self._depth = 0
        self._count = 0
        self._size = 0
        self.lossy = False
        self.simple = True
        self.blanks: list[tuple[list[int], bytes]] = []
        self._blank = 0

    def payload_tree(self, value: Any) -> Any:
        """The whole value, as a tree that `to_json` writes.

        Raises:
            EncodingError: nested too deep, too large, or changed by another thread meanwhile.
        """
        return self.checked(self.tree(value))

    def checked(self, tree: Any) -> Any:
        """A tree that is whole.

        Raises:
            EncodingError: it is too large.
        """
        if self._count > MAX_VALUES or self._size > MAX_SIZE:
            self.spend(0, 0)
        return tree

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
        if value is None or cls is bool or (cls is int and -INT64 <= value < INT64):
            return value
        self._depth += 1
        if self._depth > _SHALLOW:
            self.simple = False
            if self._depth > MAX_DEPTH:
                raise EncodingError(f"nested deeper than {MAX_DEPTH} levels: record a flatter value")
        plain = PLAIN.get(id(cls))
        if plain is not None:
            if id(cls) not in _SIMPLE:
                self.simple = False
            tree = plain(self, value)
        elif (word := self._words.get(id(cls))) is not None:
            tree = self._registered(word, value)
        else:
            self.simple = False
            tree = self._unregistered(cls, value)
        self._depth -= 1
        return tree

    @property
    def weight(self) -> int:
        """What the tree takes in memory, roughly: characters, bytes, and something for each value."""
        return self._size + 64 * self._count

    def _at(self, data: bytes) -> list[int]:
        """The place of bytes."""
        if self._put is not None:
            return list(self._put(data))
        at = [0, self._blank, len(data)]  # each another one, as they will be
        self._blank += len(data)
        self.blanks.append((at, data))
        return at

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
        data = base64_bytes(text)
        return text if data is None else {"$": "base64", "at": self._at(data)}

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
            elif key in BASE64_KEYS and not _stays_text(key, dict_get(value, "type")):
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
        return {"$": "py:bytes", "at": self._at(value)}

    def _base64(self, value: Base64) -> Any:
        self.spend(1, len(value.data))
        return {"$": "base64url" if value.urlsafe else "base64", "at": self._at(value.data)}

    def buffer(self, value: Any) -> Any:
        """Bytes of another class than `bytes`."""
        actual = cast("type[Any]", type(value))
        bases: tuple[Any, ...] = (bytes, bytearray, memoryview)
        cls = next(base for base in bases if is_a(actual, base))
        self.spend(1, value.nbytes if cls is memoryview else cls.__len__(value))
        data = bytes(value if cls is memoryview else cls.__getitem__(value, slice(None)))
        return {"$": f"py:{cls.__name__}", "at": self._at(data)}

    def _scalar(self, value: Any) -> Any:
        tree: Any = TO_TREE[cast("type[Any]", type(value))](value)
        if tree is None:
            return self.described(qualified(cast("Any", type(value.tzinfo))), value.replace(tzinfo=None))
        if type(tree) is not float:
            self.spend(1, sum(len(item) for item in tree.values() if type(item) is str))
        return tree

    # --- registered classes -------------------------------------------------------------------

    def _registered(self, word: Word, value: Any) -> Any:
        if word.shape == "dataclass":
            fields: list[tuple[str, Any]] = []
            for name in word.fields:
                try:
                    fields.append((name, getattr(value, name)))
                except AttributeError:
                    continue  # a field that was never set stays unset
            return self.fields(word, fields)
        self.simple = False
        tree: dict[str, Any] = {"$": word.name}
        if word.version > 1:
            tree["$v"] = word.version
        if word.shape == "model":
            self._model(tree, word.fields, value)
        elif word.shape == "exception":
            self._exception(tree, value, word)
        elif word.shape == "enum":
            # A member by its name; of flags, a combination by its value.
            if value._name_ in cast("Any", type(value)).__members__:
                tree["member"] = value._name_
            else:
                tree["value"] = self.tree(value._value_)
        else:
            state = _state(word, value)
            if state is None:
                return self.mark(word.name, None)
            self.spend(1 + len(state), 0)
            for name, item in state.items():
                if name.startswith("$"):
                    raise EncodingError(f"{word.name}: its state names {name!r}, and `$` is reserved")
                tree[name] = self.tree(item)
        return tree

    def fields(self, word: Word, fields: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        """The fields of a registered dataclass, as far as they are set: what it is made again of."""
        tree: dict[str, Any] = {"$": word.name}
        if word.version > 1:
            tree["$v"] = word.version
        self._count += len(word.fields)
        for name, item in fields:
            cls = cast("type[Any]", type(item))
            if cls is str:  # most are; what is plain in JSON, without a step down
                self._size += len(item)
            elif item is not None and cls is not bool and not (cls is int and -INT64 <= item < INT64):
                item = self.tree(item)
            tree[name] = item
        return tree

    def plain_fields(self, word: Word, values: Any) -> dict[str, Any] | None:
        """As `fields`, of plain values that are not too large in all; None where they take a closer look."""
        if word.version > 1:
            return None
        tree: dict[str, Any] = {"$": word.name}
        for name, item in zip(word.fields, values, strict=True):
            cls: Any = item.__class__
            if cls is int:
                if not -INT64 <= item < INT64:
                    return None
            elif cls is bytes:
                item = {"$": "py:bytes", "at": self._at(item)}
            elif cls is dict:
                item = self._flat(item)
                if item is None:
                    return None
            elif cls is not str and item is not None and cls is not bool:
                return None
            tree[name] = item
        return tree

    def _flat(self, values: dict[str, Any]) -> dict[str, Any] | None:
        if "$" in values or len(values) > MAX_VALUES:
            return None
        for item in values.values():
            if item.__class__ is int and not -INT64 <= item < INT64:
                return None
        for key in BASE64_KEYS:
            text: Any = values.get(key)
            if text.__class__ is not str or _stays_text(key, values.get("type")):
                continue
            if len(text) >= MIN_BASE64_LENGTH:
                audio = self.base64(text)
                if audio is not text:
                    values = {**values, key: audio}
        return values

    def _model(self, tree: dict[str, Any], fields: tuple[str, ...], value: BaseModel) -> None:
        state = value.__dict__  # holds cached properties, too
        self._count += len(fields)
        recorded: set[str] = set()
        for name in fields:
            if name in state:
                item = state[name]
                recorded.add(name)
                base64 = name in BASE64_KEYS and type(item) is str
                base64 = base64 and not _stays_text(name, state.get("type"))
                tree[name] = self.base64(item) if base64 else self.tree(item)
        extra = value.__pydantic_extra__ or {}
        recorded.update(extra)
        if value.__pydantic_fields_set__ != recorded:
            tree["$set"] = sorted(value.__pydantic_fields_set__)
        if extra:
            tree["$extra"] = self.tree(extra)
        private = value.__pydantic_private__
        if private:
            declared = value.__private_attributes__
            told = {name: item for name, item in private.items() if not _is_default(declared.get(name), item)}
            if told:
                tree["$private"] = self.tree(told)

    # --- unknown classes ----------------------------------------------------------------------

    def _unregistered(self, cls: type[Any], value: Any) -> Any:
        # Made with something else than texts, they are no more than any other value.
        if cls is Described and type(value.name) is str:
            return self.described(value.name, value.value)
        if cls is RecordedError and _is_whole(value):
            return self._recorded_error(value)
        describer = self._vocabulary.describer_for(cls)
        if describer is not None:
            name, describe = describer
            try:
                description = describe(value)
            except Exception:  # noqa: BLE001 - the rest of the payload is worth more
                description = None
            return self.described(name, description)
        if is_a(cls, BaseException):
            return self._exception({"$": "recorded_error", "name": qualified(cls)}, value, None)
        if is_a(cls, BaseModel):
            return self.described(qualified(cls), _model_values(value))
        fields = field_values(value)
        if fields is not None:
            return self.described(qualified(cls), fields)
        if is_a(cls, enum.Enum):
            return self.described(qualified(cls), dict_get(instance_dict(value), "_value_"))
        for base, method in BASES:
            if is_a(cls, base):
                return self.mark(qualified(cls), method(self, value))
        if cls is types.MappingProxyType:
            (mapping,) = gc.get_referents(value)  # past what the mapping itself may define
            return self.described(qualified(cls), mapping if type(mapping) is dict else None)
        return self.described(label(value), None)

    # --- exceptions ---------------------------------------------------------------------------

    def _exception(self, tree: dict[str, Any], error: BaseException, word: Word | None) -> Any:
        text = self._text_of(error)
        self.spend(_EXCEPTION_VALUES, len(text))
        # Whoever does not know the name knows by its text that it was an exception.
        tree["text" if word is None else "$text"] = text
        if word is None:
            self.lossy = True
        if word is not None and word.to_state is not None:
            state = _state(word, error)
            self.lossy = self.lossy or state is None
        else:
            tree["args"] = self.sequence(constructor_arguments(error))
            state = attributes(error)
        return self._told(tree, error, state)

    def _recorded_error(self, error: RecordedError) -> Any:
        self.lossy = True
        self.spend(_EXCEPTION_VALUES, len(error.name) + len(error.text))
        tree: dict[str, Any] = {"$": "recorded_error", "name": error.name, "text": error.text}
        tree["args"] = self.items(error.args[2:])
        return self._told(tree, error, error.state)

    def _told(self, tree: dict[str, Any], error: BaseException, state: Any) -> Any:
        """What every exception has: its attributes, its notes, and where it came from."""
        if state:
            tree["state"] = self.tree(state)
        told = notes(error)
        if told is not None:
            tree["notes"] = self.tree(told)
        for key, item in origin(error, self._told_of).items():
            tree[key] = self.tree(item)
        return tree

    def _told_of(self, error: BaseException) -> dict[str, str]:
        cls = type(error)
        word = self._vocabulary.word_for(cls)
        return {"name": word.name if word is not None else qualified(cls), "text": self._text_of(error)}

    def _text_of(self, error: BaseException) -> str:
        word = self._vocabulary.word_for(type(error))
        # What `to_state` leaves out may be private.
        return text_of(error) if word is None or word.to_state is None else ""


def _stays_text(key: str, type: object) -> bool:
    return key == "delta" and is_text_delta(type)


_Method = Callable[[Any, Any], Any]

# By identity: a metaclass may define `__hash__` and `__eq__`.
PLAIN: dict[int, _Method] = {
    id(dict): Encoding.mapping,
    id(list): Encoding.sequence,
    id(tuple): Encoding._tuple,
    id(set): Encoding.members,
    id(frozenset): Encoding.members,
    id(bytes): Encoding._bytes,
    id(Base64): Encoding._base64,
    id(bytearray): Encoding.buffer,
    id(memoryview): Encoding.buffer,
    **{id(cls): Encoding._scalar for cls in TO_TREE},
}
_SIMPLE = frozenset(map(id, (dict, list, tuple, bytes)))


def _moment(encoding: Encoding, value: Any, kind: Any = datetime.datetime) -> Any:
    # Subclasses stand in for the class itself when tests freeze the time: hence the default.
    return encoding.tree(kind.combine(kind.date(value), kind.timetz(value)))


BASES: tuple[tuple[type[Any], _Method], ...] = (
    (str, lambda encoding, value: encoding.tree(str.__str__(value))),
    (int, lambda encoding, value: encoding.tree(int.__int__(value))),
    (float, lambda encoding, value: encoding.tree(float.__float__(value))),
    (bytes, Encoding.buffer),
    (bytearray, Encoding.buffer),
    (dict, Encoding.mapping),
    (list, Encoding.sequence),
    (tuple, Encoding.items),
    (set, Encoding.members),
    (frozenset, Encoding.members),
    (datetime.datetime, _moment),
)
"""What is kept of an instance of a subclass: its plain value."""


def _is_default(attribute: Any, item: Any) -> bool:
    return attribute is not None and item is attribute.default


def _state(word: Word, value: Any) -> dict[str, Any] | None:
    """What the registered `to_state` answers; None if it raised."""
    assert word.to_state is not None
    try:
        return dict(word.to_state(value))
    except Exception:  # noqa: BLE001 - the rest of the payload is worth more
        return None


def _is_whole(error: RecordedError) -> bool:
    own = instance_dict(error)
    expected = {"name": str, "text": str, "state": dict}
    return all(type(dict_get(own, name)) is cls for name, cls in expected.items())


def _model_values(value: Any) -> dict[Any, Any]:
    """The fields of a model of an unknown class; not its private attributes."""
    try:
        extra: Any = vars(BaseModel)["__pydantic_extra__"].__get__(value)
    except AttributeError:
        extra = None
    values = dict(dict_items(instance_dict(value)))
    if type(extra) is dict:
        values.update(cast("dict[Any, Any]", extra))
    return values
