"""Values into payloads: a JSON tree in which everything that JSON lacks is a tagged object.

A tagged object has the key `$`, the name of its type; `docs/format.md` lists the tags. Bytes never
stay in the payload: they are handed to a `put`, and the payload holds the reference it answers.
No code of the recorded classes runs: no `repr`, no property, no `__reduce__`.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import math
import traceback
import types
import uuid
import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any, cast

import pybase64
from pydantic import BaseModel

from .described import ORIGIN, Described, RecordedError
from .errors import EncodingError
from .vocabulary import Vocabulary, Word

Reference = tuple[int, int, int]
"""(segment, offset, length) of bytes within one session."""

MAX_DEPTH = 100
"""Values nested deeper than this are refused."""

MAX_VALUES = 200_000
"""Payloads of more values than this are refused (a list that holds itself twice has no end)."""

BASE64_KEYS = frozenset({"delta", "audio"})
"""Where the realtime protocol carries base64 audio: `*.audio.delta`, `input_audio_buffer.append`."""

MIN_BASE64_LENGTH = 24
MAX_EXCEPTION_CHAIN = 4
MAX_TRACE_FRAMES = 50
_INT64 = 1 << 63

_dumps = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, check_circular=False
).encode
_dumps_ascii = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


def to_json(tree: Any) -> str:
    """A JSON tree as text that any database holds: lone surrogates are escaped, the rest is not."""
    text = _dumps(tree)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _dumps_ascii(tree)
    return text


class Encoding:
    """One value on its way into a payload.

    Args:
        vocabulary: which classes have names.
        put: stores bytes, answers where.

    Attributes:
        lossy: a value of an unknown class was kept as a description.
    """

    def __init__(self, vocabulary: Vocabulary, put: Callable[[bytes], Reference]) -> None:
        self._vocabulary = vocabulary
        self._put = put
        self._depth = 0
        self._count = 0
        self.lossy = False

    def tree(self, value: Any) -> Any:
        """The value as a tree that `json` writes.

        Raises:
            EncodingError: nested deeper than MAX_DEPTH, more than MAX_VALUES values, or changed
                by another thread meanwhile.
        """
        cls = cast("type[Any]", type(value))
        if value is None or cls is str or cls is bool:
            return value
        if cls is int and -_INT64 <= value < _INT64:
            return value
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            raise EncodingError(f"nested deeper than {MAX_DEPTH} levels: record a flatter value")
        if self._count > MAX_VALUES:
            raise EncodingError(f"more than {MAX_VALUES} values in one payload: record less at once")
        try:
            plain = _PLAIN.get(cls)
            if plain is not None:
                return plain(self, value)
            word = self._vocabulary.word_for(cls)
            if word is not None:
                return self._word(word, value)
            return self._unregistered(cls, value)
        finally:
            self._depth -= 1

    # --- plain values -------------------------------------------------------------------------

    def _dict(self, value: dict[Any, Any]) -> Any:
        tree: dict[str, Any] = {}
        visit = self.tree
        for key, item in value.items():
            if type(key) is not str or key == "$":
                return {
                    "$": "py:dict",
                    "items": [[visit(key), visit(item)] for key, item in value.items()],
                }
            if type(item) is str:
                tree[key] = self._base64(item) if key in BASE64_KEYS else item
            else:
                tree[key] = visit(item)
        return tree

    def _base64(self, text: str) -> Any:
        """Audio inside a raw event, as a reference to its bytes; any other text as it is."""
        if len(text) < MIN_BASE64_LENGTH or len(text) % 4 or not text.isascii():
            return text
        try:
            data = pybase64.b64decode(text, validate=True)
        except ValueError:
            return text
        if pybase64.b64encode_as_string(data) != text:
            return text
        return {"$": "base64", "at": list(self._put(data))}

    def _list(self, value: list[Any]) -> Any:
        visit = self.tree
        return [visit(item) for item in value]

    def _sequence(self, value: Any) -> Any:
        return {"$": f"py:{type(value).__name__}", "items": [self.tree(item) for item in value]}

    def _set(self, value: Any) -> Any:
        items = sorted((self.tree(item) for item in value), key=_dumps_ascii)
        return {"$": f"py:{type(value).__name__}", "items": items}

    def _int(self, value: int) -> Any:
        return {"$": "py:int", "hex": hex(value)}

    def _float(self, value: float) -> Any:
        return value if math.isfinite(value) else {"$": "py:float", "text": repr(value)}

    def _complex(self, value: complex) -> Any:
        return {"$": "py:complex", "parts": [self.tree(value.real), self.tree(value.imag)]}

    def _bytes(self, value: Any) -> Any:
        return {"$": f"py:{type(value).__name__}", "at": list(self._put(bytes(value)))}

    def _text(self, value: Any) -> Any:
        return {"$": f"py:{type(value).__name__}", "text": str(value)}

    def _timedelta(self, value: datetime.timedelta) -> Any:
        return {"$": "py:timedelta", "parts": [value.days, value.seconds, value.microseconds]}

    def _temporal(self, value: Any) -> Any:
        tree: dict[str, Any] = {"$": f"py:{type(value).__name__}"}
        zone = getattr(value, "tzinfo", None)
        if zone is None or type(zone) is datetime.timezone:
            tree["text"] = value.isoformat()
        elif type(zone) is zoneinfo.ZoneInfo and zone.key is not None:
            tree["text"] = value.replace(tzinfo=None).isoformat()
            tree["zone"] = zone.key
        else:
            return self._described(type(zone), value.isoformat())
        if getattr(value, "fold", 0):
            tree["fold"] = 1
        return tree

    # --- registered and unknown classes -------------------------------------------------------

    def _word(self, word: Word, value: Any) -> Any:
        tree: dict[str, Any] = {"$": word.name}
        if word.version > 1:
            tree["$v"] = word.version
        if word.shape == "exception":
            return self._exception(tree, value, word)
        if word.shape == "enum":
            composite = value.name not in type(value).__members__  # of flags: only the value names it
            tree["value" if composite else "member"] = value.value if composite else value.name
        elif word.shape == "model":
            self._model(tree, value)
        elif word.to_state is not None:
            for name, item in word.to_state(value).items():
                tree[name] = self.tree(item)
        else:
            self._fields(tree, word.fields, value)
        return tree

    def _fields(self, tree: dict[str, Any], fields: tuple[str, ...], value: Any) -> None:
        for name in fields:
            try:
                item = getattr(value, name)
            except AttributeError:
                continue  # a field that was never set stays unset
            tree[name] = item if item is None or type(item) is str else self.tree(item)

    def _model(self, tree: dict[str, Any], value: BaseModel) -> None:
        visit = self.tree
        state = value.__dict__
        for name, item in state.items():
            if type(item) is str:
                tree[name] = self._base64(item) if name in BASE64_KEYS else item
            else:
                tree[name] = visit(item)
        if value.model_fields_set != set(state):
            tree["$set"] = sorted(value.model_fields_set)
        if value.__pydantic_extra__:
            tree["$extra"] = visit(value.__pydantic_extra__)
        private = {k: v for k, v in (value.__pydantic_private__ or {}).items() if v is not None}
        if private:
            tree["$private"] = visit(private)

    def _unregistered(self, cls: type[Any], value: Any) -> Any:
        describer = self._vocabulary.describer_for(cls)
        if describer is not None:
            return self._described(describer[0], describer[1](value))
        if isinstance(value, BaseException):
            return self._exception({"$": "error", "name": _qualified(cls)}, value, None)
        if isinstance(value, BaseModel):
            tree: dict[str, Any] = {}
            self._model(tree, value)
            return self._mark(cls, tree)
        if dataclasses.is_dataclass(cls):
            tree = {}
            self._fields(tree, tuple(field.name for field in dataclasses.fields(cls)), value)
            return self._mark(cls, tree)
        if isinstance(value, enum.Enum):
            return self._described(cls, value.value)
        for base, method in _BASES:
            if issubclass(cls, base):
                return self._mark(cls, method(self, value))
        if isinstance(value, Mapping):
            return self._described(cls, dict(cast("Mapping[Any, Any]", value)))
        if callable(value):
            return self._described(f"callable {_qualified(value)}", None)
        return self._described(cls, None)

    def _described(self, name: str | type[Any], value: Any) -> Any:
        return self._mark(name, self.tree(value))

    def _mark(self, name: str | type[Any], tree: Any) -> Any:
        self.lossy = True
        label = name if isinstance(name, str) else _qualified(name)
        return {"$": "described", "name": label, "value": tree}

    def _redescribed(self, value: Described) -> Any:
        return self._described(value.name, value.value)

    # --- exceptions -----------------------------------------------------------------------------

    def _recorded_error(self, value: RecordedError) -> Any:
        self.lossy = True
        tree: dict[str, Any] = {"$": "error", "name": value.name, "text": value.text}
        tree["args"] = [self.tree(item) for item in value.args[2:]]
        return self._told(tree, value)

    def _exception(self, tree: dict[str, Any], error: BaseException, word: Word | None) -> Any:
        if word is None:
            self.lossy = True
            tree["text"] = _text_of(error)
        if word is not None and word.to_state is not None:
            state = word.to_state(error)
        else:
            tree["args"] = [self.tree(item) for item in error.args]
            state = {k: item for k, item in error.__dict__.items() if k not in ("__notes__", ORIGIN)}
            if isinstance(error, OSError):  # kept beside the arguments, not in them
                names = {"filename": error.filename, "filename2": error.filename2}
                state.update({name: item for name, item in names.items() if item is not None})
        if state:
            tree["state"] = self._dict(state)
        return self._told(tree, error)

    def _told(self, tree: dict[str, Any], error: BaseException) -> Any:
        """Its notes, and where it came from: files, lines and functions, never source or locals."""
        notes = getattr(error, "__notes__", None)
        if notes:
            tree["notes"] = self.tree(list(notes))
        origin = getattr(error, ORIGIN, None)
        if origin is not None:
            return {**tree, **origin}
        trace = [
            [frame.filename, frame.lineno, frame.name]
            for frame in traceback.StackSummary.extract(
                traceback.walk_tb(error.__traceback__), limit=MAX_TRACE_FRAMES, lookup_lines=False
            )
        ]
        if trace:
            tree["trace"] = trace
        self._chain(tree, error)
        return tree

    def _chain(self, tree: dict[str, Any], error: BaseException) -> None:
        """The exceptions behind this one, as far as they matter and no further."""
        depth, seen = 0, {id(error)}
        while depth < MAX_EXCEPTION_CHAIN:
            behind, key = error.__cause__, "cause"
            if behind is None and not error.__suppress_context__:
                behind, key = error.__context__, "context"
            if behind is None or id(behind) in seen:
                return
            seen.add(id(behind))
            word = self._vocabulary.word_for(type(behind))
            name = word.name if word else _qualified(type(behind))
            tree.setdefault("behind", []).append({"how": key, "name": name, "text": _text_of(behind)})
            error = behind
            depth += 1


def _qualified(thing: Any) -> str:
    module = getattr(thing, "__module__", None)
    name = getattr(thing, "__qualname__", None) or type(thing).__qualname__
    return f"{module}.{name}" if isinstance(module, str) else str(name)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as failure:  # noqa: BLE001 - an application's own __str__ may do anything
        return f"<its text raised {type(failure).__name__}>"


_Method = Callable[[Encoding, Any], Any]

_PLAIN: dict[type[Any], _Method] = {
    dict: Encoding._dict,
    list: Encoding._list,
    tuple: Encoding._sequence,
    set: Encoding._set,
    frozenset: Encoding._set,
    int: Encoding._int,
    float: Encoding._float,
    complex: Encoding._complex,
    bytes: Encoding._bytes,
    bytearray: Encoding._bytes,
    memoryview: Encoding._bytes,
    decimal.Decimal: Encoding._text,
    uuid.UUID: Encoding._text,
    datetime.datetime: Encoding._temporal,
    datetime.time: Encoding._temporal,
    datetime.date: Encoding._temporal,
    datetime.timedelta: Encoding._timedelta,
    Described: Encoding._redescribed,
    RecordedError: Encoding._recorded_error,
}

# Subclasses of plain types keep their plain value inside the description.
_BASES: tuple[tuple[type[Any], _Method], ...] = (
    (str, lambda self, value: str.__str__(value)),
    (bool, lambda self, value: bool(value)),
    (int, lambda self, value: self.tree(int.__int__(value))),
    (float, lambda self, value: self.tree(float.__float__(value))),
    (bytes, lambda self, value: self.tree(bytes.__getitem__(value, slice(None)))),
    (dict, lambda self, value: self._dict(value)),
    (list, lambda self, value: self._list(value)),
    (tuple, lambda self, value: self._list(list(tuple.__iter__(value)))),
    (set, lambda self, value: self.tree(set(set.__iter__(value)))),
    (frozenset, lambda self, value: self.tree(frozenset(frozenset.__iter__(value)))),
    (types.MappingProxyType, lambda self, value: self.tree(dict(value))),
)
