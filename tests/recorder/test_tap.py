"""What the tap says of a listener: that it returned, where that is not seen anyway, or what became of it."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from sys import getrefcount
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.recorder.causes import UNHELD
from realtape.schema import RealtimeModelAudioEvent, RealtimeModelListener, RealtimeModelTurnStartedEvent
from realtape.schema.entries import Kind, Status
from realtape.schema.playback import RealtimePlaybackTracker
from support.models import EchoModel, Ignoring
from support.stored import Stored, begin, intact, locked, mark, only, read

EVENT = RealtimeModelTurnStartedEvent(response_id="r")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


class Inner(EchoModel):
    """Gives its listeners what it is told to."""

    async def emit(self, event: Any) -> None:
        for listener in list(self._listeners):
            await listener.on_event(event)


class Doing(RealtimeModelListener):
    def __init__(self, do: Callable[[], Any]) -> None:
        self._do = do

    async def on_event(self, event: Any) -> None:
        result = self._do()
        if result is not None:
            await result


def told(stored: Stored) -> list[tuple[str, int | None, int | None]]:
    """Kind, cause and end of each entry of a listener's."""
    entries = [entry for entry in stored.entries if entry.kind in (Kind.RECEIVED, Kind.MARKER, Kind.HANDLED)]
    first = entries[0].seq

    def place(seq: int | None) -> int | None:
        return None if seq is None else seq - first

    return [(entry.kind, place(entry.cause), place(entry.of)) for entry in entries]


async def test_an_event_is_known_while_it_is_handled_and_as_long_as_somebody_has_it(path: Path):
    inner, kept, goes_on = Inner(), list[Any](), asyncio.Event()

    class Keeping(RealtimeModelListener):
        async def on_event(self, event: Any) -> None:
            kept.append(event)
            await goes_on.wait()

    async def mark_beside() -> None:
        while not kept:
            await asyncio.sleep(0)
        with recorder.caused_by(kept[0]):
            recorder.mark("while it is handled")
        goes_on.set()

    async with Recorder(path) as recorder:
        model = recorder.wrap(inner)
        model.add_listener(Keeping())
        await model.connect({})
        beside = asyncio.create_task(mark_beside())
        await inner.emit(RealtimeModelTurnStartedEvent(response_id="r"))
        await beside
        with recorder.caused_by(kept[0]):
            recorder.mark("afterwards")
    stored = await only(path)
    (received,) = stored.of_kind(Kind.RECEIVED)
    assert [entry.cause for entry in stored.of_kind(Kind.MARKER)] == [received.seq, received.seq]


async def test_what_nobody_has_is_told_from_what_somebody_has():
    inner, counts, kept = Inner(), list[int](), list[Any]()

    class Counting(RealtimeModelListener):
        async def on_event(self, event: Any) -> None:
            counts.append(getrefcount(event))
            kept.append(event)
            counts.append(getrefcount(event))

    inner.add_listener(Counting())
    await inner.emit(RealtimeModelTurnStartedEvent(response_id="r"))
    assert counts == [UNHELD, UNHELD + 1]


async def test_a_listener_that_returns_at_once_is_not_told_of(path: Path):
    inner = Inner()
    async with Recorder(path) as recorder:
        model = recorder.wrap(inner)
        model.add_listener(Doing(lambda: None))
        await model.connect({})
        await inner.emit(EVENT)
        await inner.emit(EVENT)
    assert told(await only(path)) == [("received", None, None)] * 2


async def test_the_return_is_told_where_something_happened_before_it(path: Path):
    inner = Inner()
    async with Recorder(path) as recorder:
        model = recorder.wrap(inner)
        model.add_listener(Doing(lambda: recorder.mark("a note")))
        await model.connect({})
        await inner.emit(EVENT)
    assert told(await only(path)) == [("received", None, None), ("marker", 0, None), ("handled", None, 0)]


async def test_what_a_listener_raises_is_told_and_reaches_the_model(path: Path):
    def fail() -> None:
        raise ZeroDivisionError

    inner = Inner()
    async with Recorder(path) as recorder:
        model = recorder.wrap(inner)
        model.add_listener(Doing(fail))
        model.add_listener(Doing(lambda: recorder.mark("not reached")))
        await model.connect({})
        with pytest.raises(ZeroDivisionError):
            await inner.emit(EVENT)
    stored = await only(path)
    assert told(stored) == [("received", None, None), ("handled", None, 0)]
    (value,) = stored.payloads(Kind.HANDLED)
    assert (value["outcome"], value["listener"]) == ("raised", "Doing")


