"""The traces of a recorded application: what it did inside a listener or in a task of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ..schema.entries import Entry
from ..schema.playback import RealtimePlaybackTracker
from .terms.steps import Outcome


@dataclass(eq=False)
class Answer:
    """A recorded call of the application, to be made again.

    Attributes:
        entry: the call's entry.
        value: the event that was sent.
        outcome: how it ended, once that was read.
        begun: it was made again.
        cancelled: it was cancelled again, as recorded.
    """

    entry: Entry
    value: Any
    outcome: Outcome | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[Any] | None = None
    cancelled: bool = False


@dataclass(eq=False)
class Handling:
    """What the recorded listeners did with one event.

    Attributes:
        seq: the event's entry.
        event: the very object that will be delivered.
        answers: calls made inside, not made again yet.
        outcome: how the handling ended, once that was read; None while it goes on.
    """

    seq: int
    event: Any
    answers: deque[Answer] = field(default_factory=deque[Answer])
    outcome: Outcome | None = None
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, outcome: Outcome) -> None:
        """The listeners ended so."""
        if self.outcome is None:
            self.outcome = outcome
        self.news.set()


def options_of(connect: Answer) -> dict[str, Any]:
    """What of the recorded options a replay compares or drives."""
    recorded: dict[str, Any] = connect.value.get("options", {})
    options: dict[str, Any] = {}
    if "initial_model_settings" in recorded:
        options["initial_model_settings"] = recorded["initial_model_settings"]
    if "playback_tracker" in recorded:
        options["playback_tracker"] = RealtimePlaybackTracker()
    return options


def agreed(answer: Answer) -> bool:
    """What the condition of a `send_event_if` said."""
    return answer.outcome is None or answer.outcome.how != "withheld"
