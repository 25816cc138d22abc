"""What is wrong with a session is told once, in words, and of each session of a chain how much there is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from realtape.schema import Entry, Kind, Status
from realtape.schema.codec import to_json
from realtape.session.drafts import Draft
from realtape.viewer import write_page
from realtape.viewer.entry_sources import DraftSource
from realtape.viewer.gathering import Gathering
from realtape.viewer.session_sound import SessionSound
from support.depths import framed
from support.fixtures import header, numbered, raw, received
from support.pages import blocks_of


def problems_of(*entries: Entry) -> list[tuple[str, str, int]]:
    draft = Draft(header(), Status.CLOSED, numbered(*entries, step_ns=1_000_000), {}).sealed()
    gathering = Gathering("0", DraftSource(draft), SessionSound())
    gathering.advance()
    return [(one["what"], one["text"], one["seq"]) for one in gathering.session()["problems"]]


def failure(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "invalid_request_error", "message": text, **more}


def test_a_message_and_the_event_that_it_becomes_are_one_error() -> None:
    told = failure("There is no such item.", code="item_not_found")
    assert problems_of(
        raw({"type": "error", "error": told}),
        received("error", error=told),
        received("error", error=failure("Another.")),
        received("error", error="in a text"),
    )[:2] == [("error", "There is no such item. · item_not_found", 0), ("error", "Another.", 2)]
    again = raw({"type": "error", "error": told})
    both = [one for one in problems_of(again, raw({"type": "else"}), again) if one[0] == "error"]
    assert len(both) == 2, "the same once more is another"


def test_a_failed_response_is_told_once_with_its_reason() -> None:
    created = raw({"type": "response.created", "response": {"id": "resp_1"}})
    done = {"id": "resp_1", "status": "failed", "status_details": {"error": failure("Overloaded.")}}
    (one,) = problems_of(created, raw({"type": "response.done", "response": done}))
    assert (one[0], "Overloaded." in one[1], one[2]) == ("response failed", True, 0)


def test_a_failed_transcription_is_called_so_with_its_reason() -> None:
    """Also where it is read of a frame."""
    named = "conversation.item.input_audio_transcription.failed"
    message = {"type": named, "item_id": "item_1", "error": failure("Not to be understood.", code="too_loud")}
    told = [("transcription failed", "Not to be understood. · too_loud", 1)]
    assert problems_of(raw({"type": "session.created"}), raw(message)) == told
    draft = Draft(header(), Status.CLOSED, numbered(raw(message), step_ns=1), {}).sealed()
    gathering = Gathering("0", DraftSource(framed(draft).sealed()), SessionSound())
    gathering.advance()
    assert [(one["what"], one["text"]) for one in gathering.session()["problems"]] == [told[0][:2]]
    assert problems_of(raw({"type": named, "error": None}))[0][:2] == (*told[0][:1], "nobody says why")


def test_what_nobody_knows_may_fail_too() -> None:
    odd = Entry(0, 0, 0, 0, "kind_of_tomorrow", of=0, payload=to_json({"outcome": "raised"}))
    marker = Entry(0, 0, 0, 0, Kind.MARKER, payload="{}")
    assert [(what, seq) for what, _, seq in problems_of(marker, odd)] == [("error", 1)]


def test_a_page_says_of_each_of_its_sessions_how_many_there_are(tmp_path: Path) -> None:
    chain = [
        Draft(header(), Status.CLOSED, numbered(*entries, step_ns=1), {}).sealed()
        for entries in ([received("turn_started")], [received("error", error=failure("No."))])
    ]
    write_page(chain, tmp_path / "page.html", store="calls.db")
    blocks = blocks_of((tmp_path / "page.html").read_text())
    told = [one["problems"] for one in json.loads(blocks["head"])["sessions"]]
    assert told == [len(json.loads(blocks[f"{key}/session"])["problems"]) for key in (0, 1)]
    assert told[1] > 0
