"""`realtape check`: a corpus is replayed, each recording on its own, and the results are told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname
from xml.etree import ElementTree

import pytest
from realtape.schema.log import fetch_sessions, locate, open_blocking
from support.command_line import Ran, run
from support.telephone import record

pytestmark = pytest.mark.usefixtures("imported_ahead")

Realtape = Callable[..., Ran]
APP = "support.telephone:app"
FIXTURES = Path(__file__).parents[2] / "fixtures"


@pytest.fixture
def corpus(recorded: Path, tmp_path: Path) -> Path:
    """Three recordings in two folders."""
    folder = tmp_path / "corpus"
    (folder / "more").mkdir(parents=True)
    for name in ("one.db", "two.db", "more/three.db"):
        shutil.copy(recorded, folder / name)
    return folder


def test_a_healthy_corpus_is_a_line(realtape: Realtape, corpus: Path) -> None:
    for arguments in ((), ("--app", APP)):
        ran = realtape("check", corpus, *arguments)
        assert (ran.code, ran.err) == (0, "")
        assert ran.out.startswith("3 recordings: 3 same; in ")
    assert realtape("check", corpus, "--verbose", "--jobs", 1).lines[:3] == [
        f"same        {corpus / name}" for name in ("more/three.db", "one.db", "two.db")
    ]


def test_a_part_of_a_corpus_is_checked_and_the_rest_is_told(realtape: Realtape, corpus: Path) -> None:
    ran = realtape("check", corpus, "--max", 2, "--jobs", 1)
    assert (ran.code, ran.out.startswith("2 recordings: 2 same; in ")) == (0, True)
    assert ran.err == "realtape: 1 of 3 recordings were not checked\n"
    ran = realtape("check", corpus, "--time", 0.001, "--jobs", 1, "--json")
    told = json.loads(ran.out)
    assert (ran.code, len(told["results"]), told["not_checked"]) == (3, 1, 2)
    ran = realtape(
        "check", corpus, "--time", 0.001, "--jobs", 1, "--app", "support.telephone:silent", "--strict"
    )
    assert ran.code == 1, "what is wrong comes first"


def test_only_sessions_that_fit_are_checked(realtape: Realtape, corpus: Path) -> None:
    record(corpus / "two.db", {"caller": "five"})
    record(corpus / "two.db", {"caller": "six"}, sessions=2)
    ran = realtape("check", corpus, "--label", "caller=six", "--verbose")
    assert ran.code == 0, ran
    assert ran.lines[0].startswith(f"same        {corpus / 'two.db'}#")
    assert ran.out.count("same  ") == 1, "a conversation of two sessions is one recording"
    assert realtape("check", corpus, "--tool", "departure").out.startswith("5 recordings: ")
    ran = realtape("check", FIXTURES / "kiosk", "--tool", "nothing")
    assert (ran.code, "fits; `realtape ls STORE`" in ran.err) == (2, True)
    assert realtape("check", FIXTURES / "kiosk", "--text", " ").code == 0
    ran = realtape("check", f"{corpus / 'one.db'}#0", "--tool", "departure")
    assert (ran.code, "leave it out, or the filter" in ran.err) == (2, True)


def test_what_was_not_checked_is_named_and_is_in_every_format(
    realtape: Realtape, corpus: Path, tmp_path: Path
) -> None:
    app = ("--app", "support.telephone:silent", "--jobs", 1)
    ran = realtape("check", corpus, *app, "--junit", tmp_path / "results.xml")
    assert ran.code == 0
    assert ran.lines[0] == (
        f"same        {corpus / 'more/three.db'}: but 1 send of unknown origin was not checked"
    )
    assert "3 recordings: 3 same (3 of these not checked in every send); in " in ran.out
    cases = list(ElementTree.parse(tmp_path / "results.xml").iter("testcase"))
    assert len(cases) == 3
    for case in cases:
        assert [part.tag for part in case] == ["system-out"]
        assert "not checked: #2 ▶ sent send_user_input hello" in str(case[0].text)
    facts = json.loads(realtape("check", corpus, *app, "--json").out)
    assert {one["remark"] for one in facts["results"]} == {"1 send of unknown origin was not checked"}
    assert realtape("check", corpus, *app, "--strict").code == 1


def test_another_application_diverges_with_its_reports(realtape: Realtape, corpus: Path) -> None:
    ran = realtape("check", corpus, "--app", "support.telephone:other", "--jobs", 2)
    assert ran.code == 1
    assert (
        ran.out.count("changed: send_tool_output departure of call_1 (#25): output: ") == 6
    )  # and in reports
    assert ran.out.count("  differs in output: 'platform 4' → 'platform 5'") == 3
    assert "3 recordings: 3 diverged" in ran.out


def test_rules_of_ones_own_are_kept_by_what_the_application_does(realtape: Realtape, corpus: Path) -> None:
    rule = ("--rule", "support.telephone:on_platform_4", "--jobs", 1)
    assert realtape("check", corpus, *rule).code == 0, "the recordings keep it"
    assert realtape("check", corpus, "--app", APP, *rule).code == 0
    lenient = ("--app", "support.telephone:other", "--expect", "none")
    ran = realtape("check", corpus / "one.db", *lenient, *rule, "--json")
    (told,) = json.loads(ran.out)["results"]
    assert (ran.code, told["verdict"]) == (1, "diverged")
    ran = realtape("check", corpus / "one.db", *lenient, *rule)
    assert "  from another\n    rule:     trains leave from platform 4\n" in ran.out
    ran = realtape("check", corpus, "--rule", "support.telephone:app")
    assert (ran.code, "no rule; make one with" in ran.out + ran.err) == (2, True)


def test_only_a_stretch_of_each_recording_counts(realtape: Realtape, corpus: Path) -> None:
    """The other platform is #25, at 20 ms: before it and behind it that is told, and does not count."""
    one = ("check", corpus / "one.db", "--jobs", 1, "--app", "support.telephone:other")
    outside = (
        "same        " + str(corpus / "one.db") + ": but 1 divergence outside of the stretch was not counted"
    )
    for first, last in (("26", "46"), ("0", "24"), ("0", "15ms"), ("25ms", "1s")):
        ran = realtape(*one, "--from", first, "--to", last)
        assert (ran.code, ran.lines[0]) == (0, outside), (first, last)
    for stretch in (
        ("--from", 25),
        ("--to", 25),
        ("--from", "20ms", "--to", "20ms"),
        ("--from", "#25", "--to", 25),
    ):
        ran = realtape(*one, *stretch)
        assert (ran.code, "(#25): output: 'platform 4' → 'platform 5'" in ran.out) == (1, True), stretch
    ran = realtape(*one, "--from", 47)
    assert (ran.code, "lies between --from and --to: it has 47 entries" in ran.out) == (2, True)
    rule = ("--expect", "none", "--rule", "support.telephone:on_platform_4")
    assert realtape(*one, *rule, "--to", "15ms").code == realtape(*one, *rule, "--from", "25ms").code == 0
    assert realtape(*one, *rule, "--from", 25, "--to", 25).code == 1
    silent = ("check", corpus / "one.db", "--jobs", 1, "--app", "support.telephone:silent", "--strict")
    assert realtape(*silent, "--from", 3).code == 0
    assert realtape(*silent, "--to", 2).code == 1
    ran = realtape(*one, "--from", 26)
    assert "1 recording: 1 same (1 of these otherwise outside of the stretch); in " in ran.out


