"""Payloads back into values. Imports nothing, calls no constructor of a class that the data names.

Objects are made by `object.__new__` and given their recorded state, so that neither `__init__` nor
a validator runs; exceptions of the allow-list are the one exception: they are called with their
recorded arguments, which for builtins is harmless.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
import uuid
import zoneinfo
from collections.abc import Callable
from typing import Any, cast

import pybase64
from pydantic import BaseModel

from .described import ORIGIN, ORIGIN_KEYS, Described, RecordedError
from .errors import DecodingError
from .vocabulary import Vocabulary, Word

_Tree = dict[str, Any]

_TEMPORAL: dict[str, Any] = {
    "py:datetime": datetime.datetime,
    "py:time": datetime.time,
    "py:date": datetime.date,
}
_SEQUENCES: dict[str, Callable[[Any], Any]] = {"py:tuple": tuple, "py:set": set, "py:frozenset": frozenset}
_BYTES: dict[str, Callable[[bytes], Any]] = {
    "py:bytes": bytes,
    "py:bytearray": bytearray,
    "py:memoryview": memoryview,
    "base64": pybase64.b64encode_as_string,
}
_TEXTS: dict[str, Callable[[str], Any]] = {
    "py:float": float,
    "py:Decimal": decimal.Decimal,
    "py:UUID": uuid.UUID,
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
        self._get = get
        self._decoder = json.JSONDecoder(object_hook=self._object)
        self.notes: set[str] = set()

    def value(self, payload: str) -> Any:
        """The value that was encoded.

        Raises:
            DecodingError: no codec of this format wrote this payload.
        """
        try:
            return self._decoder.decode(payload)
        except DecodingError:
            raise
        except RecursionError:
            raise DecodingError("the payload is nested deeper than any that we write") from None
        except Exception as error:
            raise DecodingError(f"the payload cannot be read: {type(error).__name__}: {error}") from error

    def _object(self, tree: _Tree) -> Any:
        name = tree.get("$")
        if name is None:
            return tree
        if not isinstance(name, str):
            raise DecodingError(f"`$` must be a name, not {type(name).__name__}")
        word = self._vocabulary.word_named(name)
        if word is not None:
            return self._word(word, tree)
        at = tree.get("at")
        if at is not None and name in _BYTES:
            return _BYTES[name](self._get(*at))
        if name in _SEQUENCES:
            return _SEQUENCES[name](tree["items"])
        if name in _TEXTS:
            return _TEXTS[name](tree["text"])
        if name in _TEMPORAL:
            return _temporal(_TEMPORAL[name], tree)
        if name == "py:dict":
            return dict(tree["items"])
        if name == "py:int":
            return int(tree["hex"], 16)
        if name == "py:complex":
            return complex(*tree["parts"])
        if name == "py:timedelta":
            return datetime.timedelta(*tree["parts"])
        if name == "described":
            return Described(tree["name"], tree["value"])
        if name == "error":
            return self._recorded_error(tree)
        return self._unknown(name, tree)

    def _unknown(self, name: str, tree: _Tree) -> Any:
        self.notes.add(f"type {name}: unknown here, kept as a description")
        if "args" in tree:
            return self._recorded_error({**tree, "name": name, "text": ""})
        return Described(name, {key: item for key, item in tree.items() if key != "$"})

    def _word(self, word: Word, tree: _Tree) -> Any:
        del tree["$"]
        version = tree.pop("$v", 1)
        if not isinstance(version, int) or version > word.version:
            self.notes.add(f"type {word.name}: version {version} is newer than this release")
            return Described(word.name, tree)
        if version < word.version:
            tree = word.upcast(tree, version)
        if word.shape == "exception":
            return _exception(word, tree)
        if word.shape == "enum":
            return word.cls(tree["value"]) if "value" in tree else word.cls[tree["member"]]
        if word.shape == "model":
            return self._model(word, tree)
        if word.from_state is not None:
            return word.from_state(tree)
        return self._dataclass(word, tree)

    def _dataclass(self, word: Word, tree: _Tree) -> Any:
        value = object.__new__(word.cls)
        if tree.keys() != _field_names(word):
            tree = self._fitted(word, tree)
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
        for name in tree.keys() - fitted.keys():
            self.notes.add(f"type {word.name}: field {name} is unknown here, left out")
        return fitted

    def _model(self, word: Word, tree: _Tree) -> Any:
        fields_set = tree.pop("$set", None)
        extra = tree.pop("$extra", None)
        private = tree.pop("$private", None)
        cls = cast("type[BaseModel]", word.cls)
        known = cls.model_fields
        for name in [name for name in tree if name not in known]:
            item = tree.pop(name)
            if cls.model_config.get("extra") == "allow":
                extra = {**(extra or {}), name: item}
            else:
                self.notes.add(f"type {word.name}: field {name} is unknown here, left out")
        given = set(fields_set) if fields_set is not None else set(tree)
        for name, field in known.items():
            if name not in tree and not field.is_required() and field.default_factory is None:
                tree[name] = field.default
        value = cls.__new__(cls)
        object.__setattr__(value, "__dict__", tree)
        object.__setattr__(value, "__pydantic_fields_set__", given & tree.keys() | (extra or {}).keys())
        allows = cls.model_config.get("extra") == "allow"
        object.__setattr__(value, "__pydantic_extra__", (extra or {}) if allows else None)
        attributes = cls.__private_attributes__
        object.__setattr__(
            value,
            "__pydantic_private__",
            {**dict.fromkeys(attributes), **(private or {})} if attributes else None,
        )
        return value

    def _recorded_error(self, tree: _Tree) -> RecordedError:
        error = RecordedError(tree["name"], tree.get("text", ""), *tree.get("args", ()))
        return _noted(error, tree)


def _field_names(word: Word) -> Any:
    return dict.fromkeys(word.fields).keys()


def _temporal(cls: Any, tree: _Tree) -> Any:
    value = cls.fromisoformat(tree["text"])
    if "zone" in tree:
        value = value.replace(tzinfo=zoneinfo.ZoneInfo(tree["zone"]))
    return value.replace(fold=1) if tree.get("fold") else value


def _exception(word: Word, tree: _Tree) -> BaseException:
    state = tree.get("state", {})
    if word.from_state is not None:
        return _noted(word.from_state(state), tree)
    arguments = tuple(tree.get("args", ()))
    error = _called(word.cls, arguments)
    if error is None:
        error = word.cls.__new__(word.cls)
        error.args = arguments
    for name, item in state.items():
        setattr(error, name, item)
    return _noted(error, tree)


def _called(cls: type[BaseException], arguments: tuple[Any, ...]) -> BaseException | None:
    """A builtin made as it is always made; None where that would give another class or refuse."""
    if cls.__module__ != "builtins":
        return None
    try:
        error = cls(*arguments)
    except (TypeError, ValueError):
        return None
    return error if type(error) is cls else None


def _noted(error: Any, tree: _Tree) -> Any:
    for note in tree.get("notes", ()):
        error.add_note(note)
    origin = {key: tree[key] for key in ORIGIN_KEYS if key in tree}
    if origin:
        setattr(error, ORIGIN, origin)
    return error
