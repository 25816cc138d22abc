"""The recording proxy: between any client and its provider, both ways, and all of it in the log.

A connection is dialled upstream before the client's handshake is answered, or a refusal and the
subprotocol could not be mirrored. Each leg has its own compression and pings; messages, close codes and
an end without one pass through.
"""

from __future__ import annotations

import asyncio
import hmac
import ssl as tls
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import Connection
from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as listen
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from ..recorder import Recorder, harmless_url
from ..schema import StoreLocation, UsageError
from .faults import Fault, FaultLine, Stream, faults_of
from .faulty_way import FaultyWay
from .handshake_limits import LOGGER, beyond_limits
from .joined_sessions import JoinedSessions, JoinRule
from .legs import ClientLeg, ProviderLeg
from .recorded import RecordedEnd
from .replay_server import RUN_HEADER, RUN_PATH, is_ours
from .socket_ends import END_S, end_as, end_of
from .socket_tap import SocketTap

OPEN_S = 30.0
"""How long the provider may take for the handshake."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
MAX_RUNS = 10_000
"""So many runs' last sessions are remembered."""

_NOT_PASSED = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te"),
        *("trailer", "transfer-encoding", "upgrade", "host", "content-length", RUN_HEADER.lower()),
    }
)
"""Headers of one leg (RFC 9110, section 7.6.1), and those that are ours. `Sec-WebSocket-…` are the
libraries'."""


class _Dial(connect):
    """Follows no redirect: it is an answer like any other, and a key may be in any header."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """The library's: where to dial next, or what to raise."""
        return exc


@dataclass(slots=True)
class _Dialled:
    """The provider's leg of a connection whose client has not been answered yet."""

    upstream: ProviderLeg
    tap: SocketTap
    guard: asyncio.Task[None]
    number: int


