"""The recording proxy between real clients and servers: what passes, what is recorded, what is not."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import sqlite3
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from agents.realtime.openai_realtime import OpenAIRealtimeWebSocketModel
from hypothesis import given, settings
from hypothesis import strategies as st
from openai import AsyncOpenAI
from realtape.provider import LocalProvider, Reply, Script
from realtape.recorder import Recorder
from realtape.schema import Entry, Flag, Frame, Kind, Status, StoreError, UsageError
from realtape.session import Recording
from realtape.wire import connections_of, proxy, serve
from realtape.wire.legs import ClientLeg, ProviderLeg
from support.provider_sockets import PACE
from support.wire_sockets import PATIENCE_S, rest_of, say, talk
from support.wire_talk import TURN, data_of
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as listen
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

pytestmark = pytest.mark.real_time

KEY = "sk-proj-planted0123456789"
Handler = Callable[[ServerConnection], Awaitable[None]]


async def echo(server: ServerConnection) -> None:
    async for message in server:
        await server.send(message)


@contextlib.asynccontextmanager
async def upstream(handler: Handler = echo, **options: Any) -> AsyncGenerator[str]:
    async with listen(handler, "127.0.0.1", 0, max_size=None, **options) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def session(store: Path) -> list[tuple[Entry, Any]]:
    async with await Recording.open(store) as recording:
        return [pair async for pair in recording.values()]


async def answered(url: str, path: str, *lines: str) -> bytes:
    """How a handshake is answered that a library's client would not make."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    asked = (f"GET {path} HTTP/1.1", "Host: here", "Connection: Upgrade", "Upgrade: websocket", *lines)
    key = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "", "")
    writer.write("\r\n".join((*asked, *key)).encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), PATIENCE_S)
    writer.close()
    await writer.wait_closed()
    return answer


def framed(entries: list[tuple[Entry, Any]], kind: Kind) -> list[str | bytes]:
    return [value.message for entry, value in entries if entry.kind == kind]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


async def test_messages_pass_both_ways_and_are_recorded_as_they_crossed(store: Path) -> None:
    messages = ["text", b"\x00bytes", '{"type":"x",  "a":1}', "ä" * 3_000_000, "", b"{}"]
    async with upstream() as there, proxy(there, store) as url, connect(url, max_size=None) as client:
        for message in messages:
            await client.send(message)
        async with asyncio.timeout(PATIENCE_S):
            assert [await client.recv() for _ in messages] == messages
    entries = await session(store)
    assert framed(entries, Kind.FRAME_OUT) == framed(entries, Kind.FRAME_IN) == messages
    kinds = [entry.kind for entry, _ in entries if "frame" not in entry.kind]
    assert kinds == ["socket", "socket_opened", "socket_close", "socket_closed"]
    assert [entry.type for entry, _ in entries if entry.kind == "frame_in"] == [
        None,
        None,
        "x",
        None,
        None,
        None,
    ]
    async with await Recording.open(store) as recording:
        assert (recording.header.format, recording.status) == (2, Status.CLOSED)
        await recording.verify()


async def test_a_frame_comes_back_to_its_client_while_it_is_still_recording(store: Path) -> None:
    """What crossed is in the log as it happens, not at the end."""
    async with upstream() as there, Recorder(store) as recorder:
        async with proxy(there, recorder) as url, connect(url) as client:
            await client.send("a")
            await client.recv()
            await recorder.flush()
            assert framed(await session(store), Kind.FRAME_IN) == ["a"]


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 4000])
async def test_the_providers_close_is_mirrored(store: Path, code: int) -> None:
    async def closes(server: ServerConnection) -> None:
        await server.send("last")
        await server.close(code, "because")

    async with upstream(closes) as there, proxy(there, store) as url, connect(url) as client:
        assert await client.recv() == "last"
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, "because")
    end = next(value for entry, value in await session(store) if entry.kind == Kind.SOCKET_ENDED)
    assert end == {"how": "closed", "code": code, "reason": "because"}


