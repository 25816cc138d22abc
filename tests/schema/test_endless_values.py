"""Whatever an application hands over is encoded or refused in bounded time, and by no other error."""

import collections
import io
import pathlib
import queue
import threading
import time
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import AsyncMock, MagicMock, NonCallableMock, create_autospec

import pytest
from pydantic import BaseModel
from realtape.schema import STANDARD, Codec, EncodingError, RecordedError, Vocabulary
from support.counting import calls_in
from support.examples import VOCABULARY, Note, Point, RefundError, Shelf, encoded_somehow

CODEC = Codec(VOCABULARY)


class Loop:
    """Never comes to an end, whatever it is asked."""

    def __init__(self, value: Any = None) -> None: ...

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        return Loop()

    def __iter__(self) -> Iterator[Any]:
        while True:
            yield self

    def __len__(self) -> int:
        return 1 << 60

    def __getitem__(self, key: Any) -> Any:
        return self

    def keys(self) -> Any:
        return self

    items = values = keys


class LoopMapping(Mapping[str, Any]):
    """A mapping without an end."""

    def __getitem__(self, key: str) -> Any:
        return self

    def __iter__(self) -> Iterator[str]:
        number = 0
        while True:
            yield str(number)
            number += 1

    def __len__(self) -> int:
        return 1


class LoopError(Exception):
    """An exception whose text never comes."""

    def __str__(self) -> str:
        while True:
            time.sleep(0.01)


async def coroutine() -> None: ...


def generator() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def holding_itself() -> list[Any]:
    one: list[Any] = []
    one.append(one)
    both: list[Any] = []
    both += [both, both]
    mapping: dict[str, Any] = {}
    mapping["self"] = mapping
    point = Point(None)
    point.x = point
    note = Note(text="t")
    note.audio = note
    error = ValueError()
    error.args = (error, error)
    error.__cause__ = error
    lists: tuple[list[Any], ...] = ([],)
    lists[0].append(lists)
    return [one, both, mapping, point, note, error, lists]


@pytest.mark.parametrize("value", holding_itself(), ids=lambda value: type(value).__name__)
def test_what_holds_itself_is_refused(value: Any):
    def encode() -> None:
        with pytest.raises(EncodingError):
            CODEC.encode(value, Shelf().put)

    assert calls_in(encode) < 10_000


def doubled(value: Any, times: int, join: Callable[[Any], Any]) -> Any:
    for _ in range(times):
        value = join(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        doubled(0, 60, lambda value: [value, value]),
        doubled("text", 60, lambda value: {"a": value, "b": value}),
        doubled(b"", 60, lambda value: (value, value)),
        doubled(None, 60, lambda value: Point(value, value)),
        doubled(ValueError(), 60, lambda value: ValueError(value, value)),
        ["x" * 1_000_000] * 1_000_000,
        [b"x" * 1_000_000] * 1_000_000,
        [bytearray(1_000_000)] * 1_000_000,
        {"delta": "A" * 10_000_000, "audio": ["A" * 1_000_000] * 1000},
        [[None] * 1_000_000] * 1_000_000,
        ["k" * 10_000_000, *[{"k" * 10_000_000: None}] * 100],
    ],
    ids=range(11),
)
def test_shared_structure_is_counted_wherever_it_stands(value: Any):
    def encode() -> None:
        with pytest.raises(EncodingError, match=r"more than|deeper"):
            CODEC.encode(value, lambda data: (0, 0, len(data)))

    assert calls_in(encode) < 10_000_000  # of 2 ** 60, or of a million millions


def nested(join: Callable[[Any], Any]) -> Any:
    return doubled(None, 10_000, join)


JOINS: list[Callable[[Any], Any]] = [
    lambda value: [value],
    lambda value: (value,),
    lambda value: {"a": value},
    lambda value: {1: value},
    lambda value: frozenset([value]),
    lambda value: Point(value),
    lambda value: Note.model_construct(text=value),
    lambda value: ValueError(value),
    lambda value: types.MappingProxyType({"a": value}),
    lambda value: type("L", (list,), {})([value]),
]


@pytest.mark.parametrize("join", JOINS, ids=range(len(JOINS)))
def test_what_is_nested_too_deep_is_refused(join: Any):
    value = nested(join)
    with pytest.raises(EncodingError, match="deeper than 100 levels"):
        CODEC.encode(value, Shelf().put)


def test_a_thread_that_is_deep_in_its_stack_is_refused_and_lives():
    def descend(depth: int) -> str | None:
        if depth:
            return descend(depth - 1)
        return encoded_somehow(doubled(None, 90, lambda value: [value]))

    found: list[bool] = []
    for depth in range(0, 900, 50):
        try:
            found.append(descend(depth) is not None)
        except RecursionError:  # of the test itself
            break
    assert found[0]


