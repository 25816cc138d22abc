"""Whatever happens to a store and to who records into it, it holds what a model in memory says."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from realtape.recorder.session_log import SessionLog
from realtape.schema.entries import Kind, Status
from realtape.schema.log import StoreLocation, fetch_sessions, locate, open_for_changes, remove_sessions
from realtape.session import erase
from sqlalchemy import create_engine, text
from support.driven import DrivenRecorder
from support.forked import in_child
from support.postgresql import server
from support.stored import Stored, beside, intact

pytestmark = [pytest.mark.hypothesis, pytest.mark.real_time]

Rows = list[int | str]
"""Of one session: numbers that were marked, and `lost N`."""


@dataclass
class Session:
    """What is known of one session.

    Attributes:
        pending: numbers that are not committed.
        committed: how many are, in whatever file.
        left_at: its rows in the file that it was committed into last.
        touched: there is something to write, be it only its end.
        held: its recorder has its lock, in the file that lies there now.
    """

    log: SessionLog
    pending: list[int] = field(default_factory=list[int])
    committed: int = 0
    left_at: Rows | None = None
    touched: bool = False
    status: Status = Status.RECORDING
    held: bool = False


class Machine(RuleBasedStateMachine):
    """Two processes that record into one file, and somebody who meddles with it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="realtape-machine-"))
        self.path = self.folder / "log.db"
        self.store = self._store()
        self.file: dict[str, Rows] = {}
        self.statuses: dict[str, Status] = {}
        self.removed: set[str] = set()  # of this file, by a pruning or an erasure
        self.backup: tuple[dict[str, Rows], dict[str, Status], set[str]] | None = None
        self.recorders = [DrivenRecorder(self.store) for _ in range(2)]
        self.sessions: list[dict[str, Session]] = [{}, {}]
        self.numbers = 0

    def teardown(self) -> None:
        for recorder in self.recorders:
            recorder.die()
        shutil.rmtree(self.folder)

    # --- the model --------------------------------------------------------------------------------

    def _commit(self, who: int, due: dict[str, Session]) -> None:
        for name, session in due.items():
            if name in self.removed and session.left_at is not None:
                self.sessions[who].pop(name, None)  # it does not begin again
            else:
                self._commit_one(name, session)
        if due:
            for session in self.sessions[who].values():
                session.held = session.left_at is not None and session.status is Status.RECORDING
            self._check()

    def _commit_one(self, name: str, session: Session) -> None:
        rows = self.file.get(name)
        if session.left_at is None:
            rows = []
        elif rows is None or rows != session.left_at:
            kept = [] if rows is None else rows
            lost = session.committed - sum(isinstance(row, int) for row in kept)
            rows = [*kept, *([f"lost {lost}"] if lost else [])]
        self.file[name] = session.left_at = [*rows, *session.pending]
        self.statuses[name] = session.status
        session.committed += len(session.pending)
        session.pending, session.touched = [], False

    def _check(self) -> None:
        for recorder in self.recorders:  # as their threads do, now and then
            recorder.tend()
        found = {stored.label: stored for stored in asyncio.run(intact(self.store))}
        assert {name: rows_of(stored) for name, stored in found.items()} == self.file
        living = {name for sessions in self.sessions for name in sessions}
        for name, stored in found.items():
            told = self.statuses[name]
            if told is Status.RECORDING and name not in living:
                told = Status.INTERRUPTED
            if told is not Status.RECORDING:  # else it may have been restored, and not been gone on with yet
                assert stored.status is told, (name, stored.status, told, living)

    # --- who records ------------------------------------------------------------------------------

    @rule(who=st.integers(0, 1))
    def begin(self, who: int) -> None:
        name = f"{self.numbers}"
        self.numbers += 1
        log = self.recorders[who].begin({"name": name})
        self.sessions[who][name] = Session(log)
        self._append(who, name, 1)

    @precondition(lambda self: any(self.sessions))
    @rule(data=st.data(), count=st.integers(1, 3))
    def append(self, data: st.DataObject, count: int) -> None:
        who, name = self._any(data)
        self._append(who, name, count)

    @precondition(lambda self: any(self.sessions))
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        who, name = self._any(data)
        session = self.sessions[who][name]
        session.log.finish(Status.CLOSED)
        session.status, session.touched = Status.CLOSED, True

    @rule(who=st.integers(0, 1))
    def flush(self, who: int) -> None:
        due = {name: one for name, one in self.sessions[who].items() if one.touched or one.pending}
        self._see_what_is_empty()
        self.recorders[who].write()
        self._commit(who, due)

    @rule(who=st.integers(0, 1))
    def kill(self, who: int) -> None:
        self.recorders[who].die()
        self.recorders[who] = DrivenRecorder(self.store)
        self.sessions[who] = {}

    @rule(who=st.integers(0, 1))
    def reopen(self, who: int) -> None:
        going_on = [one for one in self.sessions[who].values() if one.status is Status.RECORDING]
        for session in going_on:
            session.status, session.touched = Status.CLOSED, True
        due = {name: one for name, one in self.sessions[who].items() if one.touched or one.pending}
        self._see_what_is_empty()
        self.recorders[who].close_blocking()
        self.recorders[who] = DrivenRecorder(self.store)
        self._commit(who, due)
        self.sessions[who] = {}

    @rule(who=st.integers(0, 1))
    def fork(self, who: int) -> None:
        """The child records a session of its own, and ends without ceremony."""
        name = f"{self.numbers}"
        self.numbers += 1
        self._see_what_is_empty()

        def record() -> bool:
            recorder = self.recorders[who]
            assert recorder.address == locate(self.store)
            recorder.begin({"name": name}).append(Kind.MARKER, {"number": self.numbers})
            recorder.write()
            return True

        assert in_child(record)
        self.file[name], self.statuses[name] = [self.numbers], Status.RECORDING
        self.numbers += 1
        self._check()

    # --- who removes ------------------------------------------------------------------------------

    @precondition(lambda self: bool(self.file))
    @rule(data=st.data(), erased=st.booleans())
    def remove_session(self, data: st.DataObject, erased: bool) -> None:
        """In another process, while these record."""
        name = data.draw(st.sampled_from([*self.file]), "session")
        going_on = [one.get(name) for one in self.sessions]
        held = any(one is not None and one.held for one in going_on)
        self._see_what_is_empty()
        gone = in_child(lambda: self._erase(name) if erased else self._prune(name))
        assert not (gone and held)
        assert gone or any(going_on)
        if gone:
            del self.file[name], self.statuses[name]
            self.removed.add(name)
        self._check()

    def _prune(self, name: str) -> bool:
        with open_for_changes(locate(self.store)) as engine:
            with engine.connect() as connection:
                keys = [one.key for one in fetch_sessions(connection) if one.header.labels["name"] == name]
            assert len(keys) == 1
            return remove_sessions(engine, keys, "selection")

    def _erase(self, name: str) -> bool:
        erasure = erase(locate(self.store), {"name": name})
        assert len(erasure.removed) + len(erasure.left) == 1
        return bool(erasure.removed)

    # --- who meddles --------------------------------------------------------------------------------

    @precondition(lambda self: bool(self.file))
    @rule(whole=st.booleans())
    def remove(self, whole: bool) -> None:
        for name in beside(self.path) if whole else {"log.db"}:
            (self.folder / name).unlink(missing_ok=True)
        self._lost()

    @precondition(lambda self: bool(self.file))
    @rule()
    def empty(self) -> None:
        os.truncate(self.path, 0)
        self._lost()

    @precondition(lambda self: bool(self.file))
    @rule()
    def back_up(self) -> None:
        with closing(sqlite3.connect(self.path)) as source, closing(self._backup()) as target:
            source.backup(target)
            target.execute("PRAGMA journal_mode=DELETE")
        rows = {name: [*rows] for name, rows in self.file.items()}
        self.backup = rows, dict(self.statuses), set(self.removed)

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore(self) -> None:
        """As it should be done: moved into place, and what lay beside the old one is removed."""
        assert self.backup is not None
        shutil.copy(self.folder / "backup", self.folder / "restoring")
        for suffix in ("-wal", "-shm"):
            (self.folder / f"log.db{suffix}").unlink(missing_ok=True)
        (self.folder / "restoring").rename(self.path)
        self._lost()
        self.file = {name: [*rows] for name, rows in self.backup[0].items()}
        self.statuses, self.removed = dict(self.backup[1]), set(self.backup[2])

    # --- helpers --------------------------------------------------------------------------------------

    def _store(self) -> StoreLocation:
        return self.path

    def _backup(self) -> sqlite3.Connection:
        (self.folder / "backup").unlink(missing_ok=True)
        return sqlite3.connect(self.folder / "backup")

    def _lost(self) -> None:
        self.file, self.statuses, self.removed = {}, {}, set()
        for session in (*self.sessions[0].values(), *self.sessions[1].values()):
            session.held = False

    def _see_what_is_empty(self) -> None:
        """What holds on to an emptied file locks it, until it looks: as its thread does now and then."""
        if isinstance(self.store, Path) and self.store.exists() and not self.store.stat().st_size:
            for recorder in self.recorders:
                recorder.tend()

    def _any(self, data: st.DataObject) -> tuple[int, str]:
        return data.draw(
            st.sampled_from([(who, name) for who in (0, 1) for name in self.sessions[who]]), "session"
        )

    def _append(self, who: int, name: str, count: int) -> None:
        session = self.sessions[who][name]
        for _ in range(count):
            session.log.append(Kind.MARKER, {"number": self.numbers})
            session.pending.append(self.numbers)
            self.numbers += 1


