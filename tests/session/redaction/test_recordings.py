"""Real recordings, redacted: they replay as before, and it does not take long."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from realtape.cli import main
from realtape.cli.demo_conversation import replay_demo
from realtape.schema import Kind
from realtape.schema import events as ev
from realtape.schema import sends as se
from realtape.schema.log import locate
from realtape.session import Recording
from realtape.session.drafts import tree_of, write_drafts
from realtape.session.redaction import redacted
from support.counting import calls_in
from support.golden import DEMO, VALUES
from support.planted import Session


def redact(store: Path, into: Path, **options: Any) -> None:
    drafts = asyncio.run(Recording.open(store)).drafts()
    write_drafts(locate(into), redacted(drafts, **options))


@pytest.mark.parametrize("audio", ["keep", "silence", "drop"])
def test_the_demos_recording_replays_without_what_was_said_in_it(audio: str, tmp_path: Path) -> None:
    store = tmp_path / "demo.db"
    redact(DEMO, store, audio=audio, words=["Brno"])
    assert b"Brno" not in store.read_bytes()
    assert main(["verify", str(store)]) == 0
    assert main(["replay", str(store)]) == 0


async def test_the_demos_application_replays_it_with_stand_ins(tmp_path: Path) -> None:
    store = tmp_path / "demo.db"
    await asyncio.to_thread(redact, DEMO, store, audio="silence", words=["Brno"])
    story, report, _ = await replay_demo(store)
    assert report.verdict == "same", report
    assert story.tool_calls == ["Aaaa"]


@pytest.mark.parametrize("store", [DEMO, VALUES], ids=lambda store: store.stem)
def test_where_nothing_is_to_be_taken_out_nothing_is(store: Path) -> None:
    drafts = asyncio.run(Recording.open(store)).drafts()
    for before, after in zip(drafts, redacted(drafts), strict=True):
        assert after.header.source.startswith(
            "redacted (email 0, phone 0, card 0, credential 0, iban 0, person number 0; audio keep), of "
        )
        assert [entry.flags for entry in after.entries] == [entry.flags for entry in before.entries]
        for one, other in zip(before.entries, after.entries, strict=True):
            assert '"at":[' in one.payload or tree_of(one) == tree_of(other)


@pytest.mark.deep
def test_five_thousand_entries_take_some_hundred_calls_each() -> None:
    session = Session()
    text = "I have your number as +49 151 23456789 and your mail is ada@example.org, at 19:00."
    while len(session.entries) < 5000:
        response, item = f"resp_{len(session.entries)}", f"item_{len(session.entries)}"
        for word in text.split(" "):
            data = {"type": "response.output_audio_transcript.delta", "item_id": item, "delta": f"{word} "}
            session.add(Kind.RECEIVED, ev.RealtimeModelRawServerEvent(data))
            session.add(Kind.RECEIVED, ev.RealtimeModelTranscriptDeltaEvent(item, f"{word} ", response))
            session.add(Kind.RECEIVED, ev.RealtimeModelAudioEvent(bytes(4800), response, item, 0))
        session.add(Kind.SENT, se.RealtimeModelSendUserInput(text), "send_user_input")
    draft = session.draft()
    assert calls_in(lambda: redacted([draft], audio="silence")) < 4_000_000