class RecordingProxy:
    """Records what any client and its provider say to each other.

        async with proxy("wss://api.openai.com", "calls.db") as url:
            ...  # a client whose base URL this is, instead of the provider's

    Every connection is a session of the log. Sessions of one run (`/run/NAME/…`, or the header
    `X-Realtape-Run`) follow one another, so that a client's reconnections are played as such. With `join`,
    connections that have one value in common are one session. Credentials pass through, and are not
    recorded. The path is the provider's; a query of either is kept.

    Args:
        upstream: the provider's URL: `wss://host`, or with the beginning of the path.
        store: where to record: a path, a URL, or a `Recorder`, which then stays open.
        host, port: where to listen. Port 0: the system chooses.
        token: clients must begin their path with it: `/TOKEN/v1/realtime`. It must be given to listen
            anywhere but on loopback.
        labels: of every session.
        join: what connections of one session have in common: `query:NAME`, `header:NAME`, or `label:NAME`
            (`label:run` is the run; any other label is of all connections). One that lacks it is a
            session of its own.
        ssl: a server's context, to listen on `wss://`.
        upstream_ssl: a client's context, for a provider with a certificate of its own.
        faults: that are injected, as `Fault` or as the command line has them; each is an entry.
        fault_seed: of their chances.

    Raises:
        UsageError: the URL is none of a websocket; it would listen to the world without a token; or
            there is no such fault.
    """

    def __init__(
        self,
        upstream: str,
        store: StoreLocation | Recorder,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        token: str | None = None,
        labels: Mapping[str, str] | None = None,
        join: str | None = None,
        ssl: tls.SSLContext | None = None,
        upstream_ssl: tls.SSLContext | None = None,
        faults: Sequence[Fault | str] = (),
        fault_seed: int = 0,
    ) -> None:
        parts = urlsplit(upstream)
        if parts.scheme not in ("ws", "wss") or not parts.hostname:
            raise UsageError(f"{upstream!r}: name the provider as wss://host, or ws://host")
        if host not in LOOPBACK and not token:
            raise UsageError(
                f"host={host!r}: whoever reaches it uses the provider through it; give a token, "
                "or listen on 127.0.0.1"
            )
        self._upstream = parts
        self._join = None if join is None else JoinRule.of(join)
        self._joined: JoinedSessions | None = None
        self._store = store
        self._host, self._port, self._ssl = host, port, ssl
        self._token = token or None
        self._labels = dict(labels or {})
        self._upstream_ssl = upstream_ssl
        self._faults, self._fault_seed = faults_of(faults), fault_seed
        self._count = 0  # of the connections that were dialled
        self._ways: weakref.WeakSet[FaultyWay] = weakref.WeakSet()
        self._own: Recorder | None = None
        self._recorder: Recorder | None = None
        self._server: Server | None = None
        self._dialled: weakref.WeakKeyDictionary[ServerConnection, _Dialled] = weakref.WeakKeyDictionary()
        self._guards: set[asyncio.Task[None]] = set()
        self._runs: dict[str, Any] = {}

    async def __aenter__(self) -> str:
        """Listen; returns the URL that clients connect to.

        Raises:
            OSError: the port is taken.
        """
        if isinstance(self._store, Recorder):
            self._recorder = self._store
        else:
            self._recorder = self._own = Recorder(self._store)
        if self._join is not None:
            self._joined = JoinedSessions(self._recorder, self._join)
        self._server = await listen(
            self._converse,
            self._host,
            self._port,
            process_request=self._answer,
            select_subprotocol=self._subprotocol,
            create_connection=cast("type[ServerConnection]", self._leg),
            logger=LOGGER,
            compression=None,
            max_size=None,
            ping_interval=None,
            open_timeout=OPEN_S + END_S,
            close_timeout=END_S,
            ssl=self._ssl,
        )
        return self.url

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections on both sides, with code 1001, and commit what was recorded.

        Raises:
            StoreWriteError: what is left could not be written.
        """
        if self._server is not None:
            server, self._server = self._server, None
            for way in self._ways:
                way.give_up()
            server.close()
            await server.wait_closed()
        if self._guards:
            await asyncio.gather(*self._guards, return_exceptions=True)
        if self._joined is not None:
            self._joined.end()
        if self._own is not None:
            recorder, self._own = self._own, None
            await recorder.close()

    @property
    def url(self) -> str:
        """Where to connect to; only within `async with`.

        Raises:
            RuntimeError: it does not listen.
        """
        if self._server is None:
            raise RuntimeError("the proxy listens only within `async with`")
        port = next(iter(self._server.sockets)).getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        scheme = "ws" if self._ssl is None else "wss"
        return f"{scheme}://{host}:{port}" + (f"/{self._token}" if self._token else "")

    @property
    def provider(self) -> str:
        """Where the provider is, without what may be a credential."""
        return harmless_url(urlunsplit(self._upstream))

    # --- handshakes -----------------------------------------------------------------------------------

    def _leg(self, *args: Any, **options: Any) -> ClientLeg:
        leg = ClientLeg(*args, **options)
        if self._token is None:  # else anybody could fill the store
            leg.on_too_large = self._too_large
        return leg

    def _too_large(self, error: Exception) -> None:
        """Nothing is known of it but that: a session of its own."""
        assert self._recorder is not None, "it listens"
        tap = SocketTap.beginning(self._recorder, self._labels)
        tap.opening(urlunsplit(self._upstream), [], [], by="proxy")
        tap.failed(error=error.__cause__ or error)

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """Dial the provider; None: it agreed, and so do we. Cancelled, nothing stays open."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return connection.respond(HTTPStatus.UPGRADE_REQUIRED, "This is a proxy for websockets.\n")
        if not is_ours(request.headers.get("Origin")):
            return connection.respond(HTTPStatus.FORBIDDEN, "This proxy is for this machine alone.\n")
        path = self._without_token(request.path)
        if path is None:
            return connection.respond(HTTPStatus.FORBIDDEN, "The path must begin with the proxy's token.\n")
        path, run = _without_run(path, request.headers.get(RUN_HEADER))
        url = self._url_of(path)
        offered = [
            name
            for value in request.headers.get_all("Sec-WebSocket-Protocol")
            for name in map(str.strip, value.split(","))
            if name  # a list may have empty elements (RFC 9110, section 5.6.1.2)
        ]
        tap = self._tap(path, request.headers, run)
        tap.opening(
            url,
            list(request.headers.raw_items()),
            offered,
            by="proxy",
            path=path,
            hidden=[self._token] if self._token else [],
        )
        try:
            upstream = await self._dial(url, request.headers, offered)
        except InvalidStatus as refused:
            return _mirrored(tap, refused.response)
        except (OSError, TimeoutError, WebSocketException, EOFError) as error:
            tap.failed(error=error)
            told = beyond_limits(error)
            why = type(error).__name__ if told is None else f"its answer is too large: {told}"
            return connection.respond(HTTPStatus.BAD_GATEWAY, f"The provider cannot be reached: {why}.\n")
        except ValueError as error:  # a subprotocol that is none, a path that is not ASCII
            tap.failed(error=error)
            return connection.respond(HTTPStatus.BAD_REQUEST, "No provider can be asked that.\n")
        except asyncio.CancelledError as error:
            tap.failed(error=error)
            raise
        response = upstream.response
        headers = [] if response is None else list(response.headers.raw_items())
        tap.opened(101 if response is None else response.status_code, upstream.subprotocol, headers)
        guard = asyncio.create_task(_guarded(connection, upstream, tap))
        self._guards.add(guard)
        guard.add_done_callback(self._guards.discard)
        self._count += 1
        self._dialled[connection] = _Dialled(upstream, tap, guard, self._count)
        return None

    async def _dial(self, url: str, headers: Headers, offered: list[str]) -> ProviderLeg:
        passed = [
            (name, value)
            for name, value in headers.raw_items()
            if name.lower() not in _NOT_PASSED and not name.lower().startswith("sec-websocket-")
        ]
        options: dict[str, Any] = {} if self._upstream_ssl is None else {"ssl": self._upstream_ssl}
        leg = await _Dial(
            url,
            create_connection=ProviderLeg,
            additional_headers=passed,
            user_agent_header=None,
            subprotocols=[Subprotocol(name) for name in offered] or None,
            compression=None,
            max_size=None,
            ping_interval=None,
            open_timeout=OPEN_S,
            close_timeout=END_S,
            **options,
        )
        assert isinstance(leg, ProviderLeg), "we make them"
        return leg

    def _subprotocol(self, connection: ServerConnection, _: object) -> Subprotocol | None:
        dialled = self._dialled.get(connection)
        return None if dialled is None else dialled.upstream.subprotocol

    def _without_token(self, path: str) -> str | None:
        """The path as the provider is to have it; None: the token is another."""
        if self._token is None:
            return path
        first, _, rest = path.removeprefix("/").partition("/")
        given, query, asked = first.partition("?")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            return None
        return f"/{rest}{query}{asked}"

    def _url_of(self, path: str) -> str:
        base, asked = self._upstream, urlsplit(f"//host{path}")
        query = "&".join(one for one in (base.query, asked.query) if one)
        inner = "" if asked.path == "/" else asked.path
        return urlunsplit((base.scheme, base.netloc, (base.path.rstrip("/") + inner) or "/", query, ""))

    def _tap(self, path: str, headers: Headers, run: str | None) -> SocketTap:
        """The tap of a connection, in a session of its own or in one that others are in."""
        assert self._recorder is not None, "it listens"
        labels = self._labels if run is None else {**self._labels, "run": run}
        joining = None if self._joined is None else self._joined.tap(path, headers, labels)
        if joining is not None:
            return joining
        previous = None if run is None else self._runs.pop(run, None)
        tap = SocketTap.beginning(self._recorder, labels, previous)
        if run is not None and tap.log is not None:
            self._runs[run] = tap.log
            if len(self._runs) > MAX_RUNS:
                del self._runs[next(iter(self._runs))]
        return tap

    # --- a connection -----------------------------------------------------------------------------------

    async def _converse(self, client: ServerConnection) -> None:
        dialled = self._dialled[client]
        upstream, tap = dialled.upstream, dialled.tap
        dialled.guard.cancel()  # from here on, we see to its end
        assert isinstance(client, ClientLeg), "we make them"
        up = asyncio.create_task(self._carried("upstream", client, upstream, dialled))
        down = asyncio.create_task(self._carried("downstream", upstream, client, dialled))
        waiting = {up, down}
        try:
            while waiting:  # the side that ends first decides; a pump that finds its other side gone does not
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                ended = [(pump, pump.result()) for pump in (down, up) if pump in done]
                told = [(pump, closed) for pump, closed in ended if closed is not None]
                if told:
                    pump, closed = told[0]
                    if isinstance(closed, RecordedEnd):
                        await _cut(closed, client, upstream, tap)
                    else:
                        await _mirror(closed, client, upstream, tap, by_server=pump is down)
                    break
        finally:
            for pump in (up, down):
                pump.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            await end_as(upstream, "closed", 1001, "")
            tap.over()

    async def _carried(
        self, stream: Stream, source: ClientLeg | ProviderLeg, sink: Connection, dialled: _Dialled
    ) -> ConnectionClosed | RecordedEnd | None:
        """Carry messages one way.

        Returns:
            How the source ended, or a fault both; None: the sink is gone.
        """
        record = dialled.tap.frame_out if stream == "upstream" else dialled.tap.frame_in
        line = FaultLine(
            self._faults, stream, seed=self._fault_seed, connection=dialled.number, now_ns=_now_ns()
        )
        if not line:
            return await source.carry_to(sink, record)
        return await self._pump_faulty(source, sink, record, dialled.tap, line)

    async def _pump_faulty(
        self, source: Connection, sink: Connection, record: Any, tap: SocketTap, line: FaultLine
    ) -> ConnectionClosed | RecordedEnd | None:
        """The same under faults. What the client sends is recorded as it comes, what it gets as it goes."""
        to_client = line.stream == "downstream"

        async def deliver(message: str | bytes) -> None:
            if to_client:
                record(message)
            await sink.send(message)

        async def read() -> ConnectionClosed:
            while True:
                try:
                    message = await source.recv()
                except ConnectionClosed as closed:
                    way.end()
                    return closed
                if not to_client:
                    record(message)
                await way.put(message)

        way = FaultyWay(line, deliver, tap.fault, _now_ns, tap.type_of)
        self._ways.add(way)
        running, reading = asyncio.create_task(way.run()), asyncio.create_task(read())
        try:
            end = await running
            return await reading if end is None else end
        except ConnectionClosed:
            return None
        finally:
            for task in (running, reading):
                task.cancel()
            await asyncio.gather(running, reading, return_exceptions=True)


