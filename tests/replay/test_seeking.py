"""Seeking: any place of a recording gives the state, and the application, that playing straight gives."""

from __future__ import annotations

import asyncio
import functools
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realtape.recorder import Recorder
from realtape.replay import ReplayModel, Rewindable, run
from realtape.replay.responder import Responder
from realtape.replay.watched_recording import WatchedRecording
from realtape.schema import Entry, Kind, RealtimeModelListener, UsageError
from realtape.schema.log import insert_entries, insert_session, locate, open_for_writing, settle
from realtape.session import Recording, States, state_at
from realtape.session.state import Fold, HeardSoFar, HistoryItem, OpenCall, Said, State
from support.counting import calls_in
from support.stored import only
from support.stores import header
from support.telephone import Telephone, app

# --- the fold -----------------------------------------------------------------------------------------


def entry(seq: int, kind: str, event: dict[str, Any], played: tuple[str, float] | None = None) -> Entry:
    """One that has happened `seq` / 4 seconds after the beginning, several at once."""
    item, elapsed_ms = played or (None, None)
    at_ns = seq // 4 * 1_000_000_000
    return Entry(
        seq, at_ns, 0, 0, kind, event["type"], None, None, None, None, item, 0, elapsed_ms, json.dumps(event)
    )


def straight(log: list[Entry]) -> list[State]:
    """The state at each place, and at the end."""
    fold, states = Fold(), [State()]
    for one in log:
        fold.add(one)
        states.append(fold.state())
    return states


def message(item_id: str, role: str, text: str | None, **more: Any) -> dict[str, Any]:
    part = {"type": "audio", "transcript": text}
    item = {"item_id": item_id, "type": "message", "role": role, "content": [part], **more}
    return {"type": "item_updated", "item": item}


def test_the_state_is_what_the_entries_say() -> None:
    call = {"type": "function_call", "name": "look_up", "call_id": "c1", "arguments": "{}"}
    tool = {
        "type": "function_call",
        "item_id": "i4",
        "name": "look_up",
        "arguments": "{}",
        "status": "completed",
    }
    received = Kind.RECEIVED
    log = [
        (received, {"type": "turn_started"}, None),
        (Kind.SENT, {"type": "send_user_input", "user_input": "hello"}, None),
        (received, message("i1", "user", None), None),
        (received, {"type": "transcript_delta", "item_id": "i2", "delta": "Good "}, None),
        (received, message("i2", "assistant", None, status="in_progress"), ("i2", 20.0)),
        (received, {"type": "transcript_delta", "item_id": "i2", "delta": "day"}, ("i2", 40.0)),
        (received, message("i3", "user", "between", previous_item_id="i1"), ("i2", 40.0)),
        (
            received,
            {"type": "input_audio_transcription_completed", "item_id": "i1", "transcript": "hi"},
            ("i2", 60.0),
        ),
        (received, call, ("i2", 60.0)),
        (received, {"type": "item_updated", "item": tool}, ("i2", 60.0)),
    ]
    states = straight([entry(seq, *one) for seq, one in enumerate(log)])
    assert states[-1] == State(
        10,
        2_000_000_000,
        1,
        (
            HistoryItem("i1", "user", "hi"),
            HistoryItem("i3", "user", "between"),
            HistoryItem("i2", "assistant", "", "in_progress"),
            HistoryItem("i4", "tool", "look_up({})", "completed"),
        ),
        (Said("", "user", "hello"), Said("i2", "assistant", "Good day"), Said("i1", "user", "hi")),
        HeardSoFar("i2", 0, 60.0),
        (OpenCall(8, "c1", "look_up", "{}"),),
    )
    assert (states[5].played, states[4].played) == (HeardSoFar("i2", 0, 20.0), None)
    fold = Fold(states[-1])
    fold.add(entry(10, Kind.SENT, {"type": "send_tool_output", "tool_call": call}))
    fold.add(entry(11, received, {"type": "item_deleted", "item_id": "i3"}))
    fold.add(entry(12, received, message("i1", "user", None)))
    after = fold.state()
    assert after.open_calls == ()
    assert after.played is None
    assert [(item.item_id, item.text) for item in after.history][:2] == [("i1", "hi"), ("i2", "")]


