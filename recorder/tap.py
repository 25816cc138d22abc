"""The tap on a model: everything that passes between an application and its model, recorded.

Transparent: every call is made on the inner model, in the caller's task, with its arguments,
result, exception and cancellation. The classes that applications use are thin shells around this.
"""

from __future__ import annotations

import asyncio
import itertools
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, cast

from ..schema.clocks import clock_here
from ..schema.entries import Kind, Status
from ..schema.standard import received_name, sent_name
from . import causes
from .options import describe, known_options, observe_key, secrets_in
from .playback import AssumedTracker, TrackerTap
from .session_log import LOST, SessionLog

if TYPE_CHECKING:
    from .recorder import Recorder

_Links = tuple[tuple[int, SessionLog], ...]
_links: ContextVar[_Links] = ContextVar("realtape_links", default=())
"""(tap, session) of the inner models that we are in, the innermost first: a model's read loop inherits
it, and outlives the next connect."""

_numbers = itertools.count(1)


class _Place:
    """For the length of a `with` block: in which models we are, and because of what."""

    __slots__ = ("_extent", "_links", "_token")

    def __init__(self, links: _Links, extent: causes.within) -> None:
        self._links = links
        self._extent = extent

    def __enter__(self) -> None:
        self._token = _links.set(self._links)
        self._extent.__enter__()

    def __exit__(self, *exception: object) -> None:
        self._extent.__exit__()
        causes.leave(_links, self._token)


