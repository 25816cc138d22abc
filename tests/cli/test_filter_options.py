"""`--label`, `--tool`, `--since` …: the same options for every command that takes sessions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from realtape.schema import UsageError
from realtape.session import parse_moment
from support.command_line import Ran
from support.telephone import record

Realtape = Callable[..., Ran]


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole call of one caller; another's, which never connected."""
    path = tmp_path_factory.mktemp("calls") / "calls.db"
    record(path, {"caller": "four"})
    record(path, {"caller": "nine"}, url="ws://down")
    return path


@pytest.mark.parametrize(
    ("options", "callers"),
    [
        ((), ["four", "nine"]),
        (("--label", "caller=nine"), ["nine"]),
        (("--status", "closed"), ["four"]),
        (("--text", "good MORNING"), ["four"]),
        (("--tool", "departure"), ["four"]),
        (("--interrupted",), ["four"]),
        (("--error",), ["four", "nine"]),
        (("--longer-than", "0.01s"), ["four"]),
        (("--longer-than", "10ms"), ["four"]),
        (("--shorter-than", "0.01s"), ["nine"]),
        (("--since", "1h"), ["four", "nine"]),
        (("--until", "1h"), []),
    ],
)
def test_which_sessions_are_listed(
    realtape: Realtape, calls: Path, options: tuple[str, ...], callers: list[str]
) -> None:
    ran = realtape("ls", calls, "--json", *options)
    assert (ran.code, [one["labels"]["caller"] for one in json.loads(ran.out)]) == (0, callers)


def test_what_fits_is_shown_and_verified_and_goes(realtape: Realtape, calls: Path) -> None:
    nine = ("--label", "caller=nine")
    assert (
        realtape("show", calls, *nine, "--json").out == realtape("show", f"{calls}#caller=nine", "--json").out
    )
    assert realtape("show", calls, "--error", "--type", "function_call").out.count("session ") == 2
    assert realtape("verify", calls, *nine).lines == realtape("verify", f"{calls}#caller=nine").lines
    assert realtape("prune", calls, "--tool", "departure", "--dry-run").out.count("would go") == 1
    assert realtape("prune", calls, "--text", "nobody said", "--dry-run").out == ""


def test_what_fits_nothing_is_said(realtape: Realtape, calls: Path) -> None:
    ran = realtape("ls", calls, "--tool", "refund")
    assert (ran.code, ran.out, "no session of it fits" in ran.err) == (0, "", True)
    for command in ("show", "verify"):
        ran = realtape(command, calls, "--tool", "refund")
        assert (ran.code, ran.out, "no session of it fits" in ran.err) == (2, "", True)
    ran = realtape("show", f"{calls}#caller=ten")
    assert (ran.code, "no session labelled caller=ten among its 2" in ran.err) == (2, True)


def test_a_session_is_named_or_looked_for(realtape: Realtape, calls: Path) -> None:
    for command in ("show", "verify"):
        ran = realtape(command, f"{calls}#caller=four", "--error")
        assert (ran.code, "names a session already" in ran.err) == (2, True)


def test_moments_are_days_instants_or_how_long_ago() -> None:
    day = datetime(2026, 11, 22).astimezone()
    assert parse_moment("--since", "2026-11-22", end=False) == day.timestamp() * 1e9
    assert parse_moment("--until", "2026-11-22", end=True) == (day.timestamp() + 86_400) * 1e9
    assert parse_moment("--until", "2026-11-22T09:38", end=True) == (day.timestamp() + 34_680) * 1e9
    assert parse_moment("--since", "2026-11-22T00:00:00+00:00", end=False) == 1_795_305_600 * 10**9
    before = time.time_ns()
    ago = parse_moment("--since", "2h", end=False)
    assert ago is not None
    assert before <= ago + 7_200 * 10**9 <= time.time_ns()
    with pytest.raises(UsageError, match=r"--since yesterday: give a day \(2026-11-22\)"):
        parse_moment("--since", "yesterday", end=False)