MAKERS: list[Callable[[], Any]] = [
    Loop,
    LoopMapping,
    LoopError,
    lambda: ValueError(LoopError()),
    lambda: types.MappingProxyType(LoopMapping()),
    lambda: collections.UserDict(a=1),
    MagicMock,
    AsyncMock,
    lambda: MagicMock(spec=BaseException),
    lambda: MagicMock(spec=dict),
    lambda: MagicMock(spec=Note),
    lambda: NonCallableMock(name="mock"),
    lambda: create_autospec(Point),
    lambda: create_autospec(Point, instance=True),
    generator,
    lambda: MagicMock,
    lambda: time,
    lambda: print,
    lambda: "".join,
    lambda: Loop().__iter__,
    lambda: types.MethodType(MagicMock(), 3),
    threading.Lock,
    queue.Queue,
    io.BytesIO,
    lambda: pathlib.Path("/tmp"),
    lambda: NotImplemented,
    lambda: ...,
    lambda: BaseException.__new__(RecordedError),
    lambda: BaseException.__new__(RefundError),
    lambda: UnicodeDecodeError.__new__(UnicodeDecodeError),
    lambda: BaseModel.__new__(BaseModel),
    lambda: collections.Counter("abc"),
    lambda: collections.defaultdict[str, int](int, a=1),
    lambda: collections.ChainMap[str, int]({}),
    lambda: iter([]),
    lambda: memoryview(bytearray(4)).cast("I"),
    lambda: {"a": 1}.items(),
    lambda: type("E", (Exception,), {"__slots__": ("a",)})(1),
]


@pytest.mark.parametrize("make", MAKERS, ids=range(len(MAKERS)))
def test_everything_else_is_kept_somehow(make: Callable[[], Any]):
    value = make()
    assert encoded_somehow([value, {"value": value}]) is not None


async def test_a_coroutine_is_described_and_not_awaited():
    pending = coroutine()
    try:
        assert encoded_somehow([pending]) is not None
    finally:
        await pending


def test_a_mock_learns_nothing_from_being_recorded():
    mock = MagicMock()
    encoded_somehow([mock, {"a": mock}, ValueError(mock)])
    assert mock.mock_calls == []
    assert "_mock_children" in vars(mock)
    assert vars(mock)["_mock_children"] == {}


def test_a_released_view_is_refused():
    view = memoryview(b"abc")
    view.release()
    with pytest.raises(EncodingError):
        CODEC.encode([view], Shelf().put)


def test_a_dictionary_that_another_thread_changes_is_encoded_or_refused():
    changing: dict[Any, Any] = {str(number): [number] for number in range(1000)}
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            changing[str(number % 2000)] = [number]
            changing.pop(str((number * 7) % 2000), None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(100):
            encoded_somehow([changing, Point(changing)])
    finally:
        stop.set()
        thread.join()


def test_a_dictionary_that_changes_while_its_values_are_encoded_is_refused():
    changing: dict[Any, Any] = {}

    def put(data: bytes) -> tuple[int, int, int]:
        changing[len(changing)] = b"more"
        return (0, 0, len(data))

    changing.update(a=b"x", b=b"y")
    with pytest.raises(EncodingError, match="changed size"):
        CODEC.encode(changing, put)


@dataclass
class Awkward:
    """Registered with functions that fail."""

    text: str = "t"


def test_a_description_or_state_that_fails_loses_its_value_and_no_more():
    def fail(value: Any) -> Any:
        raise LookupError(value)

    vocabulary = Vocabulary(STANDARD)
    vocabulary.describe(threading.Thread, "thread", fail)
    vocabulary.register("awkward", Awkward, to_state=fail, from_state=fail)
    codec = Codec(vocabulary)
    encoded = codec.encode([threading.Thread(), Awkward(), 3], Shelf().put)
    assert encoded.lossy
    found = codec.decode(encoded.payload, Shelf().get).value
    assert [item.name for item in found[:2]] == ["thread", "awkward"]
    assert found[2] == 3


@pytest.mark.parametrize("name", ["$", "$v", "$text"])
def test_a_state_cannot_take_the_names_of_the_codec(name: str):
    vocabulary = Vocabulary(STANDARD)
    vocabulary.register(
        "awkward", Awkward, to_state=lambda value: {name: 1}, from_state=lambda state: Awkward()
    )
    with pytest.raises(EncodingError, match="reserved"):
        Codec(vocabulary).encode(Awkward(), Shelf().put)
