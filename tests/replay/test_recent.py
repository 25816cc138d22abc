"""The recent past of a replay, as far as a report tells it."""

from __future__ import annotations

import json
from typing import Any

from realtape.replay.core.recent import MADE, MAX_CHAIN, RECENT, SPEECH, Recent
from realtape.replay.terms.steps import Step
from realtape.schema import Entry, Kind


def step(seq: int, type: str, payload: Any = None, kind: Kind = Kind.RECEIVED, **more: Any) -> Step:
    text = json.dumps(payload or {})
    key = more.pop("key", "")
    entry = Entry(
        seq, seq, 0, 0, kind, type, None, more.pop("cause", None), None, None, None, None, None, text
    )
    return Step(entry, key=key)


def delta(seq: int, words: str) -> Step:
    return step(seq, "transcript_delta", {"item_id": "i", "delta": words, "response_id": "r"})


def said(seq: int, words: str) -> Step:
    return step(seq, "send_user_input", {"user_input": words}, Kind.SENT)


def rows(*steps: Step) -> list[Any]:
    return [tuple(one.entry) for one in steps]


def test_an_entry_is_remembered_for_a_while_but_for_sound() -> None:
    recent = Recent()
    for seq in range(RECENT + 1):
        recent.add(step(seq, "turn_started"))
    assert recent.entry(0) is None
    found = recent.entry(1)
    assert found is not None
    assert found.seq == 1
    recent.add(step(900, "audio"))
    recent.add(step(901, "send_audio", kind=Kind.SENT))
    recent.add_all(rows(step(902, "audio"), step(903, "turn_ended"), step(904, "audio")))
    recent.add_all(rows(step(905, "turn_ended"), step(906, "turn_ended")))
    known = [seq for seq in range(900, 908) if recent.entry(seq) is not None]
    assert known == [903, 905, 906]


def test_who_spoke_last() -> None:
    recent = Recent()
    assert recent.spoken().speaker is None
    recent.add(said(1, "Hello?"))
    recent.add(step(2, "turn_started"))
    assert (recent.spoken().speaker, recent.spoken().words) == ("user", "Hello?")
    recent.add_all(rows(delta(3, "Good "), delta(4, "morning.")))
    assert recent.spoken().words == "Good morning."
    recent.add_all(rows(step(5, "audio"), delta(6, " Yes?"), step(7, "turn_ended")))
    assert recent.spoken().words == "Good morning. Yes?"
    assert recent.spoken(before=6).words == "Good morning."
    assert recent.spoken(before=3).words == "Hello?"


def test_what_says_nothing_does_not_push_out_what_was_said() -> None:
    recent = Recent()
    recent.add(said(1, "Hello?"))
    for seq in range(2, 2 + SPEECH):
        recent.add(step(seq, "turn_started"))
    assert recent.spoken().words == "Hello?"
    recent.add_all(
        rows(delta(1000, "Good."), *(step(seq, "turn_ended") for seq in range(1001, 1001 + SPEECH)))
    )
    assert recent.spoken().words == "Good."


def test_a_call_that_was_made_is_found_again_by_what_it_said() -> None:
    recent = Recent()
    for seq in range(3):
        recent.add_made(step(seq, "send_user_input", {"user_input": "x"}, Kind.SENT, key=f"k{seq % 2}"))
    recent.add_made(step(5, "send_interrupt", kind=Kind.SENT, key="k1"))
    recent.add_made(step(6, "send_user_input", kind=Kind.CLOSE, key="k1"))
    found = recent.made(Kind.SENT, "send_user_input", lambda key: key == "k0")
    assert found is not None
    assert found.seq == 2
    found = recent.made(Kind.SENT, "send_user_input", lambda key: key == "k1")
    assert found is not None
    assert found.seq == 1
    assert recent.made(Kind.SENT, "send_user_input", lambda key: key == "k7") is None
    for seq in range(10, 10 + MADE):
        recent.add_made(step(seq, "send_interrupt", kind=Kind.SENT))
    assert recent.made(Kind.SENT, "send_user_input", lambda key: True) is None


def test_how_it_came_to_something() -> None:
    recent = Recent()
    assert recent.chain(None, "the end") == ()
    assert recent.chain(3, "the end") == ()
    recent.add(delta(0, "Where to?"))
    recent.add(step(1, "turn_started"))
    recent.add(step(2, "turn_ended", cause=1))
    told = recent.chain(2, "the end")
    assert told[0].endswith(": 'Where to?'")
    assert [one.split()[0] for one in told[1:]] == ["turn_started", "turn_ended", "the"]
    recent = Recent()
    recent.add(step(1, "turn_started"))
    assert len(recent.chain(1, "the end")) == 2  # nobody has spoken
    recent.add(delta(2, "I speak."))
    recent.add(said(3, "No, I."))
    recent.add(step(4, "turn_started", cause=3))
    assert recent.chain(4, "the end")[0] == "user: 'No, I.'"  # who spoke is the first link


def test_of_a_long_chain_the_nearest_links_are_told() -> None:
    recent = Recent()
    for seq in range(1, MAX_CHAIN + 4):
        recent.add(step(seq, f"event_{seq}", cause=seq - 1))
    told = recent.chain(MAX_CHAIN + 3, "the end")
    assert [one.split()[0] for one in told] == [*(f"event_{seq}" for seq in range(4, MAX_CHAIN + 4)), "the"]
