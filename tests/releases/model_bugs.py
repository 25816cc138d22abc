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
    ClockSet,
    Cue,
    Fails,
    Hangs,
    Heard,
    Pause,
    Slow,
    Stalls,
    adds,
    begins,
    created,
    ends,
    hears,
    refuses_a_second_response,
    says,
    understood,
    writes,
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


async def _connected(model: Any, tracker: Any = None, ears: Ears | None = None) -> Ears:
    ears = Ears() if ears is None else ears
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


async def _calls_twice_with_a_player(model: Any) -> None:
    tracker = RealtimePlaybackTracker()
    ears = await _connected(model, tracker)
    await _ask(model)
    await ears.until("turn_ended")
    tracker.on_play_ms("item_1", 0, 60.0)
    await model.close()
    await _connected(model, tracker)
    await asyncio.sleep(0.1)
    await model.close()


async def _listens(model: Any) -> None:
    await _connected(model)
    await asyncio.sleep(0.1)
    await model.close()


async def _plays_a_telephones_sound(model: Any) -> None:
    tracker = RealtimePlaybackTracker()
    ears = await _connected(model, tracker)
    await _ask(model)
    await ears.until("audio")
    tracker.set_audio_format("audio/pcmu")
    tracker.on_play_bytes("item_1", 0, bytes(800))
    await asyncio.sleep(0.02)
    await model.send_event(RealtimeModelSendInterrupt())
    await asyncio.sleep(0.02)
    await model.close()


class _Hoarse(Ears):
    async def on_event(self, event: Any) -> None:
        await super().on_event(event)
        if event.type == "audio_interrupted":
            raise ValueError("the player cannot be stopped")


async def _interrupts_hoarsely(model: Any) -> None:
    await _interrupts_in_spite(model, _Hoarse())


async def _interrupts_in_spite(model: Any, ears: Ears | None = None) -> None:
    ears = await _connected(model, None, ears)
    await _ask(model)
    await ears.until("audio")
    await asyncio.sleep(0.05)
    try:
        await model.send_event(RealtimeModelSendInterrupt())
    except (ValueError, ConnectionError):
        await asyncio.sleep(0.02)
    await model.close()


async def _asks_twice_at_once(model: Any) -> None:
    ears = await _connected(model)
    await asyncio.gather(_ask(model), _ask(model))
    await ears.until("turn_ended")
    await asyncio.sleep(0.05)
    await model.close()


class _Quiet(RealtimePlaybackTracker):
    """Has played so many items as it is long: none."""

    def __len__(self) -> int:
        return 0


async def _interrupts_with_a_quiet_player(model: Any) -> None:
    tracker = _Quiet()
    ears = await _connected(model, tracker)
    await _ask(model)
    await ears.until("audio")
    tracker.on_play_ms("item_1", 0, 40.0)
    await asyncio.sleep(0.02)
    await model.send_event(RealtimeModelSendInterrupt())
    await asyncio.sleep(0.02)
    await model.close()


async def _connects_again(model: Any) -> None:
    for _ in range(2):
        try:
            await _connected(model)
        except (AssertionError, ConnectionError):
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.05)
    await model.close()


async def _closes_and_connects_again(model: Any) -> None:
    await _connected(model)
    await asyncio.sleep(0.02)
    for again in (model.close, lambda: _connected(model), model.close):
        try:
            await again()
        except (AssertionError, ConnectionError):
            await asyncio.sleep(0.02)


