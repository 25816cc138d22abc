"""How many pieces an act passes through: `python benchmarks/calls.py`.

Counted by `sys.setprofile`: calls of functions of ours, in how many files, and how often the next call is
in another file than the last one. These numbers are the same on every machine. `-v` names the functions.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any

from realtape.recorder import Recorder
from realtape.replay import ReplayModel, run
from realtape.schema import (
    Kind,
    RealtimeModel,
    RealtimeModelAudioEvent,
    RealtimeModelListener,
    RealtimeModelSendToolOutput,
    RealtimeModelToolCallEvent,
    RealtimeModelTranscriptDeltaEvent,
)
from realtape.session import Recording

ROOT = Path(__file__).parent.parent
"""What lies below it, but for this folder, is ours."""

EVENTS = 40
SEEN = 20
"""The event that is looked at: nothing is read or begun for the first time around it."""


@dataclass
class Passage:
    """The calls of ours while something happened, in order.

    Attributes:
        calls: (file, function) of each.
    """

    calls: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Calls, files, and changes of file on the way."""
        files = [file for file, _ in self.calls]
        return len(files), len(set(files)), sum(one != other for one, other in pairwise(files))

    def begin(self) -> None:
        """From here on calls are counted."""
        sys.setprofile(self._called)

    def end(self) -> None:
        """Up to here."""
        sys.setprofile(None)

    def _called(self, frame: FrameType, what: str, arg: Any) -> None:
        if what == "call" and (file := ours(frame)) is not None:
            self.calls.append((file, frame.f_code.co_qualname))


def ours(frame: FrameType) -> str | None:
    """The file in which a frame runs, if it is one of ours."""
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(ROOT) or path.parent == ROOT / "benchmarks" or ".venv" in path.parts:
        return None
    return str(path.relative_to(ROOT))


class Ear:
    """Listens; between two events, the calls are counted."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self.count = 0

    async def on_event(self, event: Any) -> None:
        self.count += 1
        if self.count == SEEN:
            self.passage.end()
        elif self.count == SEEN - 1:
            self.passage.begin()


async def delivered(store: Path, between: float) -> Passage:
    """A plain event, from the return of the listener before it to its own listener.

    Args:
        between: seconds between events.
    """
    async with Recorder(store) as recorder:
        log = recorder.begin({})
        connect = log.append(Kind.CONNECT, {"options": {}, "listeners": ["Ear"]}, method="connect")
        log.append(Kind.CONNECTED, {"outcome": "returned"}, of=connect)
        for number in range(EVENTS):
            await asyncio.sleep(between)
            event = RealtimeModelTranscriptDeltaEvent(item_id="i", delta=f" {number}", response_id="r")
            log.append(Kind.RECEIVED, event, type=event.type)
    passage = Passage()
    async with await Recording.open(store) as recording:
        model = ReplayModel(recording, at_end="hold")
        model.add_listener(Ear(passage))
        await model.connect({})
        await model.finished()
    return passage


async def sent(store: Path) -> Passage:
    """A tool's output, from the application's call to its return."""
    async with Recorder(store) as recorder:
        log = recorder.begin({})
        connect = log.append(Kind.CONNECT, {"options": {}, "listeners": ["Tool"]}, method="connect")
        log.append(Kind.CONNECTED, {"outcome": "returned"}, of=connect)
        for number in range(EVENTS):
            await asyncio.sleep(0.1)
            call = RealtimeModelToolCallEvent(name="weather", call_id=f"call_{number}", arguments="{}")
            received = log.append(Kind.RECEIVED, call, type=call.type)
            await asyncio.sleep(0.1)
            output = RealtimeModelSendToolOutput(tool_call=call, output="rain", start_response=True)
            made = log.append(Kind.SENT, output, type="send_tool_output", cause=received, method="send_event")
            log.append(Kind.SENT_DONE, {"outcome": "returned"}, of=made)
    passage = Passage()

    async def answer(model: ReplayModel, call: Any, *, seen: bool) -> None:
        await asyncio.sleep(0.1)
        output = RealtimeModelSendToolOutput(tool_call=call, output="rain", start_response=True)
        if seen:
            passage.begin()
        await model.send_event(output)
        passage.end()

    class Tool:
        def __init__(self, model: ReplayModel) -> None:
            self.model = model
            self.tasks: list[asyncio.Task[None]] = []

        async def on_event(self, event: Any) -> None:
            if event.type == "function_call":
                seen = len(self.tasks) == SEEN
                self.tasks.append(asyncio.create_task(answer(self.model, event, seen=seen)))

    async with await Recording.open(store) as recording:
        model = ReplayModel(recording, at_end="hold")
        model.add_listener(Tool(model))
        await model.connect({})
        await model.finished()
    return passage


async def received(store: Path) -> Passage:
    """An audio delta, from the model's call of our listener to its return; on an ordinary loop."""
    passage = Passage()

    class Speaking(RealtimeModel):
        def __init__(self) -> None:
            self.listeners: list[Any] = []

        def add_listener(self, listener: Any) -> None:
            self.listeners.append(listener)

        def remove_listener(self, listener: Any) -> None:
            self.listeners.remove(listener)

        async def connect(self, options: Any) -> None: ...

        async def send_event(self, event: Any) -> None: ...

        async def close(self) -> None: ...

    class Silent(RealtimeModelListener):
        async def on_event(self, event: Any) -> None: ...

    async with Recorder(store) as recorder:
        inner = Speaking()
        model = recorder.wrap(inner)
        model.add_listener(Silent())
        await model.connect({})
        for number in range(EVENTS):
            audio = number.to_bytes(2) * 2_400
            event = RealtimeModelAudioEvent(data=audio, response_id="r", item_id="i", content_index=0)
            if number == SEEN:
                passage.begin()
            for listener in inner.listeners:
                await listener.on_event(event)
            passage.end()
            await asyncio.sleep(0)
        await model.close()
    return passage


def passages() -> dict[str, Passage]:
    """What is counted."""
    ways: dict[str, Callable[[Path], Any]] = {
        "a delivered event, alone in its burst": lambda store: delivered(store, 0.1),
        "a delivered event, a round after the last one": lambda store: delivered(store, 0),
        "a matched `send_tool_output`": sent,
    }
    found: dict[str, Passage] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, way) in enumerate(ways.items()):
            found[name] = run(way(Path(folder, f"{number}.db")))
        found["recorded: an audio delta"] = asyncio.run(received(Path(folder, "recorded.db")))
    return found


def table(found: dict[str, Passage]) -> list[str]:
    """The lines of a table."""
    rows = [(name, *passage.numbers) for name, passage in found.items()]
    return [
        "| on the way of | calls | files | changes of file |",
        "|---|---:|---:|---:|",
        *(f"| {name} | {calls} | {files} | {changes} |" for name, calls, files, changes in rows),
    ]


def details(found: dict[str, Passage]) -> list[str]:
    """Each function in the order of its first call, and how often it was called."""
    lines: list[str] = []
    for name, passage in found.items():
        counted = Counter(passage.calls)
        lines += ["", name, *(f"{count:5} {file} {function}" for (file, function), count in counted.items())]
    return lines


if __name__ == "__main__":
    counted = passages()
    sys.stdout.write("\n".join(table(counted)) + "\n")
    if "-v" in sys.argv:
        sys.stdout.write("\n".join(details(counted)) + "\n")