proxy = RecordingProxy
"""`async with proxy("wss://api.openai.com", "calls.db") as url`."""


async def _cut(
    end: RecordedEnd, client: ServerConnection, upstream: ClientConnection, tap: SocketTap
) -> None:
    """A fault ends both legs, alike."""
    tap.server_ended(end.how, end.code, end.reason)
    await asyncio.gather(*(end_as(leg, end.how, end.code, end.reason) for leg in (client, upstream)))


async def _mirror(
    ended: ConnectionClosed,
    client: ServerConnection,
    upstream: ClientConnection,
    tap: SocketTap,
    *,
    by_server: bool,
) -> None:
    how, code, reason = end_of(ended)
    if by_server:
        tap.server_ended(how, code, reason)
        await end_as(client, how, code, reason)
        return
    closing = tap.client_closes(how, code, reason)
    await end_as(upstream, how, code, reason)
    tap.client_closed(closing, upstream.close_code, upstream.close_reason or "")


async def _guarded(client: ServerConnection, upstream: ClientConnection, tap: SocketTap) -> None:
    """A client that goes away before it is answered leaves nothing open."""
    await client.wait_closed()
    tap.client_closes("eof", None, "")
    await end_as(upstream, "closed", 1001, "")
    tap.over()


def _mirrored(tap: SocketTap, response: Response) -> Response:
    """The provider's refusal, for the client."""
    body = response.body or b""
    tap.failed(status=response.status_code, body=body.decode("utf-8", "replace"))
    headers = Headers()
    for name, value in response.headers.raw_items():
        if name.lower() not in _NOT_PASSED and not name.lower().startswith("sec-websocket-"):
            headers[name] = value
    headers["Content-Length"] = str(len(body))
    headers["Connection"] = "close"
    return Response(response.status_code, response.reason_phrase, headers, body)


def _without_run(path: str, named: str | None) -> tuple[str, str | None]:
    """The path without the run that it names, and the run."""
    parts = path.split("/", 3)
    if len(parts) > 2 and parts[1] == RUN_PATH and parts[2]:
        return f"/{parts[3] if len(parts) > 3 else ''}", named or parts[2]
    return path, named


def _now_ns() -> int:
    return int(asyncio.get_running_loop().time() * 1e9)
