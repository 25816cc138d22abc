"""The application's part in a replay below the interface: what it did by itself or for its user when this was
recorded is done again at its place, by the application, or for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

from ..recorder import causes
from ..replay import VirtualLoop
from ..schema.entries import Kind
from ..schema.shadows import Shadows
from ..session.fields import mapping, sequence
from .flight_plan import Action, ClockReadings, FlightPlan
from .replayed_socket import now_ns
from .server_side import ServerSide

AUDIO = "send_audio"
LEAD_NS = 1_000
"""So much later than the application did it, it is done for it: who does it himself comes first."""
GRACE_NS = 250_000_000
"""The same on an ordinary event loop, where nobody is on time."""

_TRACKER = ("on_play_bytes", "on_play_ms", "on_interrupted", "set_audio_format")


class ApplicationPart:
    """Of one connection.

    Args:
        plan: of the session.
        side: the server's.
        send: sends on the model that is replayed.
        wake: lets the connection look again.

    Attributes:
        plan: the same.
        live: what the model gave for each frame, by the recorded entry.
        done_for: what was done for the application.
        errors: what raised where it was done.
        frame: the recorded entry of what the model was given last.
        readings: of the clock.
    """

    def __init__(
        self,
        plan: FlightPlan,
        side: ServerSide,
        send: Callable[[Any], Coroutine[Any, Any, Any]],
        wake: Callable[[], None],
    ) -> None:
        self.plan = plan
        self.live: dict[int, list[str]] = {}
        self.done_for: list[Action] = []
        self.errors: list[tuple[Action, Exception]] = []
        self.frame: int | None = None
        self.readings = ClockReadings(plan)
        self._side = side
        self._send = send
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._lead_ns = LEAD_NS if isinstance(self._loop, VirtualLoop) else GRACE_NS
        self._frame_ns = 0
        self._todo = [one for one in plan.actions if one.stimulus and one.kind != Kind.CLOSE]
        self._reactions = [one for one in plan.actions if one.kind == Kind.SENT and not one.stimulus]
        self._made: set[int] = set()
        self._swallow: list[Action] = []  # done for the application, which may do it yet
        self._speaks: bool | None = None  # whether the application has a microphone; None: nobody spoke yet
        self._timer: asyncio.TimerHandle | None = None
        self._lanes: dict[int | None, asyncio.Task[None]] = {}
        self._tracker: Any = None
        self._shadows: Shadows | None = None
        self._arm()

    # --- the socket asks ------------------------------------------------------------------------------

    def due_before(self, seq: int) -> int | None:
        """When what the application did before this entry will have been done; None: it was."""
        latest = None
        for action in self._todo:
            if action.seq > seq:
                break
            latest = action
        return None if latest is None else self._due_ns(latest)

    def came(self, seq: int) -> None:
        """The model was given this frame."""
        self.frame, self._frame_ns = seq, now_ns(self._loop)
        self.live.setdefault(seq, [])

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

    def sends(self, type: str, event: Any) -> tuple[bool, int | None]:
        """The application sends: whether it is to be sent, and the recorded entry that it is."""
        if type == AUDIO:
            return self._speak()
        for action in self._swallow:
            if action.type == type and _equal(action.value, event):
                self._swallow.remove(action)
                return False, None
        equal = (one for one in self._reactions if one.type == type and _equal(one.value, event))
        reaction = next(equal, None)
        if reaction is not None:
            self._reactions.remove(reaction)
            return True, reaction.seq
        same = [one for one in self._todo if one.kind == Kind.SENT and one.type == type]
        found = next((one for one in same if _equal(one.value, event)), next(iter(same), None))
        if found is None:
            return True, None
        self._done(found)
        return True, found.seq

    def track(self, tracker: Any) -> None:
        """The application has this tracker."""
        self._tracker = tracker
        if tracker is not None:
            self._shadows = Shadows(tracker, _TRACKER, self._call)

    def stop(self) -> None:
        """Nothing more is done for it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._todo.clear()
        for task in self._lanes.values():
            task.cancel()
        if self._shadows is not None:
            self._shadows.lift()
            self._shadows = None

    # --- the model reads the clock -----------------------------------------------------------------------

    def read_clock(self, site: str, _: int) -> int:
        """What it is told."""
        inner = causes.WHERE.get()
        while inner is not None and inner.inside is not self:
            inner = inner.outer
        cause = None if inner is None else inner.seq
        return self.readings.read(site, cause, self.frame, now_ns(self._loop) - self._frame_ns)

    # --- helpers ----------------------------------------------------------------------------------------

    def _speak(self) -> tuple[bool, int | None]:
        if self._speaks is False:
            return False, None  # it was spoken for it
        self._speaks = True
        found = next((one for one in self._todo if one.type == AUDIO), None)
        if found is None:
            return True, None
        self._done(found)
        return True, found.seq

    def _call(self, name: str, method: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """The application, or the model, calls its tracker."""
        frame = causes.WHERE.get()
        if frame is not None and frame.inside is self:
            return method(*args, **kwargs)
        for action in self._swallow:
            if action.kind == Kind.PLAYBACK and action.type == name:
                self._swallow.remove(action)
                return None
        found = next((one for one in self._todo if one.kind == Kind.PLAYBACK and one.type == name), None)
        if found is not None:
            self._done(found)
        return method(*args, **kwargs)

    def _done(self, action: Action) -> None:
        self._todo.remove(action)
        self._arm()
        self._wake()

    def _due_ns(self, action: Action) -> int:
        lead_ns = LEAD_NS if action.type == AUDIO and self._speaks is False else self._lead_ns
        return self._side.planned_ns(action.at_ns - self.plan.socket_ns) + lead_ns

    def _arm(self) -> None:
        """The next thing to be done for the application has its timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._todo:
            self._timer = self._loop.call_at(self._due_ns(self._todo[0]) / 1e9, self._act)

    def _act(self) -> None:
        self._timer = None
        now = now_ns(self._loop)
        while self._todo and self._due_ns(self._todo[0]) <= now:
            action = self._todo.pop(0)
            if action.type == AUDIO and action.kind == Kind.SENT:
                if self._speaks:
                    continue  # its own microphone says what there is to be said
                self._speaks = False
            else:
                self._swallow.append(action)
            self.done_for.append(action)
            if action.kind == Kind.PLAYBACK:
                self._play(action)
            else:
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

    def _play(self, action: Action) -> None:
        if self._tracker is None:
            return
        facts = mapping(action.value)
        method = getattr(cast("type[Any]", type(self._tracker)), action.type, None)
        if method is not None:
            args: list[Any] = [_bytes(arg) for arg in sequence(facts.get("args"))]
            kwargs: dict[str, Any] = {name: _bytes(arg) for name, arg in mapping(facts.get("kwargs")).items()}
            method(self._tracker, *args, **kwargs)


def _equal(recorded: Any, live: Any) -> bool:
    try:
        return bool(recorded == live)
    except Exception:  # noqa: BLE001 - what is sent is the application's, and may compare in any way
        return False


def _bytes(arg: Any) -> Any:
    """Of the bytes that were played the log holds the number."""
    length = mapping(arg).get("bytes")
    return bytes(length) if isinstance(length, int) and len(mapping(arg)) == 1 else arg
