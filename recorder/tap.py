"""The tap on a model: everything that passes between an application and its model, recorded.

Transparent: every call is made on the inner model, in the caller's task, with its arguments,
result, exception and cancellation. The classes that applications use are thin shells around this.
"""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Generator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ..schema.entries import Kind, Status
from ..schema.standard import received_name, sent_name
from . import causes
from .options import describe, observe_key, secrets_in
from .playback import AssumedTracker, TrackerTap
from .session_log import LOST, SessionLog

if TYPE_CHECKING:
    from .recorder import Recorder

_connection: ContextVar[SessionLog | None] = ContextVar("realtape_connection", default=None)
"""The session whose inner model we are in: its read loop inherits it, and outlives the next connect."""


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
        self.listeners: list[Any] = []
        self._recorder = recorder
        self._labels = dict(labels or {})
        self._relay = relay(self._on_event)
        self._log: SessionLog | None = None
        self._tracker: TrackerTap | AssumedTracker | None = None
        self._classes: weakref.WeakKeyDictionary[type[Any], str | None] = weakref.WeakKeyDictionary()

    # --- the application's calls ------------------------------------------------------------------

    async def connect(self, options: Mapping[str, Any]) -> Any:
        """`connect` of the inner model; begins a session."""
        if not self._recorder.enabled:
            return await self.inner.connect(options)
        before, tracker_before = self._log, self._tracker
        log = self._begin()
        self._recorder.secrets.add(secrets_in(options))
        listeners = [type(listener).__qualname__ for listener in self.listeners]
        connecting = log.append(
            Kind.CONNECT, {"options": describe(options), "listeners": listeners}, method="connect"
        )
        self._observe_playback(options, log)
        try:
            with causes.none(), self._inside(log, None):
                result = await self.inner.connect(observe_key(options, self._recorder.secrets))
        except BaseException as error:
            log.append(Kind.CONNECT_FAILED, _raised(error), of=_or_lost(connecting))
            log.finish(Status.FAILED)
            if before is not None and before.status is Status.RECORDING:
                # The connection that was there is there still ("already connected").
                self._forget_tracker()
                self._log, self._tracker = before, tracker_before
            raise
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
        if not self._recorder.enabled or log is None:
            return await self.inner.close()
        closing = log.append(Kind.CLOSE, {}, method="close")
        try:
            with self._inside(log, closing):
                result = await self.inner.close()
        except BaseException as error:
            log.append(Kind.CLOSED, _raised(error), of=_or_lost(closing))
            raise
        log.append(Kind.CLOSED, _returned(result), of=_or_lost(closing))
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
        if not self._recorder.enabled:
            for listener in list(self.listeners):
                await listener.on_event(event)
            return
        log = _connection.get() or self._log or self._begin()
        if isinstance(self._tracker, AssumedTracker):
            self._tracker.on_received(event)
        received = log.append(Kind.RECEIVED, event, type=self._type_of(event))
        seq = _or_lost(received)
        self._remember(log, event, seq)
        listener = None
        try:
            with causes.extent(log.number, seq, model=False):
                for listener in list(self.listeners):
                    await listener.on_event(event)
        except BaseException as error:
            value = {**_raised(error), "listener": type(listener).__qualname__}
            log.append(Kind.HANDLED, value, of=seq)
            raise
        if log.last_seq != received:  # else it returned before anything else happened
            log.append(Kind.HANDLED, {}, of=seq)

    async def _send(self, event: Any, method: str, call: Callable[[], Any]) -> Any:
        if not self._recorder.enabled:
            return await call()
        log = self._log or self._begin()
        cause = None
        tool_call = getattr(event, "tool_call", None)
        if tool_call is not None:
            cause = log.call(getattr(tool_call, "call_id", None))
        sent = log.append(Kind.SENT, event, type=self._type_of(event), method=method, cause=cause)
        try:
            with self._inside(log, sent):
                result = await call()
        except BaseException as error:
            log.append(Kind.SENT_DONE, _raised(error), method=method, of=_or_lost(sent))
            raise
        value = _returned(result)
        if method == "send_event_if" and result is False:
            value["outcome"] = "withheld"
        log.append(Kind.SENT_DONE, value, method=method, of=_or_lost(sent))
        return result

    # --- helpers ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _inside(self, log: SessionLog, seq: int | None) -> Generator[None]:
        """While the inner model works: what it does is its own, and belongs to this session."""
        token = _connection.set(log)
        try:
            with causes.extent(log.number, seq, model=True):
                yield
        finally:
            _connection.reset(token)

    def _begin(self) -> SessionLog:
        previous = self._log
        if previous is not None and previous.status is Status.RECORDING:
            previous.finish(Status.CLOSED)
        self._log = self._recorder.begin(
            self._labels, previous_session=None if previous is None else previous.header.id
        )
        return self._log

    def _observe_playback(self, options: Mapping[str, Any], log: SessionLog) -> None:
        self._forget_tracker()
        tracker = options.get("playback_tracker")
        if tracker is not None:
            self._tracker = TrackerTap(tracker, log)
        else:
            self._tracker = AssumedTracker(self._recorder.clock, options.get("initial_model_settings"))
        log.playback = self._tracker.playback

    def _forget_tracker(self) -> None:
        if isinstance(self._tracker, TrackerTap):
            self._tracker.detach()
        self._tracker = None

    def _note_listener(self, kind: Kind, listener: Any) -> None:
        if self._log is not None and self._recorder.enabled:
            self._log.append(kind, {"listener": type(listener).__qualname__}, method=str(kind))

    def _remember(self, log: SessionLog, event: Any, seq: int) -> None:
        if getattr(event, "type", None) == "function_call":
            log.remember_call(event.call_id, seq)
        self._recorder.remember(event, log, seq)

    def _type_of(self, event: Any) -> str | None:
        cls = type(event)
        if cls not in self._classes:
            word = self._recorder.codec.vocabulary.word_for(cls)
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
    cancelled = isinstance(error, asyncio.CancelledError)
    return {"outcome": "cancelled" if cancelled else "raised", "raised": error}
