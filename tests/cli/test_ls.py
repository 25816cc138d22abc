"""`realtape ls`: every session of a store, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from realtape.cli.ls_command import duration
from realtape.recorder import Recorder
from realtape.schema.log import locate, open_for_writing
from support.command_line import Ran
from support.telephone import record

Realtape = Callable[..., Ran]


class SdkRecorder(Recorder):
    """Says that an SDK was recorded."""

    packages = ("realtape", "openai-agents")


def test_a_pipe_gets_whole_ids_in_aligned_columns(realtape: Realtape, recorded: Path) -> None:
    ran = realtape("ls", recorded)
    headings, row = (line.split() for line in ran.lines)
    assert headings == ["id", "started", "duration", "entries", "status", "previous", "labels", "sdk"]
    assert len(row[0]) == 36
    assert row[3:] == ["47", "closed", "-", "caller=four", "-"]
    (told,) = json.loads(realtape("ls", recorded, "--json").out)
    assert datetime.fromisoformat(row[1]).timestamp() == told["started_ns"] // 10**9
    assert (ran.code, ran.err) == (0, "")


def test_json_is_an_array_of_objects_oldest_first(realtape: Realtape, tmp_path: Path) -> None:
    record(tmp_path / "chain.db", {"a": "b"}, sessions=2, recorder_class=SdkRecorder)
    record(tmp_path / "chain.db", url="ws://down")
    first, second, third = json.loads(realtape("ls", tmp_path / "chain.db", "--json").out)
    assert second["previous_session"] == first["id"]
    assert first["previous_session"] is None
    assert first["labels"] == {"a": "b"}
    assert first["sdk"] == first["versions"]["openai-agents"]
    assert third["sdk"] is None
    assert [one["status"] for one in (first, second, third)] == ["closed", "closed", "failed"]
    assert first["entries"] > third["entries"] == 2
    assert first["duration_ns"] > third["duration_ns"] == 0
    assert first["started_ns"] < second["started_ns"] < third["started_ns"]


def test_a_terminal_gets_short_ids_that_show_understands(
    realtape: Realtape, terminal: Realtape, tmp_path: Path
) -> None:
    store = tmp_path / "chain.db"
    record(store, sessions=3)
    ran = terminal("ls", store, columns=80, NO_COLOR="1")
    headings, rule, *rows = ran.lines
    names = ["id", "started", "duration", "entries", "status", "previous"]
    # Of three sessions that began in one millisecond the ids are longer: then a heading is cut.
    assert all(name.startswith(shown) for name, shown in zip(names, headings.split(), strict=True))
    assert set(rule) == {"─"}
    assert all(len(line) <= 80 for line in ran.lines)
    whole = [one["id"] for one in json.loads(realtape("ls", store, "--json").out)]
    for row, id in zip(rows, whole, strict=True):
        short = row.split()[0]
        assert id.startswith(short)
        assert json.loads(realtape("show", f"{store}#{short}", "--json", "--to", 0).out)["session"] == id


def test_labels_cannot_move_the_cursor(realtape: Realtape, tmp_path: Path) -> None:
    record(tmp_path / "odd.db", {"name": "[red]\x1b[2J\nnext"})
    ran = realtape("ls", tmp_path / "odd.db")
    assert len(ran.lines) == 2
    assert "name=[red]\\x1b[2J next" in ran.lines[1]


def test_a_store_without_sessions_is_an_empty_array(realtape: Realtape, tmp_path: Path) -> None:
    open_for_writing(locate(tmp_path / "new.db")).dispose()
    ran = realtape("ls", tmp_path / "new.db")
    assert (ran.code, ran.out) == (0, "")
    assert "holds no session yet" in ran.err
    assert json.loads(realtape("ls", tmp_path / "new.db", "--json").out) == []


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [(None, "-"), (0, "0.000s"), (59_400_000_000, "59.400s"), (127e9, "2m07s"), (3_661e9, "1h01m01s")],
)
def test_durations_are_for_people(nanoseconds: int | None, text: str) -> None:
    assert duration(nanoseconds) == text
