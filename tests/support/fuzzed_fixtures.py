"""Fixtures that somebody has been at: any byte, any field, any path. Reads them in a process that has
little memory, and that notices whatever is opened.

`python -m support.fuzzed_fixtures FOLDER EXAMPLES` ends with 0 if each loads, or is refused by an error of
ours, and nothing was touched that is not in the fixture.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import os
import resource
import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from realtape.schema import CorruptRecordError, StoreError
from realtape.session import Recording
from realtape.session.fixture import read_fixture, write_fixture

from .fixtures import audio, bytes_tree, draft, marker, raw_audio, spoken

Strategy = st.SearchStrategy[Any]
Files = dict[str, bytes]

CANARY = b"what lies outside is nobody's business"
MEMORY_BYTES = 1 << 30
CPU_SECONDS = 600
SECONDS_EACH = 5.0
MANY = 1000
"""Fewer are the same each time: what stops a change must be found again."""

NASTY: list[Any] = [
    *(
        None,
        True,
        -1,
        0,
        1,
        2,
        1 << 31,
        1 << 63,
        1 << 200,
        0.5,
        1e308,
        "",
        "x",
        "\ud800",
        "a\0b",
        [],
        {},
        [[]],
    ),
    [[0]],
    {"$": "py:bytes", "at": [0, 0, 1 << 62]},
    {"$": "base64", "at": ["bytes/01-marker.bin", 0, 1 << 62]},
    {"$": "py:bytes", "at": ["bytes/01-marker.bin", -1, 1]},
    {"$": "py:float", "text": "x"},
    {"0": 1 << 60},
    {"0": [1 << 60]},
    {"0": [["audio/01-assistant-item_1.wav", 0, 4]] * 9},
    {"999999999": 5, "00": 1},
]
PATHS = [
    *(
        "../canary",
        "/etc/passwd",
        "audio/../../canary",
        "audio//x",
        "bytes/link",
        "bytes/pipe",
        "bytes/folder",
    ),
    *(
        "linked/canary",
        "C:\\canary",
        "bytes/con",
        "bytes/nul.bin",
        "bytes/x.",
        "audio",
        "",
        ".",
        "\0",
        "bytes/é",
    ),
    *("session.json", "reconnect-1/bytes/01-marker.bin", "bytes/" + "x" * 5000, "bytes/none.bin"),
]


def base() -> Files:
    """A small fixture that has a bit of everything."""
    segments = {0: b"abcdefgh", 1: b"ijk", 3: bytes(6)}
    entries = [
        raw_audio((0, 0, 4)),
        audio((0, 0, 4)),
        audio((0, 4, 4)),
        spoken((1, 0, 3), commit=True),
        marker({"x": bytes_tree((3, 2, 2)), "y": bytes_tree((3, 0, 0))}),
        marker({})._replace(payload='{ "n":1e5}', elapsed_ms=1.5, item_id="item_1", cause=1),
    ]
    folder = Path("base")
    write_fixture([draft(*entries, segments=segments)], folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- what somebody does to it ---------------------------------------------------------------------


@st.composite
def _bytes_changed(draw: Callable[[Strategy], Any], data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    new = draw(
        st.binary(max_size=4) | st.sampled_from([b"\xff" * 4, b"[" * 100_000, b"\n", b"9" * 5000, b"null"])
    )
    return data[:at] + new + data[at + draw(st.integers(0, 8)) :]


def _places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(tree, dict):
        items = list(cast("dict[Any, Any]", tree).items())
    elif isinstance(tree, list):
        items = list(enumerate(cast("list[Any]", tree)))
    found: list[tuple[Any, ...]] = []
    for key, value in items:
        found += [(*path, key), *_places(value, (*path, key))]
    return found


@st.composite
def _field_changed(draw: Callable[[Strategy], Any], data: bytes) -> bytes:
    """One field of a JSON text gets another value, or goes, or another one comes."""
    try:
        tree: Any = json.loads(data)
    except (ValueError, RecursionError):  # somebody has been here before
        return data
    places = _places(tree)
    if not places:
        return data
    *way, last = draw(st.sampled_from(places))
    parent: Any = tree
    for key in way:
        parent = parent[key]
    value = draw(st.sampled_from([*NASTY, *PATHS]))
    if draw(st.booleans()) and isinstance(parent, dict):
        del parent[last]
    elif isinstance(last, int) or draw(st.booleans()):
        parent[last] = value
    else:
        parent[draw(st.sampled_from(["payload_text", "payload", "segments", "unknown", "digest"]))] = value
    return json.dumps(tree, separators=(",", ":")).encode()


@st.composite
def fuzzed(draw: Callable[[Strategy], Any], files: Files) -> Files:
    """Some changes, one after another; mostly without digests, so that they are not all that is found."""
    files = dict(files)
    if draw(st.integers(0, 3)):
        facts = json.loads(files["session.json"])
        del facts["last_digest"]
        files["session.json"] = json.dumps(facts).encode()
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(files)))
        match draw(st.sampled_from(["bytes", "field", "field", "path", "gone", "swapped", "doubled"])):
            case "bytes":
                files[name] = draw(_bytes_changed(files[name]))
            case "field" if name == "session.json":
                files[name] = draw(_field_changed(files[name]))
            case "field":
                lines = files["entries.jsonl"].split(b"\n")
                at: int = draw(st.integers(0, len(lines) - 1))
                line: bytes = lines[at]
                lines[at] = draw(_field_changed(line))
                files["entries.jsonl"] = b"\n".join(lines)
            case "path":
                old = draw(st.sampled_from([b"audio/01-assistant-item_1.wav", b"audio/02-user.wav"]))
                new = json.dumps(draw(st.sampled_from(PATHS))).encode()[1:-1]
                for one in ("entries.jsonl", "session.json"):
                    files[one] = files[one].replace(old, new)
            case "gone":
                files[name] = b""
            case "swapped":
                files[name] = files[draw(st.sampled_from(sorted(files)))]
            case _:
                files[f"reconnect-1/{name}"] = files[name]
    return files


# --- reading them ---------------------------------------------------------------------------------


class Watch:
    """Notices whatever is opened, changed, run or reached while it looks."""

    def __init__(self, root: Path) -> None:
        self.looking = False
        self.touched: list[str] = []
        self._root = str(root)
        sys.addaudithook(self._event)

    def _event(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.looking:
            return
        if event == "open":
            path, _, flags = args
            inside = path == self._root or isinstance(path, int)
            below = isinstance(path, str) and "/" not in path and path not in ("..", ".")
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or not (inside or below):
                self.touched.append(f"open {path!r} {flags:o}")
        elif event.startswith(("os.", "shutil.", "subprocess.", "socket.", "import", "exec", "ctypes.")):
            self.touched.append(f"{event} {args!r}")


def _lay_out(folder: Path, files: Files) -> None:
    """The files, and what no fixture should have."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for below in ("bytes", "bytes/folder"):
        (folder / below).mkdir(exist_ok=True)
    os.mkfifo(folder / "bytes/pipe")
    (folder / "bytes/link").symlink_to("../../canary")
    (folder / "linked").symlink_to("..")


