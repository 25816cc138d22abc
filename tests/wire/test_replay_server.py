"""The replay server on a real socket: with bare websockets, and with the SDK's own model."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from agents.realtime.openai_realtime import OpenAIRealtimeWebSocketModel
from realtape.integrations import openai_agents
from realtape.provider import LocalProvider, Reply, Script
from realtape.recorder import InMemory
from realtape.schema import UsageError
from realtape.wire import RecordedEnd, Refusal, SelfMadeCertificate, serve
from support.provider_sockets import PACE
from support.wire_sockets import PATIENCE_S, quiet, rest_of, say, talk
from support.wire_talk import (
    CREATED,
    RESPOND,
    TURN,
    UPDATE,
    UPDATED,
    added,
    asked,
    connection,
    inbound,
    response,
)
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

pytestmark = pytest.mark.real_time

FIXTURES = Path(__file__).parents[2] / "fixtures"
RECORDED = connection(TURN)


class RecorderInMemory(InMemory, openai_agents.Recorder): ...


async def test_a_client_that_does_as_recorded_gets_the_very_frames() -> None:
    server = serve([RECORDED], pace=0)
    async with server as url, connect(url) as client:
        assert url.startswith("ws://127.0.0.1:")
        assert await talk(client, TURN) == inbound(RECORDED)
        assert await quiet(client), "the socket stays open at the end"
    report = server.report()
    assert (report.verdict, report.findings) == ("same", ())
    assert str(report).splitlines() == [
        "same: in memory, played on the wire to 1 run",
        "run 1, connection 1: 8 frames to the client, 3 of its own as recorded",
    ]


async def test_the_recorded_gaps_are_kept() -> None:
    loop = asyncio.get_running_loop()
    async with serve([RECORDED], pace=1.0) as url, connect(url) as client:
        began_s = loop.time()
        await talk(client, TURN)
        assert loop.time() - began_s >= 0.07


async def test_what_differs_is_told_at_the_end_and_over_http_while_it_runs() -> None:
    server = serve([RECORDED], pace=0, patience=1.0)
    async with server as url, connect(url) as client:
        await talk(
            client, [CREATED, UPDATE, UPDATED, asked("Bye!"), (">", {"type": "x"}), added("Hello?", "item_1")]
        )
        report = url.replace("ws://", "http://").replace("/v1/realtime", "/.realtape/report.json")
        told: Any = json.loads(await asyncio.to_thread(lambda: urllib.request.urlopen(report).read()))
        assert told["verdict"] == "diverged"
        (one,) = told["runs"][0]["connections"]
        assert [finding["kind"] for finding in one["findings"]][:2] == ["changed", "unexpected"]
        assert one["findings"][0]["differences"] == [
            {"field": "item.content[0].text", "recorded": "'Hello?'", "live": "'Bye!'"}
        ]
        while len(server.report().findings) < 3:
            await asyncio.sleep(0.001)
    lines = str(server.report()).splitlines()
    assert "    differs in item.content[0].text: 'Hello?' → 'Bye!'" in lines
    assert any(
        line.startswith("  given up: response.created was given up: response.create") for line in lines
    )


async def test_who_asks_for_a_page_is_told_where_the_report_is(caplog: pytest.LogCaptureFixture) -> None:
    async with serve([connection(TURN)]) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
        writer.close()
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"/.realtape/report.json" in answer
    assert not caplog.records


@pytest.mark.parametrize(
    ("began", "told"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00", "a client began with TLS where it is not spoken"),
        (b"GET / HTTP/1.1\r\nHo", "a client's handshake failed: did not receive a valid HTTP request"),
        (b"HELO here\r\n\r\n", "a client's handshake failed: did not receive a valid HTTP request"),
    ],
)
async def test_what_is_no_handshake_is_told_in_a_line(
    began: bytes, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve([connection(TURN)]) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
        writer.write(began)
        writer.write_eof()
        answer = await asyncio.wait_for(reader.read(), PATIENCE_S)
        writer.close()
        while not caplog.records:
            await asyncio.sleep(0.001)
    assert answer.startswith(b"\x15\x03" if began[:1] == b"\x16" else b"")
    record = caplog.records[0]
    assert record.getMessage().startswith(told)
    assert (record.levelname, record.exc_info) == ("WARNING", None)


async def test_an_error_answers_what_is_unexpected_if_asked() -> None:
    async with serve([RECORDED], pace=0, on_unexpected="error") as url, connect(url) as client:
        await talk(client, [CREATED])
        await client.send(json.dumps({"type": "no.such", "event_id": "mine"}))
        error = json.loads(await client.recv())["error"]
        assert (error["code"], error["event_id"]) == ("realtape_unexpected", "mine")


@pytest.mark.parametrize(
    ("end", "code", "reason"),
    [
        (RecordedEnd("server", "closed", 1000, ""), 1000, ""),
        (RecordedEnd("server", "closed", 1011, "Broken."), 1011, "Broken."),
        (RecordedEnd("server", "eof"), None, None),
        (RecordedEnd("server", "error"), None, None),
    ],
)
async def test_the_providers_end_is_played(end: RecordedEnd, code: int | None, reason: str | None) -> None:
    async with serve([connection(TURN, end=end)], pace=0) as url, connect(url) as client:
        await talk(client, TURN)
        got, closed = await rest_of(client)
        assert got == []
        assert (closed.rcvd.code if closed.rcvd else None) == code
        assert (closed.rcvd.reason if closed.rcvd else None) == reason


@pytest.mark.parametrize(("code", "reason"), [(99_999, ""), (True, ""), (4001, "ä" * 100), (4001, "\ud800")])
async def test_an_end_that_cannot_be_played_is_played_as_far_as_it_can(
    code: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A store of others may say anything."""
    async with serve(
        [connection([CREATED], end=RecordedEnd("server", "closed", code, reason))], pace=0
    ) as url:
        async with connect(url) as client:
            _, closed = await rest_of(client)
    assert (closed.rcvd and closed.rcvd.code) == (4001 if code == 4001 else None)
    assert caplog.text == ""