class ModelTap:
    """Records what passes between one model object and its listeners.

    Args:
        inner: the model that does the work.
        recorder: appends the entries.
        labels: the user's own, kept in each session's header.
        relay: makes the one listener that stands at the inner model, given a handler.
    """

    def __init__(
        self,
        inner: Any,
        recorder: Recorder,
        labels: Mapping[str, str] | None,
        relay: Callable[[Callable[[Any], Any]], Any],
    ) -> None:
        self.inner = inner
        self.recorder = recorder
        self.listeners: list[Any] = []
        self._number = next(_numbers)
        self._labels = dict(labels or {})
        self._relay = relay(self._on_event)
        self._log: SessionLog | None = None
        self._tracker: TrackerTap | AssumedTracker | None = None
        self._classes: weakref.WeakKeyDictionary[type[Any], str | None] = weakref.WeakKeyDictionary()

    # --- the application's calls ------------------------------------------------------------------

    async def connect(self, options: Any) -> Any:
        """`connect` of the inner model; begins a session."""
        if not self.recorder.enabled:
            return await self.inner.connect(options)
        known = known_options(options)
        before, tracker_before = self._log, self._tracker
        log = self._begin(known)
        if before is not None:
            before.secrets.add(secrets_in(known))  # where the connection fails, it goes on with that one
        listeners = [type(listener).__qualname__ for listener in self.listeners]
        connecting = log.append(
            Kind.CONNECT, {"options": describe(known), "listeners": listeners}, method="connect"
        )
        self._observe_playback(known, log)
        try:
            with causes.none(), self._inside(log, None):
                result = await self.inner.connect(observe_key(options, log.secrets))
        except BaseException as error:
            log.append(Kind.CONNECT_FAILED, _raised(error), of=_or_lost(connecting))
            log.finish(Status.FAILED)
            if before is not None and before.status is Status.RECORDING and self._log is log:
                # The connection that was there is there still ("already connected").
                self._resume(before, tracker_before)
            raise
        if before is not None and before.status is Status.RECORDING:
            before.finish(Status.CLOSED)
        log.append(Kind.CONNECTED, _returned(result), of=_or_lost(connecting))
        return result

    async def send_event(self, event: Any) -> Any:
        """`send_event` of the inner model."""
        return await self._send(event, "send_event", lambda: self.inner.send_event(event))

    async def send_event_if(self, event: Any, send_if: Callable[[], bool]) -> Any:
        """`send_event_if` of the inner model, which asks `send_if` where it commits."""
        return await self._send(event, "send_event_if", lambda: self.inner.send_event_if(event, send_if))

    async def close(self) -> Any:
        """`close` of the inner model. Entries may follow: it still delivers what it had read."""
        log = self._log
        if not self.recorder.enabled or log is None:
            return await self.inner.close()
        closing = _or_lost(log.append(Kind.CLOSE, {}, method="close"))
        try:
            with self._inside(log, closing):
                result = await self.inner.close()
        except BaseException as error:
            log.append(Kind.CLOSED, _raised(error), of=closing)
            raise
        log.append(Kind.CLOSED, _returned(result), of=closing)
        if log.status is Status.RECORDING:
            log.finish(Status.CLOSED)
        return result

    def add_listener(self, listener: Any) -> None:
        """The first listener puts ours at the inner model."""
        if listener in self.listeners:
            return
        if not self.listeners:
            self.inner.add_listener(self._relay)
        self.listeners.append(listener)
        self._note_listener(Kind.LISTENER_ADDED, listener)

    def remove_listener(self, listener: Any) -> None:
        """The last listener takes ours away."""
        if listener not in self.listeners:
            return
        self._note_listener(Kind.LISTENER_REMOVED, listener)
        self.listeners.remove(listener)
        if not self.listeners:
            self.inner.remove_listener(self._relay)

    # --- the model's events -------------------------------------------------------------------------

    async def _on_event(self, event: Any) -> None:
        """Append first, then give to the listeners as the SDK does: in order, over a copy, until
        one raises."""
        if not self.recorder.enabled:
            for listener in list(self.listeners):
                await listener.on_event(event)
            return
        log = self._linked() or self._log or self._begin({})
        if log is self._log and isinstance(self._tracker, AssumedTracker):
            self._tracker.on_received(event)
        received = log.append(Kind.RECEIVED, event, type=self._type_of(event))
        seq = _or_lost(received)
        self._remember(log, event, seq)
        listener = None
        log.handling.add(seq)
        try:
            with self._outside(log, seq):
                for listener in list(self.listeners):
                    await listener.on_event(event)
        except BaseException as error:
            value = {**_raised(error), "listener": type(listener).__qualname__}
            log.append(Kind.HANDLED, value, of=seq)
            raise
        finally:
            log.handling.discard(seq)
        if log.last_seq != received:  # else it returned before anything else happened
            log.append(Kind.HANDLED, {}, of=seq)

    async def _send(self, event: Any, method: str, call: Callable[[], Any]) -> Any:
        if not self.recorder.enabled:
            return await call()
        log = self._log or self._begin({})
        call_id = getattr(getattr(event, "tool_call", None), "call_id", None)
        cause = log.call(call_id) if isinstance(call_id, str) else None
        sent = _or_lost(log.append(Kind.SENT, event, type=self._type_of(event), method=method, cause=cause))
        try:
            with self._inside(log, sent):
                result = await call()
        except BaseException as error:
            log.append(Kind.SENT_DONE, _raised(error), method=method, of=sent)
            raise
        value = _returned(result)
        if method == "send_event_if" and result is False:
            value["outcome"] = "withheld"
        log.append(Kind.SENT_DONE, value, method=method, of=sent)
        return result

    # --- where we are -------------------------------------------------------------------------------

    def _inside(self, log: SessionLog, seq: int | None) -> _Place:
        """While the inner model works: what it does is its own, and belongs to this session."""
        links = ((self._number, log), *self._links_of_others())
        return _Place(links, causes.extent(log.number, seq, model=True))

    def _outside(self, log: SessionLog, seq: int) -> _Place:
        """While a listener works: what it does is the application's, and belongs to the session
        that is going on by then."""
        return _Place(self._links_of_others(), causes.extent(log.number, seq, model=False))

    def _linked(self) -> SessionLog | None:
        return next((log for number, log in _links.get() if number == self._number), None)

    def _links_of_others(self) -> _Links:
        links = _links.get()
        if not links:
            return links
        return tuple([link for link in links if link[0] != self._number][: causes.MAX_NESTED_SESSIONS - 1])

    # --- helpers ------------------------------------------------------------------------------------

    def _begin(self, options: Mapping[str, Any]) -> SessionLog:
        self._log = self.recorder.begin(self._labels, self._log)
        self._log.secrets.add(secrets_in(options))  # and those of the environment
        return self._log

    def _resume(self, log: SessionLog, tracker: TrackerTap | AssumedTracker | None) -> None:
        self._forget_tracker()
        self._log, self._tracker = log, tracker
        if isinstance(tracker, TrackerTap):
            tracker.attach()

    def _observe_playback(self, options: Mapping[str, Any], log: SessionLog) -> None:
        self._forget_tracker()
        tracker = options.get("playback_tracker")
        if tracker is not None:
            self._tracker = TrackerTap(tracker, log)
        else:
            settings = options.get("initial_model_settings")
            self._tracker = AssumedTracker(self.recorder.clock or clock_here(), settings)
        log.playback = self._tracker.playback

    def _forget_tracker(self) -> None:
        if isinstance(self._tracker, TrackerTap):
            self._tracker.detach()
        self._tracker = None

    def _note_listener(self, kind: Kind, listener: Any) -> None:
        if self._log is not None and self.recorder.enabled:
            self._log.append(kind, {"listener": type(listener).__qualname__}, method=str(kind))

    def _remember(self, log: SessionLog, event: Any, seq: int) -> None:
        if getattr(event, "type", None) == "function_call":
            call_id = getattr(event, "call_id", None)
            if isinstance(call_id, str):
                log.remember_call(call_id, seq)
        self.recorder.remember(event, log, seq)

    def _type_of(self, event: Any) -> str | None:
        cls = cast("type[Any]", type(event))
        if cls not in self._classes:
            word = self.recorder.codec.vocabulary.word_for(cls)
            self._classes[cls] = word.name if word else received_name(cls) or sent_name(cls)
        return self._classes[cls]


def _or_lost(seq: int | None) -> int:
    return LOST if seq is None else seq


def _returned(result: Any) -> dict[str, Any]:
    value: dict[str, Any] = {"outcome": "returned"}
    if result is not None:
        value["value"] = result
    return value


def _raised(error: BaseException) -> dict[str, Any]:
    if isinstance(error, asyncio.CancelledError):
        # Without its traceback: that is the model's, where it happened to be.
        return {"outcome": "cancelled", "raised": asyncio.CancelledError(*error.args)}
    return {"outcome": "raised", "raised": error}
