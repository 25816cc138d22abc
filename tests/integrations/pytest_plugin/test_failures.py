"""What a failing test says: the report in a section of its own, and no traceback of ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.command_line import REALTAPE
from support.releases import of_today
from support.voice_suite import TEST, VoiceSuite

GOLDEN = Path(__file__).parent / "diverged.txt"


def masked(output: str) -> str:
    """Without what is another in every run: the beginning, times, numbers of entries."""
    begin = output.index("= FAILURES =")
    text = output[output.rindex("\n", 0, begin) + 1 :]
    text = re.sub(r"^speed: .*$", "speed: …", text, flags=re.MULTILINE)
    text = re.sub(r"^=+ (1 failed) in .*$", r"\1", text, flags=re.MULTILINE)
    text = re.sub(r"^-+ Captured log call -+\n(?:[A-Z]+ .*\n)+", "", text, flags=re.MULTILINE)
    # What came just before and after depends on how quick the machine was when it recorded.
    text = re.sub(r"^  [ >] #\d+ .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"(?<=#)\d+|\d+(?= (?:events|calls|entries))", "…", text)
    text = re.sub(r"[-=_]{5,}", lambda found: found[0][:5], text)
    return text.rstrip() + "\n"


@of_today
def test_a_divergence_reads_as_the_golden_text_says(
    suite: VoiceSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    suite.recorded().change("TABLE = 4", "TABLE = 5")
    told = masked(suite.run("--realtape-keep").stdout.str())
    assert told == GOLDEN.read_text()


def test_the_recording_that_is_kept_can_be_compared(suite: VoiceSuite) -> None:
    suite.recorded().change("TABLE = 4", "TABLE = 5")
    line = next(
        line
        for line in suite.run("--realtape-keep").stdout.lines
        if line.startswith("  realtape diff --content")
    )
    suite.run("--realtape-keep")
    kept = Path(line.split()[-1])
    assert sorted(path.name for path in (suite.path / kept).parent.iterdir()) == [
        "replayed-1.db",
        "replayed-2.db",
    ]
    found = suite.pytester.run(*REALTAPE, "diff", *line.split()[2:])
    found.stdout.fnmatch_lines(["*table 4*table 5*"])
    assert found.ret == 1


def test_a_page_shows_the_recording_beside_what_the_test_did(suite: VoiceSuite) -> None:
    """With the divergence in front; the section and the JUnit file name it. A test that passes has none."""
    suite.recorded().change("TABLE = 4", "TABLE = 5")
    told = suite.run("--realtape-html", "--junitxml=junit.xml").stdout
    told.fnmatch_lines(
        [
            "the recording beside what the test did, to see and hear:",
            "  .realtape/pages/*/1.html",
            "  file:///*/1.html[?]t=*s#*/*",
        ]
    )
    (page,) = (suite.path / ".realtape/pages").rglob("*.html")
    assert 'id="block:1/session"' in page.read_text()
    (_, place) = next(line for line in told.lines if line.startswith("  file:///")).split("#")
    portable = f"{page.relative_to(suite.path)}#{place}"
    assert f'name="realtape_page" value="{portable}"' in (suite.path / "junit.xml").read_text()
    assert (suite.path / ".realtape/.gitignore").exists()


def test_nothing_is_kept_of_a_test_that_passes(suite: VoiceSuite) -> None:
    suite.recorded().passes("--realtape-keep")
    assert not (suite.path / ".realtape").exists()


def test_a_failure_of_the_tests_own_keeps_its_traceback_and_shows_the_report(suite: VoiceSuite) -> None:
    suite.recorded().change('== "Table four is yours."', '== "Table five."', "test_voice.py")
    result = suite.fails(
        lines=["E       AssertionError: assert 'Table four is yours.' == 'Table five.'", "*- realtape -*"]
    )
    result.stdout.fnmatch_lines(
        ["replay of recordings/test_voice/test_booking", "", "*: * events delivered*"]
    )
    result.stdout.no_fnmatch_line("*diverged:*")
    result.stdout.no_fnmatch_line("*record anew*")


def test_the_whole_traceback_is_shown_on_request(suite: VoiceSuite) -> None:
    suite.recorded().change("TABLE = 4", "TABLE = 5")
    suite.fails("--full-trace", lines=["my_app.py:*", "*DivergenceError*", "*- realtape -*"])


def test_a_divergence_that_the_test_swallows_fails_it(suite: VoiceSuite) -> None:
    suite.recorded().change("TABLE = 4", "TABLE = 5")
    suite.write(
        "test_voice.py",
        TEST.replace("    assert await", "    try:\n        assert await")
        + "    except Exception:\n        pass\n",
    )
    suite.fails(lines=["the replay diverged: *"])


@pytest.mark.parametrize("check", [True, False])
def test_divergences_are_collected_and_judged_at_the_end(suite: VoiceSuite, check: bool) -> None:
    suite.recorded().change("TABLE = 4", "TABLE = 5")
    suite.change("realtape\n", f'realtape(on_divergence="collect", check={check})\n', "test_voice.py")
    suite.change('yours."', 'yours."\n    assert realtape.reports[0].differing == 1', "test_voice.py")
    if check:
        suite.fails(lines=["the replay diverged: *", "*1 with another content, 0 entries unplayed"])
    else:
        suite.passes()


def test_what_a_test_that_passes_has_not_checked_is_told(suite: VoiceSuite) -> None:
    suite.recorded().change('await session.send_message(f"A table for {guests}, please.")', "pass")
    suite.passes("--junit-xml=results.xml").stdout.fnmatch_lines(
        [
            "*= realtape: passed, but not everything was checked =*",
            "test_voice.py::test_booking",
            "  recordings/test_voice/test_booking: 1 send of unknown origin was not checked: #*A table for*",
        ]
    )
    assert "1 send of unknown origin was not checked" in (suite.path / "results.xml").read_text()
    suite.change("mark.realtape", "mark.realtape(strict=True)", "test_voice.py")
    suite.fails(lines=["the replay diverged: not checked: #2 * send_user_input A table for 2, please."])


def test_matchers_of_the_marker_and_of_the_model_reach_the_replay(suite: VoiceSuite) -> None:
    suite.recorded().change("TABLE = 4", "TABLE = 5")
    matchers = 'matchers={"send_tool_output": {"output": IGNORE}}'
    head = "from realtape.replay import IGNORE\n" + TEST
    suite.write("test_voice.py", head.replace("mark.realtape", f"mark.realtape({matchers})"))
    suite.passes()
    suite.write("test_voice.py", head.replace("WebSocketModel())", f"WebSocketModel(), {matchers})"))
    suite.passes()


def test_a_model_that_nobody_connects_fails_the_test(suite: VoiceSuite) -> None:
    suite.write(
        "test_voice.py", TEST.replace("assert await book_a_table(model)", '_ = "Table four is yours."')
    )
    suite.fails("--realtape-record=once", lines=["not recorded to *: the model was never connected*"])
    suite.recorded()
    suite.fails(lines=["the model that replays recordings/test_voice/test_booking was never connected"])


def test_a_replay_that_nobody_finishes_fails_the_test(suite: VoiceSuite) -> None:
    suite.recorded().write(
        "test_voice.py",
        """
