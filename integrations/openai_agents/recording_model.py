"""Recording a model of the OpenAI Agents SDK."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import weakref
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, Literal

from agents.realtime import RealtimeModel, RealtimeModelListener

from ... import recorder
from ...recorder import DRAIN_SECONDS, MAX_PENDING_BYTES, RecorderStatus, RecordingBase, causes
from ...replay import Depth
from ...schema import FORMAT, WIRE_FORMAT, Kind, UsageError
from ...schema.codec import TextFilter, Vocabulary
from ...schema.log import StoreLocation
from ...session import Retention
from .event_queue import make_causal
from .forwarding import Relay, forward_the_rest
from .socket_seam import connect_by, read_clock_by, unknown_shape
from .vocabulary import VOCABULARY

logger = logging.getLogger("realtape.recorder")


@forward_the_rest(RecordingBase, lambda model: model._realtape_tap.inner)
class RecordingModel(RecordingBase, RealtimeModel):
    """A model that does what its inner model does, and records it.

    What the user's own `async for event in session:` loop sends is recorded as caused by the model's
    event behind the session event that it got.

    Args:
        inner: the model that does the work.
        recorder: where the entries go.
        labels: the user's own, kept in each session's header.
        depth: `wire`: the frames on the model's socket, too, and the clock that it reads; of a model whose
            shape we do not know, only its interface is recorded, and a warning says so.
    """

    def __init__(
        self,
        inner: RealtimeModel,
        *,
        recorder: Recorder,
        labels: Mapping[str, str] | None = None,
        depth: Depth = "interface",
    ) -> None:
        unknown = unknown_shape(inner) if depth == "wire" else None
        if unknown is not None:
            logger.warning("only the interface is recorded: %s", unknown)
        wire = depth == "wire" and unknown is None and recorder.enabled
        super().__init__(inner, recorder=recorder, labels=labels, format=WIRE_FORMAT if wire else FORMAT)
        if wire:
            connect_by(inner, self._realtape_connect)

    def add_listener(self, listener: RealtimeModelListener) -> None:
        """Add a listener; one that is there already is not added twice."""
        recorder = self._realtape_recorder
        if recorder.enabled and isinstance(recorder, Recorder):
            make_causal(listener, recorder.event_causes)
        super().add_listener(listener)

    def _realtape_relay(self, handler: Callable[[Any], Any]) -> RealtimeModelListener:
        return Relay(handler)

    async def _realtape_connect(
        self, dial: Callable[[], Awaitable[Any]], url: str, headers: Mapping[str, str]
    ) -> Any:
        """The inner model opens its socket."""
        log = self._realtape_tap.session_inside
        if log is None:
            return await dial()
        from ...wire import tapped  # with its servers: not for who records the interface alone

        numbers = _connections.setdefault(log, itertools.count(1))
        read_clock_by(log, _ReadClock(log))
        return await tapped(self._realtape_recorder, log, next(numbers), dial, url, headers)


_connections: weakref.WeakKeyDictionary[Any, Iterator[int]] = weakref.WeakKeyDictionary()
"""Numbers of the connections of a session."""


class _ReadClock:
    """Appends what the model reads of the clock to its session."""

    def __init__(self, log: Any) -> None:
        self._log = weakref.ref(log)

    def __call__(self, site: str, now_ns: int) -> int:
        log = self._log()
        if log is not None:
            log.append(Kind.CLOCK, {"ns": now_ns}, type=site)
        return now_ns


class Recorder(recorder.Recorder):
    """Appends the sessions of an application of the OpenAI Agents SDK to a store.

    As `realtape.recorder.Recorder`, whose arguments it takes; with the SDK's classes.
    """

    packages = ("realtape", "openai-agents", "openai")

    def __init__(
        self,
        store: StoreLocation,
        *,
        vocabulary: Vocabulary = VOCABULARY,
        redactors: Sequence[TextFilter] = (),
        clock: Callable[[], int] | None = None,
        max_pending_bytes: int = MAX_PENDING_BYTES,
        drain_seconds: float = DRAIN_SECONDS,
        durability: Literal["full", "normal"] = "full",
        on_status: Callable[[RecorderStatus], object] | None = None,
        fail_closed: bool = False,
        scrub_tools: bool = False,
        seal_key: bytes | str | None = None,
        retention: Retention | None = None,
    ) -> None:
        super().__init__(
            store,
            vocabulary=vocabulary,
            redactors=redactors,
            clock=clock,
            max_pending_bytes=max_pending_bytes,
            drain_seconds=drain_seconds,
            durability=durability,
            on_status=on_status,
            fail_closed=fail_closed,
            scrub_tools=scrub_tools,
            seal_key=seal_key,
            retention=retention,
        )
        self.event_causes = causes.EventCauses()

    # Ours and the SDK's interface are two classes of one shape; this recorder is for the SDK's.
    def wrap(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, inner: RealtimeModel, *, labels: Mapping[str, str] | None = None, depth: Depth | None = None
    ) -> RecordingModel:
        """A model that does what `inner` does, and is recorded here.

        Args:
            labels: the user's own, kept in each session's header.
            depth: `interface`: what passes between application and model. `wire`: also the frames on the
                socket of the SDK's own model, and the clock that it reads, so that its code can be replayed,
                too. None: what the environment says in `REALTAPE_DEPTH`, else the interface.

        Raises:
            UsageError: that is no depth.
        """
        wanted = depth or os.environ.get("REALTAPE_DEPTH") or "interface"
        if wanted not in ("interface", "wire"):
            told = f"depth={depth!r}" if depth else f"REALTAPE_DEPTH={wanted}"
            raise UsageError(f"{told}: interface or wire")
        return RecordingModel(inner, recorder=self, labels=labels, depth=wanted)

    @contextlib.contextmanager
    def caused_by(self, event: Any) -> Generator[None]:
        """Say that what happens in the `with` block is because of this event, a model's or a session's.

        An `async for` loop over a session needs it only where another task gets the events for it,
        as `asyncio.wait_for` makes one before Python 3.12.
        """
        frame = self.event_causes.of(event)
        if frame is None:
            with super().caused_by(event):
                yield
        else:
            with causes.within(frame):
                yield