async def test_the_clients_close_is_mirrored(store: Path) -> None:
    seen: asyncio.Future[tuple[int | None, str | None]] = asyncio.get_running_loop().create_future()

    async def waits(server: ServerConnection) -> None:
        await server.wait_closed()
        seen.set_result((server.close_code, server.close_reason))

    async with upstream(waits) as there, proxy(there, store) as url:
        client = await connect(url)
        await client.close(4001, "enough")
        assert await asyncio.wait_for(seen, PATIENCE_S) == (4001, "enough")
    ends = {entry.kind: value for entry, value in await session(store)}
    assert ends[Kind.SOCKET_CLOSE] == {"how": "closed", "code": 4001, "reason": "enough"}
    assert ends[Kind.SOCKET_CLOSED]["code"] == 4001


@pytest.mark.parametrize("who", ["provider", "client"])
async def test_an_end_without_a_close_frame_is_mirrored(store: Path, who: str) -> None:
    seen: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def vanishes(server: ServerConnection) -> None:
        await server.send("a")
        if who == "provider":
            server.transport.abort()
        await server.wait_closed()
        if not seen.done():
            seen.set_result(None if server.protocol.close_rcvd is None else server.protocol.close_rcvd.code)

    async with upstream(vanishes) as there, proxy(there, store) as url:
        client = await connect(url)
        await client.recv()
        if who == "client":
            client.transport.abort()
        else:
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()
            assert closed.value.rcvd is None
        assert await asyncio.wait_for(seen, PATIENCE_S) is None
    kind = Kind.SOCKET_ENDED if who == "provider" else Kind.SOCKET_CLOSE
    assert [value["how"] for entry, value in await session(store) if entry.kind == kind] == ["eof"]


async def test_a_refused_handshake_is_mirrored_and_recorded(store: Path) -> None:
    def refuse(server: ServerConnection, request: Request) -> Response:
        response = server.respond(401, '{"error": "no such key"}')
        response.headers["X-Request-Id"] = "req_1"
        return response

    async with upstream(process_request=refuse) as there, proxy(there, store) as url:
        with pytest.raises(InvalidStatus) as refused:
            await connect(url)
        assert refused.value.response.status_code == 401
        assert refused.value.response.body == b'{"error": "no such key"}'
        assert refused.value.response.headers["X-Request-Id"] == "req_1"
    async with await Recording.open(store) as recording:
        assert recording.status is Status.FAILED
        (connection,) = connections_of(recording)
    assert connection.refusal is not None
    assert (connection.refusal.status, connection.refusal.body) == (401, '{"error": "no such key"}')


async def test_a_redirect_is_mirrored_and_no_key_goes_where_it_points(store: Path) -> None:
    asked: list[Request] = []

    def elsewhere(server: ServerConnection, request: Request) -> None:
        asked.append(request)

    def redirect(server: ServerConnection, request: Request) -> Response:
        response = server.respond(307, "")
        response.headers["Location"] = other.replace("ws://127.0.0.1", "ws://localhost")
        return response

    async with upstream(process_request=elsewhere) as other, upstream(process_request=redirect) as there:
        async with proxy(there, store) as url:
            answer = await answered(url, "/", "api-key: k")
    assert answer.startswith(b"HTTP/1.1 307 ")
    assert b"\r\nLocation: ws://localhost:" in answer
    assert not asked


async def test_a_provider_that_is_not_there_is_told_and_recorded(store: Path) -> None:
    async with proxy("ws://127.0.0.1:9", store) as url:
        with pytest.raises(InvalidStatus) as refused:
            await connect(url)
        assert refused.value.response.status_code == 502
    failed = next(value for entry, value in await session(store) if entry.kind == Kind.SOCKET_FAILED)
    assert isinstance(failed["raised"], OSError)


@pytest.mark.parametrize(
    ("path", "line", "status"),
    [
        ("/", "Sec-WebSocket-Protocol: ,realtime,,", 101),
        ("/", "Sec-WebSocket-Protocol: a b, {}", 400),
        ("/ü", "X-A: a", 400),
    ],
)
async def test_what_only_a_bare_client_asks_is_answered_and_recorded(
    store: Path, path: str, line: str, status: int
) -> None:
    async with upstream() as there, proxy(there, store) as url:
        answer = await answered(url, path, line)
    assert answer.split()[1] == str(status).encode()
    kinds = [entry.kind for entry, _ in await session(store)]
    assert kinds[:2] == [Kind.SOCKET, Kind.SOCKET_OPENED if status == 101 else Kind.SOCKET_FAILED]


LARGE = {"a line": [f"X-Large: {'x' * 9_000}"], "the number": [f"X-{n}: {n}" for n in range(130)]}