def test_of_a_chain_it_is_said_in_which_session_something_is_otherwise(
    realtape: Realtape, tmp_path: Path
) -> None:
    record(tmp_path / "two.db", sessions=2)
    one = ("check", tmp_path / "two.db", "--jobs", 1, "--app", "support.telephone:twice_and_other_then")
    ran = realtape(*one)
    assert (ran.code, "    when:     session 2 (#" in ran.out) == (1, True), ran.out
    for first, last, code in (
        ("25", "25", 1),
        ("2/25", "2/25", 1),
        ("1/25", "1/46", 0),
        ("1/26", "2/24", 0),
        ("2/26", None, 0),
        ("1/46", None, 1),
        (None, "2/15ms", 0),
        (None, "2/20ms", 1),
    ):
        stretch = [*(("--from", first) if first else ()), *(("--to", last) if last else ())]
        assert realtape(*one, *stretch).code == code, stretch
    ran = realtape(*one, "--from", "3/1")
    assert (ran.code, "lies between --from and --to" in ran.out) == (2, True)
    ran = realtape(*one[:-1], "support.telephone:silent")
    assert "1 same (1 of these not checked in every send, 1 of these without all connections)" in ran.out


def test_an_application_that_does_not_connect_again_is_told(realtape: Realtape, tmp_path: Path) -> None:
    record(tmp_path / "two.db", sessions=2)
    once = ("replay", tmp_path / "two.db", "--app", "support.telephone:app")
    ran = realtape(*once)
    told = (
        "same, but 1 connection that followed was not made again: 16 events delivered, 12 calls as recorded"
    )
    assert (ran.code, ran.lines[0]) == (0, f"{told}, 47 entries unplayed")
    assert json.loads(realtape(*once, "--json").out)["unmade"] == 1
    ran = realtape(*once, "--strict")
    assert (ran.code, "1. missing: connect, after 1 connection\n" in ran.out) == (1, True)
    ran = realtape("check", *once[1:], "--jobs", 1, "--strict", "--to", "1/9")
    assert ran.code == 0, ran.out


def test_what_cannot_be_replayed_is_an_error_of_its_own(realtape: Realtape, corpus: Path) -> None:
    (corpus / "empty.db").touch()
    (corpus / "notes.db").write_text("nothing of ours, whatever it is " * 40)
    ran = realtape("check", corpus, "--jobs", 1)
    assert ran.code == 1
    assert f"error       {corpus / 'empty.db'}: " in ran.out
    assert "not an SQLite database" in ran.out
    assert "5 recordings: 3 same, 2 error" in ran.out


