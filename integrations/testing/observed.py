"""What an application does in a replay, asked of the recording of it as of any recording."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Unpack

from ...replay import Application, Played, ReplayOptions
from ...schema import Kind
from ...schema.log import StoreLocation
from ...session import Draft, HeardAudio, HeardSound, HistoryItem, Recording, ToolCall, ToolCalls, state_at
from ..classes import replay_class
from ..soundness import recorded_replay


@dataclass(frozen=True)
class Observed:
    """What an application did in a replay.

    Attributes:
        played: the verdict, and the report.
        drafts: what was recorded of it: a session for each connection.
    """

    played: Played
    drafts: tuple[Draft, ...]

    @cached_property
    def sends(self) -> tuple[Any, ...]:
        """The events that it sent, in order: those of the SDK, or ours."""
        return tuple(self._sends())

    @cached_property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tool calls that it was given, each with its output, if it sent one, and how long that took."""
        found: list[ToolCall] = []
        for draft in self.drafts:
            calls = ToolCalls()
            for entry in draft.entries:
                calls.read(entry)
            found += calls.calls()
        return tuple(found)

    @cached_property
    def heard(self) -> tuple[HeardSound, ...]:
        """How much of each sound was heard, in milliseconds: as its player told, or, where it has none, as
        the recorded one did."""
        audio = HeardAudio()
        for draft in self.drafts:
            for entry in draft.entries:
                audio.read(entry)
        return audio.heard()

    @cached_property
    def history(self) -> tuple[HistoryItem, ...]:
        """The conversation of the last connection, as the events told of it."""
        if not self.drafts:
            return ()
        return asyncio.run(_history(self.drafts[-1].sealed()))

    def _sends(self) -> Iterator[Any]:
        for draft in self.drafts:
            recording = Recording.of(draft.sealed())
            recording.read_as(replay_class(draft.header.versions).vocabulary)
            for entry, value in recording.stream():
                if entry.kind == Kind.SENT:
                    yield value
            recording.close_blocking()


async def _history(draft: Draft) -> tuple[HistoryItem, ...]:
    async with Recording.of(draft) as recording:
        state = await state_at(recording, len(draft.entries))
    return tuple(state.history)


def observed(
    recording: Recording | StoreLocation, application: Application, **options: Unpack[ReplayOptions]
) -> Observed:
    """Replay a recording into an application, on an event loop of its own, and see what it does.

    ```python
    played = observed("calls.db", app)
    assert [call.output for call in played.calls] == ["9:15, platform 4"]
    assert played.played.verdict == "same"
    ```

    Args:
        recording: or where one is; also a variation, with `**variation_settings()` as options.
        application: `async def app(model): ...`
        options: of the replay.

    Raises:
        StoreError, CorruptRecordError: the recording cannot be read.
    """
    if not isinstance(recording, Recording):
        recording = asyncio.run(Recording.open(recording))
    played, made = recorded_replay(recording.drafts(), application, **options)
    return Observed(played, tuple(made))