async def test_a_client_that_connects_again_gets_the_next_connection() -> None:
    second = connection([CREATED, RESPOND, *response("resp_9", item="item_9")], begun_ns=10**9)
    first = connection(TURN, end=RecordedEnd("server", "closed", 1001, "again"))
    server = serve([first, second], pace=0)
    async with server as url:
        async with connect(url) as client:
            await talk(client, TURN)
            await rest_of(client)
        async with connect(url) as client:
            await talk(client, [CREATED, RESPOND])
            assert json.loads(await client.recv())["response"]["id"] == "resp_9"
        report = await server.finished()
    assert [len(run.connections) for run in report.runs] == [2]
    assert report.verdict == "same"


async def test_several_clients_are_runs_of_their_own() -> None:
    server = serve([RECORDED], pace=0)
    async with server as url:
        async with connect(url) as one, connect(url) as two:
            await talk(one, [CREATED, UPDATE])
            assert await talk(two, TURN) == inbound(RECORDED)
            await talk(one, TURN[2:])
        named = url.replace("/v1/", "/run/a/v1/")
        async with (
            connect(named) as client,
            connect(url, additional_headers={"X-Realtape-Run": "b"}) as other,
        ):
            await talk(client, TURN)
            await talk(other, TURN)
        report = await server.finished()
    assert [run.name for run in report.runs] == [None, None, "a", "b"]
    assert report.verdict == "same"


@pytest.mark.parametrize(("status", "told"), [(401, 401), (529, 529), (999, 502), (101, 502), (None, 502)])
async def test_a_handshake_that_was_refused_is_refused(status: int | None, told: int) -> None:
    refused = replace(connection([]), refusal=Refusal(status, "no such key"))
    server = serve([refused, replace(RECORDED, begun_ns=1)], pace=0)
    async with server as url:
        with pytest.raises(InvalidStatus) as caught:
            await connect(url)
        assert (caught.value.response.status_code, caught.value.response.body) == (told, b"no such key")
        async with connect(url) as client:
            assert await talk(client, TURN) == inbound(RECORDED)


async def test_subprotocols_and_origins() -> None:
    offered = [Subprotocol("realtime"), Subprotocol("openai-insecure-api-key.sk-x")]
    async with serve([RECORDED], pace=0) as url:
        async with connect(url, subprotocols=offered) as client:
            assert client.subprotocol == "realtime"
        async with connect(url, origin=Origin("http://localhost:3000")):
            pass
        with pytest.raises(InvalidStatus) as caught:
            await connect(url, origin=Origin("https://elsewhere.example"))
        assert caught.value.response.status_code == 403


async def test_a_client_may_vanish_and_send_without_reading() -> None:
    server = serve([connection([CREATED, *[(">", "x" * 100_000)] * 3, ("<", "y" * 9_000_000)])], pace=0)
    async with server as url:
        async with connect(url, max_size=None) as client:
            for _ in range(50):
                await client.send("x" * 100_000)
            client.transport.abort()
        await server.finished()
    assert [finding.kind for finding in server.report().findings].count("unexpected") == 47


