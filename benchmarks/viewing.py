"""What a page costs: its size, how soon it opens, its memory, how smoothly it zooms; and a million entries in
`view`. Needs Debian's Chromium and Playwright: `make test-browser` installs both.

    python benchmarks/viewing.py [MINUTES …]

It writes the section of `docs/viewer.md`, in about three minutes (`make bench-viewing`).
"""

from __future__ import annotations

import importlib
import os
import random
import resource
import sys
import tempfile
import time
from array import array
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
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

PAGE = Path(__file__).parent.parent / "docs" / "viewer.md"
BEGIN, END = "## Figures\n\n", "\n## The policy\n"

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


OPENING = """(() => {
    const told = (globalThis.opening = {});
    const once = (name, is) => is && !(name in told) && (told[name] = performance.now());
    const look = () => {
        const page = globalThis.realtape?.page;
        once("script", globalThis.realtape);
        once("rows", document.querySelectorAll(".row .title").length > 3);
        once("known", page?.session && page.session.length === page.session.facts.entries);
        once("read", document.readyState !== "loading");
        if (!(told.rows && told.known && told.read)) setTimeout(look, 4);
    };
    look();
})()"""
"""Notes what the page has by when, in milliseconds since its address was entered."""


@dataclass(frozen=True)
class Opening:
    """How a page opened.

    Attributes:
        rows, known, read: seconds until it shows lanes and entries; until it knows all of them; until the
            browser has read the file.
        bare: seconds until the browser has read the same file without its script.
        busy: seconds of the page's thread.
    """

    rows: float
    known: float
    read: float
    bare: float
    busy: float


def page_row(minutes: int, folder: Path, chromium: Any) -> str:
    """What a call of so many minutes costs."""
    draft = call(minutes)
    page = folder / f"{minutes}.html"
    began = time.process_time()
    write_page([draft], page, store="calls.db")
    wrote = time.process_time() - began
    opening = min((opened(chromium, page) for _ in range(3)), key=lambda one: one.rows)
    with _browsers.opened(chromium, page) as shown:
        shown.until("page.session.length === page.session.facts.entries")
        shown.of("page.seek(page.session.durationNs / 2)")
        heap = shown.of("performance.memory.usedJSHeapSize") / 1e6
        zooming, scrolling = painted(shown, ZOOMS), painted(shown, SCROLLS)
        assert not shown.said, shown.said
    size = page.stat().st_size / 1e6
    page.unlink()
    return (
        f"| {minutes} min | {len(draft.entries):,} | {wrote:.0f} s | {size:,.0f} MB | {opening.rows:.2f} s "
        f"| {opening.rows / opening.bare:.2f} | {opening.known:.2f} s | {opening.read:.2f} s "
        f"| {opening.busy:.2f} s | {heap:,.0f} MB | {zooming:.1f} ms | {scrolling:.1f} ms |"
    )


def opened(chromium: Any, page: Path) -> Opening:
    """Open it, and the same without its script, in contexts of their own."""
    bare = page.with_name("bare.html")
    whole = page.read_bytes()
    begin, end = whole.index(b"<script>"), whole.index(b"</script>") + len(b"</script>")
    bare.write_bytes(whole[:begin] + whole[end:])
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(600_000)
    one = context.new_page()
    one.goto(bare.as_uri())
    read = one.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    context.close()
    bare.unlink()
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(600_000)
    one = context.new_page()
    one.add_init_script(OPENING)
    work = Work(one)
    one.goto(page.as_uri(), wait_until="commit")
    one.wait_for_function("() => opening.rows && opening.known && opening.read")
    told = {name: ms / 1000 for name, ms in one.evaluate("opening").items()}
    busy = work.seconds()
    context.close()
    return Opening(told["rows"], told["known"], told["read"], read / 1000, busy)


class Work:
    """How long a page's thread has worked, as the browser counts it."""

    def __init__(self, page: Any) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable")

    def seconds(self) -> float:
        """Since this was made."""
        found = self._session.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in found if one["name"] == "TaskDuration"))


