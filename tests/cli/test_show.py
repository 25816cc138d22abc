"""`realtape show`: a timeline that reads well, and JSON that leaves nothing out."""

from __future__ import annotations

import asyncio
import io
import json
import re
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from realtape.cli import main
from realtape.recorder import Recorder
from realtape.schema import Entry, Flag
from realtape.session import Folder, Recording, words
from realtape.session.fixture import read_fixture
from support.command_line import Ran, shell
from support.pages import blocks_of
from support.telephone import ITEM, Telephone, app, record

Realtape = Callable[..., Ran]
FIXTURES = Path(__file__).parents[2] / "fixtures"


def entries(ran: Ran) -> list[dict[str, Any]]:
    assert (ran.code, ran.err) == (0, "")
    return [json.loads(line) for line in ran.lines]


def rows(ran: Ran) -> list[str]:
    """Without the title and the headings."""
    assert (ran.code, ran.err) == (0, "")
    assert ran.lines[0].startswith("session ")
    return ran.lines[2:]


def test_json_is_an_entry_a_line_with_every_column(realtape: Realtape, recorded: Path) -> None:
    told = entries(realtape("show", recorded, "--json"))
    assert [one["seq"] for one in told] == list(range(47))
    assert all(set(one) == {"session", *Entry._fields} for one in told)
    with closing(sqlite3.connect(recorded)) as connection:
        for payload, digest, one in zip(
            *zip(*connection.execute("SELECT payload, digest FROM entries ORDER BY seq"), strict=True),
            told,
            strict=True,
        ):
            assert one["payload"] == json.loads(payload)
            assert one["digest"] == digest.hex()


def test_a_pipe_gets_plain_aligned_text(realtape: Realtape, recorded: Path) -> None:
    ran = realtape("show", recorded)
    assert "\x1b" not in ran.out
    assert not set(ran.out) & set("─│╭╮━┃")
    title = ran.lines[0]
    assert " · closed · 47 entries · caller=four" in title
    assert ran.lines[1].split() == ["seq", "time", "type", "heard", "cause", "content"]
    place = ran.lines[1].index("content")
    assert [row[place:] for row in rows(ran) if "function_call" in row] == [
        'departure({"to": "Brno"}) as call_1'
    ]
    assert all(row[place - 1] == " " for row in rows(ran) if len(row) > place)


def test_bursts_are_folded_and_the_rest_is_in_order(realtape: Realtape, recorded: Path) -> None:
    told = [" ".join(row.split()) for row in rows(realtape("show", recorded))]
    text = "\n".join(told)
    assert "◀ transcript_delta ×2 'Good morning.'" in text
    assert f"◀ audio ×2 9,600 bytes of {ITEM}" in text
    assert "· on_play_bytes ×2 100 ms …89abcdef by the application" in text
    assert "▶ send_audio ×3 200 ms …89abcdef 1,440 bytes" in text
    assert "◀ raw_server_event 200 ms …89abcdef rate_limits.updated" in text  # no event was made of it
    assert "audio.delta" not in text
    assert "▶ send_tool_output 200 ms …89abcdef #24 after 10 ms: departure of call_1 → platform 4" in text
    assert "◀ turn_started 200 ms …89abcdef turn 2: response_id=r2" in text
    assert "raised ConnectionResetError: the line is dead" in text
    assert "raised ValueError: I did not expect that" in text
    assert "withheld" in text
    assert "cancelled" in text
    numbers = [int(row.split()[0]) for row in told]
    assert numbers == sorted(numbers)


def test_what_was_heard_never_runs_backwards_within_a_fold() -> None:
    """Each row says it of its own entry, and rows are in the order of the log."""
    (demo,) = read_fixture(FIXTURES / "demo")
    folder = Folder()
    told = [row for entry in demo.entries for row in folder.add(entry)] + folder.rest()
    by_seq = {entry.seq: entry for entry in demo.entries}
    assert [row.seq for row in told] == sorted(row.seq for row in told)
    assert any(row.count > 9 for row in told)
    assert all(row.playback == words.playback(by_seq[row.seq]) for row in told)


def test_turns_are_numbered_from_the_beginning_wherever_one_looks(realtape: Realtape, recorded: Path) -> None:
    whole = [row for row in rows(realtape("show", recorded)) if "turn 2: response_id=r2" in row]
    for options in (
        ("--type", "turn_started"),
        ("--from", "30"),
        ("--from", "1ms"),
        ("--all", "--from", "30"),
    ):
        assert [row for row in rows(realtape("show", recorded, *options)) if "turn 2" in row] == whole
    answers = rows(realtape("show", recorded, "--from", "25", "--type", "send_tool_output"))
    assert "after 10 ms: departure of call_1" in answers[0]


