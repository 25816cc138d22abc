"""A regular expression that goes astray ends in an error that names it, wherever it was given."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from realtape.cli import main
from realtape.schema import Kind, UsageError
from realtape.schema import events as ev
from realtape.schema.log import locate
from realtape.session import write_drafts
from realtape.session.patterns import OwnPattern
from realtape.session.redaction import replaced
from support.planted import Session

ASTRAY = "(a+)+c"
TEXT = "a" * 60 + "b"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtape.session.patterns.MATCH_SECONDS", 0.05)


@pytest.mark.parametrize("look", [OwnPattern.is_in, OwnPattern.spans])
def test_it_is_ended(look: Callable[[OwnPattern, str], object]) -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(UsageError, match=r"mine: .* took more than"):
        look(OwnPattern("mine", ASTRAY), TEXT)
    assert signal.getsignal(signal.SIGVTALRM) is before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0, 0)


def test_one_that_does_not_is_not() -> None:
    pattern = OwnPattern("mine", "a+b")
    assert pattern.is_in(TEXT)
    assert pattern.spans(f"{TEXT} ab") == [(0, 61), (62, 64)]
    assert not pattern.matches_nothing()


def session() -> Session:
    made = Session()
    made.add(Kind.CONNECT, {"options": {}, "listeners": []}, method="connect")
    made.add(Kind.CONNECTED, {"outcome": "returned"}, of=0)
    made.add(Kind.RECEIVED, ev.RealtimeModelTranscriptDeltaEvent("item_1", TEXT, "resp_1"))
    return made


def test_redaction_ends() -> None:
    with pytest.raises(UsageError, match=r"own: .* took more than"):
        replaced([session().draft()], extra={"own": ASTRAY})


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "--grep", ASTRAY),
        ("show", "--grep", ASTRAY, "--json"),
        ("show", "--grep", ASTRAY, "--conversation"),
        ("export", "fixture", "--pattern", f"own={ASTRAY}"),
    ],
    ids=" ".join,
)
def test_commands_end(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_drafts(locate("log.db"), [session().draft()])
    command, *options = arguments
    assert main([command, "log.db", *options]) == 2
    assert "took more than" in capsys.readouterr().err
    assert not Path("fixture").exists()