class ServerMachine(Machine):
    """The same on a server, whose tables somebody drops."""

    url = ""

    def _store(self) -> StoreLocation:
        self._execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        return self.url

    def _execute(self, *statements: str) -> None:
        engine = create_engine(self.url.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()

    @precondition(lambda self: bool(self.file))
    @rule()
    def remove(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
        self._lost()

    def empty(self) -> None:
        """There is no file."""

    def back_up(self) -> None:
        """Nor one to copy."""

    def restore(self) -> None:
        """Nor to put back."""


def rows_of(stored: Stored) -> Rows:
    rows: Rows = []
    gaps, marks = iter(stored.payloads(Kind.GAP)), iter(stored.payloads())
    for entry in stored.entries:
        rows.append(f"lost {next(gaps)['lost']}" if entry.kind == Kind.GAP else next(marks)["number"])
    return rows


@pytest.mark.parametrize("examples", [10, pytest.param(300, marks=pytest.mark.deep)])
def test_the_store_holds_what_the_model_says(examples: int):
    run_state_machine_as_test(Machine, settings=settings(max_examples=examples, stateful_step_count=25))


@pytest.mark.postgresql
@pytest.mark.parametrize("examples", [3, pytest.param(300, marks=pytest.mark.deep)])
def test_a_server_holds_what_the_model_says(examples: int):
    with server() as url:
        if url is None:
            pytest.fail("no PostgreSQL here: install it, or set REALTAPE_TEST_POSTGRESQL")
        ServerMachine.url = url
        run_state_machine_as_test(
            ServerMachine, settings=settings(max_examples=examples, stateful_step_count=25)
        )
