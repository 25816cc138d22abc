"""On a PostgreSQL server the log is the same: the writer's promises, once more."""

from __future__ import annotations

import asyncio
import os
import threading
import uuid
from collections.abc import Generator
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.recorder.session_log import Backlog
from realtape.recorder.store import Store
from realtape.recorder.upkeep import Upkeep
from realtape.recorder.writer import Pace, Writer
from realtape.replay import ReplayModel, ReplayReport, run
from realtape.schema import RealtimeModel, RealtimeModelAudioEvent, RealtimeModelTurnEndedEvent
from realtape.schema.entries import Kind, Status
from realtape.schema.errors import CorruptRecordError, StoreBusyError, StoreWriteError
from realtape.schema.log import SealKey, fetch_sessions, locate, open_blocking
from realtape.session import Recording, Retention, erase, verified_batches
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from support.driven import DrivenRecorder
from support.forked import in_child
from support.models import EchoModel, Ignoring
from support.postgresql import own_server, server
from support.scripted import Listening, Scripted, ScriptedModel
from support.stored import begin, flushed, intact, mark, not_flushed, numbers, only, read, until

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def database() -> Generator[str]:
    with server() as url:
        if url is None:
            pytest.fail("no PostgreSQL here: install it, or set REALTAPE_TEST_POSTGRESQL")
        yield url


def execute(store: str, *statements: str) -> Any:
    """As somebody else, each in a transaction of its own; returns the last one's first value."""
    engine = create_engine(store.replace("postgresql://", "postgresql+psycopg://"))
    value: Any = None
    try:
        for statement in statements:
            with engine.begin() as connection:
                result = connection.execute(text(statement))
                value = result.scalar() if result.returns_rows else None
    finally:
        engine.dispose()
    return value


