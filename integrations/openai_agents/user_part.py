"""What there is for a user to do again in one recorded session."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ...schema import Kind
from ...session import Numbering, Recording, Stimulus, ToolCall, stimuli, tool_calls
from .recorded_tools import RecordedSettings, recorded_settings
from .vocabulary import VOCABULARY


@dataclass(frozen=True)
class UserPart:
    """What there is to do in one session.

    Attributes:
        connected_ns: when the application had its connection, on virtual time; 0 where the log does
            not hold it.
        stimuli, calls, settings: in the order of the log.
    """

    connected_ns: int
    stimuli: Sequence[Stimulus]
    calls: Sequence[ToolCall]
    settings: Sequence[RecordedSettings]

    @property
    def decided(self) -> list[ToolCall]:
        """The calls that the user may have been asked about, and that were answered."""
        asking = {name for one in self.settings for name in one.asking}
        return [call for call in self.calls if call.name in asking and call.output is not None]


def read_part(played: Recording) -> UserPart:
    """Read a session that is being replayed, with a connection of our own; blocking, by a thread: the
    replay goes on as soon as its loop does, and would be ahead of us."""

    async def read() -> UserPart:
        async with Recording.again(played, VOCABULARY) as recording:
            found = [stimulus async for stimulus in stimuli(recording)]
            calls, settings = await tool_calls(recording), await recorded_settings(recording)
            return UserPart(await _connected_ns(recording), found, calls, settings)

    with ThreadPoolExecutor(1, "realtape-driving") as thread:
        return thread.submit(asyncio.run, read()).result()


async def _connected_ns(recording: Recording) -> int:
    numbering = Numbering()
    async for entry in recording.entries():
        place = numbering.place(entry.tick, entry.at_ns)
        if entry.kind == Kind.CONNECTED:
            return place.ns
    return 0


def lanes_of(found: Sequence[Stimulus]) -> list[list[Stimulus]]:
    """Those of one recorded task that came one after another; what began in the middle of another one
    goes beside it."""
    found_lanes: dict[int | None, list[list[Stimulus]]] = {}
    for stimulus in found:
        of_its_task = found_lanes.setdefault(stimulus.task, [])
        for lane in of_its_task:
            ended_ns = lane[-1].ended_ns
            if ended_ns is not None and ended_ns <= stimulus.at_ns:
                lane.append(stimulus)
                break
        else:
            of_its_task.append([stimulus])
    return [lane for of_its_task in found_lanes.values() for lane in of_its_task]
