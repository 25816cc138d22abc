"""Registered name ↔ class.

A log never holds an import path, and reading one imports nothing: a payload names its types by
names that the reading side registered beforehand. Two vocabularies may map the same name to
different classes (ours, and the SDK's): a log recorded with one is read with the other.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal

from ..errors import UsageError
from .inspection import mro, own_attributes

Shape = Literal["dataclass", "model", "enum", "exception", "custom"]
State = dict[str, Any]

FRAME = "frame"
"""The name of a frame: its text is a protocol's, and no text of the payload."""

RESERVED = frozenset(
    {"described", "recorded_error", "base64", "base64url"}
    | {f"py:{name}" for name in ("str", "int", "float", "complex", "Decimal", "UUID")}
    | {f"py:{name}" for name in ("datetime", "date", "time", "timedelta")}
    | {f"py:{name}" for name in ("bytes", "bytearray", "memoryview")}
    | {f"py:{name}" for name in ("tuple", "set", "frozenset", "dict")}
)
"""The codec's own names: what has them is decoded by the codec itself."""


@dataclasses.dataclass(frozen=True)
class Word:
    """One registered type.

    Attributes:
        name: the name that payloads carry.
        cls: the class.
        shape: how its instances are taken apart.
        fields: names of the fields, in order (dataclasses and pydantic models).
        version: of the stored fields; 1 is not written.
        upcasts: version n → a function from the fields of version n to those of n + 1.
        to_state: for `custom` words and exceptions: the instance as a dict of plain values.
        from_state: the reverse.
        field_names: the same as `fields`, to compare with.
        bare_keys: the keys of a payload that holds the fields as they are now, and nothing else.
        getter: of a dataclass that has fields: their values, as a tuple. Of a `custom` one only where it is
            frozen, for it is made of them again.
        set_fields: of a dataclass, where that can be: gives an instance all its fields, at once and past
            any `__setattr__`; they become its dictionary.
    """

    name: str
    cls: type[Any]
    shape: Shape
    fields: tuple[str, ...] = ()
    version: int = 1
    upcasts: Mapping[int, Callable[[State], State]] = dataclasses.field(
        default_factory=dict[int, Callable[[State], State]]
    )
    to_state: Callable[[Any], State] | None = None
    from_state: Callable[[State], Any] | None = None
    field_names: frozenset[str] = dataclasses.field(init=False, repr=False, compare=False)
    bare_keys: frozenset[str] = dataclasses.field(init=False, repr=False, compare=False)
    getter: Callable[[Any], Any] | None = dataclasses.field(init=False, repr=False, compare=False)
    set_fields: Callable[[Any, State], None] | None = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = frozenset(self.fields)
        bare = self.shape == "dataclass" and self.version == 1
        object.__setattr__(self, "field_names", names)
        object.__setattr__(self, "bare_keys", names | {"$"})
        held = self.fields if self.shape == "dataclass" else _frozen_fields(self.cls)
        object.__setattr__(self, "getter", _getter(held) if self.shape in ("dataclass", "custom") else None)
        object.__setattr__(self, "set_fields", _dictionary_of(self.cls) if bare else None)

    def upcast(self, state: State, version: int) -> State:
        """Bring the fields of an older version up to this one, a version at a time."""
        while version < self.version:
            step = self.upcasts.get(version)
            if step is None:
                raise UsageError(f"{self.name}: no upcast is registered from version {version}")
            state = step(state)
            version += 1
        return state


