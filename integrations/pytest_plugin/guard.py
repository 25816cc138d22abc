"""The network guard: while a test is replayed, no socket leaves the machine.

An audit hook of Python's own (`sys.addaudithook`) sees every connection and every look-up of a name,
whoever makes it and however he came by the function: patched classes, as pytest-socket has them, are
not seen by who imported the function before, and know addresses where a user thinks in names. It
cannot be taken away again, so it is put in place by the first replay, and looks at one variable after.
What does not go through Python's `socket` (a database's C library, uvloop) it does not see; and where
`socket.connect` is given a name, that is looked up before the hook is asked.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
import threading
from collections.abc import Collection, Generator
from typing import Any, cast

from ...schema import RealtapeError

_CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_RESOLVES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
_LOCAL_NAMES = ("", "localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")


class NetworkGuardError(RealtapeError):
    """A test that is replayed wanted to connect to somebody.

    Attributes:
        host: a name or an address.
        port: None where a name was looked up.
        test: the test's node id.
    """

    def __init__(self, host: str, port: object, test: str) -> None:
        super().__init__(host, port, test)
        self.host = host
        self.port = port
        self.test = test

    def __str__(self) -> str:
        place = self.host if self.port is None else f"{self.host}:{self.port}"
        return (
            f"{self.test} is replayed, and connects to {place}; a replay needs no network. If this test "
            f'does: @pytest.mark.realtape(allow_hosts=["{self.host}"])'
        )


class Guard:
    """Refuses connections for one test.

    Args:
        test: the test's node id.
        hosts: names and addresses that are allowed.
        loopback: whether this machine is.

    Attributes:
        refused: what was refused to the test and the threads that it started, in order. (A thread that
            was there before, such as one that uploads traces, is refused, too; but that is not
            the test's fault.)
    """

    def __init__(self, test: str, hosts: Collection[str], *, loopback: bool) -> None:
        self.refused: list[NetworkGuardError] = []
        self._test = test
        self._hosts = {host.lower() for host in hosts}
        # Windows makes socket pairs, one for each event loop, of connections to itself.
        self._loopback = loopback or sys.platform == "win32"
        self._resolving = threading.local()
        mine = threading.get_ident()
        self._others = {thread.ident for thread in threading.enumerate()} - {mine}

    def look(self, event: str, args: tuple[Any, ...]) -> None:
        """Judge what an audit event says.

        Raises:
            NetworkGuardError: a connection to somebody who is not allowed.
        """
        if getattr(self._resolving, "busy", False):
            return
        if event in _RESOLVES:
            host = _text(args[0])
            if _address(host) is None and host.lower() not in _LOCAL_NAMES:
                self._resolve(host)
        elif args[0].family in (socket.AF_INET, socket.AF_INET6) and isinstance(args[1], tuple):
            host, port, *_ = cast("tuple[Any, ...]", args[1])
            try:
                self._connect(_text(host), port)
            except NetworkGuardError:
                # Of errors that are no OSError, the standard library forgets to close it.
                args[0].close()
                raise

    def _resolve(self, host: str) -> None:
        if host.lower() not in self._hosts:
            self._refuse(host, None)
        self._resolving.busy = True
        try:
            with contextlib.suppress(OSError):  # who asks hears of it himself
                found = socket.getaddrinfo(host, None)
                self._hosts |= {str(one[4][0]) for one in found}
        finally:
            self._resolving.busy = False

    def _connect(self, host: str, port: object) -> None:
        if host.lower() in self._hosts or (self._loopback and _is_loopback(host)):
            return
        self._refuse(host, port)

    def _refuse(self, host: str, port: object) -> None:
        error = NetworkGuardError(host, port, self._test)
        if threading.get_ident() not in self._others:
            self.refused.append(error)
        raise error


_guard: Guard | None = None
_installed = False


@contextlib.contextmanager
def guarding(guard: Guard) -> Generator[None]:
    """Refuse connections, of all threads, while in this block."""
    global _guard, _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_audit)
    before, _guard = _guard, guard
    try:
        yield
    finally:
        _guard = before


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if _guard is not None and (event in _CONNECTS or event in _RESOLVES):
        _guard.look(event, args)


def _text(host: object) -> str:
    if isinstance(host, (bytes, bytearray)):
        return bytes(host).decode("ascii", "replace")
    return "" if host is None else str(host)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    if address is None:
        return host.lower() in _LOCAL_NAMES
    return address.is_loopback or address.is_unspecified  # which is this machine, where one connects to it