async def test_leaving_closes_what_is_open() -> None:
    server = serve([RECORDED], pace=0)
    async with server as url:
        client = await connect(url)
    got, closed = await rest_of(client)
    assert [message["type"] for message in got] in ([], ["session.created"])
    assert closed.rcvd is not None
    assert closed.rcvd.code == 1001
    with pytest.raises(RuntimeError):
        _ = server.url


async def test_a_recording_is_named_by_its_path() -> None:
    server = serve(FIXTURES / "kiosk", pace=0)
    async with server as url, connect(url) as client:
        assert json.loads(await client.recv())["type"] == "session.created"
    assert "kiosk" in server.report().recording


def test_bad_options_are_refused() -> None:
    with pytest.raises(UsageError, match="pace=-1"):
        serve([RECORDED], pace=-1)


TURNS = Script([Reply.text("Good day."), Reply.speech("How can I help?")])


@pytest.mark.parametrize("pace", [0.0, 0.5])
async def test_the_sdks_model_plays_a_recording_from_above_the_socket(
    monkeypatch: pytest.MonkeyPatch, pace: float
) -> None:
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")
    recorder = RecorderInMemory("in memory")
    async with LocalProvider(TURNS, pace=PACE) as provider:
        recorded = recorder.wrap(OpenAIRealtimeWebSocketModel())
        there = await say(provider.url, recorded, "Hello?", "And now?")
    server = serve(recorder.drafts(), pace=pace)
    async with server as url:
        assert await say(url, OpenAIRealtimeWebSocketModel(), "Hello?", "And now?") == there
    report = server.report()
    assert there == ["Good day.", "How can I help?"]
    assert (report.verdict, [one.skipped for one in report.runs[0].connections]) == ("same", [0])
    assert "weaker: it was recorded above the socket" in str(report)


# --- several recordings -------------------------------------------------------------------------------------


def _asks(text: str) -> list[Any]:
    return [CREATED, asked(text), added(text, "item_1"), RESPOND, *response("resp_1", text, item="item_2")]


async def test_a_client_gets_the_recording_that_its_path_header_or_first_message_names() -> None:
    said = {"a": _asks("Hello?"), "calls/b": _asks("Bye!")}
    server = serve({name: [connection(one)] for name, one in said.items()}, pace=0, patience=1.0)
    async with server as url:
        for name in said:
            async with connect(server.url_of(name)) as client:
                assert await talk(client, said[name]) == inbound(connection(said[name]))
            async with connect(url, additional_headers={"X-Realtape-Recording": name}) as client:
                assert await talk(client, said[name]) == inbound(connection(said[name]))
            first, *rest = [one for one in said[name] if one is not CREATED]
            async with connect(url) as client:
                await talk(client, [first, CREATED, *rest])
        async with connect(url) as client:  # which waits to be greeted
            await talk(client, said["a"])
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"{url.partition('/v1')[0]}/recording/c/v1/realtime")
        assert caught.value.response.status_code == 404
        assert b"there are 2: a, calls/b" in (caught.value.response.body or b"")
        report = await server.finished()
    assert [run.recording for run in report.runs] == ["a"] * 3 + ["calls/b"] * 3 + ["a"]
    assert report.verdict == "same", str(report)
    assert str(report).splitlines()[1].startswith("run 1 of a, connection 1: ")


async def test_of_alike_recordings_a_client_gets_the_one_that_goes_on_then_one_that_nobody_had() -> None:
    def two(text: str) -> list[Any]:
        end = RecordedEnd("server", "closed", 1001, "again")
        again = [UPDATE, (">", {"type": text}), ("<", {"type": text})]
        return [connection(TURN, end=end), connection(again, begun_ns=10**9)]

    server = serve({"a": two("a"), "b": two("b")}, pace=0, patience=1.0)
    got: list[Any] = []
    async with server as url:
        for _ in range(2):
            async with connect(url) as client:
                await talk(client, [UPDATE, *[one for one in TURN if one is not UPDATE]])
                await rest_of(client)
            async with connect(url) as client:
                await client.send(json.dumps(UPDATE[1]))
                name = "ab"[len(got)]
                await client.send(json.dumps({"type": name}))
                got.append(json.loads(await client.recv())["type"])
    assert got == ["a", "b"]


async def test_a_certificate_of_its_own() -> None:
    certificate = SelfMadeCertificate()
    async with serve([RECORDED], pace=0, ssl=certificate.server) as url:
        assert url.startswith("wss://127.0.0.1:")
        async with connect(url, ssl=certificate.client) as client:
            assert await talk(client, TURN) == inbound(RECORDED)
