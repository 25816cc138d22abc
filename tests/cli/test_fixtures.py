"""`realtape export` and `realtape import`; and a fixture wherever a recording is read."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from realtape.cli.export_command import AudioChoice
from realtape.session.fixture import read_fixture, write_fixture
from support.command_line import REALTAPE, Ran, environment
from support.fixtures import audio as heard
from support.fixtures import draft, drafts_in, marker
from support.stores import state_of
from support.telephone import record

Realtape = Callable[..., Ran]


@pytest.fixture
def fixture(realtape: Realtape, recorded: Path, tmp_path: Path) -> Path:
    """The recorded session as a fixture."""
    assert realtape("export", recorded, tmp_path / "call", "--no-redact").code == 0
    return tmp_path / "call"


@pytest.mark.parametrize("name", ["call", "call.zip"])
def test_there_and_back_nothing_is_lost(
    realtape: Realtape, recorded: Path, tmp_path: Path, name: str
) -> None:
    (one,) = drafts_in(recorded)
    ran = realtape("export", recorded, tmp_path / name, "--no-redact")
    assert ran == Ran(0, f"session {one.header.id}: 47 entries written to {tmp_path / name}\n")
    ran = realtape("import", tmp_path / name, tmp_path / "new.db")
    told = f"session {one.header.id}: 47 entries\n47 entries written to {tmp_path / 'new.db'}\n"
    assert ran == Ran(0, told)
    assert drafts_in(tmp_path / "new.db") == [one]
    assert realtape("verify", tmp_path / "new.db").code == 0
    assert sorted(os.listdir(tmp_path)) == [name, "new.db"]


def test_a_fixture_is_read_where_a_store_is(realtape: Realtape, recorded: Path, fixture: Path) -> None:
    for command in ("ls", "show", "verify", "replay"):
        ran, of_store = realtape(command, fixture), realtape(command, recorded)
        assert (ran.code, of_store.code) == (0, 0)
        if command != "replay":  # which tells how long it took
            assert ran == of_store
    assert realtape("diff", fixture, recorded).code == 0
    (one,) = drafts_in(recorded)
    assert realtape("show", f"{fixture}#{one.header.id[:8]}").out == realtape("show", recorded).out
    again = fixture.parent / "again.zip"
    assert realtape("export", fixture, again, "--no-redact").code == 0
    assert read_fixture(again) == [one]


def test_sessions_that_followed_go_along_unless_they_are_left_out(realtape: Realtape, tmp_path: Path) -> None:
    record(tmp_path / "chain.db", sessions=3)
    drafts = drafts_in(tmp_path / "chain.db")
    first, second = f"{tmp_path}/chain.db#{drafts[0].header.id}", f"{tmp_path}/chain.db#{drafts[1].header.id}"
    ran = realtape("export", first, tmp_path / "all", "--no-redact")
    assert f"session {drafts[0].header.id}, and 2 that followed: " in ran.out
    assert read_fixture(tmp_path / "all") == drafts
    assert realtape("export", second, tmp_path / "last", "--no-redact").code == 0
    assert read_fixture(tmp_path / "last") == drafts[1:]
    assert realtape("export", first, tmp_path / "one", "--no-redact", "--only-this-session").code == 0
    assert read_fixture(tmp_path / "one") == drafts[:1]
    assert realtape("import", tmp_path / "all", tmp_path / "new.db").code == 0
    assert drafts_in(tmp_path / "new.db") == drafts


def test_nothing_is_overwritten(realtape: Realtape, recorded: Path, fixture: Path, store: Path) -> None:
    before = state_of(fixture), drafts_in(store)
    ran = realtape("export", recorded, fixture, "--no-redact")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("exists already, and nothing is overwritten: name another place\n")
    ran = realtape("import", fixture, store)
    assert (ran.code, ran.out) == (2, "")
    assert "already: name another store, or look at that one" in ran.err
    assert (state_of(fixture), drafts_in(store)) == before


def test_a_store_that_exists_gets_another_session(realtape: Realtape, fixture: Path, tmp_path: Path) -> None:
    record(tmp_path / "other.db")
    before = drafts_in(tmp_path / "other.db")
    assert realtape("import", fixture, tmp_path / "other.db").code == 0
    found = drafts_in(tmp_path / "other.db")
    assert [one for one in found if one in before] == before
    assert [one for one in found if one not in before] == read_fixture(fixture)


@pytest.mark.parametrize(
    ("command", "code", "problem"),
    [
        ("import nowhere new.db", 2, "nowhere: no such folder or file; check the path"),
        ("import calls.db new.db", 1, "calls.db: neither a folder nor a .zip file; name a fixture"),
        ("import empty new.db", 1, "empty: a folder without session.json: neither a log nor a fixture"),
        ("import call empty", 2, "empty is a fixture, or a folder: name a store"),
        ("import call note.txt/new.db", 2, "note.txt/new.db: "),
        ("import call note.txt", 1, "note.txt: not an SQLite database"),
        ("export calls.db note.txt/call --no-redact", 2, "note.txt/call: cannot be written"),
        ("export nowhere.db new --no-redact", 2, "nowhere.db: no such file"),
        ("export empty new --no-redact", 1, "empty: a folder without session.json"),
        ("export calls.db new --no-redact --audio drop", 2, "--no-redact keeps everything: leave out"),
        ("export calls.db new --audio loud", 2, "'loud' is not one of"),
        ("verify changed", 1, "changed: session.json: the header was changed"),
        ("ls changed", 1, "changed: session.json: the header was changed"),
        ("replay changed", 1, "changed: session.json: the header was changed"),
        ("diff changed calls.db", 1, "changed: session.json: the header was changed"),
    ],
)
def test_errors_say_what_to_do(
    command: str, code: int, problem: str, realtape: Realtape, store: Path, fixture: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "note.txt").write_text("a note")
    realtape("export", fixture, tmp_path / "changed", "--no-redact")
    session = tmp_path / "changed/session.json"
    session.write_text(session.read_text().replace('"caller": "four"', '"caller": "five"'))
    before = state_of(tmp_path)
    words = [
        word if "-" in word or word in ("drop", "loud") or n == 0 else str(tmp_path / word)
        for n, word in enumerate(command.split())
    ]
    ran = realtape(*words)
    assert (ran.code, ran.out) == (code, "")
    assert problem in ran.err
    assert ran.err.count("\n") == 1
    assert state_of(tmp_path) == before


def test_a_full_disk_leaves_no_store_behind(fixture: Path, tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

    ran = subprocess.run(
        [*REALTAPE, "import", str(fixture), str(tmp_path / "new.db")],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        preexec_fn=limit,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"realtape: {tmp_path / 'new.db'}: ")
    assert os.listdir(tmp_path) == ["call"]


@pytest.mark.parametrize("audio", [AudioChoice.KEEP, AudioChoice.SILENCE, AudioChoice.DROP])
def test_without_further_words_an_export_is_redacted(
    audio: AudioChoice, realtape: Realtape, tmp_path: Path
) -> None:
    """And what is dropped leaves no file, but as many bytes."""
    secret = "jane.doe@example.org"
    entries = [marker({"text": f"write to {secret}"}), heard((0, 0, 8))]
    one = draft(*entries, segments={0: b"\1\2\3\4" * 2})
    write_fixture([one], tmp_path / "whole")
    assert realtape("export", tmp_path / "whole", tmp_path / "fixture", "--audio", audio).code == 0
    files = [path for path in (tmp_path / "fixture").rglob("*") if path.is_file()]
    assert not any(secret.encode() in path.read_bytes() for path in files)
    (found,) = read_fixture(tmp_path / "fixture")
    assert found.header.id != one.header.id
    assert found.segments == ({0: b"\1\2\3\4" * 2} if audio is AudioChoice.KEEP else {0: bytes(8)})
    assert (tmp_path / "fixture/audio").exists() is (audio is not AudioChoice.DROP)
    assert realtape("verify", tmp_path / "fixture").code == 0


def test_what_was_replaced_and_what_was_not_sought_is_told(realtape: Realtape, tmp_path: Path) -> None:
    texts = ("Ask Lovelace, lovelace@example.org", "order AB-1234 of LOVELACE, DE89 3704 0044 0532 0130 00")
    write_fixture([draft(*(marker({"text": text}) for text in texts))], tmp_path / "whole")
    ran = realtape(
        *("export", tmp_path / "whole", tmp_path / "fixture", "--word", "Lovelace"),
        *("--pattern", r"order=AB-\d+", "--region", "DE"),
    )
    assert ran.code == 0
    rows = {line.rsplit(maxsplit=2)[0]: line.split()[-2:] for line in ran.lines[1:-1]}
    assert rows.pop("replaced") == ["values", "places"]
    assert rows.pop("word") == ["1", "2"]
    assert [rows.pop(kind) for kind in ("order", "email", "iban")] == [["1", "1"]] * 3
    assert set(map(tuple, rows.values())) == {("0", "0")}
    assert ran.lines[-1].startswith("not looked for: names, addresses, ")
    assert "--audio silence takes it out" in ran.err
    (found,) = read_fixture(tmp_path / "fixture")
    told = "".join(entry.payload for entry in found.entries).lower()
    assert not [one for one in ("lovelace", "1234", "3704") if one in told]
    quiet = realtape("export", tmp_path / "whole", tmp_path / "quiet", "--audio", "silence")
    assert (quiet.code, quiet.err) == (0, "")
    ran = realtape("export", tmp_path / "whole", tmp_path / "other", "--pattern", "AB")
    assert (ran.code, "give it a name" in ran.err) == (2, True)
