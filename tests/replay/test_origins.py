"""Where a send comes from: its cause, the user, or nobody knows where; and that what nobody knows is
never silent. The hand-overs that keep a cause are those that the page says."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from realtape.replay import Played, replay, run
from realtape.schema import Entry, RealtimeModelSendAudio, UsageError
from realtape.session.origins import Origin, origin_of
from support import telephone
from support.hand_overs import ANSWER, HAND_OVERS, Asks, record
from support.stored import only

PAGE = (Path(__file__).parents[2] / "docs" / "replay.md").read_text()
ROWS = dict(re.findall(r"^\| (.+?) \| (kept|lost)\b", PAGE, re.MULTILINE))
SDK_ROWS = {name for name in ROWS if "async for" in name or "anext" in name}
QUEUE = next(name for name in HAND_OVERS if "put_nowait" in name)
KEPT = next(name for name in HAND_OVERS if "create_task" in name)


def sends(store: Path) -> dict[str, Entry]:
    """Those of the recorded application, by what they say."""
    entries = asyncio.run(only(store)).entries
    told = {json.loads(one.payload)["user_input"]: one for one in entries if one.kind == "sent"}
    assert set(told) == {"hello", ANSWER}
    return told


def test_the_page_has_a_row_for_each() -> None:
    assert set(ROWS) - SDK_ROWS == set(HAND_OVERS)


@pytest.mark.parametrize("hand_over", HAND_OVERS)
def test_a_hand_over_keeps_the_cause_where_the_page_says_so(tmp_path: Path, hand_over: str) -> None:
    record(tmp_path / "log.db", hand_over)
    found = sends(tmp_path / "log.db")
    kept = ROWS[hand_over] == "kept"
    assert (found[ANSWER].cause is not None, origin_of(found[ANSWER]) is Origin.CAUSE) == (kept, kept)
    assert origin_of(found["hello"]) is Origin.UNKNOWN

    same = run(replay(tmp_path / "log.db", Asks(hand_over)))
    assert (same.verdict, same.report.remark) == ("same", "")
    without = run(replay(tmp_path / "log.db", Asks(None)))
    if kept:
        assert without.verdict == "diverged"
    else:
        assert (without.verdict, len(without.report.unchecked)) == ("same", 1)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("recorded") / "log.db"
    record(store, QUEUE)
    return store


def without_the_answer(recorded: Path, **options: Any) -> Played:
    return run(replay(recorded, Asks(None), **options))


def test_what_is_unknown_and_does_not_come_is_not_silent(recorded: Path) -> None:
    seq = sends(recorded)[ANSWER].seq
    played = without_the_answer(recorded)
    text = str(played)
    assert text.startswith("same, but 1 send of unknown origin was not checked: ")
    assert f"not checked: #{seq} ▶ sent send_user_input {ANSWER}" in text.splitlines()
    facts = json.loads(json.dumps(played.report.as_json()))
    assert (facts["verdict"], facts["remark"]) == ("same", "1 send of unknown origin was not checked")
    (unchecked,) = facts["unchecked"]
    assert (unchecked["seq"], unchecked["type"]) == (seq, "send_user_input")
    assert played.report.unsent == 0


def test_strict_makes_it_a_failure(recorded: Path) -> None:
    seq = sends(recorded)[ANSWER].seq
    played = without_the_answer(recorded, strict=True)
    assert played.verdict == "diverged"
    (divergence,) = played.report.divergences
    assert (divergence.kind, divergence.seq) == ("unchecked", seq)
    assert ANSWER in str(divergence)
    assert run(replay(recorded, Asks(QUEUE), strict=True)).verdict == "same"


@pytest.mark.parametrize("by", ["number", "digits", "type", "function"])
@pytest.mark.parametrize("decision", ["reaction", "user"])
def test_what_somebody_says_of_a_send_counts(recorded: Path, by: str, decision: Any) -> None:
    seq = sends(recorded)[ANSWER].seq
    must = decision == "reaction"

    def decide(entry: Entry) -> bool | None:
        return must if entry.seq == seq else None

    told: dict[str, Any] = {
        "number": {seq: decision},
        "digits": {str(seq): decision},
        "type": {"send_user_input": decision},
        "function": decide,
    }
    played = without_the_answer(recorded, expect=told[by], strict=True)
    assert played.verdict == ("diverged" if must else "same")
    assert [one.kind for one in played.report.divergences] == (["missing"] if must else [])
    assert played.report.unsent == (0 if must else 1)


def test_a_reaction_that_nobody_expects_is_not_the_users(tmp_path: Path) -> None:
    record(tmp_path / "log.db", KEPT)
    played = without_the_answer(tmp_path / "log.db", expect="none")
    assert (played.verdict, played.report.unsent, played.report.waived) == ("same", 0, 1)
    assert played.report.remark == "1 reaction was not expected, and did not come"
    came = run(replay(tmp_path / "log.db", Asks(KEPT), expect="none"))
    assert (came.verdict, came.report.remark) == ("same", "")
    assert run(replay(tmp_path / "log.db", expect="none")).report.remark == ""


@pytest.mark.parametrize(
    "expect", [{3: "user's"}, {3.5: "user"}, "everything", {"send_user_inptu": "user"}, {"audio": "user"}]
)
def test_what_nobody_can_expect(recorded: Path, expect: Any) -> None:
    with pytest.raises(UsageError, match="expect"):
        run(replay(recorded, Asks(QUEUE), expect=expect))


def test_a_send_that_comes_late_was_checked(recorded: Path) -> None:
    class Slow(Asks):
        async def on_event(self, event: Any) -> None:
            if event.type == "turn_started":
                await self.hand()  # pyright: ignore[reportOptionalCall]
                self.over.set()

    played = run(replay(recorded, Slow(QUEUE)))
    assert (played.verdict, played.report.remark, len(played.report.late)) == ("same", "", 1)


def test_a_close_of_unknown_origin_is_told_like_a_send(recorded: Path) -> None:
    class WaitsForTheEnd(Asks):
        async def on_event(self, event: Any) -> None:
            if event.type != "turn_started":
                await super().on_event(event)

    played = run(replay(recorded, WaitsForTheEnd(QUEUE)))
    assert (played.verdict, played.report.remark) == ("same", "1 close of unknown origin was not checked")


def test_sound_is_the_users_and_an_answer_of_itself_leaves_nobody_unchecked(tmp_path: Path) -> None:
    store = tmp_path / "calls.db"
    telephone.record(store)
    alone = run(replay(store))
    assert (alone.report.unsent, alone.report.unchecked) == (4, ())

    async def silent(model: Any) -> None:
        async def send(event: Any) -> None:
            if not isinstance(event, RealtimeModelSendAudio):
                await kept(event)

        kept, model.send_event = model.send_event, send
        await telephone.app(model)

    played = run(replay(store, silent))
    assert (played.report.unsent, played.report.remark) == (3, "")


@pytest.mark.real_time
async def test_on_an_ordinary_loop_the_applications_own_close_is_awaited(recorded: Path) -> None:
    """Its timer rings in real time, and all else comes at once: an end that nobody recorded would hide it."""
    heard: list[str] = []

    class Hesitates(Asks):
        hangs = False

        async def on_event(self, event: Any) -> None:
            heard.append(event.type)
            if event.type == "turn_started" and not self.hangs:
                asyncio.get_running_loop().call_later(0.3, self.over.set)
            elif event.type != "turn_started":
                await super().on_event(event)

    played = await replay(recorded, Hesitates(QUEUE), stuck_after=2.0)
    assert (played.verdict, played.report.remark) == ("same", "")
    assert "end_of_stream" not in heard
    hangs = Hesitates(QUEUE)
    hangs.hangs = True
    played = await replay(recorded, hangs, stuck_after=0.1)
    assert (played.verdict, played.report.remark) == ("same", "1 close of unknown origin was not checked")
    assert heard[-1] == "end_of_stream"