def _pack(path: Path, files: Files, change: Callable[[bytes], bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    path.write_bytes(change(path.read_bytes()))


async def _verify(recording: Recording) -> None:
    async with recording:
        await recording.verify()


def main(folder: Path, examples: int) -> None:
    """Read so many of them; raises at the first that is neither refused nor loads."""
    os.chdir(folder)
    Path("canary").write_bytes(CANARY)
    files, loaded, refused = base(), [0], [0]
    watched = {name: Watch(folder / name) for name in ("fuzzed", "fuzzed.zip")}
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))

    def read(name: str) -> None:
        watch = watched[name]
        began = sum(os.times()[:2])
        watch.looking = True
        try:
            drafts = read_fixture(folder / name)
        except (StoreError, CorruptRecordError):
            refused[0] += 1
            return
        finally:
            watch.looking = False
            assert sum(os.times()[:2]) - began < SECONDS_EACH
            assert not watch.touched, watch.touched
        loaded[0] += 1
        assert not any(CANARY[:8] in data for one in drafts for data in one.segments.values())
        asyncio.run(_verify(Recording.of(*drafts)))

    @settings(
        max_examples=examples,
        derandomize=examples < MANY,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(st.data(), fuzzed(files))
    def every(data: st.DataObject, files: Files) -> None:
        _lay_out(folder / "fuzzed", files)
        read("fuzzed")
        whole = data.draw(st.booleans())
        _pack(folder / "fuzzed.zip", files, lambda old: old if whole else data.draw(_bytes_changed(old)))
        read("fuzzed.zip")

    codecs.lookup("cp437")  # the standard library reads names in zip files by it, and imports it for that
    every()
    assert loaded[0] > examples // 20, loaded
    assert refused[0] > examples // 2, refused
    assert Path("canary").read_bytes() == CANARY
    print(f"{loaded[0]} loaded, {refused[0]} refused")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
