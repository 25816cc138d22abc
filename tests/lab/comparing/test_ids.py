"""Two live recordings of one call: ids are paired by where they stand, and what is said is compared."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from realtape.lab.comparing import Comparison, compare
from realtape.schema import Entry, Kind
from realtape.schema.codec import to_json
from realtape.session import Recording
from support.fixtures import draft, raw, received, sent, sent_raw


def turn(mark: str, number: int, text: str = "Hello.") -> list[Entry]:
    """A response of the provider's, with ids of its own."""
    response, item = f"resp_{mark}{number}", f"item_{mark}{number}"
    return [
        raw({"type": "response.created", "event_id": f"event_{mark}", "response": {"id": response}}),
        received("turn_started", response_id=response),
        received("transcript_delta", item_id=item, response_id=response, delta=text),
        raw({"type": "response.output_text.delta", "item_id": item, "delta": text, "obfuscation": mark * 3}),
        received("turn_ended", response_id=response),
    ]


def call(mark: str, *turns: int) -> list[Entry]:
    connect = to_json({"options": {"url": f"ws://127.0.0.1:{ord(mark)}/v1?model=m"}})
    created = {
        "type": "session.created",
        "session": {"id": f"sess_{mark}", "expires_at": 1_790_000_000 + ord(mark)},
    }
    return [
        Entry(0, 0, 0, 0, Kind.CONNECT, payload=connect),
        raw(created),
        *(entry for number in turns for entry in turn(mark, number)),
    ]


def held(a: list[Entry], b: list[Entry], **options: Any) -> Comparison:
    async def run() -> Comparison:
        async with Recording.of(draft(*a)) as one, Recording.of(draft(*b)) as other:
            return await compare(one, other, **options)

    return asyncio.run(run())


@pytest.mark.parametrize("options", [{"content_only": True}, {"ignore": ["ids"]}], ids=str)
def test_a_call_is_the_same_as_itself_with_other_ids(options: dict[str, Any]) -> None:
    a, b = call("a", 1, 2), call("b", 1, 2)
    assert held(a, b, **options).same
    assert held(a, b, ignore=["times"]).counts["changed"] == len(a)


def test_an_id_that_stands_elsewhere_is_a_difference() -> None:
    a, b = call("a", 1, 2), call("b", 1, 2)
    b[-1] = received("turn_ended", response_id="resp_b1")
    comparison = held(a, b, content_only=True)
    assert comparison.counts == {"changed": 1, "moved": 0, "only_a": 0, "only_b": 0}
    (one,) = comparison.differences
    (field,) = one.differences
    assert (field.field, field.recorded, field.live) == ("payload.response_id", "'resp_a2'", "'resp_b1'")


def test_what_is_said_is_told_without_the_ids() -> None:
    a, b = call("a", 1, 2), [*call("b", 1), *turn("b", 2, "Bye.")]
    comparison = held(a, b, content_only=True)
    assert [field.field for one in comparison.differences for field in one.differences] == [
        *("payload.delta", "payload.data.delta")
    ]


def test_a_turn_that_one_lacks_is_the_only_difference() -> None:
    a, b = call("a", 1, 2, 3), call("b", 1, 3)
    comparison = held([*a, *turn("a", 4, "Bye.")], [*b, *turn("b", 4, "Bye.")], content_only=True)
    assert comparison.counts == {"changed": 0, "moved": 0, "only_a": 5, "only_b": 0}


def framed(id: str) -> Entry:
    text = json.dumps({"type": "response.created", "response": {"id": id}})
    return Entry(0, 0, 0, 0, Kind.FRAME_IN, payload=to_json([text]))


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (framed("resp_a"), framed("resp_b"), True),
        (
            sent("send_tool_output", output='{"order_id":"17"}'),
            sent("send_tool_output", output='{"order_id":"18"}'),
            False,
        ),
        (
            received("function_call", arguments='{"id":"17"}'),
            received("function_call", arguments='{"id":"18"}'),
            False,
        ),
        (
            sent_raw(
                {"type": "response.create", "other_data": {"response": {"metadata": {"order_id": "17"}}}}
            ),
            sent_raw(
                {"type": "response.create", "other_data": {"response": {"metadata": {"order_id": "18"}}}}
            ),
            False,
        ),
        (
            sent_raw({"type": "response.cancel", "other_data": {"response_id": "resp_a"}}),
            sent_raw({"type": "response.cancel", "other_data": {"response_id": "resp_b"}}),
            True,
        ),
        (
            Entry(0, 0, 0, 0, Kind.MARKER, payload='{"data":{"order_id":"17"}}'),
            Entry(0, 0, 0, 0, Kind.MARKER, payload='{"data":{"order_id":"18"}}'),
            False,
        ),
        (
            received("item_updated", item={"item_id": "item_a"}, previous_item_id=None),
            received("item_updated", item={"item_id": "item_b"}, previous_item_id="item_c"),
            False,
        ),
    ],
)
def test_ids_are_those_of_the_provider(a: Entry, b: Entry, same: bool) -> None:
    assert held([a], [b], content_only=True).same == same
