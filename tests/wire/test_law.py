"""The law of the replay server: recorded while it is served to a client that behaves as recorded, a recording
is the same again, frame by frame in its order, but for the ids that the client mints and for times."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from realtape.schema import Frame
from realtape.session import Recording
from realtape.wire import (
    ClientRun,
    RecordedConnection,
    SendFrame,
    WaitUntil,
    connections_of,
    proxy,
    serve,
)
from support.wire_sockets import talk
from support.wire_strategies import SAID
from support.wire_talk import (
    CREATED,
    RESPOND,
    TURN,
    UPDATE,
    UPDATED,
    Said,
    added,
    asked,
    connection,
    response,
)
from websockets.asyncio.client import connect

Crossed = list[tuple[bool, str | bytes]]
"""Whether it is inbound, and what it is."""

Rename = Callable[[str | bytes], str | bytes]


def crossed(recorded: RecordedConnection) -> Crossed:
    return [(frame.inbound, frame.data.message) for frame in recorded.frames]


def served(recorded: RecordedConnection, rename: Rename = lambda text: text) -> Crossed:
    """What crosses when a client does what the recorded one did, each frame when it has what came before."""
    side = ClientRun([recorded]).connect(0, pace=0.0)
    found: Crossed = []
    now_ns = 0
    for frame in recorded.frames:
        if not frame.inbound:
            message = rename(frame.data.message)
            side.receive(Frame.of(message), now_ns)
            found.append((False, message))
            continue
        act = side.next(now_ns)
        while isinstance(act, WaitUntil) and act.until_ns is not None:
            now_ns = act.until_ns
            act = side.next(now_ns)
        assert isinstance(act, SendFrame)
        found.append((True, act.message))
    assert not side.findings
    return found


@given(SAID)
def test_recorded_again_it_is_the_same(said: list[Said]) -> None:
    recorded = connection(said)
    assert served(recorded) == crossed(recorded)


MINTED = "item_of_the_client"
BY_ID: list[Said] = [
    CREATED,
    UPDATE,
    UPDATED,
    asked("Hello?", id=MINTED),
    added("Hello?", MINTED),
    RESPOND,
    *response("resp_1", "Good ", "day.", item="item_2"),
    (">", {"type": "conversation.item.delete", "item_id": MINTED}),
    ("<", {"type": "conversation.item.deleted", "event_id": "event_9", "item_id": MINTED}),
]
SPOKEN: list[Said] = [
    CREATED,
    *[(">", {"type": "input_audio_buffer.append", "audio": "AAAA" * 1_600})] * 3,
    ("<", {"type": "input_audio_buffer.speech_started", "item_id": "item_u", "audio_start_ms": 0}),
    (">", {"type": "conversation.item.truncate", "item_id": "item_0", "content_index": 0, "audio_end_ms": 5}),
    ("<", {"type": "conversation.item.truncated", "item_id": "item_0", "content_index": 0}),
]


def renamed(message: str | bytes) -> str | bytes:
    return message.replace(MINTED, "another_item") if isinstance(message, str) else message


def parsed(found: Crossed) -> list[tuple[bool, Any]]:
    return [(inbound, json.loads(message)) for inbound, message in found]


def test_but_for_the_ids_that_the_client_mints() -> None:
    recorded = connection(BY_ID)
    again = served(recorded, renamed)
    assert parsed(again) == parsed([(inbound, renamed(message)) for inbound, message in crossed(recorded)])


@pytest.mark.real_time
@pytest.mark.parametrize("said", [TURN, BY_ID, SPOKEN], ids=["a turn", "by an id", "spoken"])
async def test_over_real_sockets_too(said: list[Said], tmp_path: Path) -> None:
    recorded = connection(said)
    mine = [(way, json.loads(str(renamed(json.dumps(what))))) for way, what in said]
    async with serve([recorded], pace=0) as url, proxy(url, tmp_path / "again.db") as through:
        async with connect(through, max_size=None) as client:
            await talk(client, mine)
    async with await Recording.open(tmp_path / "again.db") as recording:
        [again] = connections_of(recording)
    expected = [(inbound, renamed(message)) for inbound, message in crossed(recorded)]
    assert parsed(crossed(again)) == parsed(expected)
