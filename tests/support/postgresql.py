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


@contextmanager
def server() -> Generator[str | None]:
    """The URL of a database in which tables may be made; None where there is no PostgreSQL."""
    given = os.environ.get("REALTAPE_TEST_POSTGRESQL")
    if given:
        yield given
        return
    binaries = _binaries()
    if binaries is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="realtape-postgresql-"))
    account = ACCOUNT if os.geteuid() == 0 else None
    if account is not None:
        shutil.chown(folder, account)
    data, port = folder / "data", _free_port()

    def run(program: str, *arguments: str) -> None:
        command = [str(binaries / program), "-D", str(data), *arguments]
        # Not captured by a pipe: the server would hold it open for ever.
        with (folder / f"{program}.txt").open("w") as output:
            subprocess.run(command, user=account, cwd=folder, stdout=output, stderr=output, check=True)

    try:
        run("initdb", "--auth=trust", "--username=realtape", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        yield f"postgresql://realtape@127.0.0.1:{port}/postgres"
    finally:
        if (data / "postmaster.pid").exists():
            run("pg_ctl", "-w", "-m", "immediate", "stop")
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