def test_only_what_contains_a_pattern(realtape: Realtape, recorded: Path) -> None:
    (row,) = rows(realtape("show", recorded, "--grep", "good M.rning"))
    assert "transcript_delta ×2" in row
    assert [one["seq"] for one in entries(realtape("show", recorded, "--json", "--grep", "brno"))] == [24]
    assert rows(realtape("show", recorded, "--grep", "never said")) == []
    ran = realtape("show", recorded, "--grep", "(")
    assert (ran.code, ran.out, "no regular expression" in ran.err) == (2, "", True)


def test_what_is_left_out_is_counted_all_the_same(realtape: Realtape, recorded: Path) -> None:
    without = ("--without", "function_call", "--without", "rate_limits.updated")
    text = "\n".join(rows(realtape("show", recorded, *without)))
    assert "function_call" not in text
    assert "rate_limits" not in text
    assert "after 10 ms: departure of call_1" in text
    told = entries(realtape("show", recorded, "--json", "--without", "audio"))
    assert len(told) == 45


def test_a_conversation_and_nothing_else(realtape: Realtape, recorded: Path) -> None:
    ran = realtape("show", recorded, "--conversation")
    assert [" ".join(line.split()[:3]) for line in ran.lines[1:]] == [
        "0.000 user hello",
        "turn 1",
        "0.000 model Good",
        '0.010 tool departure({"to":',
        "0.020 tool departure",
        "0.020 interrupted after",
        "0.020 user fail",
        "0.020 user no",
        "0.020 user yes",
        "turn 2",
        "0.020 user wait",
    ]
    told = [json.loads(line) for line in realtape("show", recorded, "--conversation", "--json").lines]
    assert told[1]["text"] == "Good morning."
    assert {one["who"] for one in told} == {"user", "model", "tool", "interrupted"}
    (line,) = realtape("show", recorded, "--conversation", "--from", "20", "--grep", "wait").lines[2:]
    assert line.split() == ["0.020", "user", "wait"]
    ran = realtape("show", recorded, "--conversation", "--type", "audio")
    assert (ran.code, "leave the others out" in ran.err) == (2, True)


async def test_a_session_is_followed_while_it_is_recorded(tmp_path: Path) -> None:
    """Each of its entries up to its end comes, once."""
    async with Recorder(tmp_path / "calls.db") as recorder:
        call = asyncio.create_task(app(recorder.wrap(Telephone())))
        await asyncio.sleep(0.005)
        await recorder.flush()
        async with await Recording.open(tmp_path / "calls.db") as recording:
            assert recording.status == "recording"
            waited: list[int] = []
            came: list[int] = []
            async for entry in recording.follow(3, poll_s=0.002, on_wait=lambda: waited.append(len(came))):
                came.append(entry.seq)
        await call
    assert came[: 46 - 3] == list(range(3, 46))
    assert came[46 - 3 :] in (
        [],
        [46],
    )  # a listener that was removed after the end, and may be committed after it
    assert waited[0] < len(came)


async def test_a_connection_that_is_made_again_a_little_later_is_waited_for(tmp_path: Path) -> None:
    async with Recorder(tmp_path / "calls.db") as recorder:
        model = recorder.wrap(Telephone())

        async def again() -> None:
            await asyncio.sleep(7.0)
            await model.connect({})
            await recorder.flush()

        await app(model)
        await recorder.flush()
        async with await Recording.open(tmp_path / "calls.db") as recording:
            assert await recording.next_session(0) is None
            calls = asyncio.create_task(again())
            assert await recording.next_session(5.0) is None
            following = await recording.next_session(5.0)
            assert following is not None
            assert following.header.previous_session == recording.header.id
        await calls
        await model.close()


def test_what_is_over_is_followed_to_its_end(realtape: Realtape, recorded: Path) -> None:
    for options in ((), ("--json",), ("--conversation",)):
        assert realtape("show", recorded, "--follow", *options) == realtape("show", recorded, *options)


def test_all_unfolds(realtape: Realtape, recorded: Path) -> None:
    told = rows(realtape("show", recorded, "--all"))
    assert [int(row.split()[0]) for row in told] == list(range(47))
    assert not [row for row in told if "×" in row]


def test_kind_and_type_select_and_fold_nothing(realtape: Realtape, recorded: Path) -> None:
    told = entries(realtape("show", recorded, "--json", "--kind", "sent", "--kind", "close"))
    assert {one["kind"] for one in told} == {"sent", "close"}
    told = entries(realtape("show", recorded, "--json", "--type", "audio", "--type", "send_tool_output"))
    assert [one["type"] for one in told] == ["audio", "audio", "send_tool_output"]
    assert len(rows(realtape("show", recorded, "--type", "audio"))) == 2
    assert len(rows(realtape("show", recorded, "--kind", "handled"))) == 4
    ran = realtape("show", recorded, "--kind", "sent", "--type", "nothing_of_the_kind", "--json")
    assert entries(ran) == []