def write(path: Path, log: list[Entry]) -> None:
    """A store with these entries as its only session."""
    address = locate(path)
    engine = open_for_writing(address)
    with engine.begin() as connection:
        key, _ = insert_session(connection, header())
        insert_entries(connection, key, log)
    engine.dispose()
    settle(address)


def conversation(count: int, choose: random.Random) -> list[Entry]:
    """A log of so many entries, in which all that a state holds changes."""

    def event(number: int) -> tuple[str, dict[str, Any]]:
        item = f"i{number // 20}"
        call = {"type": "function_call", "name": "t", "call_id": f"c{number % 7}", "arguments": "{}"}
        makes: list[Callable[[], tuple[str, dict[str, Any]]]] = [
            lambda: (Kind.RECEIVED, {"type": "turn_started"}),
            lambda: (Kind.RECEIVED, {"type": "transcript_delta", "item_id": item, "delta": f"{number} "}),
            lambda: (Kind.RECEIVED, message(item, "assistant", str(number), previous_item_id="i3")),
            lambda: (Kind.RECEIVED, {"type": "item_deleted", "item_id": f"i{number // 50}"}),
            lambda: (Kind.RECEIVED, call),
            lambda: (Kind.SENT, {"type": "send_tool_output", "tool_call": call}),
            lambda: (Kind.SENT, {"type": "send_user_input", "user_input": str(number)}),
            lambda: (Kind.RECEIVED, {"type": "audio", "item_id": item}),
        ]
        return choose.choice(makes)()

    played = [None, ("i1", 20.0), ("i2", 40.0)]
    return [entry(seq, *event(seq), choose.choice(played)) for seq in range(count)]


@given(st.integers(1, 60), st.integers(1, 70), st.randoms(use_true_random=False), st.data())
@settings(max_examples=15)
def test_any_place_by_checkpoints_is_as_by_playing(
    count: int, every: int, choose: random.Random, data: st.DataObject
) -> None:
    log = conversation(count, choose)
    states = straight(log)
    places = data.draw(st.lists(st.integers(0, count), max_size=12))

    async def main(path: Path) -> None:
        async with await Recording.open(path) as recording:
            blocking, shared = States(recording, every=every), States(recording, every=every)
            for place in places:
                assert blocking.now(place) == states[place]
                assert await shared.at(place) == states[place]
                seconds = place / 3
                due = next((one.seq for one in log if one.at_ns >= seconds * 1e9), count)
                assert blocking.seq_now(seconds) == due
                assert await shared.seq_at(seconds) == due
            assert await state_at(recording, count + 5) == states[-1]
            assert blocking.now(count + 5) == states[-1]

    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "log.db"), log)
        asyncio.run(main(Path(folder, "log.db")))


def sought_in(path: Path, log: list[Entry], places: list[int]) -> int:
    """How many functions are called for seeking to these places; what is found is compared."""
    states = straight(log)

    async def main() -> int:
        async with await Recording.open(path) as recording:
            index = States(recording)
            found: list[Any] = []
            calls = calls_in(lambda: found.extend(index.now(place) for place in places))
            assert found == [states[place] for place in places]
            assert [await index.at(place) for place in places[:10]] == found[:10]
            return calls

    return asyncio.run(main())


def test_batches_do_not_show(tmp_path: Path) -> None:
    choose = random.Random(1)
    log = conversation(1700, choose)
    write(tmp_path / "log.db", log)
    sought_in(tmp_path / "log.db", log, [500, 499, 1000, 1001, 1700, 0, 999, 1500])


