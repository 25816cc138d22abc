"""The local provider behind its socket: with bare websockets."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from realtape.provider import ASSISTANT_ANSWER, Ending, LocalProvider, Reply, Script, silence
from support.protocol_talk import HELLO, Shown
from support.provider_sockets import PACE, PATIENCE_S, until_closed
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from websockets.typing import Subprotocol

pytestmark = pytest.mark.real_time


async def ask(client: ClientConnection, *messages: Shown) -> None:
    for message in messages:
        await client.send(json.dumps(message))


async def until(client: ClientConnection, type: str) -> list[Shown]:
    """What comes up to the first message of that type."""
    seen: list[Shown] = []
    async with asyncio.timeout(PATIENCE_S):
        while not seen or seen[-1]["type"] != type:
            seen.append(json.loads(await client.recv()))
    return seen


async def test_a_turn_over_a_bare_socket() -> None:
    async with LocalProvider(Script([HELLO]), pace=PACE) as provider, connect(provider.url) as client:
        (created,) = await until(client, "session.created")
        assert created["session"]["model"] == "local"
        await ask(client, {"type": "response.create"})
        seen = await until(client, "response.done")
        audio = [base64.b64decode(m["delta"]) for m in seen if m["type"] == "response.output_audio.delta"]
        assert b"".join(audio) == ASSISTANT_ANSWER.pcm
        (log,) = provider.connections
        assert [m["type"] for m in log.received] == ["response.create"]
        assert list(log.sent)[: 1 + len(seen)] == [created, *seen]


async def test_a_burst_is_there_at_once() -> None:
    async with LocalProvider(Script([HELLO]), pace=PACE) as provider, connect(provider.url) as client:
        await ask(client, {"type": "response.create"})
        await until(client, "response.output_audio.delta")
        # Three more deltas of the burst can be had without waiting for the network.
        for _ in range(3):
            receiving = asyncio.ensure_future(client.recv())
            await asyncio.sleep(0)
            assert receiving.done()


async def test_the_pace_is_real_time_per_second_of_audio() -> None:
    loop = asyncio.get_running_loop()
    script = Script([Reply.speech("a", audio=silence(1_000))])
    async with LocalProvider(script, pace=0.1) as provider, connect(provider.url) as client:
        await ask(client, {"type": "response.create"})
        begin_s = loop.time()
        await until(client, "response.done")
        assert loop.time() - begin_s >= 0.1


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [(None, None), (["realtime", "openai-insecure-api-key.x"], "realtime"), (["other"], None)],
)
async def test_the_subprotocol_realtime_is_answered(offered: list[str] | None, agreed: str | None) -> None:
    subprotocols = None if offered is None else [Subprotocol(name) for name in offered]
    async with LocalProvider(Script()) as provider:
        async with connect(provider.url, subprotocols=subprotocols) as client:
            assert client.subprotocol == agreed
            await until(client, "session.created")
            assert provider.connections[0].subprotocol == agreed


@pytest.mark.parametrize(
    "frame",
    ["{", "[]", "3", b"{}", '{"type": NaN}', '{"a": 1e999}', "[" * 100_000, '{"a":' * 70 + "1" + "}" * 70],
)
async def test_a_frame_without_a_message_is_answered_and_the_connection_stays(frame: str | bytes) -> None:
    async with LocalProvider(Script()) as provider, connect(provider.url) as client:
        await client.send(frame)
        error = (await until(client, "error"))[-1]["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_json")
        await ask(client, {"type": "input_audio_buffer.clear", "session": "\ud800"})
        await until(client, "input_audio_buffer.cleared")


@pytest.mark.parametrize(
    ("reply", "expected", "code"),
    [
        (Reply.close(1000), ConnectionClosedOK, 1000),
        (Reply.close(1011, "Broken."), ConnectionClosedError, 1011),
        (Reply.cut(), ConnectionClosedError, None),
        (Reply.speech("a", audio=silence(900), ending=Ending(after_ms=300)), ConnectionClosedError, None),
    ],
)
async def test_the_script_ends_the_connection(
    reply: Reply, expected: type[ConnectionClosed], code: int | None
) -> None:
    async with LocalProvider(Script([reply]), pace=PACE) as provider, connect(provider.url) as client:
        await ask(client, {"type": "response.create"})
        with pytest.raises(expected) as closed:
            await until(client, "response.done")
        assert (closed.value.rcvd.code if closed.value.rcvd else None) == code
        await until_closed(provider.connections[0])


async def test_each_connection_has_its_script_and_its_ids() -> None:
    scripts = [Script([Reply.text("First.")]), Script([Reply.text("Second.")])]
    async with LocalProvider(lambda number: scripts[number - 1], pace=PACE) as provider:
        said: list[tuple[str, str]] = []
        for _ in scripts:
            async with connect(provider.url) as client:
                await ask(client, {"type": "response.create"})
                done = (await until(client, "response.output_text.done"))[-1]
                said.append((done["text"], done["item_id"]))
        assert said == [("First.", "item_0001"), ("Second.", "item_c2_0001")]
        assert [log.number for log in provider.connections] == [1, 2]


async def test_leaving_closes_what_is_open() -> None:
    provider = LocalProvider(Script())
    async with provider:
        client = await connect(provider.url)
    with pytest.raises(ConnectionClosedOK) as closed:
        await until(client, "error")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert provider.connections[0].closed
    with pytest.raises(RuntimeError):
        _ = provider.url


@pytest.mark.parametrize("pace", [0.0, -1.0, float("nan")])
def test_without_a_pace_there_is_no_provider(pace: float) -> None:
    with pytest.raises(ValueError, match="pace"):
        LocalProvider(Script(), pace=pace)
