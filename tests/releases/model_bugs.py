"""Bugs of the SDK's own model, each as a provider that brings it about and an application that meets it.

Nothing here knows what is right: the application does the same on every release, and what the model sends, or
gives, tells them apart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agents.realtime import RealtimeModelListener, RealtimePlaybackTracker
from agents.realtime.model_inputs import RealtimeModelSendInterrupt, RealtimeModelSendUserInput
from support.cued_socket import (
    Cue,
    Hangs,
    Heard,
    Pause,
    begins,
    created,
    ends,
    hears,
    refuses_a_second_response,
    says,
    understood,
)

URL = "ws://127.0.0.1:9/nobody-listens-here"


class Ears(RealtimeModelListener):
    """Waits for events."""

    def __init__(self) -> None:
        self.types: list[str] = []
        self._came = asyncio.Event()

    async def on_event(self, event: Any) -> None:
        self.types.append(event.type)
        self._came.set()

    async def until(self, type: str, times: int = 1) -> None:
        while self.types.count(type) < times:
            self._came.clear()
            await self._came.wait()


@dataclass(frozen=True)
class ModelBug:
    """A bug.

    Attributes:
        what: one sees of it.
        upstream: where it was told of or mended, if that is known.
        old: the last release that has it.
        new: the first that has not.
        connections: the provider's.
        app: `async def app(model)`.
        told: stands in the sentence that tells the difference.
    """

    what: str
    upstream: str
    old: str
    new: str
    connections: Sequence[Sequence[Cue]]
    app: Callable[[Any], Awaitable[None]]
    told: str


async def _connected(model: Any, tracker: Any = None) -> Ears:
    ears = Ears()
    model.add_listener(ears)
    options: Any = {"url": URL, "api_key": "sk-of-nobody"}
    await model.connect(options if tracker is None else {**options, "playback_tracker": tracker})
    return ears


async def _ask(model: Any) -> None:
    await model.send_event(RealtimeModelSendUserInput("Tell me."))


async def _interrupts_late(model: Any) -> None:
    ears = await _connected(model)
    await _ask(model)
    await ears.until("audio")
    await asyncio.sleep(0.3)
    await model.send_event(RealtimeModelSendInterrupt())
    await asyncio.sleep(0.02)
    await model.close()


async def _asks_in_between(model: Any) -> None:
    ears = await _connected(model)
    await _ask(model)
    await ears.until("turn_ended")
    await _ask(model)
    await ears.until("turn_ended", 2)  # that of the first response, once more
    await _ask(model)
    await ears.until("turn_ended", 3)
    await asyncio.sleep(0.02)
    await model.close()


async def _waits_for_the_end(model: Any) -> None:
    ears = await _connected(model)
    await _ask(model)
    await ears.until("turn_ended")
    await asyncio.sleep(0.1)
    await model.close()


async def _interrupts_at_once(model: Any) -> None:
    tracker = RealtimePlaybackTracker()
    ears = await _connected(model, tracker)
    await _ask(model)
    await ears.until("audio")
    tracker.on_play_ms("item_1", 0, 0.0)
    await model.send_event(RealtimeModelSendInterrupt())
    await asyncio.sleep(0.02)
    await model.close()


async def _interrupts_the_next(model: Any) -> None:
    ears = await _connected(model)
    await _ask(model)
    await ears.until("turn_ended")
    await asyncio.sleep(0.2)
    await _ask(model)
    await ears.until("turn_started", 2)
    await model.send_event(RealtimeModelSendInterrupt())
    await asyncio.sleep(0.02)
    await model.close()


async def _is_heard_in_the_next(model: Any) -> None:
    ears = await _connected(model)
    await _ask(model)
    await ears.until("turn_ended")
    await asyncio.sleep(0.2)
    await _ask(model)
    await ears.until("turn_started", 2)
    await asyncio.sleep(0.1)
    await model.close()


async def _marks_come_late(model: Any) -> None:
    tracker = RealtimePlaybackTracker()
    ears = await _connected(model, tracker)
    await _ask(model)
    await ears.until("turn_ended")
    await _ask(model)
    await ears.until("turn_started", 2)
    tracker.on_play_ms("item_1", 0, 100.0)
    await asyncio.sleep(0.2)
    await model.close()


async def _calls_twice(model: Any) -> None:
    ears = await _connected(model)
    await _ask(model)
    await ears.until("turn_ended")
    await model.close()
    await _connected(model)
    await asyncio.sleep(0.1)
    await model.close()


_ANSWER: list[Cue] = [begins("resp_1"), says("resp_1", "item_1", 100)]
_ASKED = Heard("response.create")

MODEL_BUGS = {
    "beyond_the_audio": ModelBug(
        "an interruption truncates an item beyond the audio that came of it",
        "#4122",
        "0.19.2",
        "0.19.3",
        [[created(), _ASKED, *_ANSWER]],
        _interrupts_late,
        "conversation.item.truncate came with other fields",
    ),
    "a_late_done": ModelBug(
        "a `response.done` of another response lets the next be requested while one is active",
        "",
        "0.19.2",
        "0.19.3",
        [
            [
                created(),
                _ASKED,
                *_ANSWER,
                ends("resp_1"),
                Heard("response.create", 2),
                begins("resp_2"),
                ends("resp_1"),
                Pause(0.1),
                refuses_a_second_response(),
                ends("resp_2"),
            ]
        ],
        _asks_in_between,
        "error was given up: response.create that it answers did not come",
    ),
    "a_clean_close": ModelBug(
        "the provider ends the call, and the application is not told",
        "#4461",
        "0.21.0",
        "0.21.1",
        [[created(), _ASKED, *_ANSWER, ends("resp_1"), Pause(0.02), Hangs(1000)]],
        _waits_for_the_end,
        "the model gave connection_status disconnected, end_of_stream; recorded: nothing",
    ),
    "at_the_first_sample": ModelBug(
        "an interruption before anything was heard leaves the item whole",
        "#4456, #4457",
        "0.21.0",
        "0.21.1",
        [[created(), _ASKED, *_ANSWER]],
        _interrupts_at_once,
        "conversation.item.truncate came, and the recording holds no such frame",
    ),
    "heard_to_its_end": ModelBug(
        "an interruption of the next response truncates an item that was heard to its end",
        "",
        "0.22.3",
        "0.23.1",
        [[created(), _ASKED, *_ANSWER, ends("resp_1"), Heard("response.create", 2), begins("resp_2")]],
        _interrupts_the_next,
        "conversation.item.truncate was recorded, and did not come",
    ),
    "spoken_over_the_next": ModelBug(
        "the user speaks while the next response begins, and an item that was heard to its end is truncated",
        "",
        "0.22.3",
        "0.23.1",
        [
            [
                created(),
                _ASKED,
                *_ANSWER,
                ends("resp_1"),
                Heard("response.create", 2),
                begins("resp_2"),
                Pause(0.02),
                hears("item_u"),
            ]
        ],
        _is_heard_in_the_next,
        "conversation.item.truncate was recorded, and did not come",
    ),
    "marks_come_late": ModelBug(
        "the player's last mark comes when the next response has begun: what was heard is truncated",
        "",
        "0.22.3",
        "0.23.1",
        [
            [
                created(),
                _ASKED,
                *_ANSWER,
                ends("resp_1"),
                Heard("response.create", 2),
                begins("resp_2"),
                Pause(0.05),
                hears("item_u"),
            ]
        ],
        _marks_come_late,
        "conversation.item.truncate was recorded, and did not come",
    ),
    "a_second_call": ModelBug(
        "the first words of a second call truncate an item of the first",
        "#5068, #5069",
        "0.22.3",
        "0.23.1",
        [
            [created(), _ASKED, *_ANSWER, ends("resp_1")],
            [created(), Pause(0.02), hears("item_u")],
        ],
        _calls_twice,
        "conversation.item.truncate was recorded, and did not come",
    ),
    "an_item_of_before": ModelBug(
        "the first transcript of a second call has the model retrieve an item of the first",
        "#5068, #5069",
        "0.22.3",
        "0.23.1",
        [
            [created(), _ASKED, *_ANSWER, ends("resp_1")],
            [created(), Pause(0.02), understood("item_u")],
        ],
        _calls_twice,
        "conversation.item.retrieve was recorded, and did not come",
    ),
}
