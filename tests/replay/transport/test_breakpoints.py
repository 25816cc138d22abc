"""It stops where it is told to, and nowhere else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.replay import ReplayModel, run
from realtape.replay.transport import Goal, Stop, steps
from realtape.schema import Kind, UsageError
from realtape.session import Recording
from support.controlled import Call, entries, fold, replay
from support.stored import only
from support.telephone import ITEM, Application, app, other


def test_until_a_predicate_stops_before_what_meets_it(store: Path) -> None:
    async def script(call: Call) -> None:
        stop = await call.transport.run_until(lambda moment: moment.text == "'morning.'")
        assert stop.reason == "reached"
        assert entries(store)[stop.seq].type == "transcript_delta"
        assert [said.text for said in call.transport.state.transcript] == ["hello", "Good "]
        again = await call.transport.run_until(lambda one: one.state.turn == 1 and one.what == "return")
        assert again.reason == "reached"
        assert entries(store)[again.seq].kind == Kind.SENT_DONE

    replay(store, script)


@pytest.mark.parametrize(
    ("breakpoint", "places"),
    [
        ({"type": "audio"}, [("received", "audio"), ("received", "audio")]),
        ({"type": "send_tool_output"}, [("sent_done", None)]),
        ({"tool": "departure"}, [("received", "function_call"), ("sent_done", None)]),
        ({"tool": "arrival"}, []),
        ({"item": ITEM, "type": "item_deleted"}, [("received", "item_deleted")]),
        ({"item": "nobody"}, []),
    ],
)
def test_breakpoints_stop_before_what_they_name(
    store: Path, breakpoint: dict[str, Any], places: list[tuple[str, str | None]]
) -> None:
    async def script(call: Call) -> None:
        made = call.transport.add_breakpoint(**breakpoint)
        found: list[tuple[str, str | None]] = []
        while (stop := await call.transport.run()).reason == "breakpoint":
            assert stop.breakpoint == made
            entry = call.transport.next
            assert entry is not None
            assert entry.seq == stop.seq
            found.append((entry.kind, entry.type))
        assert found == places
        assert stop.reason == "ended"

    replay(store, script)


def test_a_breakpoint_on_playback_stops_once_so_much_was_heard(store: Path) -> None:
    async def script(call: Call) -> None:
        call.transport.add_breakpoint(playback_ms=150, item="nobody")
        call.transport.add_breakpoint(playback_ms=150)
        stop = await call.transport.run()
        assert stop.reason == "breakpoint"
        played = call.transport.state.played
        assert played is not None
        assert (played.item_id, played.elapsed_ms) == (ITEM, 200.0)
        said_so = max(entry.seq for entry in entries(store)[: stop.seq] if entry.kind == Kind.PLAYBACK)
        before = fold(entries(store)[:said_so]).played
        assert before is not None
        assert before.elapsed_ms == 100.0
        assert (await call.transport.run()).reason == "ended"

    replay(store, script)


def test_calls_on_the_tracker_are_acts_where_they_are_made_for_the_application(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(Application):
        async def on_event(self, event: Any) -> None:
            if event.type != "audio":
                await super().on_event(event)

    async def script(call: Call) -> None:
        call.transport.add_breakpoint(type="on_play_bytes")
        stop = await call.transport.run()
        assert entries(store)[stop.seq].kind == Kind.PLAYBACK
        assert (await call.transport.step()).seq == stop.seq + 1
        assert (await call.transport.run()).reason == "breakpoint"
        assert (await call.transport.run()).reason == "ended"

    monkeypatch.setattr("support.telephone.Application", Deaf)
    replay(store, script)


def test_breakpoints_are_taken_away(store: Path) -> None:
    async def script(call: Call) -> None:
        one = call.transport.add_breakpoint(type="audio")
        two = call.transport.add_breakpoint(type="function_call")
        call.transport.remove_breakpoint(one.number)
        assert call.transport.breakpoints == (two,)
        with pytest.raises(UsageError, match="no breakpoint 1; set are 2"):
            call.transport.remove_breakpoint(1)
        with pytest.raises(UsageError, match="needs a type"):
            call.transport.add_breakpoint()
        assert (await call.transport.run()).breakpoint == two

    replay(store, script)


def test_a_divergence_stops_it(store: Path) -> None:
    async def script(call: Call) -> None:
        stop = await call.transport.run()
        assert stop.reason == "failed"
        assert call.model.report.diverged
        assert await call.transport.step() == stop

    replay(store, script, application=other)


def test_stopping_from_inside_leaves_no_trace(store: Path, tmp_path: Path) -> None:
    """Stepped through act by act, and recorded again, it is the same in every column."""
    stops: list[Stop] = []

    async def main(into: Path, *, stepped: bool) -> None:
        async with await Recording.open(store) as recording, Recorder(into) as recorder:
            model = ReplayModel(recording)

            def on_stop(stop: Stop) -> None:
                stops.append(stop)
                model.transport.go(steps(1) if len(stops) % 3 else Goal(before=lambda moment: True))

            if stepped:
                model.transport.on_stop = on_stop
                model.transport.pause()
            await app(recorder.wrap(model))
            assert not (await model.finished()).diverged

    def rows(path: Path) -> list[Any]:
        return [row for row in asyncio.run(only(path)).rows() if "trace" not in str(row)]

    run(main(tmp_path / "straight.db", stepped=False))
    run(main(tmp_path / "stepped.db", stepped=True))
    assert len(stops) > 30
    assert rows(tmp_path / "stepped.db") == rows(tmp_path / "straight.db")
