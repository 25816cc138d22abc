"""Generated providers and applications: small programs that hypothesis writes, and that are run under
virtual time, recorded, and replayed.

A program is a list of steps; each step waits and then does something. The provider's steps emit
events; the application's are started by events, by its own main task, or by a send that returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from realtape import schema

EVENTS = ("turn_started", "turn_ended", "function_call", "transcript_delta", "audio", "item_deleted")
MAX_EVENTS = 20
"""Where answers call for answers, somebody has to stop."""

REST_MS = 30_000.0
"""After its last step the application waits for so long: longer than any provider goes on."""

SENDS = ("text", "tool_output", "interrupt", "audio")


@dataclass(frozen=True)
class Step:
    """Wait, then do something.

    Attributes:
        delay_ms: virtual milliseconds; 0: not at all; -n: so many rounds of the loop.
        what: of a provider: an event's type, `raise` or `spawn`; of an application: a send, `raise`,
            `spawn`, `play`, `thread` (the same from another thread), `cancel` (begin a send, give it up)
            or `lock` (send while holding a lock).
        number: tells it from others of its kind.
        steps: of a task that it spawns.
    """

    delay_ms: float
    what: str
    number: int = 0
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Provider:
    """Attributes:
    script: of the read loop.
    answers: a task of the model, started by a send of this type.
    inside: what happens in a send of this type, before it returns.
    """

    script: tuple[Step, ...]
    answers: dict[str, tuple[Step, ...]]
    inside: dict[str, tuple[Step, ...]]


@dataclass(frozen=True)
class Program:
    """Attributes:
    listeners: what each does in `on_event`, by the type of the event.
    main: the main task, after it has connected.
    closes: it closes at the end; if not, it just ends.
    tracks: it has a playback tracker.
    """

    listeners: tuple[dict[str, tuple[Step, ...]], ...]
    main: tuple[Step, ...]
    closes: bool
    tracks: bool


# --- strategies -----------------------------------------------------------------------------------


def _steps(
    what: tuple[str, ...],
    delays: st.SearchStrategy[float],
    size: int,
    depth: int = 1,
    spawned: st.SearchStrategy[float] | None = None,
) -> st.SearchStrategy[tuple[Step, ...]]:
    inner = st.just(()) if depth == 0 else _steps(what, delays if spawned is None else spawned, 2, depth - 1)

    def step(delay: float, what: str, number: int, steps: tuple[Step, ...]) -> Step:
        return Step(delay, what, number, steps if what == "spawn" else ())

    one = st.builds(step, delays, st.sampled_from(what), st.integers(0, 2), inner)
    return st.lists(one, max_size=size).map(tuple)


# The provider's delays and the application's never add up to the same instant: what happens then is
# not in the log.
_PROVIDERS = st.sampled_from([0.0, -1.0, -2.0, 3.3, 20.03, 500.007])
_FAR_PROVIDERS = st.sampled_from([3.3, 20.03, 500.007])
_APPLICATIONS = st.sampled_from([0.0, -1.0, -3.0, 1.0, 15.0, 400.0])


@st.composite
def providers(draw: Callable[..., Any], far: bool = False) -> Provider:
    """Providers: a read loop, tasks, events inside sends, sends that raise. One that is far away takes a
    while for everything, and has but its read loop, as the model of a socket has."""
    delays = _FAR_PROVIDERS if far else _PROVIDERS
    emits = (*EVENTS, *EVENTS) if far else (*EVENTS, *EVENTS, "spawn")
    # Tasks that it starts take a while: in what order several of them act in one round is not in a log.
    answers = st.dictionaries(st.sampled_from(SENDS), _steps(EVENTS, _FAR_PROVIDERS, 3, 0), max_size=2)
    inside = _steps((*EVENTS, "raise"), delays, 2, 0)
    return Provider(
        draw(_steps(emits, delays, 8, spawned=_FAR_PROVIDERS)),
        {} if far else draw(answers),
        draw(st.dictionaries(st.sampled_from(SENDS), inside, max_size=2)),
    )


@st.composite
def programs(draw: Callable[..., Any], calm: bool = False) -> Program:
    """Applications: several listeners and tasks that react, at once or later. A calm one does not race
    against time: it gives nothing up, and nobody waits for a lock."""
    races = () if calm else ("cancel", "lock")
    does = (*SENDS, *SENDS, "spawn", "raise", "play", "thread", *races)
    reactions = st.dictionaries(st.sampled_from(EVENTS), _steps(does, _APPLICATIONS, 3), max_size=3)
    return Program(
        tuple(draw(st.lists(reactions, min_size=1, max_size=2))),
        draw(_steps((*SENDS, "spawn", *races), _APPLICATIONS, 4)),
        draw(st.booleans()),
        draw(st.booleans()),
    )


# --- running --------------------------------------------------------------------------------------


async def wait(delay_ms: float, speed: float) -> None:
    """As `Step.delay_ms` says, so many times faster."""
    for _ in range(-int(delay_ms) if delay_ms < 0 else 0):
        await asyncio.sleep(0)
    if delay_ms > 0:
        await asyncio.sleep(delay_ms / 1000 / speed)


class GeneratedModel(schema.RealtimeModel):
    """Behaves as a `Provider` says."""

    def __init__(self, provider: Provider, speed: float = 1.0) -> None:
        self._provider = provider
        self._speed = speed
        self._listeners: list[Any] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._emitted = 0

    async def connect(self, options: Any) -> None:
        self._spawn(self._provider.script)

    def add_listener(self, listener: Any) -> None:
        self._listeners.append(listener)

    def remove_listener(self, listener: Any) -> None:
        self._listeners.remove(listener)

    async def send_event(self, event: Any) -> None:
        kind = next(name for name in SENDS if isinstance(event, _CLASSES[name]))
        await self._run(self._provider.inside.get(kind, ()))
        self._spawn(self._provider.answers.get(kind, ()))

    async def close(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _spawn(self, steps: tuple[Step, ...]) -> None:
        if steps:
            self._tasks.append(asyncio.create_task(self._loop(steps)))

    async def _loop(self, steps: tuple[Step, ...]) -> None:
        try:
            await self._run(steps)
        except RuntimeError:
            pass  # raised by a listener: the read loop ends, as a socket's would

    async def _run(self, steps: tuple[Step, ...]) -> None:
        for step in steps:
            await wait(step.delay_ms, self._speed)
            if step.what == "raise":
                raise ValueError(f"refused {step.number}")
            if step.what == "spawn":
                self._spawn(step.steps)
                continue
            self._emitted += 1
            if self._emitted > MAX_EVENTS:
                return
            event = _event(step)
            for listener in list(self._listeners):
                await listener.on_event(event)


@dataclass
class Running:
    """A `Program` that is running. What it saw and did is in `notes`; a patient one does not end while
    listeners are at work."""

    program: Program
    model: Any
    speed: float = 1.0
    patient: bool = False
    at_work: int = 0
    notes: list[Any] = field(default_factory=list[Any])
    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    tracker: schema.RealtimePlaybackTracker | None = None

    async def run(self) -> list[Any]:
        """Connect, do all of it, perhaps close."""
        for number, reactions in enumerate(self.program.listeners):
            self.model.add_listener(_Listener(self, number, reactions))
        options: dict[str, Any] = {}
        if self.program.tracks:
            self.tracker = options["playback_tracker"] = schema.RealtimePlaybackTracker()
        await self.model.connect(options)
        await self.steps("main", self.program.main)
        await wait(REST_MS, self.speed)
        while self.patient and self.at_work:
            await wait(REST_MS, self.speed)
        if self.program.closes:
            await self.model.close()
            await wait(1000, self.speed)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        return list(self.notes)

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of the application's own."""
        task = asyncio.create_task(work)
        self.tasks.append(task)
        return task

    async def steps(self, who: str, steps: tuple[Step, ...]) -> None:
        """Do these, one after another."""
        for step in steps:
            await wait(step.delay_ms, self.speed)
            await self.step(who, step)

    async def step(self, who: str, step: Step) -> None:
        """Do one."""
        if step.what == "raise":
            raise RuntimeError(f"{who} {step.number}")
        if step.what == "spawn":
            self.spawn(self.quietly(f"{who}/{step.number}", step.steps))
        elif step.what in ("play", "thread"):
            await self.play(in_thread=step.what == "thread")
        elif step.what == "cancel":
            sending = self.spawn(self.send(who, "text", step.number))
            await wait(-1, self.speed)
            sending.cancel()
        elif step.what == "lock":
            await self.locked(who, step.number)
        else:
            await self.send(who, step.what, step.number)

    async def play(self, *, in_thread: bool) -> None:
        """Some audio was heard, as a player says, perhaps in a thread of its own."""
        tracker = self.tracker
        if tracker is None:
            return
        if in_thread:
            await asyncio.to_thread(tracker.on_play_ms, "item", 0, 7.0)
        else:
            tracker.on_play_bytes("item", 0, bytes(960))

    async def locked(self, who: str, number: int) -> None:
        """A send while a lock is held, which others may be waiting for."""
        try:
            async with asyncio.timeout(2):
                await self.lock.acquire()
        except TimeoutError:
            self.notes.append((who, "gave up"))
            return
        try:
            await self.send(who, "text", number)
        finally:
            self.lock.release()

    async def quietly(self, who: str, steps: tuple[Step, ...]) -> None:
        """The steps of a task, whose failure nobody sees."""
        try:
            await self.steps(who, steps)
        except RuntimeError:
            self.notes.append((who, "failed"))

    async def send(self, who: str, what: str, number: int) -> None:
        """One send; what came of it is noted."""
        try:
            await self.model.send_event(_send(what, f"{who} {number}"))
        except (ValueError, RuntimeError) as error:
            self.notes.append((who, what, str(error)))
        else:
            self.notes.append((who, what, "returned"))


