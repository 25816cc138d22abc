"""The replay server: the recorded server's side, spoken on a real websocket, for any client in any
language."""

from __future__ import annotations

import asyncio
import ssl as tls
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from types import TracebackType
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from websockets.asyncio.server import Server, ServerConnection
from websockets.asyncio.server import serve as listen
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from ..replay import AudioMatching, PlaybackMatching
from ..schema import Frame, StoreLocation, UsageError
from ..schema.codec import standard_json, to_json
from ..session import Draft, Recording
from .client_run import ClientRun, ClientRuns, ServedRecordings
from .connections import connections_of
from .dialects import Dialect, message_in
from .faults import Fault, FaultLine, Stream, faults_of
from .faulty_way import FaultyWay
from .handshake_limits import LOGGER, AnsweringLeg
from .recorded import RecordedConnection, RecordedEnd, Refusal
from .server_side import EndNow, SendFrame, ServerSide
from .socket_ends import end_as
from .wire_report import WireReport, report_of

REPORT_PATH = "/.realtape/report.json"
"""Where the report is while the server runs: `GET` it."""

RUN_PATH = "run"
"""`/run/NAME/…`: the run that a client names; or by the header."""
RUN_HEADER = "X-Realtape-Run"
RECORDING_PATH = "recording"
"""`/recording/NAME/…`: the recording that a client names, of several; or by the header."""
RECORDING_HEADER = "X-Realtape-Recording"

CLOSE_TIMEOUT_S = 1.0
"""How long a client may take to answer a close frame. No client should hold up the end of a test."""

PATIENCE_S = 2.0
"""How long a frame waits for one of the client's, unless somebody says otherwise."""

FINAL_STATUSES = range(200, 600)
"""Of HTTP, those that end a handshake."""

Deliver = Callable[[str | bytes], Awaitable[None]]
"""Gives a message to the other side, and may keep us waiting."""

Played = Recording | StoreLocation | Sequence[Draft] | Sequence[RecordedConnection]
"""What can be served: a recording, a store's or fixture's path, drafts, or connections that were read."""


