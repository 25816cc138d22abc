"""Which names classes may have, which class a name stands for, and who describes live objects."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from realtape.schema import STANDARD, Codec, Described, UsageError, Vocabulary
from realtape.schema.codec import received_name, sent_name
from realtape.schema.codec.vocabulary import RESERVED
from support.examples import Point, Shelf


def vocabulary(*registered: tuple[str, type[Any]], **options: Any) -> Vocabulary:
    made = Vocabulary(STANDARD)
    for name, cls in registered:
        made.register(name, cls, **options)
    return made


@dataclass
class OrderV1:
    """As it was released first."""

    dish: str


@dataclass
class OrderV2:
    """As it is now."""

    dish: str
    price_cents: int = 0


class Refusal(Exception):
    """An exception of the application."""


# --- names ----------------------------------------------------------------------------------------


def test_a_later_class_takes_the_name_over_and_the_former_still_encodes():
    made = vocabulary(("order", OrderV1), ("order", OrderV2))
    assert made.word_named("order").cls is OrderV2  # pyright: ignore[reportOptionalMemberAccess]
    assert made.word_for(OrderV1).name == "order"  # pyright: ignore[reportOptionalMemberAccess]
    payload = Codec(made).encode(OrderV1("soup"), Shelf().put).payload
    assert type(Codec(made).decode(payload, Shelf().get).value) is OrderV2


def test_a_vocabulary_on_top_of_another_leaves_it_as_it_is():
    names = STANDARD.names()
    made = vocabulary(("error", Refusal))
    assert "error" in made.names()
    assert STANDARD.names() == names == tuple(sorted(names))
    assert STANDARD.word_for(Refusal) is None
    assert STANDARD.word_named("error").cls.__name__ == "RealtimeModelErrorEvent"  # pyright: ignore


def test_only_instances_of_exactly_the_class_have_its_name():
    class Larger(OrderV1):
        pass

    assert vocabulary(("order", OrderV1)).word_for(Larger) is None


def test_the_names_of_the_standard_vocabulary_are_none_of_the_codecs():
    assert not RESERVED & set(STANDARD.names())
    assert received_name(asyncio.CancelledError) is None
    assert sent_name(type("RealtimeModelSendToolOutput", (), {})) == "send_tool_output"


class Callables:
    """A class of no known shape."""


class Row(dict[str, Any]):
    """A dictionary with attributes."""


@dataclass
class Listed(list[int]):
    """A dataclass that is a list, too: its fields are not all of it."""

    name: str = ""


@pytest.mark.parametrize(
    ("name", "cls", "options", "match"),
    [
        ("described", OrderV1, {}, "reserved"),
        ("py:int", OrderV1, {}, "reserved"),
        ("", OrderV1, {}, "reserved"),
        ("order", Callables, {}, "to_state and from_state"),
        ("order", Row, {}, "to_state and from_state"),
        ("order", Listed, {}, "to_state and from_state"),
        ("order", Callables, {"to_state": vars}, "come together"),
        ("order", Refusal, {"from_state": Refusal}, "come together"),
        ("order", OrderV1, {"version": 3, "upcasts": {2: dict}}, r"lacks \[1\]"),
        ("order", OrderV1, {"version": 0}, "version 0"),
    ],
)
def test_what_could_not_be_read_again_is_not_registered(name: str, cls: Any, options: Any, match: str):
    made = Vocabulary(STANDARD)
    with pytest.raises(UsageError, match=match):
        made.register(name, cls, **options)
    assert made.names() == STANDARD.names()


# --- describers -----------------------------------------------------------------------------------


class Tool:
    """A live object of an application."""

    name = "tool"


class FunctionTool(Tool):
    """A nearer base."""


class MyTool(FunctionTool):
    """What applications derive."""


class Other(int, Tool):
    """Another line of descent."""


def test_the_nearest_describer_counts():
    made = Vocabulary(STANDARD)
    made.describe(Tool, "tool", lambda tool: {"name": tool.name})
    codec = Codec(made)

    def told(value: Any) -> Any:
        encoded = codec.encode(value, Shelf().put)
        assert encoded.lossy
        return codec.decode(encoded.payload, Shelf().get).value

    assert told(MyTool()) == Described("tool", {"name": "tool"})
    assert told(Other(3)) == Described("tool", {"name": "tool"})  # before what it is besides
    made.describe(FunctionTool, "function", lambda tool: [tool.name])
    assert told(MyTool()) == Described("function", ["tool"])
    assert told(Tool()) == Described("tool", {"name": "tool"})
    assert Codec(Vocabulary(made)).encode(MyTool(), Shelf().put).payload == (
        '{"$":"described","name":"function","value":["tool"]}'
    )


def test_what_is_registered_is_not_described():
    made = vocabulary(("point", Point))
    made.describe(object, "object", lambda value: None)
    assert made.describer_for(Point) is not None
    payload = Codec(made).encode(Point(1), Shelf().put).payload
    assert payload == '{"$":"point","x":1,"y":0,"tags":[]}'


def test_an_instance_is_made_by_its_name_with_what_this_release_of_the_class_has():
    made = vocabulary(("order", OrderV1))
    assert made.make("order", dish="soup", price_cents=450) == OrderV1("soup")
    with pytest.raises(UsageError, match="has no 'bill'"):
        made.make("bill")
