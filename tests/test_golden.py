"""The golden recordings of every format: they open, they are intact, and they replay, for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from realtape.cli import main
from realtape.cli.demo_conversation import replay_demo
from realtape.replay import ReplayModel
from realtape.schema import Entry, Flag, Kind, Status, same
from realtape.session import Recording
from realtape.session.drafts import compacted
from support.golden import DEMO, RECEIVED, SENT, VALUES, record_values
from support.scripted import Listening

ALL = [VALUES, DEMO]


async def read(store: Path) -> list[tuple[Entry, Any]]:
    async with await Recording.open(store) as recording:
        await recording.verify()
        assert recording.status is Status.CLOSED
        return [(entry, value) async for entry, value in recording.values()]


@pytest.mark.parametrize("store", ALL, ids=lambda store: store.stem)
async def test_golden_recordings_are_intact_and_unchanged_by_reading(store: Path) -> None:
    before = store.read_bytes()
    assert await read(store)
    assert store.read_bytes() == before
    assert not list(store.parent.glob("*.db-*"))


@pytest.mark.parametrize("golden", [True, False], ids=["golden", "today"])
async def test_every_value_comes_back(golden: bool, tmp_path: Path) -> None:
    """From the golden file, and from one that today's recorder writes."""
    store = VALUES
    if not golden:
        store = tmp_path / "log.db"
        await record_values(store)
    entries = await read(store)
    received = [value for entry, value in entries if entry.kind == Kind.RECEIVED]
    sent = [value for entry, value in entries if entry.kind == Kind.SENT]
    for found, made in zip([*received, *sent], [*RECEIVED, *SENT], strict=True):
        assert same(found, made)
    kinds = {entry.kind for entry, _ in entries}
    assert kinds >= {"connect", "connected", "playback", "marker", "close", "closed", "sent_done"}
    marker = next(entry for entry, _ in entries if entry.kind == Kind.MARKER)
    assert marker.flags & Flag.LOSSY


async def test_todays_recorder_writes_what_the_golden_file_holds(tmp_path: Path) -> None:
    """Entry by entry, but for times, the digests that cover them, and the segments that its commits made."""

    async def facts(store: Path) -> list[Any]:
        async with await Recording.open(store) as recording:
            [draft] = recording.drafts()
        return [entry._replace(at_ns=0, digest=b"") for entry in compacted(draft).entries]

    await record_values(tmp_path / "log.db")
    assert await facts(tmp_path / "log.db") == await facts(VALUES)


async def test_the_golden_session_replays() -> None:
    async with await Recording.open(VALUES) as recording:
        model = ReplayModel(recording)
        listening = Listening(until="end_of_stream")
        model.add_listener(listening)
        await model.connect({})
        for event in SENT:
            await model.send_event(event)
        await listening.over.wait()
        await model.close()
        report = await model.finished()
    assert not report.diverged
    assert all(same(found, made) for found, made in zip(listening.heard, RECEIVED, strict=True))


def test_the_demos_recording_replays_by_itself() -> None:
    """A conversation of the SDK's, answered from the recording."""
    assert main(["replay", str(DEMO)]) == 0


async def test_the_demos_application_replays_it_still(tmp_path: Path) -> None:
    """Today's application, on whatever release of the SDK is installed, against the golden recording."""
    store = tmp_path / "demo.db"
    store.write_bytes(DEMO.read_bytes())
    story, report, _ = await replay_demo(store)
    assert not report.diverged
    assert story.tool_calls == ["Brno"]
    assert len(story.history) == 7