@pytest.mark.deep
def test_a_hundred_places_of_a_hundred_thousand_entries(tmp_path: Path) -> None:
    choose = random.Random(2)
    log = [
        entry(seq, Kind.RECEIVED, {"type": "transcript_delta", "item_id": f"i{seq // 500}", "delta": "word "})
        for seq in range(100_000)
    ]
    write(tmp_path / "log.db", log)
    places = [choose.randrange(100_001) for _ in range(100)]
    assert sought_in(tmp_path / "log.db", log, places) < 10_000_000


async def test_places_that_there_are_not(tmp_path: Path) -> None:
    write(tmp_path / "log.db", conversation(3, random.Random(3)))
    async with await Recording.open(tmp_path / "log.db") as recording:
        states = States(recording)
        with pytest.raises(UsageError, match="numbered from 0"):
            await states.at(-1)
        with pytest.raises(UsageError, match="begins at 0 s"):
            states.seq_now(float("nan"))
        with pytest.raises(UsageError, match="from 1 up"):
            States(recording, every=0)
        assert states.entry(3) is None


# --- live replays -------------------------------------------------------------------------------------


@functools.cache
def recorded() -> tuple[tempfile.TemporaryDirectory[str], Path, list[Entry]]:
    """The telephone call under virtual time; the folder goes when the process does."""
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, "call.db")

    async def main() -> None:
        async with Recorder(path) as recorder:
            await app(recorder.wrap(Telephone()))

    run(main())
    return folder, path, asyncio.run(only(path)).entries


class Heard(RealtimeModelListener):
    """Notes what an application is given."""

    def __init__(self) -> None:
        self.types: list[str] = []

    async def on_event(self, event: Any) -> None:
        self.types.append(event.type)


async def tidy(model: Any) -> None:
    """The application, and nothing is left of it when it is cancelled."""
    try:
        await app(model)
    finally:
        for task in asyncio.all_tasks():
            if "Application." in repr(task.get_coro()):
                task.cancel()


def sought(places: list[int], *, responds: bool) -> None:
    """Seek to these places of a live replay, and compare with what playing straight gives."""
    _, store, log = recorded()
    states = straight(log)
    heard: list[Heard] = []

    async def application(model: ReplayModel) -> None:
        heard.append(Heard())
        model.add_listener(heard[-1])
        if responds:
            recording = model.recording
            assert isinstance(recording, WatchedRecording)
            await Responder(model, recording).run()
        else:
            await tidy(model)

    async def make() -> ReplayModel:
        return ReplayModel(await WatchedRecording.open(store))

    async def main() -> None:
        async with Rewindable(make, application) as replay:
            here = 0
            for place in places:
                beginnings = replay.beginnings
                stop = await replay.seek(seq=place)
                assert (stop.reason, stop.seq) == ("ended" if place == len(log) else "reached", place)
                assert replay.state == states[place]
                before = [one.type for one in log[:place] if one.kind == Kind.RECEIVED]
                assert heard[-1].types == before
                assert replay.beginnings == beginnings + (place < here)
                assert not replay.model.report.diverged
                here = place

    run(main())


@settings(max_examples=8)
@given(st.data(), st.booleans())
def test_seeking_anywhere_gives_what_playing_straight_gives(data: st.DataObject, responds: bool) -> None:
    places = st.integers(1, len(recorded()[2]))
    sought(data.draw(st.lists(places, min_size=1, max_size=6)), responds=responds)


@pytest.mark.parametrize("times", [20, pytest.param(100, marks=pytest.mark.deep)])
@pytest.mark.parametrize("responds", [False, True])
def test_seeking_many_times(responds: bool, times: int) -> None:
    choose = random.Random(7)
    sought([choose.randrange(1, len(recorded()[2]) + 1) for _ in range(times)], responds=responds)


def test_what_the_application_raises_is_raised_again() -> None:
    _, store, _ = recorded()

    async def application(model: ReplayModel) -> None:
        await model.connect({})
        raise ValueError("my own fault")

    async def make() -> ReplayModel:
        return ReplayModel(await Recording.open(store))

    async def main() -> None:
        async with Rewindable(make, application) as replay:
            await replay.transport.step(3)

    with pytest.raises(ValueError, match="my own fault"):
        run(main())