class ReplayServer:
    """Speaks the recorded server's side to whoever connects.

        server = serve("sessions.db")
        async with server as url:
            ...  # a client, with its base URL set to `url`
        print(server.report())

    What the client is to be answered waits until it asked; the socket stays open at the end, unless the
    provider ended it when that was recorded. A client that connects again gets the next recorded
    connection; another client beside it, a run of its own (`docs/wire.md`). Leaving the context closes
    what is open with code 1001.

    Args:
        recording: see `Played`; or several of them by their names, and the client says which: by the
            path `/recording/NAME/…`, the header `X-Realtape-Recording`, or else by its first message,
            which is held against those that the recorded clients sent first.
        pace: live seconds for a recorded second; 0: as fast as the client goes.
        patience: seconds for which a frame waits for one of the client's that does not come; None: for ever.
        on_unexpected: what is done about a frame that the recording does not hold: nothing, or an `error`.
        strict: that a frame came on another side of an event than recorded diverges, too.
        playback: how much was heard, most clients know by a clock of their own, and no two calls take the
            same time. `tolerant`: a frame that differs in that alone is the recorded one; what it says is
            answered, and told in the report. `exact`: it is another one. `ignore`: it is not told.
        audio: what a client says aloud: `bytes`, held against the recorded as one stream, `exact`, frame by
            frame, `ignore`, not at all. What differs is counted, and decides no verdict.
        host, port: where to listen; only loopback is meant for this, for nobody is asked for a key. Port
            0: the system chooses.
        ssl: a server's context, for clients that insist on `wss://`.
        faults: that are injected, as `Fault` or as the command line has them; the report tells each.
        fault_seed: of their chances.

    Raises:
        UsageError: the pace is negative, or there is no such fault, or way to compare.
    """

    def __init__(
        self,
        recording: Played | Mapping[str, Played],
        *,
        pace: float = 1.0,
        patience: float | None = PATIENCE_S,
        on_unexpected: Literal["ignore", "error"] = "ignore",
        strict: bool = False,
        playback: PlaybackMatching = "tolerant",
        audio: AudioMatching = "ignore",
        host: str = "127.0.0.1",
        port: int = 0,
        ssl: tls.SSLContext | None = None,
        faults: Sequence[Fault | str] = (),
        fault_seed: int = 0,
    ) -> None:
        if not pace >= 0:
            raise UsageError(f"pace={pace}: a number from 0 on; 0 is as fast as the client goes")
        self._recording = recording
        self._pace = pace
        self._patience_ns = None if patience is None else int(patience * 1e9)
        self._on_unexpected = on_unexpected
        if playback not in ("exact", "tolerant", "ignore"):
            raise UsageError(f"playback={playback!r}: one of exact, tolerant, ignore")
        if audio not in ("exact", "bytes", "ignore"):
            raise UsageError(f"audio={audio!r}: one of exact, bytes, ignore")
        self._audio: AudioMatching = audio
        self._strict = strict
        self._playback: PlaybackMatching = playback
        self._host, self._port, self._ssl = host, port, ssl
        self._faults, self._fault_seed = faults_of(faults), fault_seed
        self._count = 0  # of the connections so far
        self._ways: weakref.WeakSet[FaultyWay] = weakref.WeakSet()
        self._name = ""
        self._served: ServedRecordings | None = None
        self._server: Server | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> str:
        """Read the recording and listen; returns the URL to connect to.

        Raises:
            UsageError: the recording holds nothing that can be served.
            StoreError, CorruptRecordError: it cannot be read.
            OSError: the port is taken.
        """
        self._served = ServedRecordings(await self._read())
        self._server = await listen(
            self._converse,
            self._host,
            self._port,
            process_request=self._answer,
            select_subprotocol=self._subprotocol,
            create_connection=AnsweringLeg,
            logger=LOGGER,
            max_size=None,
            ping_interval=None,
            close_timeout=CLOSE_TIMEOUT_S,
            ssl=self._ssl,
        )
        return self.url

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        if self._server is not None:
            server, self._server = self._server, None
            for way in self._ways:
                way.give_up()
            server.close()
            await server.wait_closed()

    @property
    def url(self) -> str:
        """Where to connect to, with the path that was recorded; only within `async with`.

        Raises:
            RuntimeError: it does not listen.
        """
        if self._server is None or self._served is None:
            raise RuntimeError("the server listens only within `async with`")
        port = next(iter(self._server.sockets)).getsockname()[1]
        host = f"[{self._host}]" if ":" in self._host else self._host
        scheme = "ws" if self._ssl is None else "wss"
        first = next(iter(self._served.recordings.values())).connections[0]
        path = urlsplit(first.path).path or "/v1/realtime"
        return f"{scheme}://{host}:{port}{path}"

    def url_of(self, recording: str) -> str:
        """Where a client connects to that wants this one of several recordings.

        Raises:
            UsageError: there is no such recording.
            RuntimeError: it does not listen.
        """
        parts = urlsplit(self.url)
        assert self._served is not None, "it listens"
        found = self._served.recordings.get(recording)
        if found is None:
            raise UsageError(
                f"{recording}: no such recording; there are {', '.join(self._served.recordings)}"
            )
        path = urlsplit(found.connections[0].path).path or "/v1/realtime"
        return f"{parts.scheme}://{parts.netloc}/{RECORDING_PATH}/{quote(recording, safe='')}{path}"

    def report(self) -> WireReport:
        """What has come of it so far."""
        runs = () if self._served is None else self._served.runs
        return report_of(self._name, runs, strict=self._strict)

    async def finished(self) -> WireReport:
        """Wait until a client has been there and none is connected any more. May be cancelled at any time."""
        while self._served is None or not self._is_done(self._served):
            self._changed.clear()
            await self._changed.wait()
        return self.report()

    @staticmethod
    def _is_done(served: ServedRecordings) -> bool:
        return any(run.sides for run in served.runs) and not any(run.open for run in served.runs)

    # --- reading --------------------------------------------------------------------------------------

    async def _read(self) -> dict[str, list[RecordedConnection]]:
        several = self._recording
        if not isinstance(several, Mapping):
            self._name, connections = await _read(several)
            return {self._name: _whole(self._name, connections)}
        if not several:
            raise UsageError("there is no recording to serve")
        self._name = f"{len(several):,} recordings"
        found: dict[str, list[RecordedConnection]] = {}
        for name, one in several.items():
            found[name] = _whole(name, (await _read(one))[1])
        return found

    # --- handshakes -----------------------------------------------------------------------------------

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """What is answered over HTTP; None: a websocket is opened."""
        if urlsplit(request.path).path == REPORT_PATH:
            told = standard_json(self.report().as_json(), indent=1)
            response = connection.respond(HTTPStatus.OK, told + "\n")
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            return response
        if request.headers.get("Upgrade", "").lower() != "websocket":
            told = f"This is a server for websockets; its report is at {REPORT_PATH}.\n"
            return connection.respond(HTTPStatus.UPGRADE_REQUIRED, told)
        if not is_ours(request.headers.get("Origin")):
            return connection.respond(HTTPStatus.FORBIDDEN, "This server is for this machine alone.\n")
        try:
            recording = self._recording_of(request)
        except UsageError as unknown:
            return connection.respond(HTTPStatus.NOT_FOUND, f"{unknown}\n")
        if recording is None:
            return None
        upcoming = recording.upcoming(_run_name(request))
        refusal = upcoming.refusal
        if refusal is None:
            return None
        recording.for_client(_run_name(request)).refused()
        self._changed.set()
        return _refused(connection, refusal)

    def _subprotocol(self, _: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        """The recorded one, if it is offered; else `realtime`, never one that carries a key."""
        served = () if self._served is None else self._served.recordings.values()
        recorded = [one.subprotocol for runs in served for one in runs.connections]
        return next((one for one in (*recorded, "realtime") if one in offered), None)  # pyright: ignore[reportReturnType]

    def _recording_of(self, request: Request) -> ClientRuns | None:
        """The recording that a client names, or the only one; None: its first message tells.

        Raises:
            UsageError: it names one that there is not.
        """
        assert self._served is not None, "it listens"
        name = request.headers.get(RECORDING_HEADER, _in_path(request, RECORDING_PATH))
        return self._served.only if name is None else self._served.named(name)

    async def _chosen(
        self, connection: ServerConnection, request: Request
    ) -> tuple[ClientRuns, str | bytes | None]:
        """The recording that a client gets, and its first message if that had to be asked.

        Raises:
            ConnectionClosed: the client is gone.
        """
        assert self._served is not None, "it listens"
        found = self._recording_of(request)
        if found is not None:
            return found, None
        first: str | bytes | None = None
        try:
            async with asyncio.timeout(None if self._patience_ns is None else self._patience_ns / 1e9):
                first = await connection.recv()
        except TimeoutError:
            pass  # it waits for the server's first
        frame = None if first is None else Frame.of(first)
        return self._served.by_first(frame, _run_name(request)), first

    # --- a connection -----------------------------------------------------------------------------------

    async def _converse(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None, "the handshake is over"
        try:
            recording, first = await self._chosen(connection, request)
        except ConnectionClosed:
            return
        run = recording.for_client(_run_name(request))
        side = run.connect(
            _now_ns(),
            pace=self._pace,
            patience_ns=self._patience_ns,
            playback=self._playback,
            audio=self._audio,
        )
        came = asyncio.Event()
        take = partial(self._take, connection, side, came)
        self._count += 1
        down = self._way("downstream", connection.send, run, side)
        up = self._way("upstream", take, run, side)
        reading = asyncio.create_task(_hear(connection, first, take if up is None else up.put))
        send = connection.send if down is None else down.put
        speaking = asyncio.create_task(_speak(send, side, came, reading))
        carrying = {way: asyncio.create_task(way.run()) for way in (down, up) if way is not None}
        try:
            end = await _first_end(speaking, [*carrying.values()])
            for way, task in carrying.items():  # what is under way still passes
                if speaking.done():
                    way.end()
                    end = await task or end
            if end is not None:
                await end_as(connection, end.how, end.code, end.reason)
        except ConnectionClosed:
            pass  # the client's right, at any time
        finally:
            tasks = [reading, speaking, *carrying.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            run.ended(side, _now_ns())
            self._changed.set()
        failed = None if not reading.done() or reading.cancelled() else reading.exception()
        if failed is not None:
            raise failed  # the library tells, and closes with 1011

    def _way(self, stream: Stream, deliver: Deliver, run: ClientRun, side: ServerSide) -> FaultyWay | None:
        """One way of a connection; None: without faults."""
        line = FaultLine(
            self._faults, stream, seed=self._fault_seed, connection=self._count, now_ns=_now_ns()
        )
        if not line:
            return None
        type_of = partial(_type_of, side.connection.dialect)
        way = FaultyWay(line, deliver, run.injected[side].append, _now_ns, type_of)
        self._ways.add(way)
        return way

    async def _take(
        self, connection: ServerConnection, side: ServerSide, came: asyncio.Event, message: str | bytes
    ) -> None:
        """A message of the client's arrives."""
        frame = Frame.of(message)
        before = len(side.findings)
        side.receive(frame, _now_ns())
        if self._on_unexpected == "error":
            for finding in side.findings[before:]:
                if finding.kind == "unexpected":
                    await connection.send(_error(frame, finding.summary))
        came.set()


async def _read(recording: Played) -> tuple[str, list[RecordedConnection]]:
    """A recording's name, and its connections."""
    if isinstance(recording, Recording):
        return str(recording), await asyncio.to_thread(connections_of, recording)
    if isinstance(recording, Sequence) and not isinstance(recording, str | bytes):
        ready = [one for one in recording if isinstance(one, RecordedConnection)]
        drafts = [one for one in recording if isinstance(one, Draft)]
        return "in memory", ready or await asyncio.to_thread(connections_of, drafts)
    async with await Recording.open(recording) as opened:
        return str(opened), await asyncio.to_thread(connections_of, opened)


def _whole(name: str, connections: list[RecordedConnection]) -> list[RecordedConnection]:
    """The connections, where all that they held is known."""
    lacking = sum(one.skeletons for one in connections)
    if lacking:
        raise UsageError(f"{name}: {lacking:,} of its frames were captured by their type alone: not served")
    return connections


def _run_name(request: Request) -> str | None:
    return request.headers.get(RUN_HEADER, _in_path(request, RUN_PATH))


def _in_path(request: Request, word: str) -> str | None:
    """What follows a word at the beginning of the path: `/recording/A/run/B/…`, in either order."""
    parts = urlsplit(request.path).path.split("/")[1:]
    while len(parts) > 1 and parts[0] in (RUN_PATH, RECORDING_PATH):
        if parts[0] == word:
            return unquote(parts[1])
        parts = parts[2:]
    return None


def _refused(connection: ServerConnection, refusal: Refusal) -> Response:
    """The recorded answer, also where no standard knows its status: 520 and 529 are common. One that no
    client would read, and none at all, are 502."""
    response = connection.respond(HTTPStatus.BAD_GATEWAY, refusal.body)
    status = refusal.status or 0
    if status in FINAL_STATUSES:
        known = {one.value: one.phrase for one in HTTPStatus}
        response.status_code, response.reason_phrase = status, known.get(status, "Refused")
    return response


def _type_of(dialect: Dialect, message: str | bytes) -> str:
    return dialect.type_of(message_in(Frame.of(message).text))


async def _hear(connection: ServerConnection, first: str | bytes | None, take: Deliver) -> None:
    """Take what the client sends, at once: who sends much, and reads late, must not be kept waiting."""
    try:
        if first is not None:
            await take(first)
        async for message in connection:
            await take(message)
    except ConnectionClosed:
        pass


async def _speak(
    send: Deliver, side: ServerSide, came: asyncio.Event, reading: asyncio.Task[None]
) -> RecordedEnd | None:
    """Send what is due, until the client is gone, or the recorded end has come, which is returned.

    Raises:
        ConnectionClosed: the client is gone.
    """
    while not reading.done():
        came.clear()
        act = side.next(_now_ns())
        if isinstance(act, SendFrame):
            await send(act.message)
        elif isinstance(act, EndNow):
            return act.end
        else:
            waiting = asyncio.ensure_future(came.wait())
            timeout_s = None if act.until_ns is None else max(act.until_ns - _now_ns(), 0) / 1e9
            try:
                await asyncio.wait({waiting, reading}, timeout=timeout_s, return_when="FIRST_COMPLETED")
            finally:
                waiting.cancel()
    return None


async def _first_end(
    speaking: asyncio.Task[RecordedEnd | None], carrying: Sequence[asyncio.Task[RecordedEnd | None]]
) -> RecordedEnd | None:
    """How the first of them ends the connection; None: the client is gone."""
    done, _ = await asyncio.wait({speaking, *carrying}, return_when="FIRST_COMPLETED")
    ends = [task.result() for task in (*carrying, speaking) if task in done]
    return next((end for end in ends if end is not None), None)


serve = ReplayServer
"""`async with serve(recording) as url`."""


def is_ours(origin: str | None) -> bool:
    """Whether a browser may connect: from a page of this machine; what is no browser says no origin."""
    return origin is None or urlsplit(origin).hostname in ("localhost", "127.0.0.1", "::1")


def _error(frame: Frame, summary: str) -> str:
    message = message_in(frame.text) or {}
    error = {
        "type": "invalid_request_error",
        "code": "realtape_unexpected",
        "message": f"{summary}.",
        "param": None,
        "event_id": message.get("event_id"),
    }
    return to_json({"type": "error", "event_id": "event_realtape", "error": error})


def _now_ns() -> int:
    return int(asyncio.get_running_loop().time() * 1e9)