@pytest.mark.parametrize("lines", LARGE.values(), ids=LARGE)
@pytest.mark.parametrize("token", [None, "let-me-in-77"])
async def test_a_handshake_that_the_library_does_not_read_is_told_and_recorded(
    store: Path, lines: list[str], token: str | None
) -> None:
    """What comes before the token was looked at is not recorded: anybody could fill the store."""
    async with upstream() as there, proxy(there, store, token=token) as url:
        answer = await answered(url.removesuffix(f"/{token}"), "/", *lines)
    assert answer.startswith(b"HTTP/1.1 431 ")
    if token is not None:
        with pytest.raises(StoreError, match="no such file"):
            await session(store)
        return
    (failed,) = [value for entry, value in await session(store) if entry.kind == Kind.SOCKET_FAILED]
    assert type(failed["raised"]).__name__ in ("SecurityError", "RecordedError")


async def test_so_is_a_providers_answer_that_it_does_not_read(store: Path) -> None:
    def large(server: ServerConnection, request: Request) -> Response:
        response = server.respond(200, "")
        response.headers["X-Large"] = "x" * 9_000
        return response

    async with upstream(process_request=large) as there, proxy(there, store) as url:
        with pytest.raises(InvalidStatus) as refused:
            await connect(url)
    assert refused.value.response.status_code == 502
    assert b"WEBSOCKETS_MAX_LINE_LENGTH" in (refused.value.response.body or b"")


async def test_headers_and_subprotocols_pass_and_no_credential_is_recorded(store: Path) -> None:
    seen: list[Any] = []

    async def looks(server: ServerConnection) -> None:
        assert server.request is not None
        seen.append((dict(server.request.headers.raw_items()), server.request.path))
        await server.send(
            json.dumps({"type": "session.created", "session": {"client_secret": {"value": "ek_planted0123"}}})
        )
        await server.send(await server.recv())
        await server.recv()

    mcp: dict[str, Any] = {"type": "mcp", "server_url": "https://m.example/?key=planted-in-url-77"}
    mcp |= {"authorization": "planted-auth-77", "headers": {"X-Any": "planted-header-77"}}
    own = {"Authorization": f"Bearer {KEY}", "X-Own": "planted-own-77", "OpenAI-Beta": "realtime=v1"}
    async with upstream(looks, subprotocols=[Subprotocol("realtime")]) as there, proxy(there, store) as url:
        async with connect(
            f"{url}/v1/realtime?model=m&key=planted-query-77",
            additional_headers=own,
            subprotocols=[Subprotocol("realtime"), Subprotocol("openai-insecure-api-key.sk-planted0123")],
        ) as client:
            assert client.subprotocol == "realtime"
            created = await client.recv()
            assert "ek_planted0123" in str(created), "the client gets it"
            update = json.dumps(
                {"type": "session.update", "session": {"tools": [mcp]}, "echo": "planted-own-77"}
            )
            await client.send(update)
            assert await client.recv() == update
            await client.send(json.dumps({"setup": {"sessionResumption": {"handle": "planted-handle-77"}}}))
    headers, path = seen[0]
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert (headers["X-Own"], headers["OpenAI-Beta"]) == ("planted-own-77", "realtime=v1")
    assert headers["Host"] == there.removeprefix("ws://")
    assert path == "/v1/realtime?model=m&key=planted-query-77"
    data = b"".join(file.read_bytes() for file in store.parent.iterdir())
    assert b"planted" not in data
    async with await Recording.open(store) as recording:
        (connection,) = connections_of(recording)
    assert connection.subprotocol == "realtime"
    assert connection.path.startswith("/v1/realtime?model=m")


async def test_redactors_are_given_messages_and_what_is_none_is_not_kept(store: Path) -> None:
    sent = [
        '{"type":"x", "text":"call ADA now"}',
        '{"type":"y",  "n":1}',
        "ADA",
        b"\xff",
        '{"who":"ADA","n":NaN}',
    ]
    async with (
        upstream() as there,
        Recorder(store, redactors=[lambda text: text.replace("ADA", "***")]) as recorder,
    ):
        async with proxy(there, recorder) as url, connect(url) as client:
            for message in sent:
                await client.send(message)
                assert await client.recv() == message
    entries = [(entry, value) for entry, value in await session(store) if entry.kind == Kind.FRAME_IN]
    values = [value for _, value in entries]
    assert values[:2] == [Frame('{"type":"x","text":"call *** now"}', redacted=True), Frame(sent[1])]
    assert [bool(entry.flags & Flag.REDACTED) for entry, _ in entries] == [True, *[False] * 4]
    assert [value["length"] for value in values[2:]] == [3, 1, 21]
    assert b"ADA" not in store.read_bytes()


