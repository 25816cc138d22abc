"""The reader: feeds a recording to the core, never further ahead than it may look."""

from __future__ import annotations

from typing import Any

from ..schema.entries import CALL_ENDS, PAYLOAD, TASK, Kind, Status
from ..schema.errors import RealtapeError
from ..schema.log import Row, RowBatch, entry_of
from ..session.recording import Recording
from .core.machine import ReplayCore
from .own_events import deliverable, deliverables
from .terms.runs import alike, may_run
from .terms.steps import Step, outcome_of


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
        self._entries = recording.stream_rows()

    def fill(self) -> None:
        """Read until the core can judge a call, or as far as it can be read."""
        while self._core.hungry:
            self.read()

    def read(self) -> None:
        """Read a little more. Where that cannot be done, what came before is played first.

        Raises:
            StoreError, CorruptRecordError: it was, and is to be read further.
        """
        unreadable = self._core.unreadable
        if unreadable is not None:
            raise unreadable
        try:
            portion = next(self._entries, None)
            if portion is None:
                self._end()
                return
            batch, values = portion
            for begin, end, rounds in alike(batch):
                begins = [0, *(one - begin for one in rounds)]
                self._feed(batch.part(begin, end), values[begin:end], begins)
        except RealtapeError as error:
            self._core.feed_no_more(error)

    def _feed(self, batch: RowBatch, values: list[Any], begins: list[int]) -> None:
        """Entries that are alike: as a run, or one by one.

        Args:
            begins: where among them rounds begin.
        """
        core, rows = self._core, batch.rows
        if may_run(batch, self._ended) and not core.is_inside_call(rows[0][TASK]):
            if self._mints:
                for row in rows:
                    core.matching.received(row[PAYLOAD])
            core.feed_run(rows, deliverables(self._vocabulary, values), begins)
        else:
            for row, value in zip(rows, values, strict=True):
                core.feed(self._step(row, value))

    def _step(self, row: Row, value: Any) -> Step:
        entry = entry_of(row)
        step = Step(entry, value, ends=entry.seq in self._ended)
        if entry.kind == Kind.RECEIVED:
            if self._mints:
                self._core.matching.received(entry.payload)
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
