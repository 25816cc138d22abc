"""The network guard: who may be connected to while a test is replayed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest
from realtape.integrations.pytest_plugin.guard import Guard, NetworkGuardError, guarding
from support.voice_suite import VoiceSuite

CONNECT = """
import socket, os
import pytest

def connect():
    host, port = os.environ["PROVIDER_URL"].split("/")[2].split(":")
    socket.create_connection((host, int(port))).close()

{marker}
async def test_booking(realtape):
    {body}
"""


def guard(*hosts: str, loopback: bool = False) -> Guard:
    return Guard("test_it.py::test_it", hosts, loopback=loopback)


def connect(address: tuple[str, int]) -> None:
    with socket.socket() as client:
        client.settimeout(0.5)
        client.connect(address)


@pytest.mark.parametrize(
    ("attempt", "told"),
    [
        (lambda: connect(("127.0.0.1", 9)), "127.0.0.1:9"),
        (lambda: connect(("192.0.2.1", 443)), "192.0.2.1:443"),
        (lambda: socket.create_connection(("api.example.com", 443)), "api.example.com"),
        (lambda: socket.getaddrinfo(b"api.example.com", 443), "api.example.com"),
        (lambda: socket.gethostbyname("api.example.com"), "api.example.com"),
        (
            lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"?", ("192.0.2.1", 53)),
            "192.0.2.1:53",
        ),
    ],
)
def test_whoever_is_connected_to_is_named_with_the_test(attempt: Callable[[], object], told: str) -> None:
    one = guard()
    with guarding(one), pytest.raises(NetworkGuardError) as caught:
        attempt()
    assert str(caught.value).startswith(f"test_it.py::test_it is replayed, and connects to {told}; ")
    assert one.refused == [caught.value]


def test_what_stays_on_the_machine_may_be_done() -> None:
    one = guard()
    with guarding(one):
        first, second = socket.socketpair()
        with first, second, socket.socket(socket.AF_UNIX) as client:
            first.sendall(b"!")
            with pytest.raises(FileNotFoundError):
                client.connect("/nobody/listens/here")
        assert socket.getaddrinfo("127.0.0.1", 80)
        assert socket.getaddrinfo("localhost", 80)
        assert socket.getaddrinfo(None, 80)
    assert not one.refused


def test_hosts_and_this_machine_are_allowed_where_that_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        for one in (guard(loopback=True), guard("127.0.0.1"), guard("localhost", "127.0.0.1")):
            with guarding(one):
                connect(address)
        with (
            guarding(guard("LOCALHOST", loopback=True)),
            socket.create_connection(("localhost", address[1]), timeout=1),
        ):
            pass
        with guarding(guard(loopback=True)), pytest.raises(NetworkGuardError):
            connect(("192.0.2.1", 443))


def test_the_addresses_of_an_allowed_name_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: object) -> list[tuple[object, ...]]:
        assert host == "db.example.com"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    one = guard("db.example.com")
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    one.look("socket.getaddrinfo", ("db.example.com", 5432, 0, 0, 0))
    with socket.socket() as client:
        one.look("socket.connect", (client, ("127.0.0.1", 5432)))
        with pytest.raises(NetworkGuardError):
            one.look("socket.connect", (client, ("192.0.2.1", 5432)))


def test_a_thread_that_was_there_before_is_refused_but_not_the_tests_fault() -> None:
    go, told = threading.Event(), list[BaseException]()

    def upload() -> None:
        go.wait()
        try:
            connect(("192.0.2.1", 443))
        except NetworkGuardError as error:
            told.append(error)

    before = threading.Thread(target=upload)
    before.start()
    one = guard()
    with guarding(one):
        after = threading.Thread(target=upload)
        after.start()
        go.set()
        before.join()
        after.join()
    assert len(told) == 2
    assert len(one.refused) == 1


def test_afterwards_everything_may_be_connected_to_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with guarding(guard()), pytest.raises(NetworkGuardError):
            connect(server.getsockname())
        connect(server.getsockname())


def test_a_replay_that_connects_fails(suite: VoiceSuite) -> None:
    suite.write("test_voice.py", CONNECT.format(marker="", body="connect()"))
    suite.fails(
        lines=[
            "*NetworkGuardError: test_voice.py::test_booking is replayed, and connects to 127.0.0.1:*; "
            'a replay needs no network. If this test does: @pytest.mark.realtape(allow_hosts=[[]"127.0.0.1"])'
        ]
    )


def test_a_connection_that_the_application_shrugs_off_fails_the_test_all_the_same(suite: VoiceSuite) -> None:
    body = "try:\n        connect()\n    except Exception:\n        pass"
    suite.write("test_voice.py", CONNECT.format(marker="", body=body))
    suite.fails(lines=["refused: test_voice.py::test_booking is replayed, and connects to 127.0.0.1:*"])


@pytest.mark.parametrize("marker", ['allow_hosts=["127.0.0.1"]', "allow_loopback=True"])
def test_the_marker_allows(suite: VoiceSuite, marker: str) -> None:
    suite.write("test_voice.py", CONNECT.format(marker=f"@pytest.mark.realtape({marker})", body="connect()"))
    suite.passes()


def test_the_ini_file_allows_this_machine(suite: VoiceSuite) -> None:
    suite.change("[pytest]", "[pytest]\nrealtape_allow_loopback = true", "pytest.ini")
    suite.write("test_voice.py", CONNECT.format(marker="", body="connect()"))
    suite.passes()


def test_a_test_that_records_may_connect_and_so_may_others(suite: VoiceSuite) -> None:
    suite.write(
        "test_voice.py", CONNECT.format(marker="", body="connect()") + "\ndef test_other():\n    connect()\n"
    )
    suite.passes("--realtape-record=all", passed=2)
    suite.passes("-k", "other", passed=1, deselected=1)
