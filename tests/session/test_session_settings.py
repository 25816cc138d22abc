"""The settings of a session at a place: what the server says, else what the application asked for."""

from __future__ import annotations

import json
from typing import Any

from realtape.schema import Entry, Kind
from realtape.session import Fold


def entry(seq: int, kind: str, payload: Any, type: str | None = None) -> Entry:
    return Entry(seq, seq, 0, 0, kind, type, payload=json.dumps(payload))


def told(seq: int, type: str, session: Any) -> Entry:
    message = {"type": type, "session": session}
    return entry(seq, Kind.RECEIVED, {"$": "raw_server_event", "data": message}, "raw_server_event")


def asked(seq: int, settings: Any) -> Entry:
    return entry(seq, Kind.SENT, {"session_settings": settings}, "send_session_update")


def frame(seq: int, kind: str, message: Any) -> Entry:
    return entry(seq, kind, {"pieces": [json.dumps(message)]})


def after(*entries: Entry, fold: Fold | None = None) -> tuple[int, str, dict[str, Any]] | None:
    fold = fold or Fold()
    for one in entries:
        fold.add(one)
    found = fold.state().settings
    return None if found is None else (found.seq, found.told_by, dict(found.fields))


def test_what_was_asked_holds_until_the_server_says_what_is() -> None:
    connect = entry(0, Kind.CONNECT, {"options": {"initial_model_settings": {"voice": "ash", "speed": 1}}})
    assert after(connect) == (0, "application", {"voice": "ash", "speed": 1})
    assert after(connect, asked(1, {"speed": 2})) == (1, "application", {"voice": "ash", "speed": 2})
    said = (connect, told(1, "session.created", {"voice": "alloy"}), asked(2, {"voice": "ash"}))
    assert after(*said) == (1, "server", {"voice": "alloy"})
    assert after(*said, told(3, "session.updated", {"voice": "ash"})) == (3, "server", {"voice": "ash"})
    again = entry(4, Kind.CONNECT, {"options": {}})
    assert after(*said, again) is None, "another connection begins"


def test_below_the_interface_frames_tell_it() -> None:
    update = {"type": "session.update", "session": {"instructions": "Be brief."}}
    assert after(frame(0, Kind.FRAME_OUT, update)) == (0, "application", {"instructions": "Be brief."})
    updated = {"type": "session.updated", "session": {"instructions": "Be brief.", "voice": "ash"}}
    assert after(frame(0, Kind.FRAME_OUT, update), frame(1, Kind.FRAME_IN, updated)) == (
        *(1, "server"),
        {"instructions": "Be brief.", "voice": "ash"},
    )
    raw = {"message": {"type": "session.update", "other_data": {"session": {"voice": "ash"}}}}
    assert after(entry(0, Kind.SENT, raw, "send_raw_message")) == (0, "application", {"voice": "ash"})


def test_what_is_no_settings_says_nothing() -> None:
    odds: list[Any] = [None, 3, "voice", [], {}]
    for odd in odds:
        assert after(told(0, "session.updated", odd), asked(1, odd)) is None
    assert after(told(0, "session.deleted", {"voice": "ash"})) is None


def test_a_fold_goes_on_from_a_state() -> None:
    fold = Fold()
    fold.add(told(0, "session.created", {"voice": "alloy"}))
    assert after(asked(1, {"voice": "ash"}), fold=Fold(fold.state())) == (0, "server", {"voice": "alloy"})