async def _interrupts_impatiently(model: Any) -> None:
    ears = await _connected(model)
    await _ask(model)
    await ears.until("audio")
    for _ in range(2):
        try:
            async with asyncio.timeout(0.05):
                await model.send_event(RealtimeModelSendInterrupt())
        except TimeoutError:
            await asyncio.sleep(0.02)
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
        "error was given up: response.create that it answers came too late, after response.done",
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
    "the_clock_is_set": ModelBug(
        "the wall clock is set while the model speaks: an interruption truncates by as much",
        "#3776",
        "0.18.1",
        "0.18.2",
        [[created(), _ASKED, begins("resp_1"), says("resp_1", "item_1", 100), ClockSet(-3600)]],
        _interrupts_late,
        "conversation.item.truncate came, and the recording holds no such frame",
    ),
    "telephone_sound": ModelBug(
        "of G.711 by its GA name the length is computed as of PCM: what was heard is taken for a sixth of it",
        "",
        "0.19.4",
        "0.20.0",
        [[created(format="audio/pcmu"), _ASKED, *_ANSWER]],
        _plays_a_telephones_sound,
        "conversation.item.truncate came with other fields",
    ),
    "a_quiet_player": ModelBug(
        "a tracker that is false is not asked: an interruption truncates by the model's own clock",
        "#4305",
        "0.19.4",
        "0.20.0",
        [[created(), _ASKED, *_ANSWER]],
        _interrupts_with_a_quiet_player,
        "conversation.item.truncate came with other fields",
    ),
    "a_failed_connection": ModelBug(
        "the settings could not be sent: the model cannot be connected again",
        "#4189",
        "0.19.3",
        "0.19.4",
        [[Fails("session.update"), created()], [created()]],
        _connects_again,
        "the application connects, and the recording holds no further connection",
    ),
    "a_failed_close": ModelBug(
        "closing the socket failed: the model cannot be connected again",
        "#4189",
        "0.19.3",
        "0.19.4",
        [[created(), Fails("close")], [created()]],
        _closes_and_connects_again,
        "the application connects, and the recording holds no further connection",
    ),
    "in_progress_for_ever": ModelBug(
        "an item that is done is told as in progress",
        "",
        "0.22.0",
        "0.22.1",
        [[created(), adds("item_u", "Hello!"), Pause(0.02)]],
        _listens,
        "item_updated item_u, differing in item.status: 'in_progress' → 'completed'",
    ),
    "words_without_sound": ModelBug(
        "of a response in text the words are told at its end alone",
        "#4124",
        "0.19.2",
        "0.19.3",
        [[created(), _ASKED, begins("resp_1"), writes("resp_1", "item_1", "Hello"), ends("resp_1")]],
        _waits_for_the_end,
        "the model gave raw_server_event, output_text_delta item_1; recorded: raw_server_event",
    ),
    "a_cancel_that_is_cancelled": ModelBug(
        "the cancel of a response was itself cancelled: the response cannot be cancelled any more",
        "#4135",
        "0.19.2",
        "0.19.3",
        [
            [
                created(interrupts=False),
                _ASKED,
                begins("resp_1"),
                says("resp_1", "item_1", 1000),
                Stalls("response.cancel"),
            ]
        ],
        _interrupts_impatiently,
        "response.cancel came, and the recording holds no such frame",
    ),
    "a_second_call_with_a_player": ModelBug(
        "the same where the player tells what was heard",
        "#5068, #5069",
        "0.22.3",
        "0.23.1",
        [
            [created(), _ASKED, *_ANSWER, ends("resp_1")],
            [created(), Pause(0.02), hears("item_u")],
        ],
        _calls_twice_with_a_player,
        "conversation.item.truncate was recorded, and did not come",
    ),
    "a_player_that_cannot_stop": ModelBug(
        "a listener raises when it is told of an interruption: nothing is truncated, nor cancelled",
        "#4135",
        "0.19.2",
        "0.19.3",
        [[created(interrupts=False), _ASKED, begins("resp_1"), says("resp_1", "item_1", 1000)]],
        _interrupts_hoarsely,
        "conversation.item.truncate came, and the recording holds no such frame",
    ),
    "a_truncate_that_fails": ModelBug(
        "what was heard cannot be sent: the response is not cancelled",
        "#4135",
        "0.19.2",
        "0.19.3",
        [
            [
                created(interrupts=False),
                _ASKED,
                begins("resp_1"),
                says("resp_1", "item_1", 1000),
                Fails("conversation.item.truncate"),
            ]
        ],
        _interrupts_in_spite,
        "response.cancel came, and the recording holds no such frame",
    ),
    "two_at_once": ModelBug(
        "of two who ask at once, one's question comes between the other's and the request for an answer",
        "#4124",
        "0.19.2",
        "0.19.3",
        [
            [
                created(),
                Slow("conversation.item.create", 0.02),
                _ASKED,
                Pause(0.01),
                *_ANSWER,
                ends("resp_1"),
            ]
        ],
        _asks_twice_at_once,
        "response.create came, and the recording holds no such frame",
    ),
}