async def test_a_listener_that_is_at_work_when_the_recorder_closes_is_open(path: Path):
    inner = Inner()
    recorder = Recorder(path)
    model = recorder.wrap(inner)
    model.add_listener(Doing(recorder.close))
    await model.connect({})
    await inner.emit(EVENT)
    await inner.emit(EVENT)  # which is passed through, and not recorded
    stored = await only(path)
    assert told(stored) == [("received", None, None), ("handled", 0, 0)]
    assert [value["outcome"] for value in stored.payloads(Kind.HANDLED)] == ["open"]
    assert stored.status is Status.CLOSED


async def test_an_audio_event_of_another_connection_does_not_move_what_is_played(path: Path):
    """The model's former connection still delivers what it had read, after the next one began."""
    read_loop: list[Any] = []

    class Lingering(Inner):
        async def connect(self, options: Any) -> None:
            await super().connect(options)
            read_loop.append(contextvars.copy_context())

    inner = Lingering()
    async with Recorder(path) as recorder:
        model = recorder.wrap(inner)
        model.add_listener(Doing(lambda: None))
        await model.connect({})
        await model.connect({})
        audio = RealtimeModelAudioEvent(data=bytes(480), response_id="r", item_id="old", content_index=0)
        await asyncio.create_task(inner.emit(audio), context=read_loop[0])
        recorder.mark("of the second session")
    first, second = await read(path)
    assert [entry.kind for entry in first.entries][-1] == "received"
    assert {entry.item_id for entry in second.entries} == {None}


async def test_a_model_that_nobody_has_any_more_was_interrupted(path: Path):
    """And what it kept is let go: the session's place in the writer's list, and the application's tracker."""
    recorder = Recorder(path)
    tracker = RealtimePlaybackTracker()
    kept = weakref.ref(tracker)
    model = recorder.wrap(EchoModel(), labels={"name": "dropped"})
    model.add_listener(Ignoring())
    await model.connect({"playback_tracker": tracker})
    await model.send_event(b"heard")
    del model, tracker
    gc.collect()
    await recorder.flush()
    assert recorder.status().sessions == 0
    gc.collect()  # what the session let go of
    assert kept() is None
    await recorder.close()
    stored = await only(path)
    assert stored.status is Status.INTERRUPTED
    assert stored.of_kind(Kind.SENT_DONE)


async def test_an_exception_that_ends_the_block_interrupts_what_goes_on(path: Path):

    async def application() -> None:
        async with Recorder(path) as recorder:
            going_on, closed = begin(recorder, "going on"), begin(recorder, "closed")
            mark(going_on, 1)
            mark(closed, 1)
            closed.finish(Status.CLOSED)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await application()
    found = {stored.label: stored.status for stored in await intact(path)}
    assert found == {"going on": Status.INTERRUPTED, "closed": Status.CLOSED}


async def test_what_is_lost_is_counted_once(path: Path):
    """An event that its listeners handled at once is one entry, and one that is lost is one lost entry."""
    async with Recorder(path, max_pending_bytes=0) as recorder:
        inner = Inner()
        model = recorder.wrap(inner)
        model.add_listener(Ignoring())
        with locked(path):
            await model.connect({})
            for _ in range(10):
                await inner.emit(EVENT)
    stored = await only(path)
    lost = Counter[str]()
    for gap in stored.payloads(Kind.GAP):  # the writer may come in between: then there are more than one
        lost.update(gap["kinds"])
        assert gap["lost"] == sum(gap["kinds"].values())
    assert lost["handled"] == 0 < lost["received"]
    assert lost["received"] + len(stored.of_kind(Kind.RECEIVED)) == 10


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt, SystemExit, asyncio.CancelledError])
async def test_a_failing_redactor_loses_the_entries_that_it_fails_at_and_that_is_said_once(
    path: Path, caplog: pytest.LogCaptureFixture, raised: type[BaseException]
):
    def redactor(text: str) -> str:
        if "private" in text:
            raise raised(text)
        return text

    async with Recorder(path, redactors=[redactor]) as recorder:
        for _ in range(2):
            log = begin(recorder)
            for number in range(20):
                log.append(Kind.MARKER, {"text": "private"})
                mark(log, number)
        await recorder.flush()
    for stored in await intact(path):
        lost, kept = stored.entries[::2], stored.entries[1::2]
        assert [json.loads(entry.payload)["number"] for entry in kept] == list(range(20))
        assert all(entry.kind == Kind.GAP or "unrecordable" in entry.payload for entry in lost)
    assert caplog.text.count("where a redactor or the recorder made a payload") == 1
    assert raised.__name__ in caplog.text
    assert "private" not in caplog.text
