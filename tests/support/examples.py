"""Classes of an imaginary application, a vocabulary that knows them, and a place for their bytes."""

from __future__ import annotations

import enum
import functools
import json
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr
from realtape.schema import STANDARD, Codec, CodecError, Vocabulary
from realtape.schema.codec import Reference, references


class Color(enum.Enum):
    """An enum with an alias, a value that is no text, and a mixed-in property."""

    RED = "red"
    CRIMSON = "red"
    NIGHT = (0, 0, 0)


class Level(enum.IntEnum):
    """An enum that is an integer, too."""

    LOW = 1
    HIGH = 2


class Right(enum.Flag):
    """Flags that refuse bits without a name."""

    READ = 1
    WRITE = 2
    RUN = 4


class Wide(enum.IntFlag):
    """Flags that keep every bit, beyond 64 too."""

    FIRST = 1
    LAST = 1 << 80


@dataclass
class Point:
    """A dataclass with defaults of both kinds."""

    x: Any
    y: Any = 0
    tags: list[Any] = field(default_factory=list[Any])


@dataclass(frozen=True, slots=True)
class Place:
    """A dataclass that is hashable, and has slots."""

    name: str
    at: Any = None


class Note(BaseModel):
    """A model that keeps unknown fields, has a private attribute, and computes one lazily."""

    model_config = ConfigDict(extra="allow")

    text: str
    audio: Any = None
    about: list[Any] = []
    _seen: Any = PrivateAttr(default=None)
    _unset: Any = PrivateAttr()

    @functools.cached_property
    def loud(self) -> str:
        return self.text.upper()


class Sealed(BaseModel):
    """A model without unknown fields or private attributes."""

    model_config = ConfigDict(frozen=True)

    number: Any
    name: str | None = None


class Money:
    """A class that is registered with functions of its own."""

    def __init__(self, cents: int, currency: str) -> None:
        self.cents = cents
        self.currency = currency

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.cents, self.currency))


class RefundError(Exception):
    """An exception whose constructor takes other arguments than those it passes on."""

    def __init__(self, order: Any, *, reason: Any = None) -> None:
        super().__init__(f"refund of order {type(order).__name__}")
        self.order = order
        self.reason = reason


class DeviceError(OSError):
    """An exception that derives from one whose state lies in C."""

    def __init__(self, *args: Any, device: str = "") -> None:
        super().__init__(*args)
        self.device = device


@dataclass
class QuotaError(Exception):
    """An exception that is a dataclass, too."""

    limit: int
    text: str = "too much"


class Halt(BaseException):
    """An exception of the application that nobody registered, and no `Exception`."""


VOCABULARY = Vocabulary(STANDARD)
for _cls in (Color, Level, Right, Wide, Point, Place, Note, Sealed, RefundError, DeviceError, QuotaError):
    VOCABULARY.register(f"shop:{_cls.__name__}", _cls)
VOCABULARY.register(
    "shop:Money",
    Money,
    to_state=lambda money: {"cents": money.cents, "currency": money.currency},
    from_state=lambda state: Money(state["cents"], state["currency"]),
)


class Shelf:
    """A place for bytes; the same bytes are put once, as the recorder does it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._known: dict[bytes, Reference] = {}

    def put(self, data: bytes) -> Reference:
        assert type(data) is bytes
        if data not in self._known:
            self._known[data] = (0, len(self.data), len(data))
            self.data += data
        return self._known[data]

    def get(self, segment: int, offset: int, length: int) -> bytes:
        if segment != 0:
            raise KeyError(segment)
        return bytes(self.data[offset : offset + length])


CODEC = Codec(VOCABULARY)


def round_trip(value: Any, codec: Codec = CODEC) -> Any:
    """There and back, with all that must hold on the way."""
    shelf = Shelf()
    encoded = codec.encode(value, shelf.put)
    assert not encoded.redacted
    encoded.payload.encode()  # any database takes it
    json.loads(encoded.payload)
    decoded = codec.decode(encoded.payload, shelf.get)
    assert not decoded.notes
    again = codec.encode(decoded.value, shelf.put)
    assert (again.payload, again.lossy) == (encoded.payload, encoded.lossy)
    for _segment, offset, length in references(encoded.payload):
        assert offset + length <= len(shelf.data)
    return decoded.value


def encoded_somehow(value: Any) -> str | None:
    """Its payload, or None where it is refused with an error of ours."""
    shelf = Shelf()
    try:
        payload = CODEC.encode(value, shelf.put).payload
    except CodecError:
        return None
    payload.encode()
    CODEC.decode(payload, shelf.get)
    return payload
