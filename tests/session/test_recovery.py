"""Of a damaged file the longest good prefix of every session is saved, and no entry that was not appended.

What a byte belongs to is known here from an encoder of records, which `recover` has nothing of.
"""

from __future__ import annotations

import random
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from realtape.schema import Entry, SessionRecord, Status
from realtape.schema.log import (
    Pages,
    fetch_headers,
    locate,
    open_blocking,
    open_for_writing,
)
from realtape.session import Survey, survey, verified_batches, write_survey
from support.stores import DATA, fill, sql

ENTRIES = 3
SESSIONS = 2
PAGE = 1024
FEW = 40
"""Places that are tried in a plain run."""

Owner = tuple[str, int, int]
"""What a byte belongs to: a table, the key of a session, and a number in it."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A store with small pages."""
    path = tmp_path_factory.mktemp("whole") / "log.db"
    fill(path, SESSIONS, ENTRIES)
    with closing(sqlite3.connect(path)) as connection:  # this one's, until it is written anew
        connection.execute(f"PRAGMA page_size={PAGE}")
        connection.execute("VACUUM")
    data = path.read_bytes()
    assert int.from_bytes(data[16:18]) == PAGE
    return data


@pytest.fixture(scope="module")
def appended(whole: bytes, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Entry]]:
    """What its sessions hold, by their labels."""
    path = tmp_path_factory.mktemp("appended") / "log.db"
    path.write_bytes(whole)
    return entries_of(path)


def entries_of(path: Path) -> dict[str, list[Entry]]:
    """The entries of a store's sessions, whose chains hold."""
    found: dict[str, list[Entry]] = {}
    with open_blocking(locate(path)) as connection:
        for session in fetch_headers(connection, strays=True):
            assert isinstance(session, SessionRecord)
            batches = verified_batches(connection, session)
            found[session.header.labels.get("number", "?")] = [entry for batch in batches for entry in batch]
    return found


def seen(data: bytes, folder: Path) -> tuple[Survey, dict[str, list[Entry]]]:
    """What can be saved of a damaged file; nothing is written."""
    path = folder / "damaged.db"
    path.write_bytes(data)
    with Pages(path) as pages:
        found = survey(pages)
        return found, {
            saved.session.header.labels.get("number", "?"): [entry for entry, _ in saved.prefix.entries()]
            for saved in found.sessions
        }


def recovered(data: bytes, folder: Path, wal: bytes | None = None) -> tuple[Survey, dict[str, list[Entry]]]:
    """What is saved of a damaged file."""
    path, out = folder / "damaged.db", folder / "out.db"
    path.write_bytes(data)
    if wal is not None:
        path.with_name("damaged.db-wal").write_bytes(wal)
    out.unlink(missing_ok=True)
    with Pages(path) as pages:
        found = survey(pages)
        write_survey(found, out)
    return found, entries_of(out)


def no_wrong_entry(found: dict[str, list[Entry]], appended: dict[str, list[Entry]]) -> dict[str, int]:
    """Each is a prefix of what was appended; how long. A recovered chain begins with another header."""
    for label, entries in found.items():
        if label not in appended:  # the label itself was damaged: of one of them
            assert any(same(entries, all_) for all_ in appended.values())
        else:
            assert same(entries, appended[label])
    return {label: len(entries) for label, entries in found.items()}


def same(entries: list[Entry], all_: list[Entry]) -> bool:
    bare = [entry._replace(digest=b"") for entry in entries]
    return bare == [entry._replace(digest=b"") for entry in all_[: len(entries)]]


# --- what a byte belongs to -------------------------------------------------------------------------


def record(values: list[object]) -> bytes:
    """Values as SQLite writes a record (https://www.sqlite.org/fileformat2.html, section 2.1)."""
    types, content = b"", b""
    for value in values:
        kind, data = encoded(value)
        types += varint(kind)
        content += data
    return varint(len(types) + 1) + types + content


def encoded(value: object) -> tuple[int, bytes]:
    if value is None:
        return 0, b""
    if isinstance(value, float):
        if value.is_integer():
            return encoded(int(value))
        return 7, struct.pack(">d", value)
    if isinstance(value, int):
        if value in (0, 1):
            return 8 + value, b""
        for kind, size in enumerate((1, 2, 3, 4, 6, 8), 1):
            if -(1 << size * 8 - 1) <= value < 1 << size * 8 - 1:
                return kind, value.to_bytes(size, signed=True)
    data = value.encode() if isinstance(value, str) else value
    assert isinstance(data, bytes)
    return 12 + 2 * len(data) + isinstance(value, str), data


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value >> 7 | 0x80, value & 0x7F])


