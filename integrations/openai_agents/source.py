"""Values as Python source, laid out as a formatter would: for files that people read and keep."""

from __future__ import annotations

import builtins
import dataclasses
import enum
import importlib
import json
import math
import sys
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, cast

import pybase64
from pydantic import BaseModel

WIDTH = 100
"""Characters of a line, where it can be broken."""

MIN_BASE64_LENGTH = 64
"""Shorter texts may well be words."""

_FRONT_DOORS = ("agents.realtime",)
_INDENT = "    "
_REPR_IS_PYTHON = frozenset({type(None), type(...), bool, int, float, range})


class PythonSource:
    """Writes values as expressions, and remembers what they need.

    Attributes:
        data: all bytes that are too long to stand in the source, one after another; there they are
            slices of `AUDIO`.
        uses_base64: a text is written as `in_base64(data)`, which the source must define.
    """

    def __init__(self) -> None:
        self.data = bytearray()
        self.uses_base64 = False
        self._known: dict[bytes, str] = {}
        self._modules: set[str] = set()
        self._imports: defaultdict[str, set[str]] = defaultdict(set)

    def imports(self) -> list[str]:
        """Import statements for all that was written."""
        lines = [f"import {module}" for module in sorted(self._modules)]
        for module, names in sorted(self._imports.items()):
            listed = ", ".join(sorted(names))
            line = f"from {module} import {listed}"
            if len(line) > WIDTH:
                inner = "".join(f"{_INDENT}{name},\n" for name in sorted(names))
                line = f"from {module} import (\n{inner})"
            lines.append(line)
        return lines

    def name(self, cls: type[Any]) -> str:
        """The name of a class, to be imported from where users would."""
        module = next(
            (door for door in _FRONT_DOORS if getattr(_imported(door), cls.__name__, None) is cls),
            cls.__module__,
        )
        if module != "builtins":
            self._imports[module].add(cls.__name__)
        return cls.__name__

    def expression(self, value: Any, indent: int = 0, before: int = 0) -> str:
        """A value as an expression that makes an equal one.

        Args:
            indent: levels of the line that it begins on.
            before: characters that stand on that line before it.
        """
        room = WIDTH - indent * len(_INDENT) - before - 1
        line = self._flat(value)
        if len(line) <= room and "\n" not in line:
            return line
        return self._tall(value, indent) or line

    def call(self, name: str, arguments: Iterable[tuple[str, Any]], indent: int, before: int = 0) -> str:
        """A call with keyword arguments."""
        given = list(arguments)
        line = f"{name}({', '.join(f'{key}={self._flat(value)}' for key, value in given)})"
        if len(line) <= WIDTH - indent * len(_INDENT) - before - 1:
            return line
        return self._block(f"{name}(", [(f"{key}=", value) for key, value in given], ")", indent)

    def _flat(self, value: Any) -> str:
        """On one line."""
        if isinstance(value, Verbatim):
            return value.text
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(bytes(cast("bytes", value)))
        if isinstance(value, str) and not isinstance(value, enum.Enum):
            return self._string(value)
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{value}")'
        if isinstance(value, complex):
            return f"complex({self._flat(value.real)}, {self._flat(value.imag)})"  # signs of zeros are kept
        brackets = _brackets(value)
        if brackets is not None:
            return (
                brackets[0]
                + ", ".join(key + self._flat(one) for key, one in self._parts(value))
                + brackets[1]
            )
        if isinstance(value, set | frozenset):
            return self._set(cast("set[Any] | frozenset[Any]", value))
        if isinstance(value, BaseException):
            return self._exception(value)
        fields = _fields(value)
        if fields is not None:
            told = ", ".join(f"{key}={self._flat(one)}" for key, one in fields)
            return f"{self.name(_class(value))}({told})"
        return self._plain(value)

    def _tall(self, value: Any, indent: int) -> str | None:
        """Over several lines; None for what cannot be broken."""
        brackets = _brackets(value)
        if brackets is not None:
            return self._block(brackets[0], self._parts(value), brackets[1].removeprefix(","), indent)
        fields = None if isinstance(value, BaseException) else _fields(value)
        if fields:
            parts = [(f"{key}=", one) for key, one in fields]
            return self._block(f"{self.name(_class(value))}(", parts, ")", indent)
        return None

    def _block(self, opening: str, parts: Iterable[tuple[str, Any]], closing: str, indent: int) -> str:
        inner = _INDENT * (indent + 1)
        lines = [
            f"{inner}{before}{self.expression(value, indent + 1, len(before))},\n" for before, value in parts
        ]
        return f"{opening}\n{''.join(lines)}{_INDENT * indent}{closing}"

    def _parts(self, value: Any) -> list[tuple[str, Any]]:
        if isinstance(value, dict):
            return [(f"{self._flat(key)}: ", one) for key, one in cast("dict[Any, Any]", value).items()]
        return [("", one) for one in value]

    def _plain(self, value: Any) -> str:
        """What the standard library's own `repr` makes again; of anything else its `repr` as a text, for
        that need not be Python."""
        text = repr(value)
        module = type(value).__module__
        if module in ("decimal", "uuid"):
            self._imports[module].add(type(value).__name__)
        elif module == "datetime":
            self._modules |= {one for one in ("datetime", "zoneinfo") if f"{one}." in text}
        elif type(value) not in _REPR_IS_PYTHON:
            return _text(text)
        return text

    def _set(self, value: set[Any] | frozenset[Any]) -> str:
        told = f"{{{', '.join(map(self._flat, value))}}}" if value else ""
        if isinstance(value, frozenset):
            return f"frozenset({told})"
        return told or "set()"

    def _bytes(self, data: bytes) -> str:
        if len(data) <= 16:
            return repr(data)
        if not any(data):
            return f"bytes({len(data)})"
        if data not in self._known:
            begin = len(self.data)
            self.data += data
            self._known[data] = f"AUDIO[{begin}:{begin + len(data)}]"
        return self._known[data]

    def _string(self, text: str) -> str:
        """A text; sound that is written in base64, as raw events have it, by its bytes."""
        if len(text) >= MIN_BASE64_LENGTH and len(text) % 4 == 0:
            try:
                data = pybase64.b64decode(text, validate=True)
            except ValueError:
                return _text(text)
            if pybase64.b64encode(data).decode() == text:
                self.uses_base64 = True
                return f"in_base64({self._bytes(data)})"
        return _text(text)

    def _exception(self, error: BaseException) -> str:
        cls = type(error)
        if getattr(builtins, cls.__name__, None) is cls:
            return f"{cls.__name__}({', '.join(map(self._flat, error.args))})"
        return f"RuntimeError({_text(str(error))})"  # how others are made is theirs; the text can be kept