async def test_only_this_machine_and_only_with_the_token(store: Path) -> None:
    async with upstream() as there, proxy(there, store, token="let-me-in-77") as url:
        assert url.endswith("/let-me-in-77")
        async with connect(f"{url}/v1/realtime?a=b") as client:
            await client.send("a")
            await client.recv()
        for wrong in (url.replace("let-me-in-77", ""), url + "x", url.replace("let", "/let")):
            with pytest.raises(InvalidStatus) as refused:
                await connect(wrong)
            assert refused.value.response.status_code == 403
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, origin="https://elsewhere.example")  # pyright: ignore[reportArgumentType]
        assert refused.value.response.status_code == 403
    assert b"let-me-in-77" not in b"".join(file.read_bytes() for file in store.parent.iterdir())
    async with await Recording.open(store) as recording:
        assert connections_of(recording)[0].path == "/v1/realtime?a=%5Bredacted%5D" or recording.length == 6


def test_what_makes_no_sense_is_refused(store: Path) -> None:
    with pytest.raises(UsageError, match="give a token"):
        proxy("wss://api.example", store, host="0.0.0.0")
    with pytest.raises(UsageError, match="wss://host"):
        proxy("https://api.example", store)


async def test_many_connections_at_once_are_sessions_of_their_own(store: Path) -> None:
    async def one(url: str, number: int) -> None:
        async with connect(f"{url}/{number}") as client:
            for count in range(20):
                await client.send(f"{number} {count}")
                assert await client.recv() == f"{number} {count}"

    async with upstream() as there, proxy(there, store) as url:
        await asyncio.gather(*(one(url, number) for number in range(20)))
    with contextlib.closing(sqlite3.connect(store)) as connection:
        rows = connection.execute("SELECT status, count(*) FROM sessions GROUP BY status").fetchall()
        frames = connection.execute("SELECT count(*) FROM entries WHERE kind LIKE 'frame_%'").fetchone()
    assert (rows, frames) == ([("closed", 20)], (800,))


async def test_a_slow_reader_holds_up_its_own_connection_and_nothing_piles_up(store: Path) -> None:
    sent = 0

    async def floods(server: ServerConnection) -> None:
        nonlocal sent
        for _ in range(400):
            await server.send(b"\xff" * 100_000)
            sent += 1

    async with upstream(floods) as there, proxy(there, store) as url:
        async with connect(url, max_queue=1) as client:
            before = -1
            while sent > before or not sent:  # until it stands still
                before = sent
                await asyncio.sleep(0.1)
            assert sent < 400, "who sends is held up by who does not read"
            client.transport.abort()


async def test_the_system_looks_after_hosts_that_vanish_without_a_word() -> None:
    kept: list[int] = []

    async def looks(leg: Any) -> None:
        kept.append(leg.transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))

    async with upstream(looks, create_connection=ClientLeg) as there:
        async with connect(there, create_connection=ProviderLeg) as leg:
            await looks(leg)
            await leg.wait_closed()
    assert kept == [1, 1]


async def test_a_client_that_vanishes_in_the_handshake_leaves_nothing_open(store: Path) -> None:
    slow, ended = asyncio.Event(), asyncio.Event()

    async def waits(server: ServerConnection) -> None:
        await server.wait_closed()
        ended.set()

    async def delays(server: ServerConnection, request: Request) -> None:
        await slow.wait()

    async with upstream(waits, process_request=delays) as there, proxy(there, store) as url:
        connecting = asyncio.create_task(_connect(url))
        await asyncio.sleep(0.05)
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        slow.set()
        await asyncio.wait_for(ended.wait(), PATIENCE_S)


async def _connect(url: str) -> ClientConnection:
    return await connect(url)


