"""With a key a recorder seals each commit; a forger who computes the chain anew is found by who has the key,
and what is wrong is told by name."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from realtape.recorder import Recorder
from realtape.schema.entries import Kind, Status
from realtape.schema.errors import CorruptRecordError, UsageError
from realtape.schema.log import SealKey, fetch_sessions, locate, open_blocking, remove_sessions
from realtape.schema.log.stores import open_for_changes
from realtape.session import verified_batches
from support.forging import reseal
from support.stored import at_once, begin, beside, intact, mark, numbers, only
from support.stores import sql

pytestmark = pytest.mark.real_time

KEY, OTHER = SealKey("k" * 32), SealKey(b"another key, and as long\n")
COMMITS = (3, 2, 4)
ENDS = {sum(COMMITS[:count]) - 1 for count in range(1, len(COMMITS) + 1)}
"""The entries that are the last of a commit."""


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seals") / "log.db"
    asyncio.run(record(path))
    return path


async def record(path: Path) -> None:
    async with Recorder(path, seal_key="k" * 32) as recorder:
        log = begin(recorder)
        for count in COMMITS:
            with at_once(log):
                log.append(Kind.MARKER, {"bytes": bytes([count]) * 5})
                mark(log, *range(count - 1))
            await recorder.flush()


@pytest.fixture
def path(sealed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sealed, tmp_path / "log.db"))


def verify(path: Path, keys: Sequence[SealKey]) -> int:
    with open_blocking(locate(path)) as connection:
        (session,) = fetch_sessions(connection)
        return sum(map(len, verified_batches(connection, session, keys)))


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("entries", "segments"):
            for change in ("update", "delete"):
                connection.execute(f"DROP TRIGGER IF EXISTS {table}_no_{change}")
        for statement in statements:
            connection.execute(statement)


def told(path: Path, keys: Sequence[SealKey] = (KEY,)) -> str:
    with pytest.raises(CorruptRecordError) as failure:
        verify(path, keys)
    return str(failure.value)


def test_each_commit_is_sealed_and_the_key_proves_it(path: Path):
    assert [row[0] for row in sql(path, "SELECT seq FROM seals ORDER BY seq")] == sorted(ENDS)
    for keys in ((), (KEY,), (OTHER, KEY)):
        assert verify(path, keys) == sum(COMMITS)
    written = path.read_bytes()
    assert b"k" * 32 not in written
    assert (b"k" * 32).hex().encode() not in written


def test_a_key_that_others_could_guess_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="a seal's key of 5 bytes: 16 or more are needed"):
        Recorder(tmp_path / "log.db", seal_key="short")


async def test_the_environment_has_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("REALTAPE_SEAL_KEY", "k" * 32)
    async with Recorder(tmp_path / "log.db") as recorder:
        log = begin(recorder)
        mark(log, 1)
        log.append(Kind.MARKER, {"text": f"never {'k' * 32}"})
    assert verify(tmp_path / "log.db", [KEY]) == 2
    monkeypatch.setenv("REALTAPE_SEAL_KEY", "short")
    with pytest.raises(UsageError, match="REALTAPE_SEAL_KEY: a seal's key of 5 bytes"):
        Recorder(tmp_path / "log.db")
    assert "kkk" not in str((await only(tmp_path / "log.db")).payloads())


def test_whatever_is_wrong_is_told_by_name(path: Path):
    assert f"entry 0: sealed with another key ({KEY.name}; that which was given is" in told(path, [OTHER])
    execute(path, "UPDATE sessions SET status = 'failed'")
    assert "header: its status is 'failed', and 'closed' was sealed" in told(path)
    execute(path, "UPDATE sessions SET status = 'interrupted'")
    assert "header: its status is 'interrupted', and 'closed' was sealed" in told(path)
    execute(path, "UPDATE sessions SET status = 'closed'", "DELETE FROM seals WHERE seq = 8")
    assert "entry 5: from here on it has no seal" in told(path)
    execute(path, "UPDATE entries SET payload = '{}' WHERE seq = 4")
    reseal(path)
    assert verify(path, ()) == sum(COMMITS)  # the chain holds
    assert "entry 3: forged: what stands here, up to entry 4, is not what was sealed" in told(path)
    execute(path, "DELETE FROM entries WHERE seq > 2")
    reseal(path)
    assert "entry 3: the end was cut off: more was sealed" in told(path)
    execute(path, "UPDATE seals SET seal = x'00'")
    assert "entry 0: a seal of it cannot be read" in told(path)
    execute(path, "DELETE FROM seals")
    assert "entry 0: it has no seal: it was recorded without a key, or its seals were taken out" in told(path)


def test_who_died_did_not_seal_that(path: Path):
    """A session is found `interrupted` by others, who have no key."""
    execute(path, "DELETE FROM entries WHERE seq > 4", "DELETE FROM seals WHERE seq > 4", "DELETE FROM locks")
    execute(path, "UPDATE sessions SET status = 'interrupted'")
    reseal(path)
    assert verify(path, [KEY]) == 5  # and looks like a session that was cut back: only its head tells


async def test_a_session_without_entries_and_one_that_only_ends(tmp_path: Path):
    path = tmp_path / "log.db"
    async with Recorder(path, seal_key=b"k" * 32) as recorder:
        begin(recorder).finish(Status.CLOSED)
    assert sql(path, "SELECT seq, status FROM seals") == [(-1, "closed")]
    assert verify(path, [KEY]) == 0
    execute(path, "UPDATE sessions SET labels = '{}'")
    reseal(path)
    assert "entry 0: forged" in told(path)


def test_what_is_removed_takes_its_seals_along(path: Path):
    with open_for_changes(locate(path)) as engine:
        assert remove_sessions(engine, [1], "selection")
    assert sql(path, "SELECT * FROM seals") == []


@pytest.mark.parametrize("way", ["removed", "an older copy"])
async def test_who_goes_on_in_another_file_seals_what_is_there(tmp_path: Path, way: str):
    """From the session's begin, or from where the copy stood."""
    path, backup = tmp_path / "log.db", tmp_path / "backup.db"
    async with Recorder(path, seal_key="k" * 32) as recorder:
        log = begin(recorder)
        mark(log, 0, 1)
        await recorder.flush()
        with closing(sqlite3.connect(path)) as connection, closing(sqlite3.connect(backup)) as to:
            connection.backup(to)
        mark(log, 2, 3)
        await recorder.flush()
        if way == "removed":
            for name in beside(path):
                (tmp_path / name).unlink()
        else:
            backup.rename(path)
        mark(log, 4)
        await recorder.flush()
        mark(log, 5)
    stored = await only(path)
    lost = [gap["lost"] for gap in stored.payloads(Kind.GAP)]
    assert (lost, numbers(stored)) == (([4], [4, 5]) if way == "removed" else ([2], [0, 1, 4, 5]))
    assert verify(path, [KEY]) == len(stored.entries)
    assert "sealed with another key" in told(path, [OTHER])


