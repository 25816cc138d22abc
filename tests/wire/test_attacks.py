"""A bare client attacks the proxy and the server: any frames in any pieces, what is no frame at all, an end
anywhere. Nothing hangs, nothing stays open, and the log holds what crossed."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import warnings
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from realtape.schema import Kind
from realtape.session import Recording
from realtape.wire import proxy, serve
from support.wire_sockets import PATIENCE_S
from support.wire_strategies import HOSTILE, client_messages
from support.wire_talk import TURN, connection, data_of
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as listen
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.uri import parse_uri

Act = tuple[Any, ...]

MESSAGES = st.one_of(
    st.text(max_size=40), st.binary(max_size=40), client_messages().map(data_of), HOSTILE.map(data_of)
)
ACTS: st.SearchStrategy[list[Act]] = st.lists(
    st.one_of(
        st.tuples(st.just("message"), MESSAGES, st.lists(st.integers(0, 40), max_size=2)),
        st.tuples(st.just("ping"), st.binary(max_size=4)),
        st.tuples(st.just("bytes"), st.binary(min_size=1, max_size=12)),
        st.tuples(st.just("not text"), st.sampled_from([b"\xff", b"a\xc3", b"\xed\xa0\x80"])),
        st.sampled_from([("close", 1000), ("close", 4000), ("end",), ("reset",)]),
    ),
    max_size=8,
)
CUTS = st.lists(st.integers(0, 400), max_size=5)
FLOOD: list[Act] = [("message", b"x" * 60_000, []) for _ in range(40)]
"""More than one leg takes at once."""


class Attack:
    """What a client puts on the wire, and what it says by that.

    Attributes:
        stream: the bytes behind the handshake; `end` and `reset` lie where they come.
        said: the messages that are whole, up to what breaks the protocol.
        fair: it says no more than that, and closes.
        known: there is nothing in it that could be a message by chance.
    """

    def __init__(self, acts: list[Act]) -> None:
        self.stream: list[bytes | str] = []
        self.said: list[str | bytes] = []
        self.fair = False
        self.known = not any(act[0] == "bytes" for act in acts)
        broken = False
        for act in acts:
            kind = act[0]
            if kind == "message":
                self._message(act[1], act[2])
                if not broken:
                    self.said.append(act[1])
            elif kind == "ping":
                self._frame(Opcode.PING, act[1])
            elif kind == "bytes":
                self.stream.append(act[1])
                broken = True
            elif kind == "not text":
                self._frame(Opcode.TEXT, act[1])
                broken = True
            elif kind == "close":
                self._frame(Opcode.CLOSE, act[1].to_bytes(2, "big"))
                self.fair = self.fair or not broken
                broken = True
            else:
                self.stream.append(kind)
                return

    def _message(self, message: str | bytes, cuts: list[int]) -> None:
        opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
        data = message.encode() if isinstance(message, str) else message
        places = sorted({cut for cut in cuts if cut < len(data)})
        for begin, end in zip([0, *places], [*places, None], strict=True):
            self._frame(opcode, data[begin:end], fin=end is None)
            opcode = Opcode.CONT

    def _frame(self, opcode: Opcode, data: bytes, *, fin: bool = True) -> None:
        self.stream.append(Frame(opcode, data, fin).serialize(mask=True))

    async def on(self, url: str, cuts: list[int]) -> None:
        """Connect, and do it, the bytes in other pieces; then read what comes, and drop the connection."""
        uri = parse_uri(url)
        reader, writer = await asyncio.open_connection(uri.host, uri.port)
        try:
            protocol = ClientProtocol(uri)
            protocol.send_request(protocol.connect())
            writer.write(b"".join(protocol.data_to_send()))
            await reader.readuntil(b"\r\n\r\n")
            reading = asyncio.create_task(reader.read())
            for piece in self._in_pieces(cuts):
                if piece == "end":
                    writer.write_eof()
                elif isinstance(piece, str):
                    writer.transport.abort()
                else:
                    writer.write(piece)
                await asyncio.sleep(0.001)
            if self.fair or "end" in self.stream:
                await reading
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        finally:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _in_pieces(self, cuts: list[int]) -> list[bytes | str]:
        data = b"".join(part for part in self.stream if isinstance(part, bytes))
        places = sorted({cut for cut in cuts if cut < len(data)})
        pieces: list[bytes | str] = [
            data[begin:end] for begin, end in zip([0, *places], [*places, None], strict=True)
        ]
        return pieces + [part for part in self.stream if isinstance(part, str)]


def unhurt(main: Coroutine[Any, Any, None]) -> None:
    """Run it: it comes to an end, and leaves no task and no socket."""

    async def watched() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await main
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, left

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()  # what other tests have left
        gc.freeze()  # or each example would look through all that is there
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        asyncio.run(watched())
        gc.collect()
    assert not told, [str(one.message) for one in told]


@contextlib.asynccontextmanager
async def echoing(got: list[str | bytes]) -> AsyncGenerator[str]:
    async def echo(server: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                message = await server.recv()
                got.append(message)
                await server.send(message)

    async with listen(echo, "127.0.0.1", 0, max_size=None) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


@given(ACTS, CUTS)
@example([*FLOOD, ("close", 1000)], [7, 100])
@example([("message", "whole", []), ("message", "in parts", [1, 3]), ("message", "whole", [])], [])
@example([("message", "a", []), ("not text", b"\xff"), ("message", "b", [])], [])
def test_the_proxy_is_unhurt_and_records_what_crossed(
    tmp_path_factory: pytest.TempPathFactory, acts: list[Act], cuts: list[int]
) -> None:
    store = tmp_path_factory.mktemp("attack") / "calls.db"
    attack = Attack(acts)
    arrived: list[str | bytes] = []
    sent: list[str | bytes] = []

    async def main() -> None:
        async with echoing(arrived) as there, proxy(there, store) as url:
            await attack.on(url, cuts)
        async with await Recording.open(store) as recording:
            sent.extend([frame.message async for entry, frame in recording.values() if _is_sent(entry)])
            await recording.verify()

    unhurt(main())
    assert sent[: len(attack.said)] == attack.said[: len(sent)], "nothing else, and in order"
    assert arrived == sent[: len(arrived)], "what arrives is in the log"
    if attack.known:
        assert len(sent) <= len(attack.said)
    if attack.fair:
        assert sent == arrived == attack.said


def _is_sent(entry: Any) -> bool:
    return entry.kind == Kind.FRAME_OUT


@given(ACTS, CUTS)
@example([*FLOOD, ("close", 1000)], [7, 100])
def test_the_server_is_unhurt_and_tells_what_came(acts: list[Act], cuts: list[int]) -> None:
    attack = Attack(acts)

    async def main() -> None:
        server = serve([connection(TURN)], pace=0, patience=0.05)
        async with server as url:
            await attack.on(url, cuts)
        report = server.report()
        assert len(report.runs) == 1
        assert report.verdict in ("same", "diverged"), str(report)

    unhurt(main())