ZOOMS = (
    "way = page.range.span < page.range.length / 2000 ? 1 / 0.97 : way;"
    "page.range.zoom(way, page.range.length / 3);"
)
SCROLLS = "page.list.box.scrollTop = (page.list.box.scrollTop + 3000) % page.list.box.scrollHeight;"


def painted(shown: Any, act: str) -> float:
    """Milliseconds that the page's thread works for a frame, while somebody does this in each: below 16
    nothing stalls. What others do with the cores is not in it."""
    work = Work(shown.page)
    before = work.seconds()
    frames = shown.of(
        """await new Promise((done) => {
            let [way, frames] = [0.97, 0];
            const frame = () => {
                ACT
                if (++frames === 150) done(frames);
                else requestAnimationFrame(frame);
            };
            frame();
        })""".replace("ACT", act)
    )
    return (work.seconds() - before) / frames * 1000


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


def view_row() -> str:
    """A million entries in `view`."""
    with (
        tempfile.TemporaryDirectory() as folder,
        million(Path(folder)) as store,
        _sockets.serving(store) as server,
    ):
        (session,) = server.json("block/sessions")["sessions"]
        with _browsers.browser() as chromium:
            began, worked = time.perf_counter(), time.process_time()
            address = f"http://127.0.0.1:{server.port}/{_sockets.TOKEN}/{session['id']}/"
            with _browsers.opened(chromium, address) as shown:
                shown.page.set_default_timeout(600_000)
                shown.of("page.setAll(true)")
                shown.until("document.querySelectorAll('.row .title').length > 3")
                first = time.perf_counter() - began
                shown.until("page.session.length === 1000000")
                index, worked = time.perf_counter() - began, time.process_time() - worked
                began_row = time.perf_counter()
                shown.of("page.choose(999_990)")
                shown.until("document.querySelector('.detail-seq')?.textContent === '#999990'")
                last = time.perf_counter() - began_row
                heap = shown.of("performance.memory.usedJSHeapSize") / 1e6
                rows = shown.of("document.querySelectorAll('.row').length")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return (
        f"| {first:.1f} s | {index:.1f} s | {worked:.1f} s | {last:.2f} s | {rows} "
        f"| {heap:.0f} MB | {memory:.0f} MB |"
    )


FIGURES = """By `benchmarks/viewing.py`, with Debian's Chromium, on {cores} cores with a load of {load}: times
do not travel. The microphone is always on, in pieces of 20 ms; every ten seconds the model speaks for five,
and each 20 ms of it are reported; sound is speech with the noise of a line.

| call | entries | written | file | drawn | × | all known | file read | busy | memory | zooming | scrolling |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
{pages}

*Written* is processor time. *Drawn*: lanes and the first entries are there, the best of three; × is of the
time that the browser takes to read the same file without its script. *Busy*: the page's thread, until all
is known. *Zooming* and *scrolling*: how long it works for a frame, of which there are sixty a second, so each
has 16.7 ms.

A session of a million entries in `view`:

| first rows | all known | server works | to the last one | rows there are | script's memory | server's |
|--:|--:|--:|--:|--:|--:|--:|
{view}

What the session says as a whole (turns, problems, folded lines) grows afterwards, as it is read.
"""


def main() -> None:
    """Measure, and write the section of `docs/viewer.md`."""
    minutes = [int(one) for one in sys.argv[1:]] or [10, 60]
    view = view_row()  # first: of a process the most memory that it ever had is known
    with tempfile.TemporaryDirectory() as folder, _browsers.browser() as chromium:
        pages = [page_row(one, Path(folder), chromium) for one in minutes]
    load = f"{os.getloadavg()[0]:.0f}"
    told = FIGURES.format(cores=os.cpu_count(), load=load, pages="\n".join(pages), view=view)
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    PAGE.write_text(before + BEGIN + told + END + rest.split(END)[1])
    sys.stdout.write(told)


if __name__ == "__main__":
    main()
