"""What the golden recordings of format 1 hold: every kind of event, send and value, as they were made."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import uuid
import zoneinfo
from pathlib import Path
from typing import Any

from realtape import schema
from realtape.recorder import Recorder
from realtape.schema import items, usage

from .scripted import Listening, Scripted, ScriptedModel

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
VALUES = FIXTURES / "values-format-1.db"
DEMO = FIXTURES / "demo-format-1.db"


class Unknown:
    """A class that no vocabulary knows."""


def _noted(error: Exception) -> Exception:
    error.add_note("seen twice")
    return error


PLAIN: list[Any] = [
    None,
    True,
    0,
    (1 << 63) - 1,
    -(1 << 63),
    1 << 200,
    1.5,
    -0.0,
    float("nan"),
    float("-inf"),
    complex(1, -0.0),
    'text, "quoted", with \x00 and \u2028 and 😀',
    "half a pair: \ud83d",
    "\ud83d" + "\ude00",
    b"bytes \x00\xff",
    bytearray(b"a bytearray"),
    memoryview(b"a memoryview"),
    [1, [2, [3]]],
    (1, ("two",)),
    {1, "two", (3,)},
    frozenset({b"four"}),
    {"$": "a key of ours", 1: "no string", None: []},
    datetime.datetime(2026, 11, 22, 8, 30, 1, 5, tzinfo=datetime.UTC),
    datetime.datetime(2026, 10, 25, 2, 30, tzinfo=zoneinfo.ZoneInfo("Europe/Prague"), fold=1),
    datetime.datetime(2026, 7, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2), "CEST")),
    datetime.datetime(2026, 1, 1),  # noqa: DTZ001 - naive ones occur
    datetime.date(2026, 11, 22),
    datetime.time(8, 30),
    datetime.timedelta(days=-1, microseconds=3),
    decimal.Decimal("1.10"),
    uuid.UUID(int=7),
    _noted(ValueError("wrong", 3)),
    FileNotFoundError(2, "No such file", "/tmp/x"),
    ExceptionGroup("several", [KeyError("a"), TimeoutError()]),
    schema.Described("their.Class", {"field": 1}),
    schema.RecordedError("their.Error", "went wrong", 1),
]
"""Values in fields that take anything."""

_CALL = schema.RealtimeModelToolCallEvent("look_up", "call_1", '{"q": 1}', "item_3", "item_2")
_SPEECH = items.AssistantMessageItem(
    item_id="item_1", content=[items.AssistantAudio(transcript="Hi")], status="completed"
)

RECEIVED: list[Any] = [
    schema.RealtimeModelConnectionStatusEvent("connected"),
    schema.RealtimeModelTurnStartedEvent(response_id="resp_1"),
    schema.RealtimeModelRawServerEvent({"type": "response.output_audio.delta", "delta": "AAECAwQF" * 20}),
    schema.RealtimeModelAudioEvent(bytes(range(6)) * 20, "resp_1", "item_1", 0),
    schema.RealtimeModelTranscriptDeltaEvent("item_1", "Hi", "resp_1"),
    schema.RealtimeModelOutputTextDeltaEvent("item_1", "Hi", "resp_1"),
    schema.RealtimeModelAudioDoneEvent("item_1", 0),
    schema.RealtimeModelAudioInterruptedEvent("item_1", 0),
    schema.RealtimeModelItemUpdatedEvent(_SPEECH),
    schema.RealtimeModelItemUpdatedEvent(
        items.UserMessageItem(item_id="item_0", content=[items.InputText(text="Hello")], status="odd")  # pyright: ignore[reportCallIssue]
    ),
    schema.RealtimeModelItemDeletedEvent("item_0"),
    schema.RealtimeModelInputAudioTranscriptionCompletedEvent("item_0", "Hello"),
    schema.RealtimeModelInputAudioTimeoutTriggeredEvent("item_0", 0, 1500),
    schema.RealtimeModelUsageEvent(
        usage.Usage(requests=1, total_tokens=12), usage.RealtimeModelInputTokensDetails(audio_tokens=7)
    ),
    _CALL,
    schema.RealtimeModelErrorEvent({"code": "odd"}),
    schema.RealtimeModelExceptionEvent(ConnectionResetError(104, "reset"), "reading"),
    schema.RealtimeModelOtherEvent(PLAIN),
    schema.RealtimeModelTurnEndedEvent(response_id="resp_1"),
    schema.RealtimeModelEndOfStreamEvent(),
]

SENT: list[Any] = [
    schema.RealtimeModelSendUserInput("Hello"),
    schema.RealtimeModelSendAudio(b"\1\2" * 40, commit=True),
    schema.RealtimeModelSendRawMessage({"type": "response.cancel", "other_data": {"response_id": "resp_1"}}),
    schema.RealtimeModelSendToolOutput(_CALL, "found", start_response=True),
    schema.RealtimeModelSendInterrupt(force_response_cancel=True, response_id="resp_1"),
    schema.RealtimeModelSendSessionUpdate({"voice": "ash", "turn_detection": None}),
]


async def _script(model: Scripted) -> None:
    await model.emit(*RECEIVED)


async def record_values(store: Path) -> None:
    """Record the session that `values-format-1.db` holds."""
    tracker = schema.RealtimePlaybackTracker()
    async with Recorder(store) as recorder:
        model = recorder.wrap(ScriptedModel(_script), labels={"golden": "values"})
        listening = Listening(until="end_of_stream")
        model.add_listener(listening)
        await model.connect({"playback_tracker": tracker, "url": "ws://127.0.0.1/v1?model=m"})
        tracker.on_play_bytes("item_1", 0, b"\0" * 480)
        for event in SENT:
            await model.send_event(event)
        recorder.mark("half way", unknown=Unknown())
        await listening.over.wait()
        await model.close()


def make() -> None:
    """Make the golden file of values, where there is none: such files are added, never made again.

    `PYTHONPATH=tests python -c "from support import golden; golden.make()"`
    """
    if not VALUES.exists():
        asyncio.run(record_values(VALUES))
