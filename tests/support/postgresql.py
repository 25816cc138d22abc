"""A PostgreSQL server for tests: the one that REALTAPE_TEST_POSTGRESQL names, or one that is started
for them and thrown away."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

ACCOUNT = "nobody"
"""Runs the server where we are root, as which it refuses to run."""


class Server:
    """One of our own.

    Attributes:
        url: of a database in which tables may be made.
    """

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries, self._folder = binaries, folder
        self._data, self._port = folder / "data", _free_port()
        self._account = ACCOUNT if os.geteuid() == 0 else None
        if self._account is not None:
            shutil.chown(folder, self._account)
        self.url = f"postgresql://realtape@127.0.0.1:{self._port}/postgres"
        self._run("initdb", "--auth=trust", "--username=realtape", "--no-sync")

    def start(self) -> None:
        """Until it answers."""
        settings = ("listen_addresses=127.0.0.1", f"unix_socket_directories={self._folder}", "fsync=off")
        options = f"-p {self._port} " + " ".join(f"-c {setting}" for setting in settings)
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Until it is down. Also where it is not up."""
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "-w", "-m", mode, "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), "-D", str(self._data), *arguments]
        # Not captured by a pipe: the server would hold it open for ever.
        with (self._folder / f"{program}.txt").open("w") as output:
            subprocess.run(
                command, user=self._account, cwd=self._folder, stdout=output, stderr=output, check=True
            )


@contextmanager
def server() -> Generator[str | None]:
    """The URL of a database in which tables may be made; None where there is no PostgreSQL."""
    given = os.environ.get("REALTAPE_TEST_POSTGRESQL")
    if given:
        yield given
        return
    with own_server() as own:
        yield None if own is None else own.url


@contextmanager
def own_server() -> Generator[Server | None]:
    """One that a test may stop and start; None where there is no PostgreSQL."""
    binaries = _binaries()
    if binaries is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="realtape-postgresql-"))
    own = Server(binaries, folder)
    try:
        own.start()
        yield own
    finally:
        own.stop()
        shutil.rmtree(folder)


def _binaries() -> Path | None:
    """Distributions keep them off the path."""
    found = shutil.which("initdb")
    if found is not None:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return versions[-1] if versions else None


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