def owners(data: bytes, appended: dict[str, list[Entry]]) -> Callable[[int], Owner | None]:
    """Tells of each byte of a file to which record it belongs."""
    ranges: list[tuple[int, int, Owner]] = []

    def own(values: list[object], owner: Owner) -> None:
        wanted, at = record(values), data.find(record(values))
        assert at >= 0, f"{owner} is not in the file"
        ranges.append((at, at + len(wanted), owner))

    for key, entries in enumerate(appended.values(), 1):
        own([key, 0, DATA], ("segments", key, 0))
        for entry in entries:
            own([key, *entry], ("entries", key, entry.seq))
    return lambda at: next((owner for begin, end, owner in ranges if begin <= at < end), None)


def expected(owner: Owner | None) -> dict[str, int]:
    """How much is good where a byte of this is damaged."""
    good = {str(number): ENTRIES for number in range(SESSIONS)}
    if owner is not None:
        table, key, number = owner
        good[str(key - 1)] = number if table == "entries" else 0
    return good


# --- flips, cuts -------------------------------------------------------------------------------------


def few(places: range) -> list[int]:
    return random.Random(7).sample(places, FEW)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def headers_in(data: bytes) -> Iterator[range]:
    """Where the rows of `sessions` are, a row's number and the record."""
    for number in range(SESSIONS):
        at = data.find(b'{"number": "%d"}' % number)
        yield range(at - 160, at + 90)


def try_flips(whole: bytes, appended: dict[str, list[Entry]], folder: Path, places: list[int]) -> None:
    owner_of = owners(whole, appended)
    headers = [place for some in headers_in(whole) for place in some]
    for at in places:
        found, entries = (seen if at % 100 else recovered)(flipped(whole, at), folder)
        lengths = no_wrong_entry(entries, appended)
        if at in headers:  # a header that cannot be found any more has no entries; its entries are counted
            assert sum(lengths.values()) + found.strays == SESSIONS * ENTRIES, at
            continue
        owner, good = owner_of(at), expected(owner_of(at))
        if owner is not None and owner[0] == "segments":  # not all of its bytes are referred to
            assert lengths == good or lengths == expected(None), at
        else:
            assert lengths == good, (at, owner)
        assert found.whole == (lengths == expected(None))


def test_of_a_flipped_byte_only_its_record_is_lost(
    whole: bytes, appended: dict[str, list[Entry]], tmp_path: Path
) -> None:
    try_flips(whole, appended, tmp_path, few(range(len(whole))))


@pytest.mark.deep
@pytest.mark.timeout(7200)
def test_of_every_flipped_byte_only_its_record_is_lost(
    whole: bytes, appended: dict[str, list[Entry]], tmp_path: Path
) -> None:
    try_flips(whole, appended, tmp_path, list(range(len(whole))))


def try_cuts(whole: bytes, appended: dict[str, list[Entry]], folder: Path, places: list[int]) -> None:
    before = dict.fromkeys(appended, 0)
    for length in sorted(places):
        _, entries = (seen if length % 100 else recovered)(whole[:length], folder)
        lengths = dict.fromkeys(appended, 0) | no_wrong_entry(entries, appended)
        assert all(lengths[label] >= before[label] for label in before), length
        before = lengths
    assert before == expected(None) or max(places) < len(whole)


def test_a_cut_file_holds_what_comes_before(
    whole: bytes, appended: dict[str, list[Entry]], tmp_path: Path
) -> None:
    try_cuts(whole, appended, tmp_path, [*few(range(len(whole))), len(whole)])


@pytest.mark.deep
@pytest.mark.timeout(7200)
def test_a_file_cut_at_every_byte_holds_what_comes_before(
    whole: bytes, appended: dict[str, list[Entry]], tmp_path: Path
) -> None:
    try_cuts(whole, appended, tmp_path, list(range(len(whole) + 1)))


# --- the log beside it --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """A file and the write-ahead log that a process left beside it when it died: all is in there."""
    path = tmp_path_factory.mktemp("logged") / "log.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA page_size={PAGE}")
        connection.execute("VACUUM")
    open_for_writing(locate(path)).dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT * FROM store").fetchall()  # who has it open keeps the log
        fill(path, SESSIONS, ENTRIES, settled=False)
        return path.read_bytes(), path.with_name("log.db-wal").read_bytes()


