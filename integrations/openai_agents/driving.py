"""Driving a replay: what the user did in the recorded session is done again, through the session's own
methods."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from agents.realtime import RealtimeAgent, RealtimeSession
from agents.realtime.model_inputs import (
    RealtimeModelSendAudio,
    RealtimeModelSendInterrupt,
    RealtimeModelSendSessionUpdate,
    RealtimeModelSendUserInput,
)
from agents.tool import DEFAULT_APPROVAL_REJECTION_MESSAGE

from ...schema import RealtapeError, UsageError
from ...session import Recording, Stimulus
from .approvals import Approvals
from .recorded_tools import RecordedSettings
from .replay_model import ReplayModel
from .user_part import UserPart, lanes_of, read_part
from .vocabulary import sent_events

LEAD_SECONDS = 1e-6
"""So much before its instant a stimulus is sent: it is there when the replay comes to its place, and is
held until then."""

PATIENCE_SECONDS = 10.0
"""Of the loop's time, for which a tool that asked when it was recorded may be late to ask."""

REJECTIONS = (DEFAULT_APPROVAL_REJECTION_MESSAGE,)
"""What a session answers for a tool call that the user rejects."""

_NANOSECONDS = 1_000_000_000

_SENT = tuple(sent_events())


@dataclass(frozen=True)
class Driven:
    """What `drive` did.

    Attributes:
        sent: how many stimuli were sent again, the close included.
        raised: (seq, error) of sends that raised, as they did when they were recorded.
        notes: what could not be done as recorded, in words.
    """

    sent: int
    raised: tuple[tuple[int, Exception], ...]
    notes: tuple[str, ...]


async def drive(
    session: RealtimeSession,
    model: ReplayModel | Recording,
    *,
    pace: float = 1.0,
    close: bool = False,
    agents: Sequence[RealtimeAgent[Any]] = (),
    rejections: Collection[str] = REJECTIONS,
) -> Driven:
    """Do again what the user did: speech, typed text, interruptions, approvals of tools.

    Call it as soon as the session is entered; the instants count from there as they counted from the
    recorded `connected`. Returns when everything was sent, and the tools that ask for approval have
    had theirs. What has a cause in the recording is the application's own to do, and is not sent.
    Cancelled, it cancels what it is sending, and sends nothing more; the session goes on.

    The recording is read first, without giving the event loop a round: a first message that was sent
    at once is sent at once. All stimuli are in memory while it runs: three megabytes for a minute of
    24 kHz speech.

    Args:
        session: entered, over `model` (or over a recording of it).
        model: the replay that the session runs on; or the recording that tells what to do.
        pace: how many times faster than recorded; that of the replay. On a virtual loop sleeping is
            free; on an ordinary one a replay without a pace is ahead, and takes what comes for late.
        close: close the session where it was closed for no recorded reason. If not, that is left to
            the caller.
        agents: those that the application gave to `session.update_agent`: the settings of an agent are
            recorded, the agent is not. Without it, the settings are sent and the agent stays.
        rejections: outputs that a session sent because the user rejected a tool call.

    Raises:
        UsageError: the pace is not more than 0.
        DivergenceError: the replay has diverged.
        CorruptRecordError: the recording cannot be read.
    """
    if not pace > 0:
        raise UsageError(f"a pace of {pace}: it must be more than 0; 1 is the recorded one")
    now = asyncio.get_running_loop().time()
    # The replay's own recording, until it has a public name.
    played = model if isinstance(model, Recording) else model.recording
    part = read_part(played)
    driver = _Driver(session, now - part.connected_ns / _NANOSECONDS / pace, pace, agents)
    try:
        await driver.play(part, close=close, rejections=rejections)
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
    return Driven(driver.sent, tuple(driver.raised), tuple(driver.notes))


