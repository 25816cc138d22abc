"""What a listener does to an event does not reach the log: the entry says what the event was before."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from realtape.recorder import Recorder
from realtape.replay import run
from realtape.schema import STANDARD, Codec, EncodingError, RealtimeModelListener
from realtape.schema.entries import Kind
from support.changing import changed
from support.models import EchoModel
from support.stored import only
from support.strategies import events, sends


class Changing(RealtimeModelListener):
    async def on_event(self, event: Any) -> None:
        changed(event)


class Inner(EchoModel):
    """Gives its listeners what it is told to, and changes what it is sent."""

    async def emit(self, event: Any) -> None:
        for listener in list(self._listeners):
            await listener.on_event(event)

    async def send_event(self, event: Any) -> None:
        changed(event)


def payload(value: Any) -> str | None:
    """As it is now; None where it cannot be encoded."""
    places: list[int] = [0]

    def put(data: bytes) -> tuple[int, int, int]:
        places.append(places[-1] + len(data))
        return (0, places[-2], len(data))

    try:
        return Codec(STANDARD).encode(value, put).payload
    except EncodingError:
        return None


def without_places(text: str) -> str:
    """Where the bytes of a payload lie depends on what was recorded before."""
    return "".join(character for character in text if not character.isdigit())


@settings(max_examples=10)
@given(st.lists(events(), max_size=8), st.lists(sends(), max_size=4))
def test_an_entry_is_the_event_as_it_was_before_anybody_saw_it(received: list[Any], sent: list[Any]):
    async def record(path: Path) -> None:
        inner = Inner()
        async with Recorder(path) as recorder:
            model = recorder.wrap(inner)
            model.add_listener(Changing())
            await model.connect({})
            for event in received:
                await inner.emit(event)
            for event in sent:
                await model.send_event(event)

    expected = [payload(value) for value in (*received, *sent)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "log.db")
        run(record(path))
        stored = run(only(path))
    kept = [entry.payload for entry in stored.entries if entry.kind in (Kind.RECEIVED, Kind.SENT)]
    assert len(kept) == len(expected)
    for text, before in zip(kept, expected, strict=True):
        if before is None:
            assert text.startswith('{"unrecordable":')
        else:
            assert without_places(text) == without_places(before)
