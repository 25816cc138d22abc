"""`realtape view`: who is let in, what is shown of which session, and that a session is followed while it is
recorded. Over real sockets, with a real server."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from realtape.schema import Header, Kind, Status
from realtape.schema.entries import Entry, new_session_id
from realtape.schema.log import (
    advance_session,
    entry_digest,
    insert_entries,
    insert_session,
    locate,
    open_for_writing,
)
from realtape.session.drafts import write_drafts
from realtape.viewer.gathering import INDEX_ENTRIES
from support.calls_to_see import known_call
from support.view_socket import TOKEN, Server, serving


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("view") / "calls.db"
    write_drafts(locate(path), [known_call()[0]])
    return path


@pytest.fixture(scope="module")
def server(store: Path) -> Generator[Server]:
    with serving(store) as running:
        yield running


def test_who_has_the_address_sees_the_sessions_and_opens_one(server: Server) -> None:
    code, headers, body = server.ask(f"/{TOKEN}/")
    assert (code, headers["content-type"].partition(";")[0]) == (200, "text/html")
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'sha256-")
    assert "connect-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert b"<main" in body
    (session,) = server.json("block/sessions")["sessions"]
    assert session["labels"] == {"customer": "1042"}
    assert server.json("block/sessions?tool=departure")["sessions"] == [session]
    assert server.json("block/sessions?tool=weather")["sessions"] == []
    assert server.json("block/sessions?label=customer=7")["sessions"] == []
    told = server.json(f"{session['id']}/block/0/session")
    draft, model = known_call()
    assert told["read"] == told["entries"] == len(draft.entries)
    assert server.json(f"{session['id']}/block/0/index/0")["at"] == [entry.at_ns for entry in draft.entries]
    assert server.ask(f"/{TOKEN}/{session['id']}/block/0/sound/model/0")[2] == model


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        ("/", "GET", {}),
        ("/block/sessions", "GET", {}),
        ("/another-token/block/sessions", "GET", {}),
        (f"/{TOKEN}x/", "GET", {}),
        (f"/{TOKEN}/", "POST", {}),
        (f"/{TOKEN}/", "DELETE", {}),
        (f"/{TOKEN}/", "GET", {"Host": "evil.example:80"}),
        (f"/{TOKEN}/", "GET", {"Host": "127.0.0.1:1"}),
        (f"/{TOKEN}/block/sessions", "GET", {"Origin": "https://evil.example"}),
        (f"/{TOKEN}/block/sessions", "GET", {"Origin": "null"}),
        (f"/{TOKEN}/block/sessions", "GET", {"Sec_Fetch_Site": "cross-site"}),
    ],
)
def test_others_are_refused(server: Server, path: str, method: str, headers: dict[str, str]) -> None:
    code, answered, body = server.ask(path, method, **headers)
    assert code == 403
    assert body.startswith(b"refused: ")
    assert "access-control-allow-origin" not in answered


@pytest.mark.parametrize(
    "path",
    [
        "../calls.db/",
        "%2e%2e%2fcalls.db/",
        "%2Fetc%2Fpasswd/",
        "calls.db/",
        "/etc/passwd",
        "{id}/block/0/rows/-1",
        "{id}/block/0/rows/1e9",
        "{id}/block/0/rows/..%2f..",
        "{id}/block/0/sound/other/0",
        "{id}/block/0/sound/model/99",
        "{id}/block/0/nothing",
    ],
)
def test_no_address_leads_to_another_file(server: Server, path: str) -> None:
    (session,) = server.json("block/sessions")["sessions"]
    code, _, body = server.ask(f"/{TOKEN}/{path.replace('{id}', session['id'])}")
    assert code in (404, 307, 403)
    assert b"root:" not in body
    assert b"SQLite" not in body


def test_a_filter_that_is_none_is_told(server: Server) -> None:
    code, _, body = server.ask(f"/{TOKEN}/block/sessions?status=%3Cb%3E")
    assert (code, body) == (400, b"<b>: no such status")


def test_a_session_is_followed_while_it_is_recorded(tmp_path: Path) -> None:
    """And whoever records it is not held up: its write-ahead log can be emptied meanwhile."""
    path = tmp_path / "live.db"
    engine = open_for_writing(locate(path))
    # Recorded on another machine: whether that process lives nobody can tell here.
    header = Header(new_session_id(), None, 1_732_000_000_000_000_000, "elsewhere", 4711, "recorder", {}, {})
    with engine.begin() as connection:
        key, digest = insert_session(connection, header)

    def no_bytes(segment: int, offset: int, length: int) -> bytes:
        raise AssertionError("a marker refers to none")

    def append(first: int, count: int) -> None:
        nonlocal digest
        before, entries = digest, list[Entry]()
        for seq in range(first, first + count):
            entry = Entry(seq, seq * 1_000_000, 0, 0, Kind.MARKER, payload='{"text":"here"}')
            digest = entry_digest(digest, entry, no_bytes)
            entries.append(entry._replace(digest=digest))
        with engine.begin() as connection:
            insert_entries(connection, key, entries)
            advance_session(connection, key, header.id, before, digest, Status.RECORDING)

    append(0, 10)
    with serving(path) as server:
        base = f"{header.id}/block/0"
        assert server.json(f"{base}/session")["read"] == 10
        for more in range(3):
            append(10 * (more + 1), 10)
            assert server.json(f"{base}/standing")["read"] == 10 * (more + 2)
            assert len(server.json(f"{base}/index/0")["at"]) == 10 * (more + 2)
        with engine.connect() as connection:
            busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        assert not busy
        assert server.json(f"{base}/index/{40 // INDEX_ENTRIES}")["seq"][-1] == 39
    engine.dispose()
