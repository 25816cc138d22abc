"""Nothing that an application hands over runs its own code while it is encoded."""

import collections
import datetime
import decimal
import enum
import fractions
import io
import types
import uuid
from collections.abc import Callable, Iterator
from dataclasses import make_dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from realtape.schema import Codec, RecordedError
from support.examples import VOCABULARY, Note, Point, RefundError, encoded_somehow

CODEC = Codec(VOCABULARY)


class Sprung(BaseException):
    """What nobody catches."""


class Trap:
    """What the hostile classes do when they are asked anything: note it, and raise."""

    def __init__(self) -> None:
        self.armed = False
        self.asked: list[str] = []

    def method(self, name: str) -> Callable[..., Any]:
        def asked(instance: Any, *args: Any, **kwargs: Any) -> Any:
            if self.armed:
                self.armed = False  # or the test's own report would spring it again
                self.asked.append(name)
                raise Sprung(name)
            return object.__getattribute__(instance, *args) if name == "__getattribute__" else 0

        return asked


TRAP = Trap()
ASKED = (
    "__getattribute__", "__getattr__", "__repr__", "__str__", "__format__", "__bytes__", "__bool__",
    "__len__", "__iter__", "__next__", "__contains__", "__getitem__", "__missing__", "__eq__", "__ne__",
    "__lt__", "__int__", "__index__", "__float__", "__complex__", "__reduce__", "__reduce_ex__",
    "__getstate__", "__copy__", "__deepcopy__", "__sizeof__", "__dir__", "__fspath__", "__buffer__",
    "__enter__", "__exit__", "__await__", "keys", "items", "values", "copy", "get", "isoformat",
    "utcoffset", "model_dump", "__pydantic_serializer__", "hex", "bit_length", "as_tuple", "is_integer",
    "encode", "decode",
)  # fmt: skip


class HostileMeta(type):
    """The class of hostile classes: asking the class is no safer than asking the instance."""

    def __hash__(cls) -> int:
        return TRAP.method("meta.__hash__")(cls) or type.__hash__(cls)

    for _name in (
        "__eq__",
        "__repr__",
        "__instancecheck__",
        "__subclasscheck__",
        "__len__",
        "__iter__",
        "__bool__",
    ):
        locals()[_name] = TRAP.method(f"meta.{_name}")

    def __getattribute__(cls, name: str) -> Any:
        if TRAP.armed:
            TRAP.method("meta.__getattribute__")(cls, name)
        return type.__getattribute__(cls, name)


def hostile(base: type[Any], meta: type[Any] = type, **more: Any) -> Any:
    """A subclass whose every method springs the trap."""
    members: dict[str, Any] = {name: TRAP.method(name) for name in ASKED}
    members["__hash__"] = lambda self: TRAP.method("__hash__")(self)  # type: ignore
    for name in ("__class__", "__dict__", "args", "name", "value", "key", "tzinfo", "__notes__", "__cause__"):
        members[name] = property(TRAP.method(f"property {name}"))
    members["__module__"] = members["__qualname__"] = "hostile"
    return meta("Hostile", (base,), {**members, **more})


def made(cls: type[Any], base: type[Any], *args: Any) -> Any:
    return base.__new__(cls, *args)


BASES: list[tuple[type[Any], tuple[Any, ...]]] = [
    (object, ()),
    (dict, ()),
    (list, ()),
    (tuple, ((1, 2),)),
    (set, ()),
    (frozenset, ({1},)),
    (str, ("text",)),
    (int, (3,)),
    (float, (0.5,)),
    (complex, (1j,)),
    (bytes, (b"b",)),
    (bytearray, ()),
    (decimal.Decimal, ("1.5",)),
    (fractions.Fraction, (1, 2)),
    (datetime.datetime, (2025, 1, 2)),
    (datetime.date, (2025, 1, 2)),
    (datetime.time, (1, 2)),
    (datetime.timedelta, (1,)),
    (datetime.tzinfo, ()),
    (collections.OrderedDict, ()),
    (collections.UserDict, ()),
    (Exception, (1, "two")),
    (BaseException, ()),
    (KeyError, ("k",)),
    (OSError, (2, "no such file")),
    (UnicodeDecodeError, ("utf-8", b"", 0, 0, "")),
    (ExceptionGroup, ("many", [ValueError()])),
    (uuid.UUID, ()),
    (io.StringIO, ()),
]
SUBCLASSED = [
    *(made(hostile(base), base, *args) for base, args in BASES),
    *(made(hostile(base, HostileMeta), base, *args) for base, args in BASES[:10]),
]


def hostile_dataclass() -> Any:
    cls: Any = make_dataclass("Fields", [("a", int)])
    cls.a = property(TRAP.method("property a"))
    instance = object.__new__(hostile(cls, __dataclass_fields__=cls.__dataclass_fields__))
    return instance


