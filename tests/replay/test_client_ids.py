"""Ids that the client mints: recorded and live ones are mapped, both ways, and nothing else is."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict
from realtape.replay.core.calls import RecordedCalls
from realtape.replay.matching import client_ids
from realtape.replay.matching.client_ids import ClientIds
from realtape.replay.matching.matchers import IGNORE, Matcher, Matchers
from realtape.replay.matching.matching import Matching
from realtape.replay.terms.steps import Step
from realtape.schema import (
    Entry,
    Kind,
    RealtimeModelItemDeletedEvent,
    RealtimeModelRawServerEvent,
    RealtimeModelSendRawMessage,
    same,
)

RAW = "send_raw_message"


def message(type: str, **data: Any) -> RealtimeModelSendRawMessage:
    return RealtimeModelSendRawMessage(message={"type": type, "other_data": data})


def create(name: str, text: str = "Hello", after: str | None = None) -> RealtimeModelSendRawMessage:
    item = {"id": name, "type": "message", "content": [{"type": "input_text", "text": text}]}
    more = {} if after is None else {"previous_item_id": after}
    return message("conversation.item.create", item=item, **more)


class Session:
    """A recording of raw messages and of what the server named, and an application that sends again."""

    def __init__(self, *recorded: Any, matching: Matching | None = None) -> None:
        self.matching = matching or Matching()
        self.calls = RecordedCalls("none", self.matching)
        for seq, event in enumerate(recorded):
            nothing = (None, None, None, None)
            if isinstance(event, str):
                entry = Entry(seq, 0, 0, 0, Kind.RECEIVED, "x", None, None, None, *nothing, event, 0)
                self.matching.received(entry.payload)
            else:
                entry = Entry(seq, 0, 0, 1, Kind.SENT, RAW, None, None, None, *nothing, "{}", 0)
                self.calls.begin(Step(entry, event, key=self.matching.recorded(RAW, event)))

    @property
    def pairs(self) -> dict[str, str]:
        return self.matching.ids.pairs

    def send(self, event: Any) -> int | None:
        """The recorded send that this one is."""
        key = self.matching.live(RAW, event)
        call = self.calls.match(Kind.SENT, RAW, key, None)
        return None if call is None else call.seq


# --- matching ---------------------------------------------------------------------------------------------

IDS = [f"id{number}" for number in range(6)]
TEXTS = st.sampled_from(["Hello", *IDS])


@dataclass
class Made:
    """A raw message, whatever the ids in it are called: it mints one, or names one minted before."""

    what: str
    name: str
    text: str = ""
    after: str | None = None

    def __call__(self, names: dict[str, str]) -> Any:
        name = names[self.name]
        if self.what == "item":
            return create(name, self.text, None if self.after is None else names[self.after])
        if self.what == "event":
            return message("x", event_id=name, text=self.text)
        if self.what == "response":
            respond = {"metadata": {"client_event_id": name}}
            return message("response.create", event_id=name, response=respond)
        if self.what == "delete":
            return message("conversation.item.delete", item_id=name)
        return message("x", response={"input": [{"id": name}]})


@st.composite
def conversations(draw: Any) -> list[Made]:
    """Raw messages of one client."""
    made: list[Made] = []
    known: list[str] = []
    for name in draw(st.permutations(IDS)):
        what = draw(st.sampled_from(["item", "event", "response", "delete", "reference"]))
        after = draw(st.none() | st.sampled_from(known)) if known else None
        text = draw(TEXTS)
        if what in ("item", "event"):
            made.append(Made(what, name, text, after))
            known.append(name)
        elif what == "response":
            made.append(Made(what, name))
        elif known:
            made.append(Made(what, known[-1]))
    return made


@given(conversations(), st.permutations(IDS), st.booleans())
def test_renaming_what_the_client_minted_never_diverges(
    made: list[Made], names: list[str], fresh: bool
) -> None:
    """Fresh names, or the recorded ones permuted: texts that happen to be the same stay as they are."""
    live = {one: f"fresh_{other}" if fresh else other for one, other in zip(IDS, names, strict=True)}
    identity = {one: one for one in IDS}
    session = Session(*[make(identity) for make in made])
    for seq, make in enumerate(made):
        found = session.send(make(live))
        assert found is not None
        assert same(made[found](identity), made[seq](identity)) or found == seq
    pairs = session.pairs
    assert len(set(pairs.values())) == len(pairs)
    assert session.matching.ids._recorded_of == {live: recorded for recorded, live in pairs.items()}


@given(conversations(), st.data())
def test_two_recorded_ids_are_never_one_live_id(made: list[Made], data: st.DataObject) -> None:
    live = {one: data.draw(st.sampled_from(["a", "b", "c"])) for one in IDS}
    session = Session(*[make({one: one for one in IDS}) for make in made])
    for make in made:
        session.send(make(live))
    pairs = session.pairs
    assert len(set(pairs.values())) == len(pairs)


def test_what_refers_to_a_live_id_is_compared_as_if_it_named_the_recorded_one() -> None:
    recorded = [create("a"), create("b", "Hi", after="a"), message("conversation.item.delete", item_id="b")]
    session = Session(*recorded)
    assert session.send(create("x")) == 0
    assert session.send(message("conversation.item.delete", item_id="y")) is None
    assert session.send(create("y", "Hi", after="z")) is None
    assert session.send(create("y", "Hi", after="x")) == 1
    assert session.send(message("conversation.item.delete", item_id="x")) is None
    assert session.send(message("conversation.item.delete", item_id="y")) == 2
    assert session.pairs == {"a": "x", "b": "y"}


def test_an_id_that_stands_for_another_one_already_differs() -> None:
    session = Session(create("a"), create("b", "Hi"))
    assert session.send(create("x")) == 0
    live = session.matching.live(RAW, create("x", "Hi"))
    recorded = session.matching.recorded(RAW, create("b", "Hi"))
    assert session.send(create("x", "Hi")) is None
    assert session.matching.differences(recorded, live) == [("message.other_data.item.id", "b", "x")]


def test_one_id_in_two_fields_of_a_message_is_one_id() -> None:
    def respond(event_id: str, client_id: str) -> Any:
        response = {"metadata": {"client_event_id": client_id}}
        return message("response.create", event_id=event_id, response=response)

    session = Session(respond("a", "a"), respond("b", "c"))
    assert session.send(respond("x", "y")) == 1
    assert session.send(respond("z", "w")) is None
    assert session.send(respond("z", "z")) == 0


def test_what_the_server_named_first_is_not_the_clients() -> None:
    named = '{"$":"item_updated","item":{"item_id":"item_7"}}'
    session = Session(named, create("item_7"), create("own"), '{"item_id":"own"}', create("own", "again"))
    assert session.send(create("x", "again")) == 4
    assert session.send(create("x")) == 2
    assert session.send(create("y")) is None
    assert session.send(create("item_7")) == 1
    assert session.pairs == {"own": "x"}


def test_the_same_ids_in_both_runs_are_no_renaming() -> None:
    session = Session(create("a"), '{"item_id":"a"}')
    assert session.send(create("a")) == 0
    assert session.pairs == {"a": "a"}
    assert not session.matching.ids.renames


def test_the_user_may_declare_more() -> None:
    recorded = [message("x", trace={"span": "1"}), message("y", trace={"span": "1"})]
    assert Session(*recorded).send(message("x", trace={"span": "2"})) is None
    session = Session(*recorded, matching=Matching(client_ids={RAW: ["message.other_data.trace.span"]}))
    assert session.send(message("x", trace={"span": "2"})) == 0
    assert session.send(message("y", trace={"span": "3"})) is None
    assert session.send(message("y", trace={"span": "2"})) == 1


def test_an_id_that_a_matcher_ignores_is_not_mapped() -> None:
    rules = Matchers([Matcher(RAW, "message.other_data.event_id", IGNORE)])
    session = Session(message("x", event_id="a"), matching=Matching(matchers=rules))
    assert session.send(message("x", event_id="b")) == 0
    assert session.pairs == {}


@pytest.mark.parametrize("count", [10, 25])
def test_only_so_many_ids_are_remembered(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(client_ids, "MAX_IDS", 20)
    ids = ClientIds()
    for number in range(count):
        ids.received(f'{{"item_id":"item_{number}"}}')
        ids.learn((("id", f"a{number}"),), (("id", f"x{number}"),))
    kept = min(count, 20)
    assert len(ids.pairs) == len(ids._recorded_of) == len(ids._renamed) == len(ids._received) == kept
    assert ids.live_value({"id": f"a{count - 1}"}) == {"id": f"x{count - 1}"}
    assert ids.live_value({"id": "a0"}) == {"id": "x0" if count <= 20 else "a0"}


# --- delivering -------------------------------------------------------------------------------------------


class Item(BaseModel):
    """A model that keeps unknown fields."""

    model_config = ConfigDict(extra="allow", frozen=True)

    item_id: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Frozen:
    item_id: str
    items: tuple[Any, ...] = ()


def renaming(**pairs: str) -> ClientIds:
    ids = ClientIds()
    for recorded, live in pairs.items():
        ids.learn((("id", recorded),), (("id", live),))
    return ids


def test_events_come_with_the_live_ids() -> None:
    ids = renaming(a="x", b="a")
    assert ids.live_value(RealtimeModelItemDeletedEvent("a")) == RealtimeModelItemDeletedEvent("x")
    data = {"type": "a", "item": {"id": "b", "content": [{"text": "a"}]}, "metadata": {"my_client_ref": "a"}}
    expected = {
        "type": "a",
        "item": {"id": "a", "content": [{"text": "a"}]},
        "metadata": {"my_client_ref": "x"},
    }
    assert ids.live_value(RealtimeModelRawServerEvent(data)) == RealtimeModelRawServerEvent(expected)
    assert ids.live_value({"item_ids": ["a", "b", "c"]}) == {"item_ids": ["x", "a", "c"]}
    item = ids.live_value(Item(item_id="a", text="a", previous_item_id="b"))  # pyright: ignore[reportCallIssue]
    assert (item.item_id, item.text, item.model_extra) == ("x", "a", {"previous_item_id": "a"})
    assert item.model_fields_set == {"item_id", "text", "previous_item_id"}
    assert ids.live_value(Frozen("a", (Frozen("b"), 1))) == Frozen("x", (Frozen("a"), 1))


VALUES = st.recursive(
    st.sampled_from(["a", "b", "c"]) | st.integers() | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.sampled_from(["id", "item_id", "text"]), inner, max_size=3)
        | st.builds(Frozen, st.sampled_from(["a", "b", "c"]), st.lists(inner, max_size=2).map(tuple))
        | st.builds(Item, item_id=st.sampled_from(["a", "b", "c"]), extra=inner)
        | st.builds(RealtimeModelRawServerEvent, inner)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_there_and_back_and_the_recorded_value_stays(value: Any) -> None:
    before = copy.deepcopy(value)
    there = renaming(a="x", b="y").live_value(value)
    assert same(value, before)
    assert same(renaming(x="a", y="b").live_value(there), before)
    if same(there, before):
        assert there is value, "nothing is copied for nothing"


@given(VALUES)
def test_without_a_renaming_nothing_is_looked_at(value: Any) -> None:
    assert ClientIds().live_value(value) is value
    assert renaming(a="a").live_value(value) is value
