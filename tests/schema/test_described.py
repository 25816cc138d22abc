"""What nobody registered is told by its class's name, and loses nothing that stands beside it."""

import datetime
import re
import sys
import types
from collections import OrderedDict
from typing import Any, NamedTuple

import pytest
from realtape.schema import STANDARD, Codec, Described, RecordedError, same
from support.examples import CODEC, Halt, Shelf, round_trip

OURS_ONLY = Codec(STANDARD)


# --- classes that nobody registered ---------------------------------------------------------------


class Pair(NamedTuple):
    """A tuple of the application's own."""

    left: int
    right: Any


class Words(dict[str, Any]):
    """A dictionary of the application's own."""


class Ticket:
    """A class of the application, of which nothing is known."""

    __slots__ = ("number",)


class Frozen(datetime.datetime):
    """What tests that freeze the time put in the place of `datetime`."""


LIST: list[Any] = []


def lambdas() -> Any:
    return lambda: None


@pytest.mark.parametrize(
    ("value", "name", "kept"),
    [
        (Pair(1, (2,)), "Pair", [1, (2,)]),
        (Words(a=1), "Words", {"a": 1}),
        (OrderedDict([(1, "a")]), "collections.OrderedDict", {1: "a"}),
        (types.MappingProxyType({"a": b"b"}), "builtins.mappingproxy", {"a": b"b"}),
        (Ticket(), "Ticket", None),
        (Ticket, "callable .*Ticket", None),
        (lambdas(), "callable .*<lambda>", None),
        (print, "callable builtins.print", None),
        (LIST.append, "callable append", None),
        (sys, "builtins.module", None),
        (range(3), "builtins.range", None),
        (
            Frozen(2025, 1, 2, tzinfo=datetime.UTC),
            "Frozen",
            datetime.datetime(2025, 1, 2, tzinfo=datetime.UTC),
        ),
        (type("Text", (str,), {})("t"), "Text", "t"),
        (type("Number", (int,), {})(1 << 70), "Number", 1 << 70),
        (type("Half", (float,), {})(0.5), "Half", 0.5),
        (type("Raw", (bytearray,), {})(b"raw"), "Raw", bytearray(b"raw")),
        (type("Few", (frozenset,), {})({1}), "Few", frozenset({1})),
    ],
)
def test_what_nobody_registered_is_described(value: Any, name: str, kept: Any):
    shelf = Shelf()
    encoded = CODEC.encode([value], shelf.put)
    assert encoded.lossy
    (described,) = CODEC.decode(encoded.payload, shelf.get).value
    assert type(described) is Described
    assert re.fullmatch(f"(.*\\.)?{name}", described.name)
    assert same(described.value, kept)
    assert CODEC.encode([described], shelf.put).payload == encoded.payload


def test_dictionaries_and_sets_of_what_nobody_registered_lose_no_entry():
    pairs = {Pair(1, 2): "a", Pair(3, 4): "b"}
    assert list(round_trip(pairs).values()) == ["a", "b"]
    tickets = {Ticket(): "a", Ticket(): "b", "c": b"d"}  # whose keys cannot be told apart any more
    back = round_trip(tickets)
    assert (back.name, [item for _, item in back.value]) == ("builtins.dict", ["a", "b", b"d"])
    assert len(round_trip({Ticket(), Ticket()}).value) == 2


def test_an_unregistered_exception_is_one_to_raise():
    error = Halt("stop", 3)
    error.add_note("a note")
    error.__dict__["where"] = {"place": b"here"}
    back = round_trip(error)
    assert type(back) is RecordedError
    assert back.name.endswith("Halt")
    assert back.text == "('stop', 3)"
    assert (back.args[2:], back.state) == (("stop", 3), {"where": {"place": b"here"}})
    assert back.__notes__ == ["a note"]


def test_zones_of_unknown_classes_are_named_and_not_asked():
    class Zone(datetime.tzinfo):
        def utcoffset(self, dt: Any) -> Any:
            pytest.fail("asked")

    back = round_trip(datetime.datetime(2025, 1, 2, tzinfo=Zone()))
    assert back.name.endswith("Zone")
    assert back.value.isoformat() == "2025-01-02T00:00:00"