class _Listener(schema.RealtimeModelListener):
    def __init__(self, running: Running, number: int, reactions: dict[str, tuple[Step, ...]]) -> None:
        self._running = running
        self._number = number
        self._reactions = reactions

    async def on_event(self, event: Any) -> None:
        self._running.notes.append((self._number, event.type))
        self._running.at_work += 1
        try:
            await self._running.steps(f"{self._number}:{event.type}", self._reactions.get(event.type, ()))
        finally:
            self._running.at_work -= 1


def _event(step: Step) -> Any:
    match step.what:
        case "turn_started":
            return schema.RealtimeModelTurnStartedEvent(response_id=f"r{step.number}")
        case "turn_ended":
            return schema.RealtimeModelTurnEndedEvent(response_id=f"r{step.number}")
        case "function_call":
            return _call(step.number)
        case "transcript_delta":
            return schema.RealtimeModelTranscriptDeltaEvent(
                item_id="item", delta=f"word{step.number}", response_id="r"
            )
        case "audio":
            return schema.RealtimeModelAudioEvent(
                data=bytes([step.number]) * 960, response_id="r", item_id="item", content_index=0
            )
        case _:
            return schema.RealtimeModelItemDeletedEvent(item_id=f"item{step.number}")


def _call(number: int) -> schema.RealtimeModelToolCallEvent:
    return schema.RealtimeModelToolCallEvent(
        name="look_up", call_id=f"call_{number}", arguments="{}", id=f"i{number}"
    )


_CLASSES: dict[str, type[Any]] = {
    "text": schema.RealtimeModelSendUserInput,
    "tool_output": schema.RealtimeModelSendToolOutput,
    "interrupt": schema.RealtimeModelSendInterrupt,
    "audio": schema.RealtimeModelSendAudio,
}


def _send(what: str, text: str) -> Any:
    match what:
        case "text":
            return schema.RealtimeModelSendUserInput(user_input=text)
        case "tool_output":
            return schema.RealtimeModelSendToolOutput(tool_call=_call(1), output=text, start_response=True)
        case "interrupt":
            return schema.RealtimeModelSendInterrupt()
        case _:
            return schema.RealtimeModelSendAudio(audio=text.encode(), commit=False)
