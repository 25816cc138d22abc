"""The state of a conversation: it says the same however it is asked, and costs what has changed."""

from __future__ import annotations

from realtape.schema import Kind
from realtape.schema.codec import to_json
from realtape.schema.entries import Entry
from realtape.session import Fold
from realtape.session.fixture import read_fixture
from support.counting import calls_in
from support.fixtures import numbered, received
from support.golden import FIXTURES


def items(count: int) -> list[Entry]:
    """So many messages."""
    return [
        received(
            "item_updated",
            item={"item_id": f"item_{n}", "type": "message", "role": "user", "content": [{"text": "so"}]},
        )
        for n in range(count)
    ]


def played(count: int) -> list[Entry]:
    told = to_json({"args": ["item_0", 0, 20], "kwargs": {}})
    return [
        Entry(
            *(0, 0, 0, 0, Kind.PLAYBACK, "application", "on_play_ms"),
            item_id="item_0",
            content_index=0,
            elapsed_ms=20.0 * n,
            payload=told,
        )
        for n in range(count)
    ]


def test_who_asks_at_every_entry_is_told_what_who_asks_once_is() -> None:
    """Also where a fold goes on from a state that another one gave."""
    (demo,) = read_fixture(FIXTURES / "demo")
    asked = Fold()
    for place, entry in enumerate(demo.entries):
        if place % 17 == 0:
            asked = Fold(asked.state())
        asked.add(entry)
        once = Fold()
        for one in demo.entries[: place + 1] if place % 23 == 0 else ():
            once.add(one)
        assert place % 23 or asked.state() == once.state()
        assert asked.state() == asked.state()
    assert asked.state().history
    assert asked.state().transcript


def test_a_state_costs_no_more_where_much_was_said_before() -> None:
    """A player reports fifty times a second, and the page asks each time."""

    def cost(said: int) -> int:
        entries = numbered(*items(said), *played(50))
        fold = Fold()
        for entry in entries[:said]:
            fold.add(entry)
        fold.state()

        def asked() -> None:
            for entry in entries[said:]:
                fold.add(entry)
                fold.state()

        return calls_in(asked)

    assert cost(400) == cost(4)
