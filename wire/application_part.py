"""The application's part in a replay below the interface: what it did by itself or for its user when this was
recorded is done again at its place, by the application, or for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from ..recorder import causes
from ..replay import PlaybackMatching, ReplayTracker, ReportBuilder, Step, VirtualLoop
from ..schema.entries import Kind
from ..schema.playback import RealtimePlaybackTracker
from .flight_plan import Action, ClockReadings, FlightPlan
from .given_events import GivenEvent
from .recorded import WireFrame
from .replayed_socket import now_ns
from .server_side import ServerSide

AUDIO = "send_audio"
LEAD_NS = 1_000
"""So much later than the application did it, it is done for it: who does it himself comes first."""
GRACE_NS = 250_000_000
"""The same on an ordinary event loop, where nobody is on time."""
EARLY_NS = 250_000_000
"""An application that closes by so much sooner, with frames left, has closed where it had not."""


@dataclass(eq=False)
class _HeldCall:
    """The application does it, before its place."""

    action: Action
    released: asyncio.Future[None]

    def release(self) -> None:
        """It need not wait any longer. May be called again."""
        if not self.released.done():
            self.released.set_result(None)


class ApplicationPart:
    """Of one connection.

    Args:
        plan: of the session.
        side: the server's.
        send: sends on the model that is replayed.
        wake: lets the connection look again.
        playback: how what the application's player reports is compared.
        playback_ms: how much more, or less, is the same.

    Attributes:
        plan: the same.
        live: what the model gave for each frame, by the recorded entry.
        done_for: what was done for the application.
        errors: what raised where it was done.
        frame: the recorded entry of what the model was given last.
        readings: of the clock.
        heard: what was found of the application's player.
        played_otherwise: it did otherwise, all told.
    """

    def __init__(
        self,
        plan: FlightPlan,
        side: ServerSide,
        send: Callable[[Any], Coroutine[Any, Any, Any]],
        wake: Callable[[], None],
        *,
        playback: PlaybackMatching = "tolerant",
        playback_ms: float | None = None,
    ) -> None:
        self.plan = plan
        self.live: dict[int, list[GivenEvent]] = {}
        self.done_for: list[Action] = []
        self.errors: list[tuple[Action, Exception]] = []
        self.frame: int | None = None
        self.readings = ClockReadings(plan)
        self.heard = ReportBuilder()
        self.played_otherwise = False
        self._side = side
        self._send = send
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._is_exact = isinstance(self._loop, VirtualLoop)
        self._lead_ns = LEAD_NS if self._is_exact else GRACE_NS
        self._frame_ns = 0
        self._acted_ns = (
            plan.socket_ns,
            now_ns(self._loop),
        )  # when the application did something last, and now
        self._todo = _stimuli(plan)
        self._reactions = [one for one in plan.actions if one.kind == Kind.SENT and not one.stimulus]
        self._held: list[_HeldCall] = []
        self._swallow: list[Action] = []  # done for the application, which may do it yet
        self._speaks: bool | None = None  # whether the application has a microphone; None: nobody spoke yet
        self._timer: asyncio.TimerHandle | None = None
        self._lanes: dict[int | None, asyncio.Task[None]] = {}
        self._playback: PlaybackMatching = playback
        self._playback_ms = playback_ms
        self._tracker: ReplayTracker | None = None
        self._arm()

    # --- the socket asks ------------------------------------------------------------------------------

    def due_before(self, frame: WireFrame) -> int | None:
        """When what the application did before a frame came will have been done; None: it was. What it did in
        the same round of its loop could as well have been done after that."""
        self._call_before(frame.seq)
        due: int | None = None
        for action in (*(one.action for one in self._held), *self._todo):
            if action.seq < frame.seq and not (self._is_exact and frame.place == action.place):
                due = max(due or 0, self._due_ns(action))
        return due

    def came(self, seq: int) -> None:
        """The model was given this frame."""
        self.frame, self._frame_ns = seq, now_ns(self._loop)
        self.live.setdefault(seq, [])
        self._arm()
        self.go_on()

    def go_on(self) -> None:
        """Frames may have been left out, or have come from the client, for which something waited that is to
        be done."""
        for held in self._held:
            if not self._is_early(held.action):
                held.release()
        if self._timer is None:
            self._arm()

    def stays_away(self) -> bool:
        """Whether the user has hung up, or the recording broke off, and nothing more is awaited."""
        if self._todo or self._side.unplayed or self._side.awaits_client:
            return False
        end = self._side.connection.end
        if end.by == "server":
            return False
        closes = [one for one in self.plan.actions if one.kind == Kind.CLOSE]
        if closes and not closes[0].stimulus:
            return False  # the application closes by itself
        return now_ns(self._loop) >= self._side.planned_ns(end.at_ns) + self._lead_ns

    def hang_up_ns(self) -> int | None:
        """When the user hangs up, if that is still to come."""
        end = self._side.connection.end
        if end.by == "server" or self._todo:
            return None
        due_ns = self._side.planned_ns(end.at_ns) + self._lead_ns
        return due_ns if due_ns > now_ns(self._loop) else None

    # --- the application acts ---------------------------------------------------------------------------

    async def sends(self, type: str, event: Any) -> tuple[bool, int | None]:
        """The application sends: whether it is to be sent, and the recorded entry that it is.

        Returns when it has its place: where the frames have come that had come then, or the time at which it
        was sent then. May be cancelled at any time.
        """
        is_new, action = self._sent(type, event)
        if action is not None and action.type != AUDIO:
            await self._in_its_place(action)
            self._call_before(action.seq)
        if action is not None:
            self._acted_ns = action.at_ns, now_ns(self._loop)
        return is_new, None if action is None else action.seq

    async def closes(self) -> None:
        """The application closes; returns when that has its place, if it is as good as there."""
        action = next((one for one in self.plan.actions if one.kind == Kind.CLOSE), None)
        if action is None:
            return
        # By what it did last, too: who was held up at the beginning then, and is not now, is not hasty.
        recorded_ns, live_ns = self._acted_ns
        now = now_ns(self._loop)
        sooner_ns = action.at_ns - recorded_ns - (now - live_ns)
        if min(self._planned_ns(action) - now, sooner_ns) < EARLY_NS:
            await self._in_its_place(action)
            self._call_before(action.seq)

    def _sent(self, type: str, event: Any) -> tuple[bool, Action | None]:
        if type == AUDIO:
            return self._speak()
        around = causes.WHERE.get()
        # The frame because of which it is sent, if one is known.
        cause = -1 if around is None or around.seq is None else around.seq
        equal = [one for one in self._reactions if one.type == type and _equal(one.value, event)]
        reaction = next((one for one in equal if not self._waits_for_a_frame(one)), None)
        if reaction is None:
            for action in self._swallow:
                if action.seq > cause and action.type == type and _equal(action.value, event):
                    self._swallow.remove(action)
                    self.done_for.remove(action)
                    return False, None
            reaction = next(iter(equal), None)
        if reaction is not None:
            self._reactions.remove(reaction)
            return True, reaction
        # What a frame has caused is none of those that are known to be the user's.
        mine = (one for one in self._todo if cause < 0 or one.unknown or one.waived)
        same = [one for one in mine if one.kind == Kind.SENT and one.type == type]
        found = next((one for one in same if _equal(one.value, event)), next(iter(same), None))
        if found is None:
            return True, None
        self._done(found)
        return True, found

    def track(self, tracker: Any) -> None:
        """The application has this tracker: it changes only where the recording says so."""
        if any(one.step is not None for one in self._todo):
            self._tracker = ReplayTracker(
                RealtimePlaybackTracker() if tracker is None else tracker,  # who has none reports nothing
                self._due_call,
                self.heard,
                stands_for=self._loop.stands_for if isinstance(self._loop, VirtualLoop) else lambda _: True,
                playback=self._playback,
                tolerance_ms=self._playback_ms,
                timed=self._is_exact,
                session=self._side.connection.session,
                recorded=lambda: self.plan.entries,
                model_calls=self._is_models,
            )

    def stop(self) -> None:
        """Nothing more is done for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._todo.clear()
        for held in self._held:
            held.release()
        for task in self._lanes.values():
            task.cancel()
        if self._tracker is not None:
            self.played_otherwise = self._tracker.judge()
            self._tracker.detach()
            self._tracker = None

    @property
    def renames(self) -> bool:
        """Whether the client has other ids than when this was recorded."""
        return self._side.renames

    # --- the model reads the clock -----------------------------------------------------------------------

    def read_clock(self, site: str, clock_ns: int) -> int:
        """What it is told, where its clock says this."""
        inner = causes.WHERE.get()
        while inner is not None and inner.inside is not self:
            inner = inner.outer
        cause = None if inner is None else inner.seq
        since_ns = now_ns(self._loop) - self._frame_ns
        return self.readings.read(site, cause, self.frame, since_ns, clock_ns)

    # --- helpers ----------------------------------------------------------------------------------------

    def _is_early(self, action: Action) -> bool:
        """A send also waits for those before it; whoever closes, for the provider's end before it."""
        if action.kind == Kind.CLOSE:
            end = self._side.connection.end
            ended = end.by == "server" and end.seq is not None and end.seq < action.seq
            return self._waits_for_a_frame(action) or (ended and end.seq not in self.live)
        return self._side.is_behind(action.seq)

    async def _in_its_place(self, action: Action) -> None:
        """Wait for the frames that had come before it, but no longer than until it was done then: whoever
        handles one of them may wait for it."""
        while self._is_early(action) and self._due_ns(action) > now_ns(self._loop):
            held = _HeldCall(action, self._loop.create_future())
            timer = self._loop.call_at(self._due_ns(action) / 1e9, held.release)
            self._held.append(held)
            try:
                await held.released
            finally:
                timer.cancel()
                self._held.remove(held)
                self._wake()

    def _speak(self) -> tuple[bool, Action | None]:
        if self._speaks is False:
            return False, None  # it was spoken for it
        self._speaks = True
        found = next((one for one in self._todo if one.type == AUDIO), None)
        if found is None:
            return True, None
        self._done(found)
        return True, found

    def _is_models(self, method: str) -> bool:
        """Whether it is the model that calls the tracker. If it did so in the same place when this was
        recorded, the application had made its calls by then, and no others."""
        frame = causes.WHERE.get()
        if frame is None or frame.inside is not self:
            return False
        for action in self._todo:
            if action.step is not None and action.is_models and action.type == method:
                if action.step.entry.cause == frame.seq:
                    self._call_before(action.seq)
                    self._make(action)
                break
        return True

    def _due_call(self) -> Step | None:
        """The application's call on its tracker that is at its place now, if one is."""
        first = next((one for one in self._todo if one.step is None or not one.step.performed), None)
        if first is None or first.step is None or first.is_models or self._waits_for_a_frame(first):
            return None
        return first.step if self._due_ns(first) - LEAD_NS <= now_ns(self._loop) else None

    def _call_before(self, seq: int) -> None:
        """Whatever else is to be done before this entry: calls on the tracker are not late."""
        for action in [one for one in self._todo if one.seq < seq and one.step is not None]:
            self._make(action)

    def _make(self, action: Action) -> None:
        """A call on the tracker has its place here."""
        self._todo.remove(action)
        if self._tracker is not None and action.step is not None and not action.step.performed:
            action.step.performed = True
            self._tracker.play(action.step)

    def _done(self, action: Action) -> None:
        self._todo.remove(action)
        self._arm()
        self._wake()

    def _due_ns(self, action: Action) -> int:
        spoken_for = action.type == AUDIO and self._speaks is False
        called_for = action.step is not None and not action.is_models
        lead_ns = LEAD_NS if spoken_for or called_for else self._lead_ns
        return self._planned_ns(action) + lead_ns

    def _planned_ns(self, action: Action) -> int:
        return self._side.planned_ns(action.at_ns - self.plan.socket_ns)

    def _waits_for_a_frame(self, action: Action) -> bool:
        """What was done after a frame had come is not done before."""
        head = self._side.head_seq
        return head is not None and head < action.seq

    def _arm(self) -> None:
        """The next thing to be done for the application has its timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._todo and not self._waits_for_a_frame(self._todo[0]):
            self._timer = self._loop.call_at(self._due_ns(self._todo[0]) / 1e9, self._act)

    def _act(self) -> None:
        self._timer = None
        now = now_ns(self._loop)
        while self._todo and self._due_ns(self._todo[0]) <= now:
            action = self._todo[0]
            if self._waits_for_a_frame(action):
                break
            if action.step is not None:
                self._make(action)
                continue
            self._todo.pop(0)
            if action.type == AUDIO:
                if self._speaks:
                    continue  # its own microphone says what there is to be said
                self._speaks = False
            else:
                self._swallow.append(action)
            self.done_for.append(action)
            before = self._lanes.get(action.task)
            self._lanes[action.task] = self._loop.create_task(self._send_after(before, action))
        self._arm()
        self._wake()

    async def _send_after(self, before: asyncio.Task[None] | None, action: Action) -> None:
        if before is not None and not before.done():
            await asyncio.wait([before])
        with causes.extent(0, action.seq, 0, self):
            try:
                await self._send(action.value)
            except Exception as error:  # noqa: BLE001 - whatever the model raises; it is told
                self.errors.append((action, error))
            finally:
                self._wake()


def _stimuli(plan: FlightPlan) -> list[Action]:
    """What the application did by itself until it closed."""
    found: list[Action] = []
    for action in plan.actions:
        if action.kind == Kind.CLOSE:
            break
        if action.stimulus:
            found.append(action)
    return found


def _equal(recorded: Any, live: Any) -> bool:
    try:
        return bool(recorded == live)
    except Exception:  # noqa: BLE001 - what is sent is the application's, and may compare in any way
        return False