async def test_leaving_closes_both_sides(store: Path) -> None:
    seen: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()

    async def waits(server: ServerConnection) -> None:
        await server.wait_closed()
        seen.set_result(server.close_code)

    async with upstream(waits) as there:
        here = proxy(there, store)
        async with here as url:
            client = await connect(url)
        _, closed = await rest_of(client)
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1001
        assert await asyncio.wait_for(seen, PATIENCE_S) == 1001
        with pytest.raises(RuntimeError):
            _ = here.url


async def test_reconnections_of_a_run_follow_one_another_and_are_served_as_such(store: Path) -> None:
    async with upstream() as there, proxy(there, store) as url:
        for text in ("one", "two"):
            async with connect(f"{url}/run/a/v1") as client:
                await client.send(text)
                await client.recv()
    with contextlib.closing(sqlite3.connect(store)) as connection:
        ids = connection.execute("SELECT id, previous_session FROM sessions ORDER BY key").fetchall()
    assert [previous for _, previous in ids] == [None, ids[0][0]]
    async with await Recording.open(store, ids[0][0]) as recording:
        server = serve(recording, pace=0)
        async with server as url:
            for text in ("one", "two"):
                async with connect(url) as client:
                    await client.send(text)
                    assert await client.recv() == text
    assert server.report().verdict == "same"


# --- record, then serve -------------------------------------------------------------------------------------


@pytest.mark.parametrize("pace", [0.0, 0.5])
async def test_the_sdk_through_the_proxy_and_then_from_the_server(
    store: Path, monkeypatch: pytest.MonkeyPatch, pace: float
) -> None:
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")
    script = Script([Reply.text("Good day."), Reply.speech("How can I help?")])
    async with LocalProvider(script, pace=PACE) as provider:
        base, _, path = provider.url.partition("/v1")
        async with proxy(base, store) as url:
            there = await say(f"{url}/v1{path}", OpenAIRealtimeWebSocketModel(), "Hello?", "And now?")
    assert there == ["Good day.", "How can I help?"]
    server = serve(store, pace=pace)
    async with server as url:
        assert await say(url, OpenAIRealtimeWebSocketModel(), "Hello?", "And now?") == there
    report = server.report()
    assert report.verdict == "same", str(report)
    assert report.runs[0].connections[0].weaker == ()


async def _ask_openai(base: str, text: str) -> tuple[str, bytes]:
    """A text turn by the `openai` package's own client."""
    client = AsyncOpenAI(api_key=KEY, websocket_base_url=base)
    said, sound = "", b""
    async with asyncio.timeout(PATIENCE_S), client.realtime.connect(model="local") as realtime:
        content: Any = [{"type": "input_text", "text": text}]
        await realtime.conversation.item.create(item={"type": "message", "role": "user", "content": content})
        await realtime.response.create()
        async for event in realtime:
            if event.type == "response.output_audio_transcript.delta":
                said += event.delta
            elif event.type == "response.output_audio.delta":
                sound += base64.b64decode(event.delta)
            elif event.type == "response.done":
                break
    return said, sound


async def test_the_openai_client_through_the_proxy_and_then_from_the_server(store: Path) -> None:
    async with LocalProvider(Script([Reply.speech("How can I help?")]), pace=PACE) as provider:
        base = provider.url.partition("/v1")[0]
        async with proxy(base, store) as url:
            there = await _ask_openai(f"{url}/v1", "Hello?")
    assert there[0] == "How can I help?"
    assert there[1]
    for _ in range(3):
        server = serve(store, pace=0)
        async with server as url:
            assert await _ask_openai(url.removesuffix("/realtime"), "Hello?") == there
        assert server.report().verdict == "same", str(server.report())
    assert KEY.encode() not in b"".join(file.read_bytes() for file in store.parent.iterdir())


async def test_what_was_served_and_recorded_again_is_the_same(store: Path, tmp_path: Path) -> None:
    """The law: record(serve(R)) gives R's frames, for a client that does as recorded."""
    first, second = store, tmp_path / "again.db"

    async def provider(server: ServerConnection) -> None:
        for way, what in TURN:
            if way == "<":
                await server.send(data_of(what))
            else:
                await server.recv()

    async with upstream(provider) as there, proxy(there, first) as url, connect(url) as client:
        await talk(client, TURN)
    async with serve(first, pace=0) as there:
        base = there.removesuffix("/v1/realtime")
        async with proxy(base, second) as url, connect(url) as client:
            await talk(client, TURN)
    one, two = await session(first), await session(second)
    for kind in (Kind.FRAME_IN, Kind.FRAME_OUT):
        assert framed(one, kind) == framed(two, kind)


