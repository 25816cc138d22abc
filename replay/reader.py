"""The reader: feeds a recording to the core, never further ahead than it may look."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ..schema.entries import Entry, Kind, Status
from .core import ReplayCore
from .own_events import deliverable
from .recording import Recording
from .steps import CALL_ENDS, Step, outcome_of

AT_ONCE = 128
"""Steps that are read in one go, so that nobody waits long."""


class Reader:
    """Reads one session; blocking, a little at a time.

    Args:
        recording: open.
        core: is fed.
    """

    def __init__(self, recording: Recording, core: ReplayCore) -> None:
        self._recording = recording
        self._core = core
        self._ended = recording.ended()
        self._vocabulary = recording.codec.vocabulary
        # Where no send could mint an id, nobody asks whose the received ones are.
        self._mints = recording.has_sent(core.matching.ids.minting_types)
        self._entries: Iterator[tuple[Entry, Any]] = recording.stream()

    def fill(self) -> None:
        """Read until the core can judge a call.

        Raises:
            StoreError, CorruptRecordError: the recording cannot be read any further.
        """
        while self._core.window.hungry:
            self.read()

    def read(self) -> None:
        """Read a little more."""
        feed, step_of = self._core.feed, self._step
        count = 0
        for entry, value in islice(self._entries, AT_ONCE):
            feed(step_of(entry, value))
            count += 1
        if count < AT_ONCE:
            self._end()

    def _step(self, entry: Entry, value: Any) -> Step:
        step = Step(entry, value, ends=entry.seq in self._ended)
        if entry.kind == Kind.RECEIVED:
            if self._mints:
                self._core.matching.received(entry)
            step.value = deliverable(self._vocabulary, value)
        elif entry.kind == Kind.SENT:
            step.key = self._core.matching.recorded(entry.type, value, entry.payload)
        elif entry.kind in CALL_ENDS or entry.kind == Kind.HANDLED:
            step.outcome = outcome_of(value)
        elif entry.seq == 0 and entry.kind == Kind.CONNECT:
            self._core.listeners = len(value.get("listeners", ()))
        return step

    def _end(self) -> None:
        core, recording = self._core, self._recording
        core.feed_end(breaks_off=recording.status in (Status.RECORDING, Status.INTERRUPTED))
        for note in sorted(recording.notes):
            core.report.note(note)
        if recording.status is Status.INTERRUPTED:
            core.report.note("the recording was interrupted: its process died")
