"""The interface between an application and a realtime model."""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypedDict, TypeVar

from .events import RealtimeModelEvent
from .playback import RealtimePlaybackTracker
from .sends import RealtimeModelSendEvent
from .settings import RealtimeSessionModelSettings

_T = TypeVar("_T")
MaybeAwaitable: TypeAlias = Awaitable[_T] | _T


class RealtimeModelListener(abc.ABC):
    """Whoever wants to know what the model says and does."""

    @abc.abstractmethod
    async def on_event(self, event: RealtimeModelEvent) -> None:
        """Take an event.

        The transport awaits this before it goes on, so a slow listener holds up those after it
        and the reading of the connection. What is raised here reaches the transport.
        """


class RealtimeModelConfig(TypedDict, total=False):
    """How to connect; what is left out is for the transport to choose.

    Keys:
        api_key: the key, or a function (plain or async) that returns it, asked at `connect`.
        url: of the provider's socket.
        headers: sent instead of the transport's own, its authorization included.
        initial_model_settings: the session's settings from the start.
        playback_tracker: what was heard; without one the transport takes audio for played at
            real-time speed from the moment it arrived.
        call_id: join this call (SIP, for example) instead of opening a session.
    """

    # total=False rather than NotRequired: with postponed annotations, `__optional_keys__` would
    # not know of the latter.
    api_key: str | Callable[[], MaybeAwaitable[str]]
    url: str
    headers: dict[str, str]
    initial_model_settings: RealtimeSessionModelSettings
    playback_tracker: RealtimePlaybackTracker
    call_id: str


class RealtimeModel(abc.ABC):
    """A transport: one connection to a provider at a time, and those who listen to it.

    What a method raises is the transport's own. All methods belong to one event loop.
    """

    @abc.abstractmethod
    async def connect(self, options: RealtimeModelConfig) -> None:
        """Connect, and return once events can be sent; the connection stays until `close`."""

    @abc.abstractmethod
    def add_listener(self, listener: RealtimeModelListener) -> None:
        """Give the listener every event from now on, after the listeners that were there before."""

    @abc.abstractmethod
    def remove_listener(self, listener: RealtimeModelListener) -> None:
        """Give the listener no further events."""

    @abc.abstractmethod
    async def send_event(self, event: RealtimeModelSendEvent) -> None:
        """Send, and return once the transport has taken the event; an answer comes as events.

        Listeners may be called before this returns (an interruption is told to them inside it).
        After a cancellation the event may or may not have been sent.
        """

    async def send_event_if(self, event: RealtimeModelSendEvent, send_if: Callable[[], bool]) -> bool:
        """Send if `send_if()` still holds at the moment of sending; whether it was sent.

        Only the transport knows that moment: a check followed by `await self.send_event(event)`
        could be overtaken in between. So this default sends nothing and returns False.
        """
        return False

    def _retire_response_audio(self, response_id: str) -> None:
        """A hook of the SDK's sessions: nobody will ask for this response's audio any more."""
        return None

    @abc.abstractmethod
    async def close(self) -> None:
        """End the connection and let go of what belongs to it."""
