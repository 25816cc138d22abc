"""Faults: the core, bare, under whatever is thrown at it; and the same by proxy and server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.schema import Frame, Kind, UsageError
from realtape.session import Recording
from realtape.wire import (
    TOXICS,
    Drained,
    EndNow,
    Fault,
    FaultLine,
    Injected,
    PassOn,
    RecordedEnd,
    WaitUntil,
    connections_of,
    proxy,
    serve,
)
from realtape.wire.faults import Step, told_fault
from support.wire_sockets import rest_of, talk
from support.wire_talk import CREATED, RESPOND, connection, response
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as listen

MS = 1_000_000
ENDING = ("timeout", "reset_peer", "close", "eof", "limit_data")
TRAFFIC = st.lists(st.tuples(st.integers(0, 200), st.sampled_from("ab"), st.booleans()), max_size=12)
"""Messages: so many milliseconds after the one before, of this type, as text or as bytes."""
FAULTS = st.lists(
    st.builds(
        Fault,
        st.sampled_from(sorted({*TOXICS} - {"oversize"})),
        st.just({}),
        st.sampled_from(["upstream", "downstream"]),
        toxicity=st.sampled_from([0.0, 0.5, 1.0]),
        chance=st.sampled_from([0.0, 0.5, 1.0]),
        message=st.sampled_from(["", "a"]),
        at=st.integers(0, 3),
        every=st.integers(0, 2),
        after=st.sampled_from([0, 100]),
        times=st.integers(0, 2),
        connection=st.integers(0, 2),
    ),
    max_size=4,
)


def messages(traffic: list[tuple[int, str, bool]]) -> list[tuple[int, str | bytes]]:
    """Each with its own number, from 1."""
    found: list[tuple[int, str | bytes]] = []
    for number, (gap_ms, type, is_text) in enumerate(traffic, 1):
        text = json.dumps({"type": type, "n": number})
        found.append((gap_ms, text if is_text else text.encode()))
    return found


def type_of(message: str | bytes) -> str:
    return json.loads(message)["type"]


def played(
    faults: list[Fault],
    traffic: list[tuple[int, str | bytes]],
    taken: list[str | bytes] | None = None,
    **options: Any,
) -> list[Step]:
    """What a line comes to: messages so many milliseconds apart, then the end of the source.

    Args:
        taken: gets those that came before the end.
    """
    line, now_ns, steps = FaultLine(faults, "downstream", **options), 0, list[Step]()
    taken = [] if taken is None else taken

    def play(until_ns: int | None) -> bool:
        """Whether more may come."""
        nonlocal now_ns
        for _ in range(1000):
            step = line.next(now_ns)
            if isinstance(step, EndNow | Drained):
                steps.append(step)
                return False
            if isinstance(step, Injected | PassOn):
                steps.append(step)
            elif step.until_ns is None or (until_ns is not None and step.until_ns > until_ns):
                now_ns = until_ns or now_ns
                return True
            else:
                assert step.until_ns > now_ns, "it asks for a time that is over"
                now_ns = step.until_ns
        raise AssertionError("it comes to no rest")

    for gap_ms, message in traffic:
        if not play(now_ns + gap_ms * MS):
            return steps
        taken.append(message)
        line.take(message, type_of(message), now_ns)
    if play(now_ns):
        line.end(now_ns)
        assert not play(None), "after its source's end a line ends"
    return steps


def passed(steps: list[Step]) -> list[str | bytes]:
    return [step.message for step in steps if isinstance(step, PassOn)]


@given(FAULTS, TRAFFIC, st.integers(0, 3), st.integers(1, 2))
def test_whatever_is_injected_every_message_passes_or_is_told(
    faults: list[Fault], traffic: list[tuple[int, str, bool]], seed: int, number: int
) -> None:
    said, taken = messages(traffic), list[str | bytes]()
    steps = played(faults, said, taken, seed=seed, connection=number)
    assert played(faults, said, seed=seed, connection=number) == steps, "it is reproducible"
    told = [step for step in steps if isinstance(step, Injected)]
    toxics = {one.toxic for one in told}
    assert toxics <= {one.toxic for one in faults if one.stream == "downstream"}
    came = dict(enumerate(taken, 1))
    lost = {one.number for one in told if one.toxic in (*ENDING, "lose") and one.number}
    changed = {one.number for one in told if one.toxic == "corrupt"}
    assert all(one.message == came[one.number] for one in told if one.number in lost and one.message)
    whole = {message for index, message in came.items() if index not in lost | changed}
    assert whole <= set(passed(steps))
    assert not {came[index] for index in lost} & set(passed(steps))
    if "duplicate" not in toxics:
        assert len(passed(steps)) == len(came) - len(lost)
    if not toxics & {"duplicate", "reorder", "corrupt"}:
        assert passed(steps) == [message for index, message in came.items() if index not in lost]


@given(TRAFFIC)
def test_without_faults_messages_pass_at_once(traffic: list[tuple[int, str, bool]]) -> None:
    line = FaultLine([], "upstream")
    assert not line
    for _, message in messages(traffic):
        line.take(message, "", 0)
        assert line.next(0) == PassOn(message)
    line.end(0)
    assert line.next(0) == Drained()


def texts(*numbers: int, type: str = "a") -> list[tuple[int, str | bytes]]:
    return [(10, json.dumps({"type": type, "n": number})) for number in numbers]


def numbers(steps: list[Step]) -> list[int]:
    return [json.loads(message)["n"] for message in passed(steps)]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("lose,at=2", [1, 3, 4]),
        ("lose,every=2", [1, 3]),
        ("lose,times=1", [2, 3, 4]),
        ("lose,message=b", [1, 2, 3, 4]),
        ("lose,connection=2", [1, 2, 3, 4]),
        ("lose,stream=upstream", [1, 2, 3, 4]),
        ("lose,toxicity=0", [1, 2, 3, 4]),
        ("lose,after=25", [1, 2]),
        ("duplicate,at=3,copies=2", [1, 2, 3, 3, 3, 4]),
        ("reorder,at=1", [2, 1, 3, 4]),
        ("reorder,at=1,by=2", [2, 3, 1, 4]),
        ("reorder,at=1,by=9,within=15", [2, 1, 3, 4]),
        ("reorder,at=4", [1, 2, 3, 4]),
        ("latency,at=2,latency=500", [1, 2, 3, 4]),
        ("eof,at=3", [1, 2]),
        ("close,at=3,code=4001", [1, 2]),
        ("limit_data,bytes=50", [1, 2]),
        ("timeout,at=2", [1]),
        ("reset_peer,at=2,timeout=5", [1]),
        ("eof,after=25", [1, 2]),
        ("timeout,after=35", [1, 2, 3]),
        ("eof,after=25,message=b", [1, 2, 3, 4]),
        ("eof,after=25,chance=0", [1, 2, 3, 4]),
    ],
)
def test_what_a_fault_does(fault: str, expected: list[int]) -> None:
    assert numbers(played([Fault.of_text(fault)], texts(1, 2, 3, 4))) == expected


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        ("close,code=4001,reason=enough", RecordedEnd("server", "closed", 4001, "enough")),
        ("eof", RecordedEnd("server", "eof")),
        ("limit_data", RecordedEnd("server", "eof")),
        ("reset_peer", RecordedEnd("server", "error")),
        ("timeout,timeout=20", RecordedEnd("server", "eof")),
    ],
)
def test_how_a_fault_ends_it(fault: str, end: RecordedEnd) -> None:
    steps = played([Fault.of_text(fault)], texts(1, 2, 3))
    told = [step for step in steps if isinstance(step, Injected)]
    assert steps[-1] == EndNow(end)
    assert [json.loads(one.message or "")["n"] for one in told][:1] == [1], "what did not pass is told"
    assert len(told) == (2 if fault.startswith("timeout") else 1)


@pytest.mark.parametrize("fault", ["close,code=4001", "eof", "timeout,timeout=300", "reset_peer"])
def test_a_fault_on_a_schedule_happens_in_silence(fault: str) -> None:
    line = FaultLine([Fault.of_text(f"{fault},after=200")], "downstream", now_ns=5 * MS)
    line.take("a", "a", 10 * MS)
    assert line.next(10 * MS) == PassOn("a")
    assert line.next(10 * MS) == WaitUntil(205 * MS)
    told = line.next(205 * MS)
    assert isinstance(told, Injected)
    assert told_fault(told.as_json()).startswith(f"{fault.split(',')[0]}, downstream at 200 ms")
    if fault.startswith("timeout"):
        assert line.next(205 * MS) == WaitUntil(505 * MS)
    assert isinstance(line.next(505 * MS), EndNow)


def test_what_is_under_way_at_a_fault_on_a_schedule_does_not_pass() -> None:
    line = FaultLine([Fault.of_text("latency,latency=100"), Fault.of_text("eof,after=150")], "downstream")
    line.take("a", "a", 10 * MS)
    line.take("b", "b", 60 * MS)
    steps = [line.next(200 * MS) for _ in range(6)]
    assert [(type(step).__name__, getattr(step, "number", 0)) for step in steps] == [
        *(("Injected", 1), ("PassOn", 1)),
        *(("Injected", 0), ("Injected", 2), ("Injected", 2), ("EndNow", 0)),
    ]
    assert steps[4] == Injected("eof", "downstream", 2, "b", {}, "b")


def test_after_a_stall_on_a_schedule_another_fault_may_end_it() -> None:
    faults = [Fault.of_text("timeout,after=100"), Fault.of_text("close,after=125,code=4001")]
    steps = played(faults, texts(1, 2, *range(3, 15)))
    assert numbers(steps) == list(range(1, 10))
    assert steps[-1] == EndNow(RecordedEnd("server", "closed", 4001))


def times_ms(faults: list[Fault], *messages: str) -> list[int]:
    line, found = FaultLine(faults, "downstream", seed=7), list[int]()
    for message in messages:
        line.take(message, "", 0)
    now_ns = 0
    while len(found) < len(messages):
        step = line.next(now_ns)
        if isinstance(step, PassOn):
            found.append(now_ns // MS)
        elif not isinstance(step, Injected | EndNow | Drained):
            now_ns = step.until_ns or 0
    return found


def test_how_slow_it_gets() -> None:
    assert times_ms([Fault("latency", {"latency": 30})], "a", "b") == [30, 30]
    assert times_ms([Fault("bandwidth", {"rate": 1})], "x" * 100, "y" * 50) == [100, 150]
    jittered = times_ms([Fault("latency", {"latency": 30, "jitter": 20})], *"abcdefgh")
    assert jittered == sorted(jittered)
    assert 10 <= jittered[0] < jittered[-1] <= 50
    line = FaultLine([Fault("slow_close", {"delay": 40})], "downstream")
    line.end(0)
    assert isinstance(line.next(0), Injected)
    assert line.next(39 * MS) != Drained()
    assert line.next(40 * MS) == Drained()


@given(st.dictionaries(st.text(max_size=3), st.integers(), max_size=3), st.integers(0, 99))
def test_corrupt_json_is_none_and_an_oversized_message_says_the_same(more: dict[str, int], seed: int) -> None:
    facts = {**more, "type": "a"}
    text = json.dumps(facts)
    (corrupt,) = passed(played([Fault("corrupt")], [(0, text)], seed=seed))
    with pytest.raises(ValueError, match=r"line 1"):
        json.loads(corrupt)
    (large,) = passed(played([Fault("oversize", {"bytes": 5000})], [(0, text)]))
    assert len(large) == 5000
    assert json.loads(large) == facts


def test_who_has_much_under_way_reads_no_more() -> None:
    line = FaultLine([Fault("latency")], "downstream")
    for _ in range(8):
        assert not line.full
        line.take(b"x" * (1 << 20), "", 0)
    line.take(b"x", "", 0)
    assert line.full


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no_such", "known are latency"),
        ("latency,latency=x", "a number is wanted"),
        ("latency,rate=1", "no rate"),
        ("latency,at", "NAME=VALUE"),
        ("latency,stream=left", "upstream or downstream"),
        ("latency,chance=2", "from 0 to 1"),
        ("latency,latency=-1", "not such a value"),
        ("close,code=1006", "no such code"),
        ("bandwidth,rate=0", "nothing would ever pass"),
    ],
)
def test_what_is_no_fault_is_refused(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Fault.of_text(text)


def test_toxics_as_toxiproxy_writes_them() -> None:
    toxic = {"name": "slow", "type": "latency", "stream": "upstream", "toxicity": 0.5}
    fault = Fault.of({**toxic, "attributes": {"latency": 1000, "jitter": 10}})
    assert fault == Fault("latency", {"latency": 1000, "jitter": 10}, "upstream", toxicity=0.5)
    with pytest.raises(UsageError):
        Fault.of({"type": "latency", "at": "first"})
    with pytest.raises(UsageError):
        Fault.of(["latency"])


# --- by the shells ------------------------------------------------------------------------------------------


async def numbered(server: ServerConnection) -> None:
    """Answer each message with it."""
    async for message in server:
        await server.send(message)


async def _through_proxy(store: Path, faults: list[str], *sent: str) -> tuple[list[Any], Any, list[Any]]:
    """What a client gets through the proxy, how it ends, and what is recorded."""
    async with listen(numbered, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with proxy(f"ws://127.0.0.1:{port}", store, faults=faults) as url:
            async with connect(url) as client:
                for one in sent:
                    await client.send(one)
                got, closed = await rest_of(client)
    async with await Recording.open(store) as recording:
        await recording.verify()
        return got, closed, [pair async for pair in recording.values()]


ASKED = [json.dumps({"type": "ask", "n": n}) for n in range(5)]


@pytest.mark.real_time
async def test_the_proxy_injects_and_each_is_an_entry(tmp_path: Path) -> None:
    store = tmp_path / "calls.db"
    faults = ["lose,at=2", "duplicate,at=3", "close,at=5,code=4001,reason=planned", "latency,stream=upstream"]
    got, closed, entries = await _through_proxy(store, faults, *ASKED)
    assert [message["n"] for message in got] == [0, 2, 2, 3]
    assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "planned")
    told = [(entry.type, value) for entry, value in entries if entry.kind == Kind.FAULT]
    lost = dict(told)["lose"]
    assert lost["frame"] == Frame(ASKED[1]), "nothing is lost to the log"
    assert (lost["stream"], lost["number"], lost["type"]) == ("downstream", 2, "ask")
    assert sorted(type for type, _ in told) == ["close", "duplicate", *["latency"] * 5, "lose"]
    frames = [json.loads(value.message)["n"] for entry, value in entries if entry.kind == Kind.FRAME_IN]
    assert frames == [0, 2, 2, 3], "the log has what the client got"
    async with await Recording.open(store) as recording:
        (one,) = connections_of(recording)
    assert one.end.code == 4001
    server = serve(store, pace=0)  # and a replay gives it the same once more
    async with server as url, connect(url) as client:
        for text in ASKED:
            await client.send(text)
        again, end = await rest_of(client)
    assert (again, end.rcvd and end.rcvd.code) == (got, 4001)


@pytest.mark.real_time
@pytest.mark.parametrize("toxic", ["reset_peer", "eof", "timeout,timeout=10"])
async def test_the_proxy_cuts_both_legs(tmp_path: Path, toxic: str) -> None:
    got, closed, entries = await _through_proxy(tmp_path / "calls.db", [f"{toxic},at=2"], *ASKED[:3])
    assert ([message["n"] for message in got], closed.rcvd) == ([0], None)
    end = next(value for entry, value in entries if entry.kind == Kind.SOCKET_ENDED)
    assert end["how"] == ("error" if toxic == "reset_peer" else "eof")


TURN = [CREATED, RESPOND, *response("resp_1", "Good ", "day.", item="item_1")]


@pytest.mark.real_time
async def test_the_server_injects_and_the_report_tells_each() -> None:
    faults = ["lose,message=response.output_text.delta,at=1", "corrupt,message=response.done"]
    server = serve([connection(TURN)], pace=0, faults=faults)
    async with server as url, connect(url) as client:
        got = await talk(client, [CREATED, RESPOND, *TURN[3:]])
    assert [json.loads(one).get("delta") for one in got[:4]] == [None, None, None, "day."]
    with pytest.raises(ValueError, match=r"line 1"):
        json.loads(got[4])
    (told,) = server.report().as_json()["runs"][0]["connections"]
    assert [(one["toxic"], one["number"]) for one in told["injected"]] == [("lose", 4), ("corrupt", 6)]
    assert "  injected: lose, downstream message 4 (response.output_text.delta)" in str(server.report())


@pytest.mark.real_time
@pytest.mark.parametrize("stream", ["downstream", "upstream"])
async def test_proxy_and_server_inject_in_silence(tmp_path: Path, stream: str) -> None:
    fault = f"close,code=4001,after=30,stream={stream}"
    server = serve([connection(TURN)], pace=0, faults=[fault])
    async with server as url, connect(url) as client:
        got, closed = await rest_of(client)
    assert ([one["type"] for one in got], closed.rcvd and closed.rcvd.code) == (["session.created"], 4001)
    assert f"injected: close, {stream} at 30 ms: code=4001" in str(server.report())
    got, closed, entries = await _through_proxy(tmp_path / "calls.db", [fault])
    assert (got, closed.rcvd.code) == ([], 4001)
    (told,) = (value for entry, value in entries if entry.kind == Kind.FAULT)
    assert told == {"toxic": "close", "stream": stream, "number": 0, "type": "", "code": 4001, "after": 30}


@pytest.mark.real_time
async def test_what_the_client_sends_is_lost_and_late_at_the_server() -> None:
    faults = [
        "lose,stream=upstream,at=1",
        "latency,stream=upstream,latency=5",
        "reset_peer,message=response.done",
    ]
    server = serve([connection(TURN)], pace=0, faults=faults)
    async with server as url, connect(url) as client:
        await talk(client, [CREATED, RESPOND, RESPOND])
        got, closed = await rest_of(client)
    assert [one["type"] for one in got][-1] == "response.output_text.delta"
    assert closed.rcvd is None
    assert server.report().verdict == "same"


@pytest.mark.real_time
async def test_who_leaves_does_not_wait_for_what_is_under_way(tmp_path: Path) -> None:
    hour = ["latency,latency=3600000", "latency,latency=3600000,stream=upstream"]
    async with serve([connection(TURN)], pace=0, faults=hour) as url:
        client = await connect(url)
        await client.send("{}")
    async with listen(numbered, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with proxy(f"ws://127.0.0.1:{port}", tmp_path / "calls.db", faults=hour) as url:
            client = await connect(url)
            await client.send("{}")