# --- anything at all ----------------------------------------------------------------------------------------

ACTS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["client", "server"]), st.one_of(st.text(max_size=9), st.binary(max_size=9))
        ),
        st.tuples(st.sampled_from(["client", "server"]), st.sampled_from([("close",), ("abort",)])),
    ),
    max_size=8,
)


@settings(max_examples=settings().max_examples // 4)
@given(ACTS)
def test_whatever_both_sides_do_nothing_hangs_and_what_passed_is_recorded(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, Any]]
) -> None:
    store = tmp_path_factory.mktemp("acts") / "calls.db"
    asyncio.run(asyncio.wait_for(_play(store, acts), PATIENCE_S))
    entries = asyncio.run(session(store))
    kinds = [entry.kind for entry, _ in entries]
    assert kinds[:2] == ["socket", "socket_opened"]
    sent = {
        who: [what for one, what in acts if one == who and not isinstance(what, tuple)]
        for who in ("client", "server")
    }
    for who, kind in (("client", Kind.FRAME_OUT), ("server", Kind.FRAME_IN)):
        passed = framed(entries, kind)
        assert passed == sent[who][: len(passed)]


async def _play(store: Path, acts: list[tuple[str, Any]]) -> None:
    came: asyncio.Future[ServerConnection] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def waits(server: ServerConnection) -> None:
        came.set_result(server)
        await over.wait()

    async with upstream(waits) as there, proxy(there, store) as url, connect(url) as client:
        sides: dict[str, Any] = {"client": client, "server": await came}
        for who, what in acts:
            side = sides[who]
            with contextlib.suppress(ConnectionClosed):
                if what == ("close",):
                    await side.close(1000)
                elif what == ("abort",):
                    side.transport.abort()
                else:
                    await side.send(what)
        await client.close()
        over.set()


# --- joined -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("join", ["query:call", "header:X-Call", "label:run"])
async def test_connections_that_have_something_in_common_are_one_session(store: Path, join: str) -> None:
    async def call(url: str, name: str) -> ClientConnection:
        path = f"/run/{name}/v1" if join == "label:run" else f"/v1?call={name}"
        return await connect(url + path, additional_headers={"X-Call": name})

    async with upstream() as there, proxy(there, store, join=join) as url:
        async with await call(url, "a") as one, await call(url, "a") as two, await call(url, "b") as other:
            for client in (one, two, other):
                await client.send("x")
                await client.recv()
        async with await call(url, "a") as client:  # which comes again at once
            await client.send("y")
            await client.recv()
    with contextlib.closing(sqlite3.connect(store)) as connection:
        rows = connection.execute(
            "SELECT status, max(connection), sum(kind = 'frame_in') FROM sessions JOIN entries "
            "ON session = sessions.key GROUP BY sessions.key ORDER BY sessions.key"
        ).fetchall()
        assert rows == [("closed", 3, 3), ("closed", 1, 1)]
        (first,) = connection.execute("SELECT id FROM sessions ORDER BY key LIMIT 1").fetchone()
    async with await Recording.open(store, first) as recording:
        assert [len(one.frames) for one in connections_of(recording)] == [2, 2, 2]


async def test_who_has_nothing_to_join_by_is_a_session_and_so_is_who_comes_late(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtape.wire.joined_sessions.JOIN_S", 0.0)
    async with upstream() as there, Recorder(store) as recorder:
        async with proxy(there, recorder, join="header:X-Call") as url:
            for headers in ({}, {}, {"X-Call": "a"}, {"X-Call": "a"}):
                async with connect(url, additional_headers=headers) as client:
                    await client.send("x")
                    await client.recv()
                while recorder.status().sessions:
                    await asyncio.sleep(0.001)
    with contextlib.closing(sqlite3.connect(store)) as connection:
        ids = connection.execute("SELECT id, previous_session FROM sessions ORDER BY key").fetchall()
    assert [previous for _, previous in ids] == [None, None, None, ids[2][0]]


def test_what_nothing_can_be_joined_by_is_refused(store: Path) -> None:
    with pytest.raises(UsageError, match="query:NAME"):
        proxy("wss://api.example", store, join="cookie:x")
