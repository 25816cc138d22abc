"""`realtape erase`: what is erased is said, with what that does not cover; what is not, with exit code 3."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.command_line import Ran
from support.stores import sql
from support.telephone import record

Realtape = Callable[..., Ran]


def test_a_receipt_says_what_is_gone_and_what_is_not_covered(realtape: Realtape, store: Path) -> None:
    record(store, {"caller": "nine"}, sessions=2)
    (one,), *two = sql(store, "SELECT id FROM sessions ORDER BY key")
    beside = store.with_name("calls.db-4711")
    beside.touch()
    dry = realtape("erase", store, "--label", "caller=nine", "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    assert dry.out == "".join(
        f"session {id}: would be erased, {count} entries\n"
        for (id,), count in zip(two, (48, 47), strict=True)
    )
    ran = realtape("erase", store, "--label", "caller=nine")
    assert (ran.code, ran.err) == (0, "")
    told = ran.out.splitlines()
    assert told[0] == f"session {two[0][0]}: erased, 48 entries"
    assert told[2] == f"{store}: 2 sessions erased: overwritten, and not found in the file any more"
    assert told[3].startswith("not covered: copies, backups and replicas of the store, fixtures")
    assert told[4:] == ["not looked at: calls.db-4711, which lies beside it"]
    assert "nine" not in ran.out
    assert b"nine" not in store.read_bytes()
    assert sql(store, "SELECT id FROM sessions") == [(one,)]
    assert realtape("verify", store).code == 0
    ran = realtape("erase", store, "--label", "caller=nine")
    assert (ran.code, ran.out, ran.err) == (0, f"{store}: nothing to erase\n", "")


def test_what_is_not_erased_is_told(realtape: Realtape, store: Path) -> None:
    ((one,),) = sql(store, "SELECT id FROM sessions")
    assert realtape("pin", store).code == 0
    ran = realtape("erase", store, "--label", "caller=four")
    assert ran.code == 3
    assert ran.err == f"realtape: session {one} is not erased: it, or one that belongs to it, is pinned\n"
    assert realtape("erase", store, "--label", "four").code == 2
    assert realtape("erase", store.with_name("nothing.db"), "--label", "caller=four").code == 2
    assert realtape("verify", store).code == 0