class Vocabulary:
    """A set of registered types, on top of another (`parent`), whose names it may take over.

    Attributes:
        by_class: the word of each class, by the class's identity; to be looked at only.
    """

    def __init__(self, parent: Vocabulary | None = None) -> None:
        self._by_name: dict[str, Word] = dict(parent._by_name) if parent else {}
        # By identity, since a metaclass may define `__hash__` and `__eq__`; the words keep the
        # classes alive.
        self.by_class: dict[int, Word] = dict(parent.by_class) if parent else {}
        self._describers: dict[int, tuple[type[Any], str, Callable[[Any], Any]]] = (
            dict(parent._describers) if parent else {}
        )

    def register(
        self,
        name: str,
        cls: type[Any],
        *,
        version: int = 1,
        upcasts: Mapping[int, Callable[[State], State]] | None = None,
        to_state: Callable[[Any], State] | None = None,
        from_state: Callable[[State], Any] | None = None,
    ) -> None:
        """Register a class under a name that will stay readable for ever.

        Dataclasses, pydantic models, enums and exceptions need nothing more; any other class
        needs `to_state` and `from_state`. A later registration of the name takes it over for
        decoding; classes registered before keep encoding to it.

        Args:
            name: as the payloads will carry it.
            cls: instances of exactly this class are encoded by that name.
            version: of the fields, from 1; raise it when they change, and keep all upcasts.
            upcasts: version n → a function from the fields of version n to those of n + 1.
            to_state: an instance as a dict; its keys must not begin with `$`.
            from_state: the reverse.

        Raises:
            UsageError: the class has no known shape, the name is the codec's own, one of
                `to_state` and `from_state` is missing, or an upcast is.
        """
        if not name or name in RESERVED:
            raise UsageError(f"{cls.__qualname__}: the name {name!r} is reserved: give it another")
        if (to_state is None) != (from_state is None):
            raise UsageError(f"{name}: to_state and from_state come together, or not at all")
        missing = sorted(set(range(1, version)) - set(upcasts or {}))
        if version < 1 or missing:
            raise UsageError(f"{name}: version {version} needs upcasts from 1 on, and lacks {missing}")
        shape, fields = _shape_of(cls, to_state)
        word = Word(name, cls, shape, fields, version, dict(upcasts or {}), to_state, from_state)
        self._by_name[name] = word
        self.by_class[id(cls)] = word

    def describe(self, cls: type[Any], name: str, describer: Callable[[Any], Any]) -> None:
        """Keep instances of `cls` and its subclasses as `Described(name, describer(instance))`.

        For live objects that cannot come back, such as tools: they hold callables.
        """
        self._describers[id(cls)] = (cls, name, describer)

    def word_for(self, cls: type[Any]) -> Word | None:
        """The word of exactly this class."""
        return self.by_class.get(id(cls))

    def word_named(self, name: str) -> Word | None:
        """The word of this name."""
        return self._by_name.get(name)

    def make(self, name: str, /, **fields: Any) -> Any:
        """An instance of the class that has this name here, in whichever release.

        Args:
            fields: those that a dataclass does not have in this release are left out; a model gets all.

        Raises:
            UsageError: there is no such name.
        """
        word = self.word_named(name)
        if word is None:
            raise UsageError(f"the vocabulary has no {name!r}: give one of a realtime interface")
        if word.shape == "dataclass":
            fields = {field: value for field, value in fields.items() if field in word.field_names}
        return word.cls(**fields)

    def describer_for(self, cls: type[Any]) -> tuple[str, Callable[[Any], Any]] | None:
        """How instances of this class, or of its nearest described base, are kept."""
        if self._describers:
            for base in mro(cls):
                found = self._describers.get(id(base))
                if found is not None:
                    return found[1:]
        return None

    def names(self) -> tuple[str, ...]:
        """All registered names, sorted."""
        return tuple(sorted(self._by_name))


def _shape_of(cls: type[Any], to_state: Callable[[Any], State] | None) -> tuple[Shape, tuple[str, ...]]:
    if issubclass(cls, BaseException):
        return "exception", ()
    if to_state is not None:
        return "custom", ()
    if issubclass(cls, enum.Enum):
        return "enum", ()
    if _is_bare(cls):
        from pydantic import BaseModel  # here: who asks for a name alone needs no models

        if issubclass(cls, BaseModel):
            return "model", tuple(cls.model_fields)
        if dataclasses.is_dataclass(cls):
            return "dataclass", tuple(field.name for field in dataclasses.fields(cls))
    raise UsageError(
        f"{cls.__qualname__} is no dataclass, pydantic model, enum or exception (or more than its "
        "fields): register it with to_state and from_state"
    )


def _frozen_fields(cls: type[Any]) -> tuple[str, ...]:
    """The fields of a dataclass that nobody can change, and that is made by giving them in their order."""
    params = own_attributes(cls).get("__dataclass_params__")
    if params is None or not params.frozen or not params.init or "__init__" not in own_attributes(cls):
        return ()
    return tuple(field.name for field in dataclasses.fields(cls) if field.init)


def _getter(fields: tuple[str, ...]) -> Callable[[Any], Any] | None:
    """Takes the values of these attributes, as a tuple."""
    if len(fields) != 1:
        return operator.attrgetter(*fields) if fields else None
    (name,) = fields
    return lambda value: (getattr(value, name),)


def _dictionary_of(cls: type[Any]) -> Callable[[Any, State], None] | None:
    """Gives instances of a class their dictionary; None where they have none, or not an ordinary one."""
    for base in mro(cls):
        slot = own_attributes(base).get("__dict__")
        if slot is not None:
            return slot.__set__ if inspect.isgetsetdescriptor(slot) else None
    return None


def _is_bare(cls: type[Any]) -> bool:
    """Whether an instance is its attributes and no more: not also a list, or a dictionary."""
    try:
        object.__new__(cls)
    except TypeError:
        return False
    return True
