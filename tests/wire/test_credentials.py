"""No credential of the wire is in the store: planted wherever one travels, and sought in what is written."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.schema.log import locate
from realtape.session import Recording, write_drafts
from realtape.wire import LineFields, connections_of, har_of, proxy, read_frames, read_har
from realtape.wire.socket_tap import tells_of_credentials
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as listen
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

MARK = b"Planted"
"""In every credential below, and in nothing else."""


def planted(where: str) -> str:
    """A credential that nothing but its place gives away."""
    return f"zPlanted{where}77"


def mcp(where: str) -> dict[str, Any]:
    """A tool on another server, as a session or a response has it."""
    url = f"https://{planted(where + 'User')}:{planted(where + 'Password')}@mcp.example/sse"
    return {
        "type": "mcp",
        "server_label": "m",
        "server_url": f"{url}?key={planted(where + 'Query')}#{planted(where + 'Fragment')}",
        "authorization": planted(where + "Authorization"),
        "headers": {"X-Any": planted(where + "Header")},
    }


def text(**fields: Any) -> str:
    return json.dumps(fields)


HEADERS = {
    "Authorization": f"Bearer {planted('Authorization')}",
    "api-key": planted("ApiKey"),
    "X-Own": planted("Own"),
    "Cookie": f"sid={planted('Cookie')}; theme={planted('SecondCookie')}",
}
SUBPROTOCOLS = [Subprotocol("realtime"), Subprotocol(f"openai-insecure-api-key.{planted('Subprotocol')}")]
QUERY = f"model=m&key={planted('QueryKey')}&access_token={planted('AccessToken')}"
SERVER = [
    text(type="session.created", session={"client_secret": {"value": planted("Ephemeral"), "expires_at": 1}}),
    text(type="session.updated", session={"tools": [mcp("Echoed")]}),
    text(sessionResumptionUpdate={"newHandle": planted("NewHandle"), "resumable": True}),
    text(session_resumption_update={"new_handle": planted("SnakeHandle")}).encode(),
]
CLIENT = [
    text(type="session.update", session={"tools": [mcp("Session")]}),
    text(type="response.create", response={"tools": [mcp("Response")]}),
    text(setup={"sessionResumption": {"handle": planted("Handle")}}),
    text(setup={"session_resumption": {"handle": planted("ClientSnakeHandle")}}).encode(),
]
EVERY = [
    *("Authorization", "ApiKey", "Own", "Cookie", "SecondCookie", "SetCookie", "Subprotocol", "QueryKey"),
    *("AccessToken", "Ephemeral", "NewHandle", "SnakeHandle", "Handle", "ClientSnakeHandle"),
    *(
        f"{where}{what}"
        for where in ("Echoed", "Session", "Response")
        for what in ("User", "Password", "Query", "Fragment", "Authorization", "Header")
    ),
]
"""Each is also said in a sentence, where only that it is known gives it away."""


def echoes() -> list[str]:
    return [text(type="echo", text=f"it is {planted(where)}, you know") for where in EVERY]


def require_clean(folder: Path) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            at = data.find(MARK)
            assert at < 0, f"{file.name}: {data[max(at - 200, 0) : at + 60]!r}"


async def require_harmless(store: Path) -> None:
    """What is shown, and what an export to other tools holds."""
    async with await Recording.open(store) as recording:
        entries = [str(pair) async for pair in recording.values()]
        har = json.dumps(har_of(connections_of(recording), 0))
    assert MARK.decode() not in "".join([*entries, har])


@pytest.mark.real_time
@pytest.mark.parametrize("faults", [(), ("lose,every=2", "corrupt,at=3"), ("corrupt",)], ids=str)
async def test_no_credential_that_passes_a_proxy_is_in_its_store(
    tmp_path: Path, faults: Iterable[str]
) -> None:
    async def provider(server: ServerConnection) -> None:
        for message in SERVER:
            await server.send(message)
        for _ in CLIENT:  # what the client says first is known before anybody repeats it
            await server.recv()
        for message in echoes():
            await server.send(message)
        for _ in EVERY:
            await server.recv()
        await server.close(1000, f"not with {planted('Authorization')}")

    def answer(_: ServerConnection, __: Request, response: Response) -> None:
        response.headers["Set-Cookie"] = f"sid={planted('SetCookie')}; Path=/; HttpOnly"

    store = tmp_path / "calls.db"
    options: dict[str, Any] = {"subprotocols": [Subprotocol("realtime")], "process_response": answer}
    async with listen(provider, "127.0.0.1", 0, **options) as there, Recorder(store) as recorder:
        port = next(iter(there.sockets)).getsockname()[1]
        async with proxy(f"ws://127.0.0.1:{port}", recorder, faults=[*faults]) as url:
            async with connect(
                f"{url}/v1/realtime?{QUERY}", additional_headers=HEADERS, subprotocols=SUBPROTOCOLS
            ) as client:
                for message in (*CLIENT, *echoes()):
                    await client.send(message)
                async for _ in client:
                    pass
            await recorder.flush()
            require_clean(tmp_path)  # the write-ahead log, too
    require_clean(tmp_path)
    await require_harmless(store)


@pytest.mark.real_time
async def test_nor_is_one_of_a_handshake_that_was_refused(tmp_path: Path) -> None:
    def refuse(server: ServerConnection, request: Request) -> Response:
        response = server.respond(401, f"no such key: {planted('ApiKey')}, {planted('Cookie')}")
        response.headers["Set-Cookie"] = f"sid={planted('SetCookie')}"
        return response

    async def never(_: ServerConnection) -> None: ...

    store = tmp_path / "calls.db"
    async with listen(never, "127.0.0.1", 0, process_request=refuse) as there:
        account = f"{planted('UpstreamUser')}:{planted('UpstreamPassword')}"
        port = next(iter(there.sockets)).getsockname()[1]
        async with proxy(f"ws://{account}@127.0.0.1:{port}/?key={planted('UpstreamQuery')}", store) as url:
            with pytest.raises(InvalidStatus):
                await connect(url, additional_headers=HEADERS)
    require_clean(tmp_path)
    await require_harmless(store)


@pytest.mark.real_time
async def test_nor_is_one_of_what_is_imported(tmp_path: Path) -> None:
    def headers(said: dict[str, str]) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in said.items()]

    offered = {"Sec-WebSocket-Protocol": ", ".join(SUBPROTOCOLS)}
    account = f"{planted('UrlUser')}:{planted('UrlPassword')}"
    request = {
        "url": f"wss://{account}@api.example/v1/realtime?{QUERY}",
        "headers": headers({**HEADERS, **offered}),
        "cookies": [{"name": "other", "value": planted("CookieAlone")}],
        "queryString": [{"name": "key", "value": planted("QueryKey")}],
    }
    response = {
        "status": 101,
        "headers": headers({"Set-Cookie": f"sid={planted('SetCookie')}; Path=/"}),
        "cookies": [{"name": "third", "value": planted("SetCookieAlone")}],
    }
    said = [("receive", one) for one in SERVER] + [("send", one) for one in CLIENT]
    said += [("receive", one) for one in (*echoes(), text(x=f"and {planted('CookieAlone')}"))]
    said += [("send", text(x=f"and {planted('SetCookieAlone')}, {planted('UrlPassword')}"))]
    messages = [
        {"type": way, "time": 1.0, "opcode": 1, "data": one if isinstance(one, str) else one.decode()}
        for way, one in said
    ]
    entry = {"request": request, "response": response, "_webSocketMessages": messages}
    captured = tmp_path / "captured"
    captured.mkdir()
    har, lines, store = captured / "a.har", captured / "a.jsonl", tmp_path / "store" / "imported.db"
    store.parent.mkdir()
    har.write_text(json.dumps({"log": {"entries": [entry]}}))
    known = [one for one in said if "echo" not in str(one[1]) and '"x"' not in str(one[1])]
    lines.write_text(
        "\n".join(
            text(dir="server" if way == "receive" else "client", event=json.loads(one)) for way, one in known
        )
    )
    write_drafts(locate(store), [*read_har(har), read_frames(lines, LineFields())])
    require_clean(store.parent)
    await require_harmless(store)


@pytest.mark.parametrize("name", ["headers", "client_secret", "newHandle", "myToken", "api_key", "apiKey"])
@pytest.mark.parametrize("at", [0, 300, 505, 511, 600])
@pytest.mark.parametrize("sound", [0, 60, 1_100, 6_000])
def test_a_name_of_a_credential_is_seen_wherever_it_stands(name: str, at: int, sound: int) -> None:
    around, base64 = " " * at, "A" * sound
    for text in (
        f'{{{around}"{name}": "x", "delta": "{base64}"{" " * 505}}}',
        f'{{{around}"delta": "{base64}", "{name}": "x"{around}}}',
    ):
        assert tells_of_credentials(text)
    assert not tells_of_credentials(f'{{{around}"delta": "{base64}"{around}}}')
