"""What is saved of a damaged store: `python benchmarks/damage.py [STEP]`, for `docs/reliability.md`.

A small store is flipped at every STEP-th byte, cut at every STEP-th, and its write-ahead log the same, as a
process leaves it that was killed. Each is recovered; what comes out is opened, verified, and compared with
what was appended.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from realtape.recorder import Recorder
from realtape.schema import Entry, Kind, SessionRecord
from realtape.schema.log import Pages, fetch_headers, locate, open_blocking
from realtape.session import survey, verified_batches, write_survey

STEP = 97
SESSIONS, ENTRIES = 2, 12

Files = tuple[bytes, bytes]
"""A store, and the log beside it."""


def files_at(path: Path) -> Files:
    """What lies there now."""
    log = path.with_name(f"{path.name}-wal")
    return path.read_bytes(), log.read_bytes() if log.exists() else b""


async def recorded(path: Path) -> tuple[Files, Files]:
    """The files as they are while it is recorded, and when it was closed."""
    async with Recorder(path) as recorder:
        for number in range(SESSIONS):
            log = recorder.begin({})
            for seq in range(ENTRIES):
                log.append(Kind.MARKER, {"text": f"marker {seq} of session {number}", "data": bytes(300)})
            await recorder.flush()
        logged = files_at(path)
    return logged, files_at(path)


def entries_of(path: Path) -> dict[str, list[Entry]]:
    """By its id, what each session holds; its chain must."""
    found: dict[str, list[Entry]] = {}
    with open_blocking(locate(path)) as connection:
        for session in fetch_headers(connection, strays=True):
            assert isinstance(session, SessionRecord), session
            batches = verified_batches(connection, session)
            found[session.header.id] = [entry._replace(digest=b"") for batch in batches for entry in batch]
    return found


def recovered(files: Files, folder: Path) -> dict[str, list[Entry]]:
    """What is saved of these."""
    path, out = folder / "damaged.db", folder / "saved.db"
    path.write_bytes(files[0])
    path.with_name("damaged.db-wal").write_bytes(files[1])
    out.unlink(missing_ok=True)
    with Pages(path) as pages:
        write_survey(survey(pages), out)
    return entries_of(out)


def flipped(data: bytes, at: int) -> bytes:
    """One byte is another."""
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def row(name: str, damaged: Iterable[Files], whole: dict[str, list[Entry]], folder: Path) -> str:
    """How many were tried, could be opened, held a wrong entry; and how many entries were saved."""
    tried, wrong, all_saved, saved = 0, 0, 0, 0
    total = sum(map(len, whole.values()))
    appended = list(whole.values())
    for files in damaged:
        tried += 1
        found = recovered(files, folder).values()
        wrong += any(all(entries != one[: len(entries)] for one in appended) for entries in found)
        count = sum(map(len, found))
        saved += count
        all_saved += count == total
    return (
        f"| {name} | {tried:,} | {tried:,} | {wrong} | {all_saved:,} | {saved / max(tried, 1) / total:.1%} |"
    )


def table(step: int) -> list[str]:
    """Try all; returns the lines of a table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        logged, closed = asyncio.run(recorded(folder / "log.db"))
        whole = recovered(closed, folder)
        assert sum(map(len, whole.values())) >= SESSIONS * ENTRIES
        file, log = closed[0], logged[1]
        kinds: dict[str, Iterable[Files]] = {
            "none, closed": [closed],
            "none, killed: the log beside it": [logged],
            "a byte of the file flipped": ((flipped(file, at), b"") for at in range(0, len(file), step)),
            "the file cut": ((file[:at], b"") for at in range(0, len(file), step)),
            "a byte of the log flipped": ((logged[0], flipped(log, at)) for at in range(0, len(log), step)),
            "the log cut": ((logged[0], log[:at]) for at in range(0, len(log), step)),
        }
        return [
            "| damage | tried | opened afterwards | with a wrong entry | nothing lost | entries saved |",
            "|---|---:|---:|---:|---:|---:|",
            *(row(name, damaged, whole, folder) for name, damaged in kinds.items()),
        ]


if __name__ == "__main__":
    sys.stdout.write("\n".join(table(int(sys.argv[1]) if len(sys.argv) > 1 else STEP)) + "\n")
