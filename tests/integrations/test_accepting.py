"""Whatever is changed in an application: once it was accepted, the recording replays into the changed one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from realtape.integrations.accepting import change_of
from realtape.lab.invariants import ALL, check
from realtape.recorder import Recorder
from realtape.replay import replay, run
from realtape.schema import Flag, Kind, UsageError
from realtape.session import Draft, Recording
from realtape.session.fields import payload
from support.booking import model, with_card_hidden
from support.changes import BASE, CHANGES, Change

SETTINGS: dict[str, Any] = {"redactors": [with_card_hidden]}
REFUSED = {
    "connects-again": "the recording holds no further connection",
    "lost-listener": "the recording is over, and the application did not return",
}
"""What of it cannot be accepted: the recording holds no second connection; who hears nothing ends never."""

QUICK = (
    "tool-output-changed",
    "extra-send",
    "missing-send",
    "slower-tool",
    "other-message",
)
TABLE = [
    pytest.param(change, id=change.name, marks=() if change.name in QUICK else pytest.mark.deep)
    for change in CHANGES
]


@pytest.fixture(scope="module")
def drafts(tmp_path_factory: pytest.TempPathFactory) -> list[Draft]:
    store = tmp_path_factory.mktemp("booking") / "booking.db"

    async def record() -> list[Draft]:
        async with Recorder(store, redactors=[with_card_hidden]) as recorder:
            await BASE.run(recorder.wrap(model()))
        async with await Recording.open(store) as recording:
            return recording.drafts()

    return run(record())


def provider_side(drafts: Sequence[Draft]) -> list[tuple[str | None, Any]]:
    """What was received, but for echoes and for where its bytes lie."""
    return sorted(
        (entry.type, str(payload(entry)) if "at" not in entry.payload else "")
        for draft in drafts
        for entry in draft.entries
        if entry.kind == Kind.RECEIVED and not entry.flags & Flag.REWRITTEN
    )


@pytest.mark.parametrize("change", TABLE)
def test_an_accepted_change_is_the_same_from_then_on(drafts: list[Draft], change: Change) -> None:
    options = {**SETTINGS, **{name: value for name, value in change.options.items() if name != "strict"}}
    if change.name in REFUSED:
        with pytest.raises(UsageError, match=REFUSED[change.name]):
            change_of(drafts, change.application.run, change.name, **options)
        return
    accepted = change_of(drafts, change.application.run, change.name, **options)
    new = list(accepted.acceptance.drafts)
    played = run(replay(Recording.of(*new), change.application.run, **options))
    assert (played.verdict, played.report.extra, played.report.missing) == ("same", 0, 0), played
    # The provider's side stays, and the header says of what it was made.
    kept = provider_side(new)
    assert [one for one in kept if one not in provider_side(drafts)] == []
    assert drafts[0].last_digest.hex() in new[0].header.source
    # What the user did is in it still.
    for kind in ("send_audio", "send_user_input"):
        counts = [sum(one.type == kind for one in side[0].entries) for side in (drafts, new)]
        assert counts[1] >= min(counts[0], 1)


def test_an_echo_holds_what_is_sent_now(drafts: list[Draft]) -> None:
    five = replace(BASE, table=5)
    change = change_of(drafts, five.run, "five", **SETTINGS)
    (new,) = change.acceptance.drafts
    rewritten = [entry for entry in new.entries if entry.flags & Flag.REWRITTEN]
    assert len(rewritten) == change.acceptance.echoes > 0
    assert all('\\"table\\": 5' in entry.payload for entry in rewritten)
    assert not any('\\"table\\": 4' in entry.payload for entry in new.entries)
    (stays,) = change.acceptance.stays
    assert "was the answer to that one, and stays" in stays
    broken = check([*change.acceptance.drafts], ALL).violations
    assert [one.summary for one in broken] == [one.summary for one in check(drafts, ALL).violations]


def test_nothing_is_accepted_where_nothing_differs(drafts: list[Draft]) -> None:
    change = change_of(drafts, BASE.run, "same", **SETTINGS)
    assert not change.differs
    (new,) = change.acceptance.drafts
    whole = [[(entry.kind, entry.type) for entry in side.entries] for side in (drafts[0], new)]
    assert whole[0] == whole[1]


def test_what_is_not_whole_is_not_accepted(drafts: list[Draft]) -> None:
    cut = replace(drafts[0], entries=drafts[0].entries[:9]).derived("cut", drafts[0].entries[:9])
    lacking = replace(cut, status=type(cut.status)("interrupted"))
    with pytest.raises(UsageError, match="accept whole recordings"):
        change_of([lacking], BASE.run, "same")