import asyncio
from agents.realtime import RealtimeAgent, RealtimeRunner

def test_booking(realtape):
    async def leave():
        session = await RealtimeRunner(RealtimeAgent(name="Luna"), model=realtape.model()).run()
        await session.enter()
    asyncio.run(leave())
""",
    )
    suite.fails(lines=["the replay of * is not at its end: await `model.finished()`*"])


def test_what_was_recorded_is_told_to_a_matcher_that_fails(suite: VoiceSuite) -> None:
    suite.recorded().write(
        "test_voice.py",
        TEST.replace(
            "WebSocketModel())",
            'WebSocketModel(), matchers={"send_tool_output": {"output": lambda recorded, live: 1 / 0}})',
        ),
    )
    suite.change("TABLE = 4", "TABLE = 5")
    suite.fails(lines=["*MatcherError*"])


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ('loop="real"', "loop='real': one of virtual, plain"),
        ("colour=1", "@pytest.mark.realtape knows no colour: *"),
        ('"a", "b"', "*one name for the recording*"),
        ('allow_hosts="a.example"', "allow_hosts='a.example': a list *"),
        ('redact=False, record_audio="drop"', "record_audio='drop' is part of redaction*"),
    ],
)
def test_a_marker_that_makes_no_sense_is_refused(suite: VoiceSuite, marker: str, told: str) -> None:
    suite.change("mark.realtape", f"mark.realtape({marker})", "test_voice.py")
    suite.fails(lines=[told], errors=1)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("realtape.model(colour=1)", "*realtape.model knows no colour*"),
        ('[realtape.model(name="a"), realtape.model(name="a")]', "*has a model 'a' already*"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(suite: VoiceSuite, call: str, told: str) -> None:
    suite.recorded().write("test_voice.py", f"def test_booking(realtape):\n    {call}\n")
    recording = suite.recording.rename(suite.recording.with_name("test_booking.a"))
    assert recording.is_dir()
    suite.fails(lines=[told])


def test_a_test_of_hypothesis_is_refused(suite: VoiceSuite) -> None:
    suite.write(
        "test_voice.py",
        """
from hypothesis import given, settings, HealthCheck, strategies as st

@settings(suppress_health_check=list(HealthCheck), database=None)
@given(st.integers())
def test_booking(realtape, number):
    pass
""",
    )
    suite.fails(lines=["*a test of hypothesis has many examples, and one recording*"], errors=1)


def test_a_test_that_is_skipped_in_the_midst_is_skipped(suite: VoiceSuite) -> None:
    suite.change("    assert await", "    pytest.skip('not today')\n    assert await", "test_voice.py")
    suite.passes("--realtape-record=once", skipped=1)
    assert not suite.recording.exists()


def test_a_test_that_asks_for_no_model_is_left_alone(suite: VoiceSuite) -> None:
    suite.write("test_voice.py", "def test_booking(realtape):\n    assert realtape.replaying\n")
    suite.passes()
