"""Without `#` it is the newest conversation: of a model that connected again, from its first session on."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from realtape.schema.log import locate
from realtape.session import Draft, write_drafts
from realtape.session.fixture import read_fixture
from support.command_line import Ran
from support.fixtures import draft, drafts_in, marker
from support.telephone import record

Realtape = Callable[..., Ran]


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an older call, and one whose model connected again."""
    store = tmp_path_factory.mktemp("chain") / "calls.db"
    record(store)
    record(store, sessions=2)
    return store


def ids(store: Path) -> list[str]:
    return [one.header.id for one in drafts_in(store)[1:]]


def test_a_replay_plays_all_of_it_and_says_so(realtape: Realtape, chain: Path) -> None:
    first, last = ids(chain)
    ran = realtape("replay", chain, "--app", "support.telephone:twice")
    assert ran.code == 0, ran
    assert f"sessions: 2, from #{first} to #{last}: the model connected again" in ran.lines
    assert "sessions:" not in realtape("replay", f"{chain}#{last}", "--app", "support.telephone:app").out


def test_it_is_shown_whole_and_a_session_that_is_named_alone(realtape: Realtape, chain: Path) -> None:
    first, last = ids(chain)
    titles = [line.split()[1] for line in realtape("show", chain).lines if line.startswith("session ")]
    assert titles == [first, last]
    told = realtape("show", chain, "--json", "--type", "send_user_input").lines
    assert {json.loads(line)["session"] for line in told} == {first, last}
    titles = [line.split()[1] for line in realtape("show", f"{chain}#{last}").lines if "session " in line]
    assert titles == [last]


def test_it_is_exported_and_swept_whole(realtape: Realtape, chain: Path, tmp_path: Path) -> None:
    assert realtape("export", chain, tmp_path / "call", "--no-redact").code == 0
    assert read_fixture(tmp_path / "call") == drafts_in(chain)[1:]
    ran = realtape("trim", chain, tmp_path / "start.db", "--to", "9")
    assert ids(chain)[0] in drafts_in(tmp_path / "start.db")[0].header.source
    assert "only this session was cut" in ran.err


def test_each_of_its_sessions_is_compared_with_its_like(
    realtape: Realtape, chain: Path, tmp_path: Path
) -> None:
    first, last = ids(chain)
    ran = realtape("diff", chain, chain)
    assert (ran.code, sum(line.startswith("same: ") for line in ran.lines)) == (0, 2)
    told = json.loads(realtape("diff", chain, chain, "--json").out)
    assert (told["verdict"], told["same"]) == ("same", True)
    assert [one["a"].rpartition("#")[2] for one in told["sessions"]] == [first, last]
    assert "sessions" not in json.loads(realtape("diff", f"{chain}#{first}", f"{chain}#{last}", "--json").out)
    short = tmp_path / "short.db"
    write_drafts(locate(short), drafts_in(chain)[1:2])
    ran = realtape("diff", chain, short)
    assert (ran.code, ran.lines[0].split(":")[0]) == (1, "same")
    assert ran.lines[-1] == f"different: session {last} is in A only: the other did not connect again"
    told = json.loads(realtape("diff", short, chain, "--json").out)
    assert (told["verdict"], told["only_a"], told["only_b"]) == ("different", [], [last])


def test_sessions_that_lead_to_each_other_are_shown_once(realtape: Realtape, tmp_path: Path) -> None:
    def after(one: Draft, other: Draft) -> Draft:
        return dataclasses.replace(
            one, header=dataclasses.replace(one.header, previous_session=other.header.id)
        ).sealed()

    one, other = draft(marker("one")), draft(marker("other"))
    write_drafts(locate(tmp_path / "round.db"), [after(one, other), after(other, one)])
    assert realtape("show", tmp_path / "round.db").out.count("session ") == 2