def hostile_enum() -> Any:
    class Member(enum.Enum):
        ONE = 1

    for name in ("__repr__", "__str__", "__hash__", "__eq__", "__getattribute__", "__reduce_ex__"):
        setattr(Member, name, TRAP.method(name))
    return Member.__dict__["_member_map_"]["ONE"]


def hostile_model() -> Any:
    class Model(BaseModel):
        a: int

    model = Model(a=1)
    for name in ("__repr__", "__eq__", "__getattr__", "__getattribute__", "__iter__", "model_dump"):
        type.__setattr__(Model, name, TRAP.method(name))
    return model


def hostile_attributes() -> list[Any]:
    """Exceptions that are harmless themselves, and hold what is not."""
    thing = SUBCLASSED[0]
    argument = ValueError("text", thing)
    alone = ValueError(thing)
    attribute = RuntimeError("a")
    attribute.__dict__["thing"] = thing
    noted = RuntimeError("n")
    noted.__dict__["__notes__"] = thing
    listed = RuntimeError("n")
    listed.__dict__["__notes__"] = ["a", thing]
    caused = RuntimeError("c")
    caused.__cause__ = made(hostile(Exception), Exception, thing)
    missing = OSError(2, "no", thing)
    imported = ImportError("no")
    imported.name = thing
    syntax = SyntaxError("bad", ("f", 1, 1, "x"))
    syntax.msg = syntax.filename = thing
    undecodable = UnicodeDecodeError("utf-8", b"a", 0, 1, "why")
    undecodable.reason = thing
    refund = RefundError(thing, reason=thing)
    strange = RecordedError("a", "b", thing, state={"a": thing})
    origin = ValueError("o")
    origin.__dict__["_realtape_origin"] = {"trace": thing, "$": "py:int"}
    group = ExceptionGroup("g", [argument, missing])
    mistyped = RecordedError("a", "b")
    mistyped.name = thing
    return [
        argument, alone, attribute, noted, listed, caused, missing, imported, syntax, undecodable, refund,
        strange, origin, group, mistyped,
    ]  # fmt: skip


INSTANCES = [*SUBCLASSED, hostile_dataclass(), hostile_enum(), hostile_model(), *hostile_attributes()]
TYPES = [hostile(object), hostile(object, HostileMeta)]


@pytest.fixture
def armed() -> Iterator[list[str]]:
    TRAP.asked.clear()
    TRAP.armed = True
    try:
        yield TRAP.asked
    finally:
        TRAP.armed = False


def wrapped(thing: Any) -> list[Any]:
    """The thing in all the places where a value can stand."""
    note = Note.model_construct(text="t", about=[thing], other=thing)
    sealed = Note.model_construct(text=thing)
    proxy = types.MappingProxyType({"a": thing})
    return [
        thing, [thing], (thing,), {"a": thing}, {"delta": thing}, {1: thing}, Point(thing), note, sealed,
        proxy, make_dataclass("Local", ["a"])(thing), type("Words", (dict,), {})(a=thing), ValueError(thing),
    ]  # fmt: skip


class WatchingMeta(type(BaseModel)):
    """Has a say in what derives from its classes: `issubclass` asks all that derive from `BaseModel`."""

    def __subclasscheck__(cls, subclass: type) -> bool:
        return bool(TRAP.method("meta.__subclasscheck__")(cls, subclass))


class Watching(BaseModel, metaclass=WatchingMeta):
    """A model of the application."""


def test_no_class_of_the_application_is_asked_what_a_value_is(armed: list[str]):
    encoded_somehow([object(), Exception(), type("New", (), {})()])
    assert armed == []


@pytest.mark.parametrize("index", range(len(INSTANCES + TYPES)))
def test_no_code_of_a_value_runs(index: int, armed: list[str]):
    for place in wrapped((INSTANCES + TYPES)[index]):
        encoded_somehow(place)
    assert armed == []


@pytest.mark.parametrize("index", [0, len(BASES)])
def test_no_code_of_a_key_or_member_runs(index: int, armed: list[str]):
    thing = INSTANCES[index]
    TRAP.armed = False
    holders = [{thing: 1}, {thing}, frozenset([thing]), type("Few", (set,), {})([thing]), {"a": 1, thing: 2}]
    TRAP.armed = True
    for holder in holders:
        assert encoded_somehow(holder) is not None
        assert armed == []
    TRAP.armed = False


def test_the_instances_that_can_be_described_are(armed: list[str]):
    """A refusal would lose all that stands beside the value: the trap must not be the reason."""
    refused = [index for index, value in enumerate(INSTANCES) if encoded_somehow([value]) is None]
    assert refused == []
    assert armed == []
