"""What an older or a newer release wrote is read: upcast, or described; and what differs is noted."""

import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr
from realtape.schema import STANDARD, Codec, DecodingError, Described, RecordedError, Vocabulary
from support.examples import Money, Shelf


def written(value: Any, *registered: tuple[str, type[Any]], **options: Any) -> str:
    """The payload of a value, by a vocabulary of its own."""
    return Codec(vocabulary(*registered, **options)).encode(value, Shelf().put).payload


def read(payload: str, *registered: tuple[str, type[Any]], **options: Any) -> tuple[Any, frozenset[str]]:
    """Value and notes of a payload, by a vocabulary of its own."""
    decoded = Codec(vocabulary(*registered, **options)).decode(payload, Shelf().get)
    return decoded.value, decoded.notes


def vocabulary(*registered: tuple[str, type[Any]], **options: Any) -> Vocabulary:
    made = Vocabulary(STANDARD)
    for name, cls in registered:
        made.register(name, cls, **options)
    return made


# --- releases: one class after another, under one name -----------------------------------------------


@dataclass
class OrderV1:
    """As it was released first."""

    dish: str
    price: float = 0.0


@dataclass
class OrderV2:
    """Its price in cents."""

    dish: str
    price_cents: int = 0


@dataclass
class OrderV3:
    """Several dishes, and how many guests."""

    dishes: list[str]
    price_cents: int = 0
    guests: int = 1
    notes: list[str] = field(default_factory=list[str])
    table: int = field(init=False)


def to_cents(state: dict[str, Any]) -> dict[str, Any]:
    return {"dish": state["dish"], "price_cents": round(state["price"] * 100)}


def to_dishes(state: dict[str, Any]) -> dict[str, Any]:
    return {"dishes": [state["dish"]], "price_cents": state["price_cents"]}


UPCASTS = {1: to_cents, 2: to_dishes}


def test_upcasts_go_step_by_step():
    first = written(OrderV1("soup", 2.5), ("order", OrderV1))
    second = written(OrderV2("soup", 250), ("order", OrderV2), version=2, upcasts={1: to_cents})
    assert first == '{"$":"order","dish":"soup","price":2.5}'
    assert second == '{"$":"order","$v":2,"dish":"soup","price_cents":250}'
    for payload in (first, second):
        value, notes = read(payload, ("order", OrderV3), version=3, upcasts=UPCASTS)
        assert (type(value), value.dishes, value.price_cents, value.guests) == (OrderV3, ["soup"], 250, 1)
        assert value.notes == []
        assert not hasattr(value, "table")
        assert notes == {
            "type order: field guests was not recorded, has its default",
            "type order: field notes was not recorded, has its default",
            "type order: field table was not recorded, is missing",
        }


def test_the_present_version_takes_no_step():
    def fail(state: Any) -> Any:
        pytest.fail("called")

    payload = written(OrderV1("soup"), ("order", OrderV1), version=3, upcasts={1: fail, 2: fail})
    value, notes = read(payload, ("order", OrderV1), version=3, upcasts={1: fail, 2: fail})
    assert (value, notes) == (OrderV1("soup"), frozenset())


def test_an_upcast_that_fails_is_told():
    payload = written(OrderV1("soup"), ("order", OrderV1))

    def divide(state: Any) -> Any:
        return 1 / 0

    with pytest.raises(DecodingError, match="ZeroDivisionError"):
        read(payload, ("order", OrderV2), version=2, upcasts={1: divide})


class ItemV1(BaseModel):
    """A model as it was released first."""

    model_config = ConfigDict(extra="allow")
    item_id: str
    text: str = ""
    old: Any = None


class ItemV2(BaseModel):
    """A later one: `body` for `text`, without `old`, with more."""

    item_id: str
    body: str = ""
    parts: list[str] = Field(default_factory=lambda: ["one"])
    needed: int
    _seen: int = PrivateAttr(default=7)


def test_models_are_brought_up_to_date_too():
    payload = written(ItemV1(item_id="i", text="t", phase="final"), ("item", ItemV1))  # pyright: ignore

    def step(state: dict[str, Any]) -> dict[str, Any]:
        return {**{k: v for k, v in state.items() if k != "text"}, "body": state["text"]}

    value, notes = read(payload, ("item", ItemV2), version=2, upcasts={1: step})
    assert value.__dict__ == {"item_id": "i", "body": "t", "parts": ["one"]}
    assert value.model_extra is None
    assert value._seen == 7
    assert notes == {
        "type item: field phase is unknown here, left out",
        "type item: field old is unknown here, left out",
        "type item: field needed was not recorded, is missing",
        "type item: field parts was not recorded, has its default",
    }


