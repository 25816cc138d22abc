"""What a page costs: its size, how soon it opens, its memory, how smoothly it zooms; and a million entries in
`view`. Needs Debian's Chromium and Playwright: `make test-browser` installs both.

    python benchmarks/viewing.py [MINUTES …]
"""

from __future__ import annotations

import importlib
import random
import resource
import sys
import tempfile
import time
from array import array
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from realtape.provider import ASSISTANT_ANSWER, USER_QUESTION, silence
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
from realtape.session import Draft
from realtape.viewer import write_page

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
_browsers: Any = importlib.import_module("support.browser")
_sockets: Any = importlib.import_module("support.view_socket")

MS = 1_000_000
TURN_MS, USER_MS, MODEL_MS = 10_000, 20, 100
"""The microphone is always on; every ten seconds the model speaks for five."""

MILLION = 1_000_000


def header() -> Header:
    """Of a session that nobody records."""
    return Header(new_session_id(), None, 1_732_000_000_000_000_000, "elsewhere", 0, "recorder", {}, {})


def noisy(pcm: bytes, ms: int) -> bytes:
    """Speech again and again, with the noise of a line, which no packer makes smaller."""
    samples = array("h", (pcm * (ms * 48 // len(pcm) + 1))[: ms * 48])
    noise = random.Random(7)
    return array("h", (max(min(one + noise.randrange(-60, 60), 32767), -32768) for one in samples)).tobytes()


def call(minutes: int) -> Draft:
    """Of so many minutes, as a recorder of the SDK's model writes it."""
    user = noisy(USER_QUESTION.pcm + silence(2000), TURN_MS)
    model = noisy(ASSISTANT_ANSWER.pcm, TURN_MS // 2)
    entries: list[Entry] = []
    segments: dict[int, bytes] = {}

    def add(at_ms: float, kind: str, type: str | None = None, payload: str = "{}", **columns: Any) -> int:
        entries.append(Entry(len(entries), round(at_ms * MS), 0, 0, kind, type, payload=payload, **columns))
        return len(entries) - 1

    for turn in range(minutes * 60_000 // TURN_MS):
        begin_ms, item = turn * TURN_MS, f"item_{turn}"
        segments[turn * 2], segments[turn * 2 + 1] = user, model
        coming: list[tuple[float, int, int]] = [(n * USER_MS, 0, n) for n in range(TURN_MS // USER_MS)]
        coming += [(5000 + n * 20, 1, n) for n in range(TURN_MS // 2 // MODEL_MS)]
        coming += [(5020 + n * 20, 2, n) for n in range(TURN_MS // 2 // 20)]
        add(begin_ms, Kind.RECEIVED, "turn_started", f'{{"$":"turn_started","response_id":"resp_{turn}"}}')
        for at_ms, what, n in sorted(coming):
            at_ms += begin_ms + 1
            if what == 0:
                place = f'{{"$":"py:bytes","at":[{turn * 2},{n * USER_MS * 48},{USER_MS * 48}]}}'
                seq = add(
                    at_ms, Kind.SENT, "send_audio", f'{{"$":"send_audio","audio":{place},"commit":false}}'
                )
                add(at_ms, Kind.SENT_DONE, None, '{"outcome":"returned","value":null}', of=seq)
            elif what == 1:
                place = f"[{turn * 2 + 1},{n * MODEL_MS * 48},{MODEL_MS * 48}]"
                told = f'"item_id":"{item}","content_index":0,"response_id":"resp_{turn}"'
                raw = f'{{"type":"response.output_audio.delta",{told},"delta":{{"$":"base64","at":{place}}}}}'
                add(at_ms, Kind.RECEIVED, "raw_server_event", f'{{"$":"raw_server_event","data":{raw}}}')
                data = f'{{"$":"audio","data":{{"$":"py:bytes","at":{place}}},{told}}}'
                add(at_ms, Kind.RECEIVED, "audio", data)
            else:
                state = {"item_id": item, "content_index": 0, "elapsed_ms": (n + 1) * 20.0}
                played = f'{{"args":["{item}",0,20],"kwargs":{{}}}}'
                add(at_ms, Kind.PLAYBACK, "application", played, method="on_play_ms", **state)
        add(
            begin_ms + TURN_MS - 1,
            Kind.RECEIVED,
            "turn_ended",
            f'{{"$":"turn_ended","response_id":"resp_{turn}"}}',
        )
    return Draft(header(), Status.CLOSED, tuple(entries), segments)


def page_table(minutes: Sequence[int]) -> list[str]:
    """A row for each length."""
    lines = [
        "| call | entries | written in | file | opens in | all known | script's memory | zooming |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    with tempfile.TemporaryDirectory() as folder, _browsers.browser() as chromium:
        for count in minutes:
            draft = call(count)
            page = Path(folder) / f"{count}.html"
            began = time.perf_counter()
            write_page([draft], page, store="calls.db")
            wrote = time.perf_counter() - began
            began = time.perf_counter()
            with _browsers.opened(chromium, page) as shown:
                opens = time.perf_counter() - began
                shown.until("page.session.length === page.session.facts.entries")
                known = time.perf_counter() - began
                shown.of("page.seek(page.session.durationNs / 2)")
                heap = shown.of("performance.memory.usedJSHeapSize") / 1e6
                frames = zoomed(shown)
                assert not shown.said, shown.said
            size = page.stat().st_size / 1e6
            page.unlink()
            lines.append(
                f"| {count} min | {len(draft.entries):,} | {wrote:.0f} s | {size:,.0f} MB | {opens:.1f} s "
                f"| {known:.1f} s | {heap:,.0f} MB | {frames:.0f} frames/s |"
            )
    return lines


def zoomed(shown: Any) -> float:
    """Frames that are painted in a second while somebody zooms in and out."""
    return float(
        shown.of(
            """await new Promise((done) => {
                const begun = performance.now();
                const before = page.lanes.frames;
                let way = 0.97;
                const frame = () => {
                    if (page.range.span < page.range.length / 2000) way = 1 / 0.97;
                    page.range.zoom(way, page.range.length / 3);
                    const ms = performance.now() - begun;
                    if (ms > 4000) done(((page.lanes.frames - before) / ms) * 1000);
                    else requestAnimationFrame(frame);
                };
                frame();
            })"""
        )
    )


def no_bytes(segment: int, offset: int, length: int) -> bytes:
    """A transcript refers to none."""
    raise LookupError(f"segment {segment}")


@contextmanager
def million(folder: Path) -> Generator[Path]:
    """A store with a session of a million entries."""
    path = folder / "million.db"
    engine = open_for_writing(locate(path))
    with engine.begin() as connection:
        told = header()
        key, first = insert_session(connection, told)
        digest = first
        for begin in range(0, MILLION, 10_000):
            entries: list[Entry] = []
            for seq in range(begin, begin + 10_000):
                payload = f'{{"$":"transcript_delta","item_id":"item_{seq // 500}","delta":"word {seq} "}}'
                entry = Entry(seq, seq * MS, 0, 0, Kind.RECEIVED, "transcript_delta", payload=payload)
                digest = entry_digest(digest, entry, no_bytes)
                entries.append(entry._replace(digest=digest))
            insert_entries(connection, key, entries)
        advance_session(connection, key, told.id, first, digest, Status.CLOSED)
    engine.dispose()
    yield path


def view_table() -> list[str]:
    """A million entries in `view`."""
    with (
        tempfile.TemporaryDirectory() as folder,
        million(Path(folder)) as store,
        _sockets.serving(store) as server,
    ):
        (session,) = server.json("block/sessions")["sessions"]
        with _browsers.browser() as chromium:
            began = time.perf_counter()
            address = f"http://127.0.0.1:{server.port}/{_sockets.TOKEN}/{session['id']}/"
            with _browsers.opened(chromium, address) as shown:
                shown.page.set_default_timeout(600_000)
                shown.of("page.setAll(true)")
                shown.until("document.querySelectorAll('.row .title').length > 3")
                first = time.perf_counter() - began
                shown.until("page.session.length === 1000000")
                index = time.perf_counter() - began
                began_row = time.perf_counter()
                shown.of("page.choose(999_990)")
                shown.until("document.querySelector('.detail-seq')?.textContent === '#999990'")
                last = time.perf_counter() - began_row
                heap = shown.of("performance.memory.usedJSHeapSize") / 1e6
                rows = shown.of("document.querySelectorAll('.row').length")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return [
        "| first rows | all known | to the last one | rows there are | script's memory | server's |",
        "|--:|--:|--:|--:|--:|--:|",
        f"| {first:.1f} s | {index:.1f} s | {last:.2f} s | {rows} | {heap:.0f} MB | {memory:.0f} MB |",
    ]


def main() -> None:
    """Print the tables."""
    asked = [int(one) for one in sys.argv[1:]] or [10, 60]
    sys.stdout.write("\n".join([*page_table(asked), "", *view_table(), ""]))


if __name__ == "__main__":
    main()