def test_sessions_of_one_store_and_chains(realtape: Realtape, tmp_path: Path) -> None:
    store = tmp_path / "calls.db"
    record(store)
    record(store)
    found = realtape("check", store, "--verbose", "--jobs", 1).lines
    assert [line.split("#")[0] for line in found[:2]] == [f"same        {store}"] * 2
    chain = tmp_path / "chain.db"
    record(chain, sessions=2)
    ran = realtape("check", chain, "--app", "support.telephone:twice", "--verbose", "--jobs", 1)
    assert ran.lines[0] == f"same        {chain}"
    assert ran.lines[1].startswith("1 recording: 1 same")


def test_one_application_that_dies_or_hangs_costs_one_recording(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "odd_app.py").write_text(
        "import os, time\nfrom support.telephone import app\n\nnumber = 0\n\n"
        "async def dies(model):\n"
        "    if not os.path.exists('died'):\n        open('died', 'w').close()\n        os._exit(7)\n"
        "    await app(model)\n\n"
        "async def hangs(model):\n"
        "    if not os.path.exists('hung'):\n        open('hung', 'w').close()\n        time.sleep(60)\n"
        "    await app(model)\n"
    )
    ran = run("check", corpus, "--app", "odd_app:dies", "--jobs", 1, cwd=tmp_path)
    assert ran.code == 1
    assert f"error       {corpus / 'more/three.db'}: WorkerDied: its process ended with code 7" in ran.out
    assert "3 recordings: 2 same, 1 error" in ran.out
    ran = run("check", corpus, "--app", "odd_app:hangs", "--timeout", "2", cwd=tmp_path)
    assert "TookTooLong: not done within 2 s; its process was ended" in ran.out
    assert "3 recordings: 2 same, 1 error" in ran.out


def test_the_results_for_machines(realtape: Realtape, corpus: Path, tmp_path: Path) -> None:
    ran = realtape(
        "check", corpus, "--app", "support.telephone:failing", "--junit", tmp_path / "r.xml", "--json"
    )
    facts = json.loads(ran.out)
    assert ran.code == 1
    assert [one["verdict"] for one in facts["results"]] == ["diverged"] * 3
    suite = ElementTree.parse(tmp_path / "r.xml").getroot().find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "3", "0")
    cases = suite.findall("testcase")
    assert [case.get("name") for case in cases] == ["three.db", "one.db", "two.db"]
    assert not list(suite.iter("property"))
    failure = cases[0].find("failure")
    assert failure is not None
    assert "this is my own fault" in (failure.text or "")
    ran = realtape("check", corpus, "--junit", tmp_path)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "cannot be written" in ran.err


def test_what_an_application_prints_stands_with_its_recording(realtape: Realtape, corpus: Path) -> None:
    ran = realtape("check", corpus / "one.db", "--app", "support.telephone:printing", "--json")
    assert json.loads(ran.out)["results"][0]["printed"] == "hello from the application\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("nowhere",), "nowhere: no such file or folder"),
        (("{empty}",), "no recordings in "),
        (("{corpus}", "--app", "no_such_module_here:app"), "no module no_such_module_here"),
    ],
)
def test_misuse(
    realtape: Realtape, corpus: Path, tmp_path: Path, arguments: tuple[str, ...], problem: str
) -> None:
    (tmp_path / "empty").mkdir()
    words = [word.format(empty=tmp_path / "empty", corpus=corpus) for word in arguments]
    ran = realtape("check", *words)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert problem in ran.err


def test_a_module_that_raises_shows_its_traceback(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "broken_app.py").write_text("import nowhere_at_all\n")
    ran = run("check", corpus, "--app", "broken_app:app", cwd=tmp_path)
    assert (ran.code, ran.out) == (1, "")
    assert "nowhere_at_all" in ran.err


def test_what_diverges_has_a_page_that_the_results_lead_to(
    realtape: Realtape, corpus: Path, tmp_path: Path
) -> None:
    pages = tmp_path / "pages"
    told = ("check", corpus, "--app", "support.telephone:other", "--html", pages, "--jobs", 1)
    ran = realtape(*told, "--junit", tmp_path / "r.xml")
    assert sorted(path.name[:2] for path in pages.iterdir()) == ["1-", "2-", "3-"]
    links = [line.removeprefix("  to see and hear: ") for line in ran.lines if "to see and hear" in line]
    root = ElementTree.parse(tmp_path / "r.xml").getroot()
    assert [one.get("value") for one in root.iter("property")] == links
    page, _, place = links[0].partition("?t=")
    text = Path(url2pathname(urlsplit(page).path)).read_text()
    session, seq = place.partition("#")[2].split("/")
    assert 'id="block:1/session"' in text
    with open_blocking(locate(corpus / "more/three.db")) as connection:
        assert session == fetch_sessions(connection)[0].header.id
    assert seq == "25", "where the output differs, as the report says"
    assert realtape(*told).code == 2, "nothing is written over"
    ran = realtape("check", corpus, "--app", "support.telephone:app", "--html", tmp_path / "none")
    assert ran.code == 0
    assert not list((tmp_path / "none").iterdir())