def test_what_is_behind_a_damaged_page_of_the_log_is_saved(
    logged: tuple[bytes, bytes], tmp_path: Path
) -> None:
    data, wal = logged
    _, appended = recovered(data, tmp_path, wal)
    assert {label: len(entries) for label, entries in appended.items()} == expected(None)
    frame = 24 + PAGE
    for at in few(range(32, len(wal)))[::4]:
        _, entries = recovered(data, tmp_path, flipped(wal, at))
        lengths = no_wrong_entry(entries, appended)
        assert sum(lengths.values()) >= (SESSIONS - 1) * ENTRIES, at
    for at in (0, 8, 16, 24, 32 + 8, 32 + 16):  # of the log's own headers
        assert recovered(data, tmp_path, flipped(wal, at))[0].whole
    for length in range(32, len(wal), frame):
        _, entries = recovered(data, tmp_path, wal[:length])
        no_wrong_entry(entries, appended)


# --- what is written ------------------------------------------------------------------------------------


def test_what_is_not_whole_says_where_it_comes_from(
    whole: bytes, appended: dict[str, list[Entry]], tmp_path: Path
) -> None:
    at = whole.find(record([1, *appended["0"][2]]))
    recovered(flipped(whole, at + 60), tmp_path)
    with open_blocking(locate(tmp_path / "out.db")) as connection:
        one, other = fetch_headers(connection)
    with open_blocking(locate(tmp_path / "damaged.db")) as connection:
        old, same = fetch_headers(connection)
    assert isinstance(one, SessionRecord)
    assert isinstance(other, SessionRecord)
    assert isinstance(old, SessionRecord)
    assert isinstance(same, SessionRecord)
    assert (one.header.id, one.status, one.entries) == (old.header.id, Status.INTERRUPTED, 2)
    assert one.header.source == (
        f"recorder, recovered from a damaged log: 2 of at least 3 entries, up to digest "
        f"{appended['0'][1].digest.hex()}, of a chain whose last digest was {old.last_digest.hex()}"
    )
    assert (other.header, other.first_digest, other.last_digest) == (
        same.header,
        same.first_digest,
        same.last_digest,
    )
    assert other.status is same.status


def test_a_changed_header_does_not_cost_its_entries(whole: bytes, tmp_path: Path) -> None:
    found, _ = recovered(whole.replace(b'{"number": "0"}', b'{"number": "\xff"}'), tmp_path)
    assert [(saved.proven, len(saved.prefix)) for saved in found.sessions] == [(False, 3), (True, 3)]
    assert found.sessions[0].header.source.endswith("; this header was changed")
    assert not found.whole


def test_who_was_taken_out_is_not_brought_back(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pruned.db"
    path.write_bytes(whole)
    (session_id,) = sql(path, "SELECT id FROM sessions WHERE key = 1")[0]
    sql(
        path,
        "PRAGMA secure_delete=OFF",
        f"INSERT INTO prunings VALUES (1, '{session_id}', 1, 'it was too old', zeroblob(32))",
        "DELETE FROM entries WHERE session = 1",
        "DELETE FROM segments WHERE session = 1",
        "DELETE FROM sessions WHERE key = 1",
    )
    found, _ = recovered(path.read_bytes(), tmp_path)
    assert [saved.session.header.labels for saved in found.sessions] == [{"number": "1"}]


def test_rows_that_go_on_in_other_pages(tmp_path: Path) -> None:
    """Payloads and bytes of many pages: a log of the first release comes back as it is."""
    golden = Path(__file__).parents[2] / "fixtures" / "demo-format-1.db"
    found, _ = recovered(golden.read_bytes(), tmp_path)
    assert found.whole
    for table in ("entries", "sessions"):
        query = f"SELECT * FROM {table} ORDER BY 1, 2"
        assert sql(tmp_path / "out.db", query) == sql(golden, query)


def test_a_file_whose_pages_are_all_in_the_log(tmp_path: Path) -> None:
    """It is a page of nothing but zeros, of which smaller pages would look as well."""
    path = tmp_path / "log.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("SELECT * FROM sqlite_master").fetchall()
        fill(path, SESSIONS, ENTRIES, settled=False)
        data, wal = path.read_bytes(), path.with_name("log.db-wal").read_bytes()
    found, _ = recovered(data, tmp_path, wal)
    assert found.whole
    assert [len(saved.prefix) for saved in found.sessions] == [ENTRIES] * SESSIONS