class _Driver:
    """Sends the stimuli of one session.

    Args:
        session: to send through.
        origin: the loop's time at which the recorded session began.
        pace: how many times faster than recorded.
        agents: that `update_agent` may be given.
    """

    def __init__(
        self, session: RealtimeSession, origin: float, pace: float, agents: Sequence[RealtimeAgent[Any]]
    ) -> None:
        self.sent = 0
        self.raised: list[tuple[int, Exception]] = []
        self.notes: list[str] = []
        self._session = session
        self._origin = origin
        self._pace = pace
        self._agents = agents
        self._open: set[asyncio.Task[None]] = set()

    async def play(self, part: UserPart, *, close: bool, rejections: Collection[str]) -> None:
        """Send them all, each at its instant; those of one recorded task one after another."""
        found = list(takewhile(lambda one: one.kind == "sent", part.stimuli))
        closes = close and len(found) < len(part.stimuli)
        if closes:
            found.append(part.stimuli[len(found)])
        try:
            async with asyncio.TaskGroup() as group:
                with Approvals(
                    self._session,
                    part.calls,
                    awaited=[] if closes else part.decided,
                    rejections=rejections,
                    pace=self._pace,
                    spawn=group.create_task,
                ) as approvals:
                    first, *others = lanes_of(found) or [[]]
                    beside = [group.create_task(self._send_lane(lane)) for lane in others]
                    await self._send_lane(first)  # in this very round of the loop, if it is due
                    if beside:
                        await asyncio.wait(beside)
                    last_ns = max((call.answered_ns or 0 for call in part.decided), default=0)
                    self.notes += await approvals.finished(self._instant(last_ns) + PATIENCE_SECONDS)
        finally:
            for task in self._open:
                task.cancel()
            await asyncio.gather(*self._open, return_exceptions=True)

    async def _send_lane(self, lane: Sequence[Stimulus]) -> None:
        for stimulus in lane:
            if stimulus.kind == "sent" and not isinstance(stimulus.event, _SENT):
                self._note(stimulus, "is of a type that this SDK does not have, and was not sent")
                continue
            await self._until_due(stimulus)
            self.sent += 1
            if stimulus.outcome is None:  # it never ended: it must not keep us
                self._open.add(asyncio.create_task(self._send(stimulus)))
            else:
                await self._send_as_recorded(stimulus)

    async def _send_as_recorded(self, stimulus: Stimulus) -> None:
        try:
            if stimulus.outcome == "cancelled" and stimulus.ended_ns is not None:
                await self._send_until(stimulus, stimulus.ended_ns)
            else:
                await self._send(stimulus)
        except RealtapeError:
            raise
        except Exception as error:
            if stimulus.outcome != "raised":
                raise
            self.raised.append((stimulus.seq, error))

    async def _send_until(self, stimulus: Stimulus, ended_ns: int) -> None:
        """Send, and cancel it when it was cancelled."""
        limit = asyncio.timeout_at(self._instant(ended_ns))
        try:
            async with limit:
                await self._send(stimulus)
        except TimeoutError:
            if not limit.expired():
                raise

    async def _send(self, stimulus: Stimulus) -> None:
        session, event = self._session, stimulus.event
        if stimulus.kind == "close":
            await session.close()
        elif stimulus.method == "send_event_if":
            await session.model.send_event_if(event, lambda: stimulus.outcome != "withheld")
        elif isinstance(event, RealtimeModelSendAudio):
            await session.send_audio(event.audio, commit=event.commit)
        elif isinstance(event, RealtimeModelSendUserInput):
            await session.send_message(event.user_input)
        elif event == RealtimeModelSendInterrupt():
            await session.interrupt()
        elif _is_of_an_agent(event):
            await self._update_agent(stimulus)
        else:
            await session.model.send_event(event)

    async def _update_agent(self, stimulus: Stimulus) -> None:
        recorded = RecordedSettings.of(stimulus.event.session_settings)
        agent = next((agent for agent in self._agents if recorded.fit(agent)), None)
        if agent is None:
            self._note(stimulus, "is of an agent that is none of `agents`: the session keeps its agent")
            await self._session.model.send_event(stimulus.event)
        else:
            await self._session.update_agent(agent)

    def _note(self, stimulus: Stimulus, what: str) -> None:
        self.notes.append(f"entry {stimulus.seq}: {stimulus.type} {what}")

    def _instant(self, at_ns: int) -> float:
        return self._origin + at_ns / _NANOSECONDS / self._pace

    async def _until_due(self, stimulus: Stimulus) -> None:
        """A send that comes ahead is held by the replay. What changes the session itself is not: it
        waits for the rounds that passed before it, too."""
        ahead = stimulus.kind == "sent" and not _is_of_an_agent(stimulus.event)
        if ahead or not stimulus.rounds:
            await self._until(stimulus.burst_ns)
            return
        await self._until(stimulus.burst_ns, lead=0.0)
        for _ in range(stimulus.rounds):
            await asyncio.sleep(0)

    async def _until(self, at_ns: int, lead: float = LEAD_SECONDS) -> None:
        delay = self._instant(at_ns) - lead - asyncio.get_running_loop().time()
        if delay > LEAD_SECONDS / 2:  # not for what a float has lost: that would cost a round
            await asyncio.sleep(delay)


def _is_of_an_agent(event: Any) -> bool:
    """`session.update_agent` sends all that an agent has; who changes a setting sends that one."""
    updates = isinstance(event, RealtimeModelSendSessionUpdate)
    return updates and {"instructions", "tools", "handoffs"} <= event.session_settings.keys()