@dataclasses.dataclass(frozen=True)
class Verbatim:
    """Source that is written as it is."""

    text: str


def _brackets(value: Any) -> tuple[str, str] | None:
    if isinstance(value, dict):
        return "{", "}"
    if isinstance(value, tuple):
        single = len(cast("tuple[Any, ...]", value)) == 1
        return "(", ",)" if single else ")"
    return ("[", "]") if isinstance(value, list) else None


def _fields(value: Any) -> list[tuple[str, Any]] | None:
    """The fields of an object that are not their defaults; None if it is no class of ours to make."""
    if getattr(sys.modules.get(type(value).__module__), type(value).__name__, None) is not type(value):
        return None  # nobody could import it
    if isinstance(value, BaseModel):
        given = value.model_fields_set | (value.model_extra or {}).keys()
        return [(name, getattr(value, name)) for name in given_in_order(value, given)]
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return None
    found: list[tuple[str, Any]] = []
    for field in dataclasses.fields(value):
        one = getattr(value, field.name)
        default: Any = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if field.init and (default is dataclasses.MISSING or one != default):
            found.append((field.name, one))
    return found


def given_in_order(value: BaseModel, given: Iterable[str]) -> list[str]:
    """The fields that were given to a model, in the order of its class; others behind them."""
    wanted = set(given)
    declared = [name for name in type(value).model_fields if name in wanted]
    return [*declared, *sorted(wanted - set(declared))]


def _class(value: Any) -> type[Any]:
    return cast("type[Any]", type(value))


def _text(text: str) -> str:
    """A text in double quotes, readable wherever it can be."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return repr(text)
    if '"' in text or any(not one.isprintable() for one in text if one not in "\n\t"):
        return repr(text)
    return json.dumps(text, ensure_ascii=False)


def _imported(module: str) -> Any:
    return importlib.import_module(module)
