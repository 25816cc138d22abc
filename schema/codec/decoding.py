"""Payloads back into values. Imports nothing, calls no constructor of a class that the data names.

Objects are made by `object.__new__` and given their recorded state, so that neither `__init__` nor
a validator runs; exceptions are the one exception: the constructor of the builtin class that they
derive from gets their recorded arguments, which is harmless (`raised.py`).
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import repeat
from typing import Any, cast

import pybase64
from pydantic import BaseModel
from pydantic_core import PydanticUndefined, from_json

from ..errors import CorruptRecordError, DecodingError, StoreError
from .described import Described, RecordedError
from .json_text import MAX_NESTING, require_nesting
from .raised import make, remember, text_of
from .references import MAX_SIZE
from .scalars import FROM_TREE
from .vocabulary import Vocabulary, Word

_Tree = dict[str, Any]

_new = object.__new__
_get: Callable[[_Tree, str], Any] = cast("Any", dict).get
_pop: Callable[[_Tree, str], Any] = cast("Any", dict).pop
_plain = partial(from_json, cache_strings="keys")  # a quarter faster than json, which reads what this cannot

_COLLECTIONS: dict[str, Callable[[Any], Any]] = {
    "py:tuple": tuple,
    "py:set": set,
    "py:frozenset": frozenset,
    "py:dict": dict,
}
_ALIKE = 1000
"""Keys of one hash, at most: each is compared with each. Python's own texts differ in every process; numbers
can be chosen so that they do not."""

_BYTES: dict[str, Callable[[bytes], Any]] = {
    "py:bytes": bytes,
    "py:bytearray": bytearray,
    "py:memoryview": memoryview,
    "base64": pybase64.b64encode_as_string,
    "base64url": lambda data: pybase64.urlsafe_b64encode(data).decode(),
}


class Decoding:
    """One payload on its way back into a value.

    Args:
        vocabulary: which names have classes here.
        get: the bytes at a reference.

    Attributes:
        notes: what this side could not rebuild: unknown names, fields that its classes lack.
    """

    def __init__(self, vocabulary: Vocabulary, get: Callable[[int, int, int], bytes]) -> None:
        self._vocabulary = vocabulary
        self._word_named: Callable[[Any], Word | None] = vocabulary.word_named
        self._get = get
        self._size = 0
        self._decoder = json.JSONDecoder(object_hook=self._object)
        self.notes: set[str] = set()

    def value(self, payload: str) -> Any:
        """The value that was encoded.

        Raises:
            DecodingError: no codec of this format wrote this payload.
            StoreError, CorruptRecordError: what `get` raised.
        """
        try:
            require_nesting(payload)
        except ValueError as error:
            raise DecodingError(f"the payload is {error}, as none is that we write") from None
        return self._decoded(payload)

    def _decoded(self, payload: str) -> Any:
        self._size = 0
        try:
            return self._decoder.decode(payload)
        except (DecodingError, StoreError, CorruptRecordError):
            raise
        except RecursionError:  # the caller's stack is nearly used up
            raise DecodingError("nested too deep for what is left of this thread's stack") from None
        except Exception as error:
            reason = f"{type(error).__name__}: {text_of(error)}"
            raise DecodingError(f"the payload cannot be read: {reason}") from error

    def values(self, payloads: Sequence[str]) -> list[Any] | None:
        """The values of several payloads, in one go: three times as fast. None where that cannot be
        done, or where one of them cannot be decoded: then each must be asked for."""
        text = ",\n".join(payloads)  # where we write none: so they are told apart
        objects = text.count("{")
        # Not one of them holds another where each begins with one: the first and the last in order do.
        flat = 0 < objects == len(payloads) and min(payloads)[:1] == max(payloads)[:1] == "{"
        if not flat and not _are_objects(text, payloads):
            return None
        lists = text.count("[") if "[" in text else 0
        text = f"[{text}]"
        try:
            if 1 + objects + lists > MAX_NESTING:
                for payload in payloads:
                    require_nesting(payload)
            values = self._flat(text) if flat else self._decoded(text)
        except (DecodingError, ValueError):
            return None
        return values if len(values) == len(payloads) else None

    def _flat(self, text: str) -> list[Any]:
        """As `value`, of a list of objects that hold no other: these need not be built from within."""
        self._size = 0
        try:
            trees: list[_Tree] = _plain(text)
            word = self._word_of_all(trees)
            if word is None or word.set_fields is None:
                return self._one_by_one(trees)
            # The pieces of one text are alike: without a step of Python for each of them.
            deque(map(_pop, trees, repeat("$")), 0)
            values = [*map(_new, repeat(word.cls, len(trees)))]
            deque(map(word.set_fields, values, trees), 0)
            return values
        except (DecodingError, StoreError, CorruptRecordError):
            raise
        except Exception as error:  # which of them it is, the one who asks for each will hear
            raise DecodingError(f"a payload cannot be read: {type(error).__name__}") from error

    def _word_of_all(self, trees: list[_Tree]) -> Word | None:
        """That which says how each of these objects is built, where they are of one class and have its fields
        in one order; else None."""
        first = trees[0]
        word = self._bare_word(first)
        if word is None or [*map(_get, trees, repeat("$"))].count(first["$"]) != len(trees):
            return None
        keys: list[tuple[Any, ...]] = [*map(tuple, trees)]
        return word if keys.count(keys[0]) == len(keys) else None

    def _bare_word(self, tree: _Tree) -> Word | None:
        """That by which this object is built, if nothing is to be fitted, and nothing to be noted."""
        word = self._word_named(tree.get("$"))
        if word is None or word.set_fields is None or tree.keys() != word.bare_keys:
            return None
        return word

    def _one_by_one(self, trees: list[_Tree]) -> list[Any]:
        name: Any = None
        keys: list[Any] = [name]  # as no tree has
        cls: Any = None
        set_fields: Any = None
        values: list[Any] = []
        for tree in trees:
            if [*tree] != keys or tree["$"] != name:  # mostly as the one before
                word = self._bare_word(tree)
                if word is None:
                    values.append(self._object(tree))
                    continue
                name, keys, cls, set_fields = tree["$"], [*tree], word.cls, word.set_fields
            del tree["$"]
            value = _new(cls)
            set_fields(value, tree)
            values.append(value)
        return values

    def _object(self, tree: _Tree) -> Any:
        name = tree.get("$")
        if name is None:
            return tree
        if not isinstance(name, str):
            raise DecodingError(f"`$` must be a name, not {type(name).__name__}")
        word = self._word_named(name)
        if word is not None:
            if word.set_fields is not None and tree.keys() == word.bare_keys:
                del tree["$"]  # most events: nothing to fit, nothing to note
                value = _new(word.cls)
                word.set_fields(value, tree)
                return value
            return self._word(word, tree)
        del tree["$"]
        if name in _BYTES and "at" in tree:
            return _BYTES[name](self._bytes(tree["at"]))
        if name in _COLLECTIONS:
            return self._collection(name, _expect(tree["items"], list))
        if name in FROM_TREE:
            return self._scalar(name, tree)
        if name == "described":
            return Described(_expect(tree["name"], str), tree["value"])
        if name == "recorded_error":
            return _recorded_error(tree, tree["name"], tree["text"])
        return self._foreign(name, tree, "unknown here")

    # --- plain values -------------------------------------------------------------------------

    def _bytes(self, at: Any) -> bytes:
        reference = _expect(at, list)
        if len(reference) != 3 or any(type(number) is not int or number < 0 for number in reference):
            raise DecodingError(f"{reference!r} is no reference: segment, offset, length")
        self._size += reference[2]
        if self._size > MAX_SIZE:
            raise DecodingError("the payload refers to more bytes than any that we write")
        data = self._get(*reference)
        if len(data) != reference[2]:
            raise DecodingError(f"at {reference} the log holds {len(data)} bytes")
        return data

    def _collection(self, name: str, items: list[Any]) -> Any:
        if name != "py:tuple" and len(items) > _ALIKE and _most_alike(name, items) > _ALIKE:
            raise DecodingError(f"more than {_ALIKE} keys of a {name} have the same hash")
        collection = _COLLECTIONS[name](items)
        if len(collection) < len(items):
            self.notes.add(f"type {name}: some of its keys are the same here, kept as a description")
            return Described(name, items)
        return collection

    def _scalar(self, name: str, tree: _Tree) -> Any:
        try:
            return FROM_TREE[name](tree)
        except (ValueError, ArithmeticError):  # a redactor may have been here
            self.notes.add(f"type {name}: cannot be read here, kept as a description")
            return Described(name, tree)

    # --- registered classes -------------------------------------------------------------------

    def _word(self, word: Word, tree: _Tree) -> Any:
        del tree["$"]
        version = tree.pop("$v", 1)
        if type(version) is not int or version > word.version:
            return self._foreign(word.name, tree, f"version {version} is newer than this release")
        if word.shape == "exception":
            return self._exception(word, tree, version)
        if word.shape == "enum":
            return self._member(word, tree)
        if word.shape == "model":
            return self._model(word, tree, version)
        if word.shape == "dataclass":
            return self._dataclass(word, tree, version)
        assert word.from_state is not None
        return word.from_state(word.upcast(tree, version))

    def _foreign(self, name: str, tree: _Tree, reason: str) -> Any:
        """What stands for a value of a class that is not here, or not as it is recorded."""
        self.notes.add(f"type {name}: {reason}, kept as a description")
        if "$text" in tree:
            return _recorded_error(tree, name, tree["$text"])
        return Described(name, tree)

    def _member(self, word: Word, tree: _Tree) -> Any:
        cls = cast("type[enum.Enum]", word.cls)
        member = cls._member_map_.get(_expect(tree["member"], str)) if "member" in tree else None
        if "value" in tree and issubclass(cls, enum.Flag):
            try:
                return cls(_expect(tree["value"], int))
            except ValueError:  # a flag that this release lacks
                member = None
        if member is None:
            return self._foreign(word.name, tree, "a member that is unknown here")
        return member

    def _dataclass(self, word: Word, tree: _Tree, version: int) -> Any:
        value = object.__new__(word.cls)
        if version != word.version or tree.keys() != word.field_names:
            tree = self._fitted(word, word.upcast(_merged(tree), version))
        try:
            value.__dict__.update(tree)
        except AttributeError:  # a class with slots
            for name, item in tree.items():
                object.__setattr__(value, name, item)
        return value

    def _fitted(self, word: Word, tree: _Tree) -> _Tree:
        """The recorded fields, less those that the class lacks, plus the defaults of its new ones."""
        fitted: _Tree = {}
        for field in dataclasses.fields(word.cls):
            if field.name in tree:
                fitted[field.name] = tree[field.name]
            elif field.default is not dataclasses.MISSING:
                fitted[field.name] = field.default
            elif field.default_factory is not dataclasses.MISSING:
                fitted[field.name] = field.default_factory()
        self._compared(word, tree, fitted)
        return fitted

    def _model(self, word: Word, tree: _Tree, version: int) -> Any:
        cls = cast("type[BaseModel]", word.cls)
        fields_set, private = tree.pop("$set", None), tree.pop("$private", None)
        tree = word.upcast(_merged(tree), version)
        fitted: _Tree = {}
        for name, field in cls.model_fields.items():
            default = PydanticUndefined if name in tree else _default(field)
            if name in tree or default is not PydanticUndefined:
                fitted[name] = tree.get(name, default)
        allows = cls.model_config.get("extra") == "allow"
        extra = {name: item for name, item in tree.items() if name not in fitted} if allows else {}
        if tree.keys() != word.field_names:
            self._compared(word, tree, fitted | extra)
        given = tree.keys() if fields_set is None else set(_expect(fields_set, list))
        value = object.__new__(cls)
        object.__setattr__(value, "__dict__", fitted)
        object.__setattr__(value, "__pydantic_fields_set__", given & (fitted.keys() | extra.keys()))
        object.__setattr__(value, "__pydantic_extra__", extra if allows else None)
        object.__setattr__(value, "__pydantic_private__", _private(cls, private))
        return value

    def _compared(self, word: Word, tree: _Tree, fitted: _Tree) -> None:
        for name in tree.keys() - fitted.keys():
            self.notes.add(f"type {word.name}: field {name} is unknown here, left out")
        for name in word.field_names - tree.keys():
            outcome = "has its default" if name in fitted else "is missing"
            self.notes.add(f"type {word.name}: field {name} was not recorded, {outcome}")

    def _exception(self, word: Word, tree: _Tree, version: int) -> Any:
        state = _expect(tree.get("state", {}), dict)
        if word.from_state is not None:
            error = word.from_state(word.upcast(state, version))
        else:
            error = make(word.cls, tuple(_expect(tree.get("args", []), list)), word.upcast(state, version))
        if error is None:
            tree.setdefault("$text", "")
            return self._foreign(word.name, tree, "cannot be made of its arguments")
        remember(error, tree)
        return error


def _are_objects(text: str, payloads: Sequence[str]) -> bool:
    """Whether each of the payloads that were joined is an object, as far as its ends say."""
    if text[:1] != "{" or text[-1:] != "}" or text.count("},\n{") != len(payloads) - 1:
        return False
    return "\n" not in "".join(payloads)  # which is sooner said than how many there are


def _most_alike(name: str, items: list[Any]) -> int:
    """How many of the keys have the same hash, at most."""
    keys = (item[0] for item in items) if name == "py:dict" else items
    return max(Counter(map(hash, keys)).values())


def _expect(value: Any, cls: type[Any]) -> Any:
    if type(value) is not cls:
        raise DecodingError(f"a {cls.__name__} was expected, not {type(value).__name__}")
    return value


def _merged(tree: _Tree) -> _Tree:
    """All fields by their names, also those that were extra to the class that was recorded."""
    extra = tree.pop("$extra", None)
    tree.pop("$set", None)
    tree.pop("$private", None)
    return tree if extra is None else {**tree, **_expect(extra, dict)}


def _default(field: Any) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _private(cls: type[BaseModel], recorded: Any) -> dict[str, Any] | None:
    declared = cls.__private_attributes__
    if not declared:
        return None
    defaults = {name: attribute.get_default() for name, attribute in declared.items()}
    values = defaults | _expect(recorded or {}, dict)
    return {name: values[name] for name in declared if values[name] is not PydanticUndefined}


def _recorded_error(tree: _Tree, name: Any, text: Any) -> RecordedError:
    arguments = _expect(tree.get("args", []), list)
    state = _expect(tree.get("state", {}), dict)
    error = RecordedError(_expect(name, str), _expect(text, str), *arguments, state=state)
    remember(error, tree)
    return error
