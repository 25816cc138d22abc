"""`same` tells apart what an application could tell apart, and nothing else."""

import copy
import datetime
import decimal
import zoneinfo
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from realtape.schema import same
from support.examples import Color, Money, Note, Point
from support.failures import exceptions
from support.strategies import values

BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
NOON = datetime.datetime(2025, 6, 1, 12, tzinfo=datetime.UTC)
SUMMER = datetime.timezone(datetime.timedelta(hours=2))


def noted(text: str, *notes: str) -> ValueError:
    error = ValueError(text)
    for note in notes:
        error.add_note(note)
    return error


def note(**extra: Any) -> Note:
    return Note.model_validate({"text": "t", **extra})


def seen(value: Any) -> Note:
    made = note()
    made._seen = value  # pyright: ignore[reportPrivateUsage]
    return made


class Sulking:
    """Does not let itself be compared."""

    def __eq__(self, other: object) -> bool:
        raise LookupError

    __hash__ = None  # type: ignore[assignment]


@dataclass
class Bare:
    """A dataclass, whose fields may be unset."""

    a: Any

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


def unset() -> Bare:
    return object.__new__(Bare)


NAN = float("nan")
SULKING = Sulking()


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (NAN, -float("nan")),
        (complex(NAN, -0.0), complex(NAN, -0.0)),
        ([NAN, {NAN: NAN}], [-float("nan"), {float("nan"): NAN}]),
        ({NAN, 1}, {1, float("nan")}),
        (decimal.Decimal("sNaN12"), decimal.Decimal("sNaN12")),
        (decimal.Decimal("-NaN"), decimal.Decimal("-NaN")),
        (noted("a", "b"), noted("a", "b")),
        (FileNotFoundError(2, "no", "f"), FileNotFoundError(2, "no", "f")),
        (KeyError(NAN), KeyError(float("nan"))),
        (memoryview(b"ab"), memoryview(bytearray(b"ab"))),
        ({(1, 2), (3,)}, {(3,), (1, 2)}),
        (frozenset([frozenset([NAN])]), frozenset([frozenset([float("nan")])])),
        (SULKING, SULKING),
        (Money(1, "EUR"), Money(1, "EUR")),
        (note(a=[1]), note(a=[1])),
        (seen(3), seen(3)),
        (unset(), unset()),
        (
            datetime.datetime(2025, 1, 1, tzinfo=BERLIN),
            datetime.datetime(2025, 1, 1, tzinfo=zoneinfo.ZoneInfo.no_cache("Europe/Berlin")),
        ),
    ],
)
def test_same(left: Any, right: Any):
    assert same(left, right)
    assert same(right, left)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        (1, 2),
        ("a", b"a"),
        (b"a", bytearray(b"a")),
        (None, False),
        ([1], (1,)),
        ([1], [1, 2]),
        ([1], [True]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 1.0}),
        ({1: "a"}, {True: "a"}),
        ({"a": 1}, OrderedDict[str, int](a=1)),
        ({1, 2}, {1, 3}),
        ({1}, {True}),
        ({1}, frozenset({1})),
        ({NAN}, {1.0}),
        ({(0.0,), (1,)}, {(-0.0,), (1,)}),
        (complex(0.0, 0.0), complex(0.0, -0.0)),
        (decimal.Decimal("1.0"), decimal.Decimal("1.00")),
        (decimal.Decimal("0"), decimal.Decimal("-0")),
        (decimal.Decimal("NaN"), decimal.Decimal("sNaN")),
        (decimal.Decimal("NaN1"), decimal.Decimal("NaN2")),
        (NOON, NOON.astimezone(SUMMER)),
        (NOON, NOON.replace(tzinfo=None)),
        (NOON.astimezone(SUMMER), NOON.astimezone(BERLIN)),
        (NOON, NOON.replace(fold=1)),
        (datetime.time(1), datetime.time(1, fold=1)),
        (datetime.time(1), datetime.time(1, tzinfo=datetime.UTC)),
        (NOON.astimezone(SUMMER), NOON.astimezone(datetime.timezone(datetime.timedelta(hours=2), "CEST"))),
        (datetime.date(2025, 1, 1), datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)),
        (ValueError("a"), TypeError("a")),
        (ValueError("a"), ValueError("a", "a")),
        (ValueError(1), ValueError(1.0)),
        (noted("a", "b"), noted("a")),
        (FileNotFoundError(2, "no", "f"), FileNotFoundError(2, "no", "g")),
        (ImportError("a", name="b"), ImportError("a", name="c")),
        (ExceptionGroup("g", [ValueError(1)]), ExceptionGroup("g", [ValueError(2)])),
        (memoryview(b"ab"), memoryview(b"ac")),
        (Color.RED, Color.NIGHT),
        (Color.RED, "red"),
        (Sulking(), Sulking()),
        (Money(1, "EUR"), Money(2, "EUR")),
        (Point(1), Point(1.0)),
        (Point(1), Point(1, tags=[2])),
        (Bare(None), unset()),
        (note(), note(audio=None)),  # given or not
        (note(a=1), note(b=1)),
        (note(a=1), note(a=1.0)),
        (seen(1), seen(2)),
        (object(), object()),
    ],
)
def test_not_the_same(left: Any, right: Any):
    assert not same(left, right)
    assert not same(right, left)
    assert not same([left], [right])
    assert not same({"key": left}, {"key": right})


@given(values(exceptions))
def test_everything_is_the_same_as_itself(value: Any):
    assert same(value, value)
    assert same([value], [value])


@given(values().filter(lambda value: not isinstance(value, memoryview)))
def test_a_copy_is_the_same(value: Any):
    try:
        copied = copy.deepcopy(value)
    except TypeError:  # of a memoryview
        return
    assert same(copied, value)


def test_what_a_model_computes_lazily_is_no_difference():
    left, right = note(), note()
    assert left.loud == "T"
    assert same(left, right)


def test_large_sets_are_compared_in_linear_time():
    left = {(number, "x") for number in range(50_000)}
    assert same(left, {(number, "x") for number in reversed(range(50_000))})
