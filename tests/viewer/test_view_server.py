"""`realtape view`: who is let in, what is shown of which session, and that a session is followed while it is
recorded. Over real sockets, with a real server."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest
from realtape.schema.log import locate
from realtape.session.drafts import write_drafts
from realtape.viewer.gathering import INDEX_ENTRIES
from support.calls_to_see import known_call
from support.live_store import live_session
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
    for words, fits in (
        ("since=2024-11-18&until=2024-11-20", True),
        ("since=2h", False),
        ("until=2024-11-18", False),
        ("longer_than=1.5s&shorter_than=2m", True),
        ("longer_than=2m", False),
        ("interrupted=1&error=1", True),
        ("label=customer=1042&tool=departure&tool=weather", False),
    ):
        assert server.json(f"block/sessions?{words}")["sessions"] == [session] * fits, words
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
        (f"/{TOKEN}/block/sessions", "GET", {"Sec_Fetch_Site": "same-site"}),
        *((f"/{TOKEN}/", method, {}) for method in ("OPTIONS", "PUT", "PATCH", "TRACE", "PROPFIND")),
        (f"/{TOKEN}/", "OPTIONS", {"Access_Control_Request_Method": "GET", "Origin": "https://evil.example"}),
        # A name that was bent to this machine, and names that begin or end like ours.
        *(
            (f"/{TOKEN}/", "GET", {"Host": host})
            for host in ("evil.example:{port}", "localhost", "127.0.0.1")
        ),
        (f"/{TOKEN}/", "GET", {"Host": "localhost.evil.example:{port}"}),
        (f"/{TOKEN}/", "GET", {"Host": "127.0.0.1:{port}@evil.example"}),
        (f"/{TOKEN}/", "GET", {"Host": "evil.example#127.0.0.1:{port}"}),
        (f"/{TOKEN}/", "GET", {"Host": ""}),
        # Another name of this machine is another site.
        (f"/{TOKEN}/", "GET", {"Host": "localhost:{port}", "Origin": "http://127.0.0.1:{port}"}),
        (f"/{TOKEN}/", "GET", {"Origin": "https://127.0.0.1:{port}"}),
        (f"/{TOKEN}/", "GET", {"Origin": "http://127.0.0.1:{port}.evil.example"}),
        # The token where it does not belong, and half of it.
        (f"/?token={TOKEN}", "GET", {}),
        ("/", "GET", {"Authorization": f"Bearer {TOKEN}", "Cookie": f"token={TOKEN}"}),
        (f"//{TOKEN}/", "GET", {}),
        (f"/x/{TOKEN}/", "GET", {}),
        (f"/x/../{TOKEN}/", "GET", {}),
        (f"/{TOKEN[:-1]}/", "GET", {}),
        (f"/{TOKEN.upper()}/", "GET", {}),
        (f"/{TOKEN}%00/", "GET", {}),
        (f"/{TOKEN}%2F/block/sessions/..%2f..", "GET", {"Host": "evil.example"}),
        ("/%F0%9F%94%91/", "GET", {}),
    ],
)
def test_others_are_refused(server: Server, path: str, method: str, headers: dict[str, str]) -> None:
    told = {name: value.replace("{port}", str(server.port)) for name, value in headers.items()}
    code, answered, body = server.ask(path, method, **told)
    assert code == 403
    assert body.startswith(b"refused: ")
    assert not [name for name in answered if name.startswith("access-control-")]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_this_machine_may_ask_by_each_of_its_names(server: Server, host: str) -> None:
    here = f"{host}:{server.port}"
    for more in ({}, {"Origin": f"http://{here}"}, {"Sec_Fetch_Site": "same-origin"}):
        assert server.ask(f"/{TOKEN}/", Host=here, **more)[0] == 200
    code, _, body = server.ask(f"/{TOKEN}/", "HEAD", Host=here)
    assert (code, body) == (200, b"")


def raw(server: Server, *lines: str) -> bytes:
    """What comes back for a request that no client of ours would make."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
            if b"\r\n\r\n" in answer:
                break
    return answer


def test_what_is_no_request_of_a_browser_gets_nothing(server: Server) -> None:
    here, ask = f"Host: 127.0.0.1:{server.port}", f"GET /{TOKEN}/ HTTP/1.1"
    for lines in (
        (ask, here, "Host: evil.example"),
        (ask, "Host: evil.example", here),
        (f"GET http://evil.example/{TOKEN}/ HTTP/1.1", "Host: evil.example"),
        (f"GET /{TOKEN}/ HTTP/1.0",),
        (ask, here, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
         "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Origin: https://evil.example"),
        (f"GET /{TOKEN}/?{'x' * 200_000} HTTP/1.1", here),
        ("\x16\x03\x01\x02\x00",),
    ):  # fmt: skip
        status = raw(server, *lines).split(b"\r\n")[0]
        assert status.split(b" ")[1] in (b"400", b"403", b"431"), (lines[0][:60], status)


def test_a_client_that_never_ends_its_request_holds_nobody_up(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            slow.sendall(f"GET /{TOKEN}/ HTTP/1.1\r\nHost: 127".encode())
        assert server.ask(f"/{TOKEN}/")[0] == 200
        assert len(server.json("block/sessions")["sessions"]) == 1


@pytest.mark.parametrize(
    "path",
    [
        "..%2f..%2f..%2f..%2fetc%2fpasswd",
        "..%5c..%5ccalls.db/",
        "%2e%2e/%2e%2e/etc/passwd",
        "{id}%00/",
        "{id}/../../calls.db",
        "{id}/block/1/session",
        "{id}/block/0/session/../../../calls.db",
        "{id}/block/0/rows/%F0%9F%94%91",
        "{id}/block/0/rows/٣",
        "{id}/block/0/rows/99999999999999999999",
        "{id}/block/0/__class__",
        "{id}/block/0/sound/__proto__/0",
        "file:///etc/passwd/",
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
    asked = quote(path.replace("{id}", session["id"]), safe="/%:.")
    code, _, body = server.ask(f"/{TOKEN}/{asked}")
    assert code in (404, 307, 403)
    assert b"root:" not in body
    assert b"SQLite" not in body


def test_a_filter_that_is_none_is_told(server: Server) -> None:
    for asked, told in (
        ("status=%3Cb%3E", "status <b>: there are recording, closed"),
        ("label=customer", "label customer: give a label as NAME=VALUE"),
        ("since=soon%1b", "since soon\\x1b: give a day (2026-11-22)"),
        ("longer_than=2", "longer-than 2: give how long"),
        ("longer_than=2m&shorter_than=1m", "no session fits"),
    ):
        answer = server.json(f"block/sessions?{asked}")
        assert list(answer) == ["wrong"]
        assert answer["wrong"].startswith(told)


def test_a_session_is_followed_while_it_is_recorded(tmp_path: Path) -> None:
    """And whoever records it is not held up: its write-ahead log can be emptied meanwhile."""
    path = tmp_path / "live.db"
    with live_session(path) as live, serving(path) as server:
        live.append(10)
        base = f"{live.header.id}/block/0"
        assert server.json(f"{base}/session")["read"] == 10
        for more in range(3):
            live.append(10)
            assert server.json(f"{base}/standing")["read"] == 10 * (more + 2)
            assert len(server.json(f"{base}/index/0")["at"]) == 10 * (more + 2)
        with live.engine.connect() as connection:
            busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        assert not busy
        assert server.json(f"{base}/index/{40 // INDEX_ENTRIES}")["seq"][-1] == 39
