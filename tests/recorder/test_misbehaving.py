"""What the application hands over may raise wherever it is looked at: the application does not notice."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.schema.codec import STANDARD, Vocabulary
from realtape.schema.entries import Kind
from support.models import EchoModel, Ignoring
from support.stored import begin, mark, numbers, only, read


class Unspeakable:
    def __str__(self) -> str:
        raise ValueError("what the user said")


class Unreadable(Mapping[str, Any]):
    def __getitem__(self, key: str) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        raise ValueError("what the user said")

    def __len__(self) -> int:
        return 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.mark.parametrize(
    "make",
    [
        Unreadable,
        lambda: {"headers": {"Authorization": Unspeakable()}},
        lambda: {"headers": Unreadable()},
    ],
)
async def test_options_that_cannot_be_read(
    path: Path, make: Callable[[], Any], caplog: pytest.LogCaptureFixture
):
    """Their secrets are not known, so that session is not recorded; the next one is."""
    options = make()
    inner = EchoModel()
    async with Recorder(path) as recorder:
        model = recorder.wrap(inner, labels={"name": "both"})
        model.add_listener(Ignoring())
        await model.connect(options)
        await model.send_event(b"audio")
        await model.close()
        assert inner.options == [options]
        await model.connect({"api_key": "sk-0123456789"})
        await model.close()
    (stored,) = await read(path)
    assert [entry.kind for entry in stored.entries] == ["connect", "connected", "close", "closed"]
    (line,) = [record.getMessage() for record in caplog.records]
    assert "its options cannot be read: ValueError" in line


class Raising(type):
    """What makes a class may raise, too."""

    def __getattribute__(cls, name: str) -> Any:
        if name == "type":
            raise SystemExit
        return super().__getattribute__(name)


class Odd(str):
    def __len__(self) -> int:
        raise SystemExit

    __hash__ = str.__hash__


class WithOddType:
    type = Odd("odd")


class WithRaisingType(metaclass=Raising):
    pass


class WithNothingToRead:
    def __getattribute__(self, name: str) -> Any:
        if name in ("__class__", "__dict__"):
            return super().__getattribute__(name)
        raise SystemExit


@pytest.mark.parametrize(
    "event", [WithOddType(), WithRaisingType(), WithNothingToRead()], ids=lambda it: type(it).__name__
)
async def test_events_that_raise_wherever_they_are_looked_at(path: Path, event: Any):
    class Inner(EchoModel):
        async def connect(self, options: Any) -> None:
            for listener in self._listeners:
                await listener.on_event(event)

    async with Recorder(path) as recorder:
        model = recorder.wrap(Inner())
        model.add_listener(Ignoring())
        await model.connect({})
        await model.send_event(event)
        await model.close()
    kinds = [entry.kind for entry in (await only(path)).entries]
    assert (kinds.count("received"), kinds.count("sent"), kinds.count("sent_done")) == (
        2,
        1,
        1,
    )  # and an echo


class Changing(dict[str, Any]):
    """Answers once."""

    answered = False

    def _once(self) -> None:
        if self.answered:
            raise SystemExit
        self.answered = True

    def __iter__(self) -> Iterator[str]:
        self._once()
        return super().__iter__()

    def get(self, key: str, default: Any = None) -> Any:
        raise SystemExit


class FrozenTracker:
    def __setattr__(self, name: str, value: Any) -> None:
        raise TypeError("frozen")

    def get_state(self) -> dict[str, Any]:
        return {"current_item_id": "item_1", "current_item_content_index": 0, "elapsed_ms": 20.0}


class StickyTracker:
    def get_state(self) -> dict[str, Any]:
        return {}

    def __delattr__(self, name: str) -> None:
        raise RuntimeError("sticky")


class UnreadableTracker:
    def __getattribute__(self, name: str) -> Any:
        raise SystemExit


@pytest.mark.parametrize("make", [FrozenTracker, StickyTracker, UnreadableTracker])
async def test_a_tracker_that_does_not_let_itself_be_observed(path: Path, make: Callable[[], Any]):
    async with Recorder(path) as recorder:
        model = recorder.wrap(EchoModel(), labels={"name": "odd"})
        model.add_listener(Ignoring())
        for _ in range(2):  # the second time it is given back first
            await model.connect({"playback_tracker": make()})
            await model.send_event(b"audio")
            await model.close()
    assert [len(stored.entries) for stored in await read(path)] == [7, 7]


async def test_options_that_answer_once(path: Path):
    async with Recorder(path) as recorder:
        model = recorder.wrap(EchoModel(), labels={"name": "odd"})
        await model.connect(Changing(url="wss://example.org"))
        await model.close()
    connect = (await only(path)).payloads(Kind.CONNECT)[0]
    assert connect["options"] == {"url": "wss://example.org"}


async def test_a_session_that_cannot_begin(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("no metadata")

    inner = EchoModel()
    async with Recorder(path) as recorder:
        monkeypatch.setattr(recorder, "begin", fail)
        model = recorder.wrap(inner)
        model.add_listener(Ignoring())
        await model.connect({})
        await model.send_event(b"audio")
    assert inner.options == [{}]
    assert caplog.messages == ["no session is recorded: RuntimeError: no metadata"]


async def test_a_listener_that_the_model_does_not_let_go_stays(path: Path):
    class Keeping(EchoModel):
        def remove_listener(self, listener: Any) -> None:
            raise ValueError("kept")

    inner, listener = Keeping(), Ignoring()
    async with Recorder(path) as recorder:
        model = recorder.wrap(inner, labels={"name": "odd"})
        model.add_listener(listener)
        with pytest.raises(ValueError, match="kept"):
            model.remove_listener(listener)
        model.add_listener(listener)
        await model.connect({})
        await model.send_event(b"audio")
        await model.close()
    assert [entry.kind for entry in (await only(path)).entries].count(Kind.RECEIVED) == 1


async def test_a_cancellation_that_cannot_be_read(path: Path):
    class Unreadable(asyncio.CancelledError):
        def __getattribute__(self, name: str) -> Any:
            if name == "args":
                raise SystemExit
            return super().__getattribute__(name)

    class Inner(EchoModel):
        async def send_event(self, event: Any) -> None:
            raise Unreadable

    async with Recorder(path) as recorder:
        model = recorder.wrap(Inner(), labels={"name": "odd"})
        await model.connect({})
        with pytest.raises(Unreadable):
            await model.send_event(b"audio")
        await model.close()
    (done,) = (await only(path)).payloads(Kind.SENT_DONE)
    assert done["outcome"] == "cancelled"


def test_a_recorder_is_closed_without_a_loop(path: Path):
    """In a forked child of the loop's process there is none, nor where another library's runs."""
    recorder = Recorder(path)
    mark(begin(recorder), 1)
    for steps in (recorder.flush(), recorder.close()):
        with pytest.raises(StopIteration):
            steps.send(None)
    assert numbers(asyncio.run(only(path))) == [1]


async def test_settings_that_are_none(path: Path):
    async with Recorder(path) as recorder:
        model = recorder.wrap(EchoModel(), labels={"name": "odd"})
        await model.connect({"initial_model_settings": 7})
        await model.close()
    assert [entry.kind for entry in (await only(path)).entries] == ["connect", "connected", "close", "closed"]


async def test_a_label_that_cannot_say_what_it_is(path: Path):
    labels: Any = {"name": "a label", "odd": Unspeakable()}
    async with Recorder(path) as recorder:
        mark(recorder.begin(labels), 1)
    assert (await only(path)).record.header.labels == {"name": "a label", "odd": "Unspeakable"}


async def test_a_machine_without_a_name(path: Path, monkeypatch: pytest.MonkeyPatch):
    def nameless() -> str:
        raise OSError("no name")

    monkeypatch.setattr(socket, "gethostname", nameless)
    async with Recorder(path) as recorder:
        mark(begin(recorder), 1)
    stored = await only(path)
    assert (stored.record.header.host, numbers(stored)) == ("unknown", [1])


async def test_a_clock_that_fails_when_the_session_begins(path: Path):
    """What it could not time is a gap."""
    healthy = False

    def clock() -> int:
        if not healthy:
            raise RuntimeError("no clock")
        return 1_000

    async with Recorder(path, clock=clock) as recorder:
        log = begin(recorder)
        mark(log, 0)
        healthy = True
        mark(log, 1)
    assert [entry.kind for entry in (await only(path)).entries] == ["gap", "marker"]


async def test_what_is_appended_within_one_append_is_kept_or_counted(path: Path):
    """A describer, which is asked at once, appends again and again: what is too much of it is a gap."""
    recorder: Recorder

    class Thing:
        pass

    def describe(thing: Thing) -> None:
        for _ in range(100):
            recorder.mark("from within")

    vocabulary = Vocabulary(STANDARD)
    vocabulary.describe(Thing, "thing", describe)
    async with Recorder(path, vocabulary=vocabulary) as recorder:
        log = begin(recorder)
        recorder.mark("from without", thing=Thing())
        mark(log, 1)
    stored = await only(path)
    kept = [payload.get("text") for payload in stored.payloads()].count("from within")
    (gap,) = stored.payloads(Kind.GAP)
    assert kept + gap["lost"] == 100
    assert kept > 10


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
async def test_a_redactor_that_raises_is_told_of_once(
    path: Path, error: type[BaseException], caplog: pytest.LogCaptureFixture
):
    def redactor(text: str) -> str:
        raise error("what the user said")

    async with Recorder(path, redactors=[redactor]) as recorder:
        mark(begin(recorder), *range(10))
    stored = await only(path)
    assert [entry.kind for entry in stored.entries] == [Kind.GAP] * 10
    assert recorder.status().lost_entries == 10
    why, how_many = (record.getMessage() for record in caplog.records)
    assert why == f"entries are lost: {error.__name__} where a redactor or the recorder made a payload"
    assert how_many.endswith("lost 10 entries (10 in all)")
    assert "what the user said" not in caplog.text