def test_defaults_are_not_shared():
    payload = '{"$":"item","item_id":"i","needed":1,"body":""}'
    one, _ = read(payload, ("item", ItemV2))
    other, _ = read(payload, ("item", ItemV2))
    assert one.parts == other.parts
    assert one.parts is not other.parts


class ItemV3(BaseModel):
    """What came as an extra field has become one of its own."""

    model_config = ConfigDict(extra="allow")
    item_id: str
    phase: str = "none"


def test_an_extra_field_that_has_become_one_of_the_class_goes_there():
    payload = written(ItemV1(item_id="i", phase="final", more=1), ("item", ItemV1))  # pyright: ignore
    value, notes = read(payload, ("item", ItemV3))
    assert (value.phase, value.model_extra) == ("final", {"text": "", "old": None, "more": 1})
    assert value.model_fields_set == {"item_id", "phase", "more"}
    assert notes == frozenset()


def test_a_model_is_read_as_a_dataclass_and_the_reverse():
    @dataclass
    class Item:
        item_id: str
        text: str = "default"

    payload = written(ItemV1(item_id="i", phase="final"), ("item", ItemV1))  # pyright: ignore
    value, notes = read(payload, ("item", Item))
    assert value == Item("i", "")
    assert notes == {
        "type item: field phase is unknown here, left out",
        "type item: field old is unknown here, left out",
    }
    value, notes = read(written(Item("i", "t"), ("item", Item)), ("item", ItemV1))
    assert value == ItemV1(item_id="i", text="t")
    assert value.model_fields_set == {"item_id", "text"}


class Refusal(Exception):
    """An exception with a version."""


def money_of(state: dict[str, Any]) -> Money:
    return Money(**state)


@pytest.mark.parametrize(
    ("value", "cls"), [(OrderV1("soup"), OrderV1), (ItemV1(item_id="i"), ItemV1), (Money(1, "EUR"), Money)]
)
def test_a_newer_version_is_described(value: Any, cls: type[Any]):
    functions: dict[str, Any] = {}
    if cls is Money:
        functions = {"to_state": vars, "from_state": money_of}
    upcasts: dict[int, Callable[[Any], Any]] = {1: lambda state: state}
    payload = written(value, ("order", cls), version=2, upcasts=upcasts, **functions)
    found, notes = read(payload, ("order", cls), **functions)
    assert (type(found), found.name) == (Described, "order")
    assert notes == {"type order: version 2 is newer than this release, kept as a description"}


def test_a_newer_exception_is_still_one_to_raise():
    payload = written(Refusal("no", 3), ("refusal", Refusal), version=2, upcasts={1: dict})
    found, notes = read(payload, ("refusal", Refusal))
    assert (type(found), found.name, found.text) == (RecordedError, "refusal", "('no', 3)")
    assert found.args[2:] == ("no", 3)
    assert notes == {"type refusal: version 2 is newer than this release, kept as a description"}


# --- unknown names --------------------------------------------------------------------------------


def test_an_unknown_name_is_described():
    value, notes = read(written(OrderV1("soup"), ("order", OrderV1)))
    assert value == Described("order", {"dish": "soup", "price": 0.0})
    assert notes == {"type order: unknown here, kept as a description"}


def test_an_unknown_exception_is_a_recorded_error():
    error = Refusal("no", b"x")
    error.add_note("why")
    error.code = 7  # type: ignore[attr-defined]
    shelf = Shelf()
    payload = Codec(vocabulary(("refusal", Refusal))).encode(error, shelf.put).payload
    decoded = Codec(STANDARD).decode(payload, shelf.get)
    found = decoded.value
    assert (type(found), found.name, found.args[2:], found.state) == (
        RecordedError,
        "refusal",
        ("no", b"x"),
        {"code": 7},
    )
    assert found.__notes__ == ["why"]
    assert decoded.notes == {"type refusal: unknown here, kept as a description"}
    with pytest.raises(RecordedError, match="refusal"):
        raise found


def test_a_field_named_args_makes_no_exception():
    @dataclass
    class Call:
        args: list[int]

    value, _ = read(written(Call([1]), ("call", Call)))
    assert value == Described("call", {"args": [1]})


class Old(enum.Enum):
    """An enum as it was."""

    A = 1
    GONE = 2


class New(enum.Enum):
    """The same, later."""

    A = 1


class Bits(enum.Flag):
    """Flags as they are now."""

    ONE = 1


def test_a_member_that_is_gone_is_described():
    payload = written([Old.A, Old.GONE], ("letter", Old))
    value, notes = read(payload, ("letter", New))
    assert value == [New.A, Described("letter", {"member": "GONE"})]
    assert notes == {"type letter: a member that is unknown here, kept as a description"}
    value, notes = read('{"$":"bits","value":6}', ("bits", Bits))
    assert value == Described("bits", {"value": 6})
