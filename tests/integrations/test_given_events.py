"""Events of now against those of a recording, also of an older release."""

from __future__ import annotations

from typing import Any

from agents.realtime.items import UserMessageItem
from agents.realtime.model_events import (
    RealtimeModelAudioEvent,
    RealtimeModelItemUpdatedEvent,
    RealtimeModelTurnEndedEvent,
)
from realtape.integrations.openai_agents.vocabulary import VOCABULARY
from realtape.schema.codec import Codec
from realtape.wire.given_events import EventComparison, GivenEvent, RecordedEvent


def recorded(type: str, event: Any, *, less: str = "") -> RecordedEvent:
    payload = Codec(VOCABULARY).encode(event, lambda data: (0, 0, len(data))).payload
    return RecordedEvent(GivenEvent.of(type, event), event, payload.replace(less, ""))


def updated(text: str) -> RealtimeModelItemUpdatedEvent:
    content: Any = [{"type": "input_text", "text": text}]
    item = UserMessageItem(item_id="item_1", type="message", role="user", content=content)
    return RealtimeModelItemUpdatedEvent(item=item)


def test_a_field_that_is_another_is_told() -> None:
    then, compared = updated("Hello?"), EventComparison(VOCABULARY)
    assert compared.differences(recorded("item_updated", then), "item_updated", updated("Hello?")) == ()
    (found,) = compared.differences(recorded("item_updated", then), "item_updated", updated("Hallo?"))
    assert (found.field, found.recorded, found.live) == ("item.content[0].text", "'Hello?'", "'Hallo?'")
    assert (
        compared.differences(recorded("item_updated", then), "turn_ended", RealtimeModelTurnEndedEvent())
        == ()
    )


def test_sound_is_compared() -> None:
    def spoken(data: bytes) -> RealtimeModelAudioEvent:
        return RealtimeModelAudioEvent(data=data, response_id="resp_1", item_id="item_1", content_index=0)

    compared, then = EventComparison(VOCABULARY), recorded("audio", spoken(bytes(5000)))
    assert compared.differences(then, "audio", spoken(bytes(5000))) == ()
    assert compared.differences(then, "audio", spoken(b"a" + bytes(4999)))


def test_what_a_recorded_release_did_not_tell_is_no_difference() -> None:
    event = updated("Hello?")
    older = recorded("item_updated", event, less='"item_id":"item_1",')
    now = RealtimeModelItemUpdatedEvent(item=event.item.model_copy(update={"item_id": "item_2"}))
    assert '"item_id":' not in older.payload
    assert EventComparison(VOCABULARY).differences(older, "item_updated", now) == ()