@pytest.fixture
def store(database: str) -> Generator[str]:
    """An empty database of its own."""
    name = f"realtape_{uuid.uuid4().hex}"
    engine = create_engine(
        database.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield database.rpartition("/")[0] + "/" + name
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


async def test_a_session_reads_back_as_it_was_appended(store: str):
    async with Recorder(store) as recorder:
        log = begin(recorder)
        log.playback = lambda: ("i\x00tem", True, -0.0, True)
        event = RealtimeModelAudioEvent(data=b"\x00\xff" * 500, response_id="r", item_id="i", content_index=0)
        log.append(Kind.RECEIVED, event, type="audio")
        log.append(
            Kind.MARKER, {"text": "NUL \x00, lone \ud800, é\u2028 and 🎙", "float": 0.1, "int": 1 << 60}
        )
        await recorder.flush()
        mark(log, *range(1_000))
    stored = await only(store)
    assert numbers_of(stored.payloads()) == list(range(1_000))
    assert stored.segments == {0: b"\x00\xff" * 500}
    assert stored.entries[0].item_id == "i\\x00tem"
    assert stored.status is Status.CLOSED


def numbers_of(payloads: list[Any]) -> list[int]:
    return [payload["number"] for payload in payloads if "number" in payload]


async def test_a_wrapped_model_is_recorded(store: str):
    async with Recorder(store) as recorder:
        model = recorder.wrap(EchoModel(), labels={"name": "a"})
        model.add_listener(Ignoring())
        await model.connect({"api_key": "sk-0123456789"})
        for number in range(100):
            await model.send_event(number.to_bytes(100))
        await model.close()
    stored = await only(store)
    assert len(stored.of_kind(Kind.RECEIVED)) == 100
    assert b"".join(stored.segments.values()) == b"".join(number.to_bytes(100) for number in range(100))


def test_it_replays(store: str) -> None:
    """Read blocking, under virtual time, as a file is."""

    async def script(model: Scripted) -> None:
        await asyncio.sleep(1)
        await model.emit(RealtimeModelAudioEvent(bytes(480), "r", "item", 0), RealtimeModelTurnEndedEvent())

    async def app(model: RealtimeModel) -> list[str]:
        listening = Listening()
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        await model.close()
        return listening.types

    async def recorded() -> list[str]:
        async with Recorder(store) as recorder:
            return await app(recorder.wrap(ScriptedModel(script)))

    async def replayed() -> tuple[list[str], ReplayReport]:
        async with await Recording.open(store) as recording:
            model = ReplayModel(recording)
            return await app(model), await model.finished()

    types, (again, report) = run(recorded()), run(replayed())
    assert again == types == ["audio", "turn_ended"]
    assert not report.diverged


async def test_recorders_make_the_tables_at_once_and_share_the_store(store: str):
    recorders = [Recorder(store) for _ in range(4)]
    logs = [begin(recorder, str(number)) for number, recorder in enumerate(recorders)]
    threads = [threading.Thread(target=mark, args=(log, *range(2_000))) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    await asyncio.gather(*(recorder.close() for recorder in recorders))
    found = await intact(store)
    assert sorted(stored.label for stored in found) == ["0", "1", "2", "3"]
    assert all(numbers(stored) == list(range(2_000)) for stored in found)


async def test_entries_are_append_only(store: str):
    async with Recorder(store) as recorder:
        mark(begin(recorder), 1)
    for statement in ("UPDATE entries SET payload = '{}'", "DELETE FROM entries"):
        with pytest.raises(DBAPIError, match="append-only"):
            execute(store, statement)
    assert numbers(await only(store)) == [1]


async def test_connections_that_break_are_made_again(store: str, caplog: pytest.LogCaptureFixture):
    async with Recorder(store) as recorder:
        log = begin(recorder)
        for number in range(5):
            mark(log, *range(number * 10, number * 10 + 10))
            await recorder.flush()
            execute(
                store,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()",
            )
        mark(log, 50)
    assert numbers(await only(store)) == list(range(51))


async def test_a_locked_table_makes_nobody_wait(
    store: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("realtape.schema.log.stores.WRITE_BUSY_SECONDS", 0.1)
    async with Recorder(store, max_pending_bytes=50_000) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        engine = create_engine(store.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            connection.execute(text("LOCK TABLE entries IN ACCESS EXCLUSIVE MODE"))
            mark(log, *range(1, 500))
            await until(lambda: "held by another process" in caplog.text)
            assert "held by another process" in str(await not_flushed(recorder))
        engine.dispose()
        await flushed(recorder)
        mark(log, 500)
    stored = await only(store)
    (gap,) = stored.payloads(Kind.GAP)
    assert numbers(stored) == [*range(500 - gap["lost"]), 500]


async def test_an_entry_that_is_refused_becomes_a_gap(store: str, caplog: pytest.LogCaptureFixture):
    async with Recorder(store) as recorder:
        log = begin(recorder)
        mark(log, 0)
        await recorder.flush()
        execute(store, "ALTER TABLE entries ADD CHECK (payload NOT LIKE '%poison%')")
        mark(log, 1)
        log.append(Kind.MARKER, {"text": "poison", "private": "sk-private"})
        mark(log, 3)
        await recorder.flush()
        log.append(Kind.MARKER, {"text": "also poison"}, method="NUL \x00")
        log.append(Kind.MARKER, {"number": 5}, method="NUL \x00")
    stored = await only(store)
    assert [entry.kind for entry in stored.entries] == [
        *("marker", "marker", "gap", "marker", "gap", "gap"),
    ]
    assert "sk-private" not in caplog.text


async def test_a_server_that_is_not_there(caplog: pytest.LogCaptureFixture):
    recorder = Recorder("postgresql://realtape:hunter22@127.0.0.1:1/nowhere", drain_seconds=0.2)
    mark(begin(recorder), 1)
    await until(lambda: "cannot write" in caplog.text)
    with pytest.raises(StoreWriteError, match=r"127\.0\.0\.1"):
        await recorder.flush()
    with pytest.raises(StoreWriteError):
        await recorder.close()
    assert "hunter22" not in caplog.text


async def test_a_database_of_something_else_is_left_alone(store: str):
    execute(store, "CREATE TABLE precious (data text)")
    recorder = Recorder(store)
    mark(begin(recorder), 1)
    with pytest.raises(StoreWriteError, match="a database of something else"):
        await recorder.flush()
    with pytest.raises(StoreWriteError):
        await recorder.close()
    tables = "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
    assert execute(store, tables) == 1


async def test_an_interrupted_session_is_marked(store: str):
    """Whoever recorded it holds a lock on it, as long as its connection lives, wherever it is."""
    living = Recorder(store)
    resting, ended = begin(living, "resting"), begin(living, "ended")
    mark(resting, 1)
    mark(ended, 1)
    ended.finish(Status.CLOSED)
    await living.flush()
    execute(store, "UPDATE sessions SET status = 'recording', host = 'elsewhere', pid = 2147483646")
    async with Recorder(store) as recorder:
        mark(begin(recorder, "next"), 1)
    found = {stored.label: stored.status for stored in await read(store)}
    assert found == {"resting": Status.RECORDING, "ended": Status.INTERRUPTED, "next": Status.CLOSED}
    execute(
        store,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    # Until the recorder has a connection again, nobody knows better.
    assert {stored.status for stored in await read(store)} == {Status.CLOSED, Status.INTERRUPTED}
    mark(begin(living, "another"), 1)
    await flushed(living)
    assert {stored.label: stored.status for stored in await read(store)}["resting"] is Status.RECORDING
    await living.close()


async def test_a_session_of_an_older_release_is_judged_by_its_process(store: str):
    async with Recorder(store) as recorder:
        mark(begin(recorder, "dead"), 1)
        mark(begin(recorder, "elsewhere"), 1)
    execute(
        store,
        "DELETE FROM locks",
        "UPDATE sessions SET status = 'recording', pid = 2147483646",
        "UPDATE sessions SET host = 'elsewhere' WHERE labels LIKE '%elsewhere%'",
    )
    async with Recorder(store) as recorder:
        mark(begin(recorder, "next"), 1)
    found = {stored.label: stored.status for stored in await read(store)}
    assert found == {"dead": Status.INTERRUPTED, "elsewhere": Status.RECORDING, "next": Status.CLOSED}


async def test_a_lock_that_is_never_released_does_not_hold_up_the_end(
    store: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("realtape.schema.log.stores.WRITE_BUSY_SECONDS", 0.1)
    recorder = Recorder(store)
    log = begin(recorder)
    mark(log, 0)
    await recorder.flush()
    recorder._drain_seconds = 0.3  # pyright: ignore[reportPrivateUsage]
    engine = create_engine(store.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE entries IN ACCESS EXCLUSIVE MODE"))
        mark(log, 1)
        with pytest.raises(StoreWriteError):
            await recorder.close()
    engine.dispose()
    await until(lambda: not any(t.name == "realtape-writer" for t in threading.enumerate()))
    assert numbers(await only(store))[0] == 0


def administer(store: str, *statements: str) -> None:
    """From the server's other database, outside transactions."""
    server, _, name = store.replace("postgresql://", "postgresql+psycopg://").rpartition("/")
    engine = create_engine(f"{server}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement.format(name=name)))
    engine.dispose()


@pytest.mark.parametrize("way", ["database", "schema"])
async def test_sessions_go_on_in_a_database_that_was_made_again(store: str, way: str):
    """Each under its own key, whatever was recorded there first; and a gap says what is gone."""
    async with Recorder(store) as recorder:
        busy, idle = begin(recorder, "busy"), begin(recorder, "idle")
        mark(busy, 0, 1)
        mark(idle, 0, 1, 2)
        await recorder.flush()
        if way == "database":
            administer(store, "DROP DATABASE {name} WITH (FORCE)", "CREATE DATABASE {name}")
        else:
            execute(store, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        async with Recorder(store) as other:
            mark(begin(other, "other"), 7)
        mark(idle, 3)
        await flushed(recorder)
        mark(busy, 2)
    found = {stored.label: stored for stored in await intact(store)}
    assert {name: numbers(stored) for name, stored in found.items()} == {
        **{"other": [7], "idle": [3], "busy": [2]}
    }
    assert [gap["lost"] for gap in found["idle"].payloads(Kind.GAP)] == [3]
    assert [gap["lost"] for gap in found["busy"].payloads(Kind.GAP)] == [2]


async def test_tables_that_were_dropped_are_made_again(store: str):
    """By whoever commits next, at once; be it the last commit."""
    async with Recorder(store) as recorder:
        busy, idle = begin(recorder, "busy"), begin(recorder, "idle")
        mark(busy, 0, 1)
        mark(idle, 0)
        await recorder.flush()
        execute(store, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        mark(begin(recorder, "new"), 7)
        mark(busy, 2)
        await recorder.flush()
        execute(store, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        mark(busy, 3)
    found = {stored.label: stored for stored in await intact(store)}
    assert {name: numbers(stored) for name, stored in found.items()} == {"busy": [3], "idle": [], "new": []}
    assert {stored.status for stored in found.values()} == {Status.CLOSED}
    lost = {name: [gap["lost"] for gap in stored.payloads(Kind.GAP)] for name, stored in found.items()}
    assert lost == {"busy": [3], "idle": [1], "new": [1]}


async def test_what_is_in_the_place_of_its_tables_is_left_alone(store: str):
    recorder = Recorder(store)
    log = begin(recorder)
    mark(log, 0)
    await recorder.flush()
    execute(
        store,
        "DROP SCHEMA public CASCADE",
        "CREATE SCHEMA public",
        "CREATE TABLE precious (data text)",
    )
    mark(log, 1)
    with pytest.raises(StoreWriteError, match="a database of something else"):
        await recorder.flush()
    with pytest.raises(StoreWriteError):
        await recorder.close()
    assert execute(store, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1


def statuses(store: str) -> dict[str, Status]:
    with open_blocking(locate(store)) as connection:
        return {one.header.labels["name"]: one.status for one in fetch_sessions(connection)}


def test_a_lock_is_of_one_store(store: str):
    """Others have the same keys: in another schema, and in tables that were dropped."""
    execute(store, "CREATE SCHEMA other")
    stores = [store, f"{store}?options=-csearch_path%3Dother"]
    recorders = [DrivenRecorder(one) for one in stores]
    for recorder in recorders:
        mark(recorder.begin({"name": "a"}), 0)
        recorder.write()
    recorders[0].die()
    assert [statuses(one)["a"] for one in stores] == [Status.INTERRUPTED, Status.RECORDING]
    execute(store, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    recorders[0] = DrivenRecorder(store)
    mark(recorders[0].begin({"name": "b"}), 0)
    recorders[0].write()
    execute(store, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    dying = DrivenRecorder(store)
    mark(dying.begin({"name": "c"}), 0)
    dying.write()
    dying.die()
    assert statuses(store) == {"c": Status.INTERRUPTED}
    for recorder in recorders:
        recorder.close_blocking()


def test_what_was_written_before_another_session_was_locked_is_written_once(store: str):
    """Each by itself, because one has an entry that is refused; and the last finds its row locked."""
    recorder = DrivenRecorder(store)
    logs = [recorder.begin({"name": name}) for name in "abc"]
    for log in logs:
        mark(log, 0)
    recorder.write()
    execute(store, "ALTER TABLE entries ADD CHECK (payload NOT LIKE '%poison%')")
    for log in logs:
        mark(log, 1)
    logs[1].append(Kind.MARKER, {"text": "poison"})
    engine = create_engine(store.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("SELECT 1 FROM sessions WHERE labels LIKE '%\"c\"%' FOR UPDATE"))
        with pytest.raises(StoreBusyError):
            recorder.write()
    engine.dispose()
    recorder.close_blocking()
    found = asyncio.run(intact(store))
    assert {stored.label: numbers(stored) for stored in found} == {"a": [0, 1], "b": [0, 1], "c": [0, 1]}
    assert [len(stored.of_kind(Kind.GAP)) for stored in found] == [0, 1, 0]


def test_a_fork_leaves_the_parents_sessions_alive(store: str):
    """At every moment; and a child that outlives its parent does not hold the locks."""
    recorder = DrivenRecorder(store)
    mark(log := recorder.begin({"name": "resting"}), 0)
    recorder.write()

    def meddle() -> bool:
        erased = erase(locate(store), {"name": "resting"})
        assert not erased.removed
        recorder.write()
        mark(recorder.begin({"name": "child"}), 1)
        recorder.write()
        return statuses(store) == {"resting": Status.RECORDING, "child": Status.RECORDING}

    assert in_child(meddle)
    assert statuses(store) == {"resting": Status.RECORDING, "child": Status.INTERRUPTED}
    ready, end = os.pipe()
    living = os.fork()
    if living == 0:
        os.close(end)
        os.read(ready, 1)
        os._exit(0)
    os.close(ready)
    mark(log, 1)
    recorder.write()
    recorder.die()
    assert set(statuses(store).values()) == {Status.INTERRUPTED}
    os.close(end)
    os.waitpid(living, 0)
    assert {one.label: numbers(one) for one in asyncio.run(intact(store))} == {
        **{"resting": [0, 1], "child": [1]}
    }


def breaks(connection: Connection) -> None:
    """The server ends the connection."""
    pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    connection.execute(text(f"SELECT pg_terminate_backend({pid})"))


def test_a_session_at_rest_is_ours_again_when_the_connection_is(store: str, monkeypatch: pytest.MonkeyPatch):
    """Whoever finds that it broke, be it the upkeep; and though making another fails in the middle."""
    recorder = DrivenRecorder(store, retention=Retention(older_than_s=3_600))
    mark(recorder.begin({"name": "resting"}), 0)
    recorder.write()
    recorder.tend()
    execute(
        store,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    assert statuses(store) == {"resting": Status.INTERRUPTED}
    for _ in range(2):  # finds it, and lets go of it
        recorder.tend()
    with monkeypatch.context() as patched:
        patched.setattr("realtape.recorder.store.mark_interrupted", breaks)
        recorder.tend()
    assert statuses(store) == {"resting": Status.INTERRUPTED}
    recorder.tend()
    assert statuses(store) == {"resting": Status.RECORDING}
    recorder.close_blocking()


async def test_sessions_are_pruned_there_as_well(store: str):
    """Never one that is being recorded; and what was to be erased is not called so."""
    address = locate(store)
    async with Recorder(store) as recorder:
        mark(begin(recorder, "a"), 1)
        mark(log := begin(recorder, "b"), 2)
        await recorder.flush()
        assert len(erase(address, {"name": "a"}).left) == 1
        log.finish(Status.CLOSED)
        await recorder.flush()
        assert len(erase(address, {"name": "b"}).removed) == 1
    done = erase(address, {"name": "a"})
    assert (len(done.removed), done.erased) == (1, 0)
    assert done.pending is not None
    assert execute(store, "SELECT count(*) FROM sessions") == 0
    assert execute(store, "SELECT count(*) FROM prunings WHERE reason = 'erasure'") == 2


def test_commits_are_sealed_and_a_retention_is_applied(store: str):
    """What is being recorded stays, and what was removed does not begin again."""
    recorder = DrivenRecorder(store, seal_key="k" * 32, retention=Retention(older_than_s=0))
    logs = [recorder.begin({"name": f"{number}"}) for number in range(3)]
    for log in logs:
        mark(log, 0)
    logs[0].finish(Status.CLOSED)
    recorder.write()
    mark(logs[1], 1)
    recorder.write()
    with open_blocking(locate(store)) as connection:
        for session in fetch_sessions(connection):
            assert sum(map(len, verified_batches(connection, session, [SealKey("k" * 32)])))
            with pytest.raises(CorruptRecordError, match="sealed with another key"):
                list(verified_batches(connection, session, [SealKey("l" * 32)]))
    recorder.tend()
    mark(logs[0], 1)
    recorder.write()
    assert recorder.status().removed_sessions == 1
    recorder.close_blocking()
    found = {stored.label: numbers(stored) for stored in asyncio.run(intact(store))}
    assert found == {"1": [0, 1], "2": [0]}
    assert execute(store, "SELECT count(*) FROM seals WHERE session = 1") == 0
    execute(store, "UPDATE sessions SET status = 'failed' WHERE key = 2")
    with open_blocking(locate(store)) as connection:
        changed = fetch_sessions(connection)[0]
        with pytest.raises(CorruptRecordError, match="its status is 'failed', and 'closed' was sealed"):
            list(verified_batches(connection, changed, [SealKey("k" * 32)]))


async def test_a_session_at_rest_outlives_a_server_that_is_down(caplog: pytest.LogCaptureFixture):
    """Also where the writer looks after the store meanwhile, applies a retention, and has nothing to do."""

    class Tending(Recorder):
        def _new_writer(self, backlog: Backlog) -> Writer:
            upkeep = Upkeep(self.address, Retention(older_than_s=3600), 0.05)
            pace = Pace(park_after=0.05, tend_after=0.05, max_backoff=0.1)
            return Writer(Store(self.address, upkeep=upkeep), backlog, pace)

    with own_server() as running:
        assert running is not None, "no PostgreSQL here: install it"
        async with Tending(running.url) as recorder:
            busy, idle = begin(recorder, "busy"), begin(recorder, "idle")
            mark(busy, 0)
            mark(idle, 0)
            await recorder.flush()
            await asyncio.to_thread(running.stop, "immediate")
            await asyncio.sleep(0.5)
            mark(busy, 1)
            await until(lambda: "cannot write" in caplog.text)
            await asyncio.sleep(0.5)
            await asyncio.to_thread(running.start)
            await flushed(recorder)
            await asyncio.sleep(0.3)
            mark(idle, 1)
        found = {stored.label: stored for stored in await intact(running.url)}
    assert {name: numbers(stored) for name, stored in found.items()} == {"busy": [0, 1], "idle": [0, 1]}
    assert {stored.status for stored in found.values()} == {Status.CLOSED}
    assert caplog.text.count("its retention cannot be applied") <= 1
    assert "Traceback" not in caplog.text
