"""What only the provider's messages tell is in the timeline: at its own time, and in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from realtape.schema import Entry
from realtape.schema.log import locate
from realtape.session import write_drafts
from support.command_line import Ran
from support.fixtures import draft, marker, raw, received, sent_raw

Realtape = Callable[..., Ran]


def shown(realtape: Realtape, store: Path, *entries: Entry, options: tuple[str, ...] = ()) -> list[str]:
    """The rows of a session of these entries, a tenth of a second apart; of each message's event none."""
    write_drafts(locate(store), [draft(*entries, step_ns=100_000_000)])
    ran = realtape("show", store, *options)
    assert (ran.code, ran.err) == (0, "")
    return ran.lines[2:]


def done(status: str, **details: Any) -> Entry:
    return raw(
        {"type": "response.done", "response": {"id": "r", "status": status, "status_details": details}}
    )


def _created(item: dict[str, Any]) -> Entry:
    return sent_raw({"type": "conversation.item.create", "other_data": {"item": item}})


TOLD: list[tuple[Entry, str]] = [
    (done("failed", error={"message": "the quota is used up"}), "response.done failed: the quota is used up"),
    (done("cancelled", reason="turn_detected"), "response.done cancelled: turn_detected"),
    (done("incomplete", reason="max_output_tokens"), "response.done incomplete: max_output_tokens"),
    (
        raw({"type": "x.transcription.failed", "error": {"code": "no_model"}}),
        "x.transcription.failed no_model",
    ),
    (raw({"type": "error", "error": {"message": "no such item"}}), "error no such item"),
    (raw({"type": "input_audio_buffer.dtmf_event_received", "event": "5"}), "event=5"),
    (
        raw(
            {
                "type": "response.output_item.done",
                "item": {"type": "mcp_call", "name": "find", "output": "it"},
            }
        ),
        "response.output_item.done mcp_call find it",
    ),
    (
        sent_raw(
            {
                "type": "conversation.item.create",
                "other_data": {"item": {"content": [{"type": "input_text", "text": "Be quick."}]}},
            }
        ),
        "conversation.item.create Be quick.",
    ),
    (
        sent_raw({"type": "response.create", "other_data": {"response": {"instructions": "Say hello."}}}),
        "response.create Say hello.",
    ),
    (_created({"role": "user", "content": [{"type": "input_image"}]}), "item.create (input_image)"),
    (
        _created({"type": "mcp_approval_response", "approve": False, "reason": "not now"}),
        "item.create mcp_approval_response refused not now",
    ),
    (
        sent_raw(
            {
                "type": "conversation.item.truncate",
                "other_data": {"item_id": "item_a", "audio_end_ms": 300, "content_index": 0},
            }
        ),
        "conversation.item.truncate item_id=item_a, audio_end_ms=300",
    ),
    (
        raw(
            {
                "type": "conversation.item.done",
                "item": {"type": "mcp_list_tools", "server_label": "wiki", "tools": [{"name": "find"}]},
            }
        ),
        "mcp_list_tools wiki find",
    ),
]


@pytest.mark.parametrize("options", [(), ("--all",)], ids=str)
@pytest.mark.parametrize(("entry", "words"), TOLD, ids=lambda one: one if isinstance(one, str) else "")
def test_what_it_says_is_shown(
    realtape: Realtape, tmp_path: Path, entry: Entry, words: str, options: tuple[str, ...]
) -> None:
    event = received("turn_ended", response_id="r")
    lines = shown(realtape, tmp_path / "log.db", entry, event, options=options)
    assert any(words in line for line in lines), lines


def test_a_message_whose_event_tells_as_much_is_left_out(realtape: Realtape, tmp_path: Path) -> None:
    rows = shown(realtape, tmp_path / "log.db", done("completed"), received("turn_ended", response_id="r"))
    assert [line.split()[3] for line in rows[:1]] == ["turn_ended"]


def test_an_unknown_message_is_shown_itself(realtape: Realtape, tmp_path: Path) -> None:
    """Instead of the complaint of a parser about it."""
    complaint = received("error", error={"$": "pydantic:ValidationError", "state": {"title": "tagged-union"}})
    rows = shown(realtape, tmp_path / "log.db", raw({"type": "avatar.moved", "x": 1}), complaint)
    assert "avatar.moved x=1" in rows[0]
    assert not any("tagged-union" in row for row in rows)


def test_a_response_that_the_sdk_cannot_read_tells_how_it_ended(realtape: Realtape, tmp_path: Path) -> None:
    complaint = received("error", error={"$": "pydantic:ValidationError", "state": {"title": "tagged-union"}})
    failed = done("failed", error={"message": "the quota is used up"})
    rows = shown(realtape, tmp_path / "log.db", failed, complaint)
    assert "response.done failed: the quota is used up response={" in rows[0]


def test_messages_fold_only_where_nothing_else_came_in_between(realtape: Realtape, tmp_path: Path) -> None:
    began, stopped = (raw({"type": f"input_audio_buffer.speech_{what}"}) for what in ("started", "stopped"))
    audio = received("audio", item_id="i", content_index=0)._replace(tick=9)
    entries = (raw({"type": "a"}), raw({"type": "b"}), audio, began, audio, stopped, marker({"text": "end"}))
    rows = shown(realtape, tmp_path / "log.db", *entries)
    assert ["a, b" in rows[0], "×2" in rows[0]] == [True, True]
    places = {row.split()[-1]: row.split()[:2] for row in rows}
    assert places["input_audio_buffer.speech_started"] == ["3", "0.300"]
    assert places["input_audio_buffer.speech_stopped"] == ["5", "0.500"]
