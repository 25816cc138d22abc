"""Generated conversations against the SDK's own model: it gives the same events for the same messages."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from agents.realtime import (
    OpenAIRealtimeWebSocketModel,
    RealtimeModelListener,
    RealtimePlaybackTracker,
)
from hypothesis import HealthCheck, given, seed, settings
from realtape.integrations.openai_agents import VOCABULARY
from realtape.lab.invariants import Findings, check
from realtape.lab.strategies import plans
from realtape.lab.strategies.acting import acted
from realtape.lab.strategies.plans import Plan
from realtape.schema.codec import Codec
from realtape.schema.entries import Kind
from realtape.session import Recording
from realtape.session.drafts import Draft
from support.releases import of_today
from support.switchboard_recorded import record

WITHOUT_MESSAGE = {"connection_status", "end_of_stream", "exception"}
"""Events that come of the socket's end, and of no message."""

UNHEARD = {"send_audio", "send_session_update"}
"""Sends that give no event by themselves."""


class Socket:
    """Takes whatever is sent."""

    async def send(self, text: str) -> None:
        pass


class Heard(RealtimeModelListener):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    async def on_event(self, event: Any) -> None:
        self.events.append(event)


async def through_the_sdk(draft: Draft) -> tuple[list[Any], list[Any]]:
    """The events of a generated session; and those that the SDK's model gives when it is told the same
    messages, is sent the same, and has the same played."""
    model: Any = OpenAIRealtimeWebSocketModel()
    tracker, heard, codec = RealtimePlaybackTracker(), Heard(), Codec(VOCABULARY)
    model._websocket, model._playback_tracker, model._tracing_config = Socket(), tracker, None
    model.add_listener(heard)
    events: list[Any] = []
    for entry in draft.entries:
        value = codec.decode(entry.payload, draft.bytes_at).value
        if entry.kind == Kind.RECEIVED and entry.type not in WITHOUT_MESSAGE:
            events.append(value)
            if entry.type == "raw_server_event":
                await model._handle_ws_event(value.data)
        elif entry.kind == Kind.SENT and entry.type not in UNHEARD:
            await model.send_event(value)
        elif entry.kind == Kind.PLAYBACK and entry.type == "application":
            state = tracker.get_state()
            before_ms = state["elapsed_ms"] if state["current_item_id"] == entry.item_id else 0.0
            tracker.on_play_ms(str(entry.item_id), 0, (entry.elapsed_ms or 0.0) - (before_ms or 0.0))
    await model._cancel_response_create_tasks()
    return events, heard.events


def content(event: Any) -> Any:
    """What an event says: fields that the SDK adds as None say nothing, errors are of its own class."""
    if event.type == "item_updated":
        return event.item.model_dump(exclude_none=True)
    if event.type == "error":
        error: Any = event.error
        return getattr(error, "code", None) or error["code"]
    return event


@of_today
@seed(1)
@settings(
    max_examples=30, database=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(plans(max_connections=1))
def test_the_sdks_model_gives_the_same_events(plan: Plan):
    (draft,) = acted(plan, VOCABULARY)
    generated, real = asyncio.run(through_the_sdk(draft))
    assert [(event.type, content(event)) for event in generated] == [
        (event.type, content(event)) for event in real
    ]


def test_all_rules_hold_in_the_switchboard(tmp_path: Path):
    """The SDK's own model against the local provider, with everything that can happen."""
    recorded = record(tmp_path)

    async def findings() -> Findings:
        async with await Recording.open(recorded.store, recorded.session) as recording:
            assert len(recording.drafts()) == 2
            return check(recording)

    assert asyncio.run(findings()) == Findings()