def test_from_and_to_cut_by_number_and_by_time(realtape: Realtape, recorded: Path) -> None:
    whole = entries(realtape("show", recorded, "--json"))
    cut = entries(realtape("show", recorded, "--json", "--from", "10", "--to", "12"))
    assert cut == whole[10:13]
    begin_ns, end_ns = whole[20]["at_ns"], whole[30]["at_ns"]
    cut = entries(
        realtape(
            "show", recorded, "--json", "--from", f"{begin_ns / 1e9:.9f}s", "--to", f"{end_ns / 1e6:.6f}ms"
        )
    )
    assert cut == [one for one in whole if begin_ns <= one["at_ns"] <= end_ns]
    assert entries(realtape("show", recorded, "--json", "--from", "5000")) == []


def test_a_terminal_gets_a_table_of_its_width(terminal: Realtape, recorded: Path) -> None:
    ran = terminal("show", recorded, columns=80)
    assert "\x1b[" in ran.out
    assert "──────" in ran.out
    assert "47 entries on" in ran.lines[-1]
    bare = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in ran.lines]
    assert all(len(line) <= 80 for line in bare[1:])


def test_no_color_leaves_no_escape_on_a_terminal(terminal: Realtape, recorded: Path) -> None:
    ran = terminal("show", recorded, columns=130, NO_COLOR="1")
    assert "\x1b" not in ran.out
    assert all(len(line) <= 130 for line in ran.lines[1:])
    assert any("[bold]odd\\u001b[3" in line for line in ran.lines)  # no markup, nothing to obey


def test_playback_is_marked_where_it_was_assumed(realtape: Realtape, store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("UPDATE entries SET flags = ? WHERE seq = 24", (int(Flag.ASSUMED),))
        connection.execute("UPDATE entries SET flags = ? WHERE seq = 40", (int(Flag.CAUSE_LOST),))
    told = rows(realtape("show", store))
    assert "~200 ms …89abcdef" in next(row for row in told if "function_call" in row)
    assert "#?" in next(row for row in told if "r2" in row)


def test_a_payload_that_is_no_json_is_shown_as_it_is(realtape: Realtape, store: Path) -> None:
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DROP TRIGGER entries_no_update")
        connection.execute("UPDATE entries SET payload = '{torn' WHERE seq IN (7, 24)")
        connection.execute("UPDATE entries SET payload = '[\"\\ud800\", 1]' WHERE seq = 3")
    assert any("{torn" in row for row in rows(realtape("show", store)))
    told = entries(realtape("show", store, "--json"))
    assert told[24]["payload"] == "{torn"
    assert told[3]["payload"] == ["\ud800", 1]


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    """More than a pipe holds, of which `head` reads a line."""
    store = tmp_path / "long.db"
    record(store, platform="x" * 300_000)
    ran = shell(f"$realtape show {store} --json | head -1 >/dev/null; echo ${{PIPESTATUS[0]}}")
    assert (ran.out.strip(), ran.err) == ("141", "")


def test_other_programs_read_the_json(recorded: Path) -> None:
    ran = shell(f"$realtape ls {recorded} --json | python3 -m json.tool")
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out)[0]["entries"] == 47


def test_a_stream_that_lacks_the_arrows_gets_escapes(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(told, encoding="ascii", write_through=True))
    assert main(["show", str(recorded), "--from", "24", "--to", "24"]) == 0
    assert main(["show", str(recorded), "--from", "25", "--to", "25", "--json"]) == 0
    lines = told.getvalue().decode("ascii").splitlines()
    assert "\\u25c0 function_call" in lines[2]
    assert json.loads(lines[3])["payload"]["output"] == "platform 4"


def test_entries_are_links_into_a_page_that_shows_them(
    realtape: Realtape, recorded: Path, tmp_path: Path
) -> None:
    page = tmp_path / "a call.html"
    assert realtape("show", recorded, "--page", page).code == 2, "there is none yet"
    assert realtape("export", recorded, "--html", page).code == 0
    told = entries(realtape("show", recorded, "--json"))
    (session,) = json.loads(blocks_of(page.read_text())["head"])["sessions"]
    assert session["id"] == told[0]["session"], "a redacted page calls it as the store does"
    assert session["also"][0] != session["id"]
    lines = rows(realtape("show", recorded, "--all", "--page", page))
    assert len(lines) == len(told)
    for line, one in zip(lines, told, strict=True):
        place = f"?t={one['at_ns'] / 1e9:.3f}s#{one['session']}/{one['seq']}"
        assert line.endswith(f"  {page.as_uri()}{place}")
    (line,) = rows(
        realtape("show", recorded, "--type", "function_call", "--page", "http://127.0.0.1:8000/KEY/")
    )
    assert f"  http://127.0.0.1:8000/KEY/{told[0]['session']}/?t=" in line
    assert line.endswith(f"#{told[0]['session']}/{line.split()[0]}")
    assert realtape("show", recorded, "--json", "--page", page).code == 2