async def test_no_room_for_seals(path: Path, caplog: pytest.LogCaptureFixture):
    """Somebody made another table of that name: it is left alone, and the call goes on."""
    execute(path, "DROP TABLE seals", "CREATE TABLE seals (animal TEXT)")
    async with Recorder(path, seal_key=b"k" * 32) as recorder:
        mark(begin(recorder), 1, 2, 3)
    assert len(await intact(path)) == 2
    assert [one.message for one in caplog.records] == [
        f"{path}: nothing is sealed: its table `seals` is of another make"
    ]


_SEQ = st.integers(0, sum(COMMITS) - 1)
FORGERIES = st.one_of(
    st.tuples(
        _SEQ,
        st.sampled_from(
            [
                'UPDATE entries SET payload = \'{{"text":"no"}}\' WHERE seq = {0}',
                "UPDATE entries SET at_ns = at_ns + 1 WHERE seq = {0}",
                "UPDATE entries SET type = 'audio' WHERE seq = {0}",
                "UPDATE entries SET flags = 4 WHERE seq = {0}",
                "UPDATE sessions SET started_ns = started_ns + {0} + 1",
                'UPDATE sessions SET labels = \'{{"{0}":"1"}}\'',
                "UPDATE seals SET status = 'failed' WHERE seq >= {0}",
                "UPDATE segments SET data = x'00112233AA' WHERE segment = {0} % 3",
                # Taken out, and what follows moved up.
                "DELETE FROM entries WHERE seq = {0}; UPDATE entries SET seq = seq - 1 WHERE seq > {0}",
                "DELETE FROM entries WHERE seq = {0}; UPDATE entries SET seq = seq - 1 WHERE seq > {0}; "
                "UPDATE seals SET seq = seq - 1 WHERE seq >= {0}",
                # One more, at the end.
                "INSERT INTO entries SELECT session, seq + 9, at_ns, tick, task, kind, type, method, cause, "
                "of, connection, item_id, content_index, elapsed_ms, payload, flags + {0}, digest "
                "FROM entries WHERE seq = 0",
                # Cut back.
                "DELETE FROM entries WHERE seq >= {0}",
                "DELETE FROM entries WHERE seq >= {0}; DELETE FROM seals WHERE seq >= {0}",
                "DELETE FROM entries WHERE seq >= {0}; DELETE FROM seals WHERE seq >= {0}; "
                "UPDATE sessions SET status = 'interrupted'",
            ]
        ),
    )
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(forgery=FORGERIES)
def test_who_computes_the_chain_anew_is_found(sealed: Path, tmp_path: Path, forgery: tuple[int, str]):
    """But for who cuts a session back to an earlier seal, as if its recorder had died there."""
    seq, statements = forgery
    path = Path(shutil.copy(sealed, tmp_path / "log.db"))
    execute(path, *statements.format(seq).split("; "))
    reseal(path)
    kept = verify(path, ())  # without the key nothing is wrong
    if statements.endswith("'interrupted'") and seq - 1 in ENDS:
        assert verify(path, [KEY]) == kept == seq
    else:
        assert told(path)
