"""Where the SDK's model meets its socket, and the clock: all that we know of its private shape, and nowhere
else.

In every release from 0.18 to 0.24 the model makes its connection by one method, uses of it no more than
`async for`, `send`, `close` and its truth, and reads a clock in two modules: when the first audio of an item
comes, and when it asks how much of it was heard.
"""

from __future__ import annotations

import inspect
import time
import weakref
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

from agents.realtime import _default_tracker as tracker_module
from agents.realtime import openai_realtime as model_module

from ...recorder import causes

CONNECT = "_create_websocket_connection"

CLOCK_SITES: Mapping[str, Any] = {"audio_delta": tracker_module, "playback_state": model_module}
"""Where the model reads the clock."""

Connecting = Callable[[Callable[[], Awaitable[Any]], str, Mapping[str, str]], Awaitable[Any]]
"""(dial, url, headers) → the connection that the model is to use."""

ClockReader = Callable[[str, int], int]
"""(site, nanoseconds) → the nanoseconds that the model is told."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - the SDK's own are naive, too

_readers: weakref.WeakKeyDictionary[Any, ClockReader] = weakref.WeakKeyDictionary()


def unknown_shape(model: Any) -> str | None:
    """What of a model's shape is another than we know, in words; None: it is the one that we know."""
    connect = getattr(model, CONNECT, None)
    if connect is None:
        return f"{type(model).__qualname__} has no {CONNECT}"
    if not inspect.iscoroutinefunction(connect):
        return f"{type(model).__qualname__}.{CONNECT} is no coroutine function"
    if not {"url", "headers"} <= inspect.signature(connect).parameters.keys():
        return f"{type(model).__qualname__}.{CONNECT} takes no url and headers"
    return None


def connect_by(model: Any, connecting: Connecting) -> None:
    """From now on, this model gets its connections so."""
    before = getattr(model, CONNECT)

    async def connect(url: str, headers: Mapping[str, str], **options: Any) -> Any:
        return await connecting(partial(before, url=url, headers=headers, **options), url, headers)

    setattr(model, CONNECT, connect)


def read_clock_by(inside: Any, reader: ClockReader) -> None:
    """Whenever a model reads the clock in the extent of this object (`causes.Frame.inside`), it is told what
    this says. In all others the clock stays what it is."""
    _readers[inside] = reader
    for site, module in CLOCK_SITES.items():
        if isinstance(getattr(module, "time", None), type(time)):
            module.time = _Time(site)
        elif isinstance(getattr(module, "datetime", None), type):
            module.datetime = _DateTime(site)


def _read(site: str, now_ns: int) -> int:
    frame = causes.WHERE.get()
    while frame is not None:
        reader = None if frame.inside is None else _readers.get(frame.inside)
        if reader is not None:
            now_ns = reader(site, now_ns)
        frame = frame.outer
    return now_ns


class _Time:
    """Stands for the module `time`."""

    def __init__(self, site: str) -> None:
        self._site = site

    def monotonic(self) -> float:
        """Seconds."""
        return _read(self._site, round(time.monotonic() * 1e9)) / 1e9

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


class _DateTime:
    """Stands for the class `datetime`, by which releases before 0.18.2 told the time."""

    def __init__(self, site: str) -> None:
        self._site = site

    def now(self, *args: Any) -> datetime:
        """The local time."""
        if args:
            return datetime.now(*args)  # noqa: DTZ005
        passed = datetime.now() - _EPOCH  # noqa: DTZ005
        ns = (passed // timedelta(microseconds=1)) * 1000
        return _EPOCH + timedelta(microseconds=_read(self._site, ns) // 1000)

    def __getattr__(self, name: str) -> Any:
        return getattr(cast("Any", datetime), name)
