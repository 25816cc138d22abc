"""`RecordingModel`: the shell around the tap that applications hold in their hands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..schema.model import RealtimeModel, RealtimeModelListener
from .tap import ModelTap

if TYPE_CHECKING:
    from .recorder import Recorder

_TAP = "_realtape_tap"
"""The one attribute of a wrapper that is not its inner model's."""


class RecordingBase:
    """Every member of the ABC, forwarded through a tap; any other attribute is the inner model's.

    Subclasses add the ABC (ours here, the SDK's in its integration), and say which listener stands
    at the inner model.
    """

    _realtape_tap: ModelTap

    def __init__(self, inner: Any, *, recorder: Recorder, labels: Mapping[str, str] | None = None) -> None:
        object.__setattr__(self, _TAP, ModelTap(inner, recorder, labels, self._realtape_relay))

    def _realtape_relay(self, handler: Callable[[Any], Any]) -> Any:
        raise NotImplementedError

    async def connect(self, options: Any) -> None:
        """Connect the inner model; begins a session of the log."""
        return await self._realtape_tap.connect(options)

    def add_listener(self, listener: Any) -> None:
        """Add a listener; one that is there already is not added twice."""
        self._realtape_tap.add_listener(listener)

    def remove_listener(self, listener: Any) -> None:
        """Remove a listener; one that is not there is none to remove."""
        self._realtape_tap.remove_listener(listener)

    async def send_event(self, event: Any) -> None:
        """Send an event through the inner model."""
        return await self._realtape_tap.send_event(event)

    async def send_event_if(self, event: Any, send_if: Callable[[], bool]) -> bool:
        """Send an event through the inner model, which asks `send_if` where it commits."""
        return await self._realtape_tap.send_event_if(event, send_if)

    async def close(self) -> None:
        """Close the inner model."""
        return await self._realtape_tap.close()

    def __getattr__(self, name: str) -> Any:
        if name == _TAP:  # asked before __init__ has run
            raise AttributeError(name)
        return getattr(self._realtape_tap.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._realtape_tap.inner, name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._realtape_tap.inner)})

    def __delattr__(self, name: str) -> None:
        delattr(self._realtape_tap.inner, name)


class _Relay(RealtimeModelListener):
    def __init__(self, handler: Callable[[Any], Any]) -> None:
        self._handler = handler

    async def on_event(self, event: Any) -> None:
        await self._handler(event)


class RecordingModel(RecordingBase, RealtimeModel):
    """A model that does what its inner model does, and records it.

    Args:
        inner: the model that does the work; anything with the ABC's methods.
        recorder: where the entries go.
        labels: the user's own, kept in each session's header.
    """

    def _realtape_relay(self, handler: Callable[[Any], Any]) -> RealtimeModelListener:
        return _Relay(handler)

    def _retire_response_audio(self, response_id: str) -> None:
        self._realtape_tap.inner._retire_response_audio(response_id)
