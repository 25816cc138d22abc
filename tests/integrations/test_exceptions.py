"""What websockets, openai, pydantic, the network and the SDK raise comes back as what it was."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import openai
import pytest
from agents import exceptions
from agents.realtime import OpenAIRealtimeWebSocketModel
from openai.types.realtime.realtime_server_event import RealtimeServerEvent
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from realtape.integrations.openai_agents import Recorder
from realtape.schema import same
from support.payloads import payload_of, round_trip
from support.sdk_model import Listener
from support.stored import read
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidStatus,
    InvalidURI,
)

pytestmark = pytest.mark.real_time


def told(error: Any) -> tuple[Any, ...]:
    return type(cast("object", error)), str(error), repr(error), error.args


async def loopback(
    handler: Callable[[ServerConnection], Awaitable[None]], **options: Any
) -> tuple[Server, str]:
    server = await serve(handler, "127.0.0.1", 0, **options)
    return server, f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def closed_by(code: int | None) -> ConnectionClosed:
    """What `recv` raises when the server closes so; None is the end of file, without a close frame."""

    async def close(connection: ServerConnection) -> None:
        if code is None:
            connection.transport.abort()
        else:
            await connection.close(code, "the reason")

    server, url = await loopback(close)
    try:
        async with connect(url) as client:
            with pytest.raises(ConnectionClosed) as raised:
                await client.recv()
            return raised.value
    finally:
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    ("code", "cls"),
    [(1000, ConnectionClosedOK), (1011, ConnectionClosedError), (None, ConnectionClosedError)],
)
async def test_closed_connections_come_back(code: int | None, cls: type[Any]) -> None:
    error = await closed_by(code)
    back = round_trip(error)
    assert type(error) is type(back) is cls
    assert told(back)[1:3] == told(error)[1:3]
    assert (back.rcvd, back.sent, back.rcvd_then_sent) == (error.rcvd, error.sent, error.rcvd_then_sent)
    with warnings.catch_warnings(action="ignore"):
        assert (
            (back.code, back.reason)
            == (error.code, error.reason)
            == (code or 1006, "the reason" if code else "")
        )


async def test_a_refused_handshake_comes_back_without_its_cookies() -> None:
    async def unused(connection: ServerConnection) -> None:
        del connection

    def refuse(connection: ServerConnection, request: Any) -> Any:
        del request
        response = connection.respond(401, "no such key\n")
        response.headers["Set-Cookie"] = "session=hush-hush"
        response.headers["Retry-After"] = "3"
        return response

    server, url = await loopback(unused, process_request=refuse)
    with pytest.raises(InvalidStatus) as raised:
        async with connect(url):
            pass
    server.close()
    await server.wait_closed()
    assert "hush-hush" not in payload_of(raised.value, [])
    back = round_trip(raised.value)
    assert type(back) is InvalidStatus
    assert str(back) == str(raised.value) == "server rejected WebSocket connection: HTTP 401"
    assert (back.response.status_code, back.response.body) == (401, b"no such key\n")
    assert back.response.headers["retry-after"] == "3"


async def test_an_invalid_address_comes_back_without_its_password() -> None:
    with pytest.raises(InvalidURI) as raised:
        async with connect("http://user:hush-hush@example.org/?token=hush-hush"):
            pass
    assert "hush-hush" not in payload_of(raised.value, [])
    assert str(round_trip(raised.value)).startswith("http://example.org/?token=[redacted]")


async def test_a_refused_connection_and_failures_of_the_network_come_back() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(OSError) as raised:  # noqa: PT011 - which one is the system's choice
            async with connect(f"ws://127.0.0.1:{unused.getsockname()[1]}"):
                pass
    for error in (raised.value, socket.gaierror(-2, "Name or service not known"), ssl.SSLEOFError(8, "EOF")):
        back = round_trip(error)
        assert told(back) == told(error)
        assert back.errno == error.errno


def openai_errors() -> list[Exception]:
    """Real ones, whatever HTTP library this release of `openai` is built on."""
    http: Any = vars(openai._exceptions).get("httpx2") or vars(openai._exceptions)["httpx"]
    request = http.Request(
        "POST", "https://api.example/v1?token=hush-hush", headers={"Authorization": "hush-hush"}
    )
    response = http.Response(429, request=request, headers={"x-request-id": "req_1"})
    body = {"code": "rate_limit_exceeded", "message": "slow down", "param": None, "type": "requests"}
    return [
        openai.OpenAIError("no key"),
        openai.APIConnectionError(request=request),
        openai.APITimeoutError(request),
        openai.RateLimitError("slow down", response=response, body=body),
    ]


@pytest.mark.parametrize("error", openai_errors(), ids=lambda error: type(error).__name__)
def test_errors_of_openai_come_back_without_their_requests(error: Any) -> None:
    kept: list[bytes] = []
    assert "hush-hush" not in payload_of(error, kept)
    assert b"hush-hush" not in b"".join(kept)
    back = round_trip(error)
    assert told(back) == told(error)
    for name in ("message", "body", "code", "param", "type", "status_code", "request_id"):
        assert getattr(back, name, None) == getattr(error, name, None)


class Order(BaseModel):
    dish: str
    number: int

    @field_validator("dish")
    @classmethod
    def known(cls, value: str) -> str:
        if value == "{soup}":
            raise PydanticCustomError("sold_out", "sold out: {dish}", {"dish": value})
        if value == "stone":
            raise ValueError("nobody eats {that}")
        return value


class Secretive(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)
    number: int


def refused(validate: Callable[[], Any]) -> ValidationError:
    with pytest.raises(ValidationError) as raised:
        validate()
    return raised.value


VALIDATION_ERRORS: dict[str, Callable[[], Any]] = {
    "missing": lambda: Order.model_validate({"dish": "soup"}),
    "several": lambda: Order.model_validate({"dish": 3, "number": "many"}),
    "json": lambda: Order.model_validate_json('{"dish": ["soup"], "number": 1.5}'),
    "not even an object": lambda: Order.model_validate_json("[]"),
    "custom": lambda: Order.model_validate({"dish": "{soup}", "number": 1}),
    "raised by a validator": lambda: Order.model_validate({"dish": "stone", "number": 1}),
    "server event": lambda: TypeAdapter(RealtimeServerEvent).validate_python({"type": "nonsense", "x": [1]}),
}


@pytest.mark.parametrize("validate", VALIDATION_ERRORS.values(), ids=list(VALIDATION_ERRORS))
def test_validation_errors_come_back(validate: Callable[[], Any]) -> None:
    error = refused(validate)
    back = round_trip(error)
    assert str(back) == str(error)
    assert back.title == error.title
    assert same(back.errors(include_context=False), error.errors(include_context=False))
    assert back.error_count() == error.error_count()


def test_an_input_that_many_lines_share_is_kept_once() -> None:
    event = {"dish": "x" * 1000}
    error = refused(lambda: TypeAdapter(int | str | Secretive | list[int]).validate_python(event))
    assert error.error_count() == 4
    assert payload_of(error, []).count("x" * 1000) <= 1 + str(error).count("x" * 1000)
    assert same(round_trip(error).errors(), error.errors())


def test_inputs_that_a_model_hides_are_not_kept() -> None:
    error = refused(lambda: Secretive.model_validate({"number": "hush-hush"}))
    kept: list[bytes] = []
    assert "hush-hush" not in payload_of(error, kept)
    assert b"hush-hush" not in b"".join(kept)
    assert str(round_trip(error)) == str(error)


async def test_messages_that_the_sdk_does_not_know_cost_little_more_than_twice_their_bytes(
    tmp_path: Path,
) -> None:
    """Once as they came, and once in the error that says so; what it says beside is in the file once."""
    own, inner = 0, OpenAIRealtimeWebSocketModel()
    async with Recorder(tmp_path / "log.db") as recorder:
        model = recorder.wrap(inner)
        model.add_listener(Listener())
        for number in range(30):
            message = {"type": "session.something_new", "event_id": f"{number}", "value": "x" * 1500}
            own += len(json.dumps(message))
            await inner._handle_ws_event(message)  # pyright: ignore[reportPrivateUsage]
    (stored,) = await read(tmp_path / "log.db")
    errors = [entry for entry in stored.entries if entry.type == "error"]
    assert len(errors) == 30
    assert sum(map(len, stored.segments.values())) < 4000
    # Where the code lies that raised it depends on the machine.
    traces = [len(json.dumps(json.loads(entry.payload)["error"]["trace"])) for entry in errors]
    assert sum(len(entry.payload) for entry in stored.entries) - sum(traces) < 2 * own + 30 * 300


@pytest.mark.parametrize(
    "error",
    [
        exceptions.UserError("wrong"),
        exceptions.ModelBehaviorError("no such tool"),
        exceptions.MaxTurnsExceeded("enough"),
        asyncio.CancelledError("shutting down"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_exceptions_of_the_sdk_come_back(error: BaseException) -> None:
    error.add_note("in the kitchen")
    if isinstance(error, exceptions.AgentsException):
        error.run_data = cast("Any", object())  # everything that was said
    back = round_trip(error)
    assert told(back) == told(error)
    assert back.__notes__ == ["in the kitchen"]
    assert getattr(back, "run_data", None) is None
    assert getattr(back, "message", None) == getattr(error, "message", None)
