"""The reader: a task that feeds a recording to the core, never further ahead than it may look."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..schema.entries import Kind, Status
from .core import ReplayCore
from .matching import content_key
from .own_events import deliverable
from .recording import Recording
from .steps import CALL_ENDS, Step, outcome_of


class Reader:
    """Reads one session.

    Args:
        recording: open.
        core: is fed.
        read: called when it was fed what it wanted, and at the end.
        broken: told that the recording cannot be read any further.

    Attributes:
        task: what reads, once it was started.
    """

    def __init__(
        self,
        recording: Recording,
        core: ReplayCore,
        read: Callable[[], None],
        broken: Callable[[Exception], None],
    ) -> None:
        self.task: asyncio.Task[None] | None = None
        self._recording = recording
        self._core = core
        self._on_read = read
        self._broken = broken
        self._fed = asyncio.Event()
        self._room = asyncio.Event()

    def start(self) -> None:
        """Begin to read."""
        self.task = asyncio.get_running_loop().create_task(self._read(), name="realtape-replay-reader")

    def go_on(self) -> None:
        """There is room for more."""
        self._room.set()

    async def fill(self) -> None:
        """Wait until the core can judge a call."""
        while self._core.window.hungry and self.task is not None and not self.task.done():
            self._fed.clear()
            self._room.set()
            await self._fed.wait()

    async def _read(self) -> None:
        core, recording = self._core, self._recording
        try:
            ended = await recording.ended()
            async for entry, value in recording.values():
                step = Step(entry, value, ends=entry.seq in ended)
                if entry.kind == Kind.RECEIVED:
                    step.value = deliverable(recording.codec.vocabulary, value)
                elif entry.kind == Kind.SENT:
                    step.key = content_key(recording.codec, entry.type, value)
                elif entry.kind in CALL_ENDS or entry.kind == Kind.HANDLED:
                    step.outcome = outcome_of(value)
                elif entry.seq == 0 and entry.kind == Kind.CONNECT:
                    core.listeners = len(value.get("listeners", ()))
                core.feed(step)
                if core.window.full:
                    self._tell()
                    self._room.clear()
                    await self._room.wait()
            core.feed_end(breaks_off=recording.status in (Status.RECORDING, Status.INTERRUPTED))
        except Exception as error:  # noqa: BLE001 - a damaged log must not leave the application waiting
            self._broken(error)
        finally:
            self._fed.set()  # whoever waits for more
        for note in sorted(recording.notes):
            core.report.note(note)
        if recording.status is Status.INTERRUPTED:
            core.report.note("the recording was interrupted: its process died")
        self._tell()

    def _tell(self) -> None:
        self._fed.set()
        self._on_read()
