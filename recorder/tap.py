"""The tap on a model: everything that passes between an application and its model, recorded.

Transparent: every call is made on the inner model, in the caller's task, with its arguments,
result, exception and cancellation. The classes that applications use are thin shells around this.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import weakref
from collections.abc import Callable, Mapping
from sys import getrefcount
from typing import Any, cast

from ..schema.codec import Codec, Vocabulary, event_name
from ..schema.entries import Kind, Status
from ..schema.errors import EncodingError
from . import causes
from .causes import LOST, UNHELD
from .ctrl_c import may_be_ctrl_c
from .options import READ_OPTIONS, describe, known_options, observe_key, secrets_in, settings_secrets
from .playback import AssumedTracker, TrackerTap
from .session_log import SessionLog

logger = logging.getLogger("realtape.recorder")

_numbers = itertools.count(1)
_where, _set = causes.WHERE.get, causes.WHERE.set
_new: Any = cast("Any", tuple).__new__  # past the class's own, which is Python
_class_of: Callable[[Any], type[Any]] = type
_arguments = cast("Callable[[BaseException], tuple[Any, ...]]", vars(BaseException)["args"].__get__)
_RECEIVED = Kind.RECEIVED
_Frame = causes.Frame

Begin = Callable[[SessionLog | None], SessionLog | None]
"""Begins a session, the next one after that of the same model; None where nothing is recorded."""


class ModelTap:
    """Records what passes between one model object and its listeners.

    Args:
        inner: the model that does the work.
        begin: begins its sessions.
        vocabulary: what the types of events are called.
        relay: makes the one listener that stands at the inner model, given a handler.
    """

    def __init__(
        self,
        inner: Any,
        begin: Begin,
        vocabulary: Vocabulary,
        relay: Callable[[Callable[[Any], Any]], Any],
    ) -> None:
        self.inner = inner
        self.listeners: tuple[Any, ...] = ()  # another one after each change: who iterates is not disturbed
        self._number = next(_numbers)
        self._begin_session = begin
        self._vocabulary = vocabulary
        self._words = vocabulary.by_class
        self._codec = Codec(vocabulary)
        self._relay = relay(self._on_event)
        self._log: SessionLog | None = None
        self._home: causes.Frame | None = None  # of what its inner model began while it connected
        self._tracker: TrackerTap | None = None
        self._assumed: AssumedTracker | None = None  # or this one
        self._types: weakref.WeakKeyDictionary[type[Any], str] = weakref.WeakKeyDictionary()
        self._failed = False

    @property
    def session_inside(self) -> SessionLog | None:
        """The session in whose inner model we are; None: we are not inside, or nothing is recorded."""
        log = cast("SessionLog | None", causes.log_inside(self._number))
        return None if log is None or log.refusing else log

    # --- the model's events -------------------------------------------------------------------------

    async def _on_event(self, event: Any) -> None:
        """Append first, then give to the listeners as the SDK does: in order, over a copy, until
        one raises."""
        around = _where()
        at_home = around is None or around is self._home
        log = self._log if at_home else self._log_around(cast("causes.Frame", around))
        if log is None:
            log = self._begin({})
        listeners = self.listeners
        if log is None or log.refusing:
            for listener in listeners:
                await listener.on_event(event)
            return
        assumed = self._assumed
        if assumed is not None and log is self._log:
            assumed.on_received(event)
            log.assume(assumed.playback())
        word = self._words.get(id(_class_of(event)))
        name = self._type_of(_class_of(event)) if word is None else word.name
        if at_home:
            received = log.append_caused(_RECEIVED, event, name, None, None, None, None)
            seq = LOST if received is None else received
            told = frame = _new(_Frame, (log.number, seq, self._number, None, None))
        else:
            received = log.append(_RECEIVED, event, type=name)
            seq = LOST if received is None else received
            frame = causes.frame(around, log.number, seq, self._number)
            # Without the frames around it, which may hold other sessions.
            told = frame if frame.outer is None else _Frame(log.number, seq)
        if name == "function_call":
            call_id = _field(event, "call_id")
            if isinstance(call_id, str):
                log.remember_call(call_id, seq)
        listener = None
        handled, key = log.received.handled, id(told)
        handled[key] = event, told
        # What a listener does is the application's, and belongs to the session that is going on by then.
        token = _set(frame)
        try:
            for listener in listeners:
                await listener.on_event(event)
        except BaseException as error:
            causes.leave(token)
            value = {**_raised(error), "listener": type(listener).__qualname__}
            log.append(Kind.HANDLED, value, of=seq)
            raise
        else:
            causes.leave(token)
        finally:
            del handled[key]
            if getrefcount(event) > UNHELD:
                log.received.remember(event, told)
        # Else it returned before anything else happened.
        if received is not None and log.count != received + 1:
            log.append(Kind.HANDLED, {}, of=seq)

    def _log_around(self, around: causes.Frame) -> SessionLog | None:
        """The session whose inner model we are in, or that is going on."""
        inside = around.inside if around.tap == self._number else causes.log_inside(self._number)
        return self._log if inside is None else cast("SessionLog", inside)

    def __del__(self) -> None:
        """Nobody has the model any more, and nobody closed it."""
        log = getattr(self, "_log", None)
        if log is not None:
            log.let_go()

    # --- the application's calls ------------------------------------------------------------------

    async def connect(self, options: Any) -> Any:
        """`connect` of the inner model; begins a session."""
        before, tracker_before, assumed_before = self._log, self._tracker, self._assumed
        log, read = self._begin_and_read(options)
        if log is None or log.refusing:
            return await self.inner.connect(options)
        if before is not None:
            before.secrets.add(log.secrets.own)  # where the connection fails, it goes on with that one
        listeners = [type(listener).__qualname__ for listener in self.listeners]
        connecting = _or_lost(
            log.append(Kind.CONNECT, {"options": read.described, "listeners": listeners}, method="connect")
        )
        self._observe_playback(read.known, log)
        try:
            with causes.none(), self._inside(log, None):
                here = _where()
                self._home = here if here is not None and here.outer is None else None
                result = await self.inner.connect(read.to_connect)
        except BaseException as error:
            log.append(Kind.CONNECT_FAILED, _raised(error), of=connecting)
            log.finish(Status.FAILED)
            if before is not None and before.status is Status.RECORDING and self._log is log:
                # The connection that was there is there still ("already connected").
                self._resume(before, tracker_before, assumed_before)
            raise
        if before is not None and before.status is Status.RECORDING:
            before.finish(Status.CLOSED)
        log.append(Kind.CONNECTED, _returned(result), of=connecting)
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
        if log is None or log.refusing:
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
        self.listeners = (*self.listeners, listener)
        self._note_listener(Kind.LISTENER_ADDED, listener)

    def remove_listener(self, listener: Any) -> None:
        """The last listener takes ours away."""
        if listener not in self.listeners:
            return
        index = self.listeners.index(listener)
        left = self.listeners[:index] + self.listeners[index + 1 :]
        if not left:
            self.inner.remove_listener(self._relay)  # where that raises, it is there still
        self._note_listener(Kind.LISTENER_REMOVED, listener)
        self.listeners = left

    # --- helpers ------------------------------------------------------------------------------------

    async def _send(self, event: Any, method: str, call: Callable[[], Any]) -> Any:
        log = self._log or self._begin({})
        if log is None or log.refusing:
            return await call()
        call_id = _field(_field(event, "tool_call"), "call_id")
        cause = log.call(call_id) if isinstance(call_id, str) else None
        type_ = self._type_of(cast("type[Any]", type(event)))
        if type_ == "send_session_update":
            settings = _field(event, "session_settings")
            self._learn(settings, log)
            if self._assumed is not None:
                self._assumed.ask(settings)
        sent = _or_lost(log.append(Kind.SENT, event, type=type_, method=method, cause=cause))
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

    def _inside(self, log: SessionLog, seq: int | None) -> causes.within:
        """While the inner model works: what it does is its own, and belongs to this session."""
        return causes.extent(log.number, seq, self._number, log)

    def _begin(self, options: Any) -> SessionLog | None:
        return self._begin_and_read(options)[0]

    def _begin_and_read(self, options: Any) -> tuple[SessionLog | None, _Read]:
        read = _Read(options)
        try:
            log = self._begin_session(self._log)
        except BaseException as error:  # the application goes on, whatever happens here
            if may_be_ctrl_c(error):
                raise
            if not self._failed:
                logger.error("no session is recorded: %s: %s", type(error).__name__, error)
            self._failed, log = True, None
        if log is None:
            return None, read
        self._log, self._home = log, None
        try:
            known = read.known = known_options(options)
            log.secrets.add([*secrets_in(known)])  # and those of the environment
            for name in known.keys() - READ_OPTIONS:
                self._learn({name: known[name]}, log)
            read.described = describe(known)
            read.to_connect = observe_key(options, known, log.secrets)
        except BaseException as error:  # the options are the application's, and may be anything
            if may_be_ctrl_c(error):
                raise
            # What must not be recorded is not known, so nothing is.
            logger.error("a session is not recorded, its options cannot be read: %s", type(error).__name__)
            log.refuse()
        return log, read

    def _learn(self, settings: Any, log: SessionLog) -> None:
        with contextlib.suppress(EncodingError):  # then nothing of them is recorded
            log.secrets.add([*settings_secrets(settings, self._codec)])

    def _resume(self, log: SessionLog, tracker: TrackerTap | None, assumed: AssumedTracker | None) -> None:
        self._forget_tracker()
        self._log, self._home, self._tracker, self._assumed = log, None, tracker, assumed
        if tracker is not None:
            tracker.attach()

    def _observe_playback(self, options: Mapping[str, Any], log: SessionLog) -> None:
        self._forget_tracker()
        tracker = options.get("playback_tracker")
        if tracker is not None:
            try:
                self._tracker = TrackerTap(tracker, log.played)
            except BaseException as error:  # it is the application's, and may be anything
                if may_be_ctrl_c(error):
                    raise
                logger.warning("the playback tracker cannot be observed: %s", type(error).__name__)
            else:
                log.playback = self._tracker.playback
        else:
            self._assumed = AssumedTracker(log.clock, options.get("initial_model_settings"))

    def _forget_tracker(self) -> None:
        if self._tracker is not None:
            self._tracker.detach()
        self._tracker = self._assumed = None

    def _note_listener(self, kind: Kind, listener: Any) -> None:
        if self._log is not None:
            self._log.append(kind, {"listener": type(listener).__qualname__}, method=str(kind))

    def _type_of(self, cls: type[Any]) -> str:
        name = self._types.get(cls)
        if name is None:
            try:
                name = event_name(self._vocabulary, cls)
            except BaseException as error:  # what makes the class is the application's
                if may_be_ctrl_c(error):
                    raise
                name = "unknown"
            self._types[cls] = name
        return name


class _Read:
    """What was read of the options of a connection.

    Attributes:
        known: those that are known by name;
        described: as they are recorded.
        to_connect: with which the inner model connects.
    """

    def __init__(self, options: Any) -> None:
        self.known: dict[str, Any] = {}
        self.described: dict[str, Any] = {}
        self.to_connect = options


def _or_lost(seq: int | None) -> int:
    return LOST if seq is None else seq


def _field(event: Any, name: str) -> Any:
    """A field of an event, which may be of any class, with code of its own; None where there is none."""
    try:
        return getattr(event, name, None)
    except BaseException as error:  # its code is the application's, and so is what it sends
        if may_be_ctrl_c(error):
            raise
        return None


def _returned(result: Any) -> dict[str, Any]:
    value: dict[str, Any] = {"outcome": "returned"}
    if result is not None:
        value["value"] = result
    return value


def _raised(error: BaseException) -> dict[str, Any]:
    if isinstance(error, asyncio.CancelledError):
        # Without its traceback: that is the model's, where it happened to be.
        return {"outcome": "cancelled", "raised": asyncio.CancelledError(*_arguments(error))}
    return {"outcome": "raised", "raised": error}
