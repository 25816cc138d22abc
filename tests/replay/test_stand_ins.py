"""Redacted recordings replay: with an application that is given stand-ins, and with one that knows better."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from realtape.integrations.pytest_plugin.failure_text import section
from realtape.recorder import Recorder
from realtape.replay import ReplayModel, ReplayReport, run
from realtape.replay import replay as played_into
from realtape.replay.matching.live_values import LiveValues
from realtape.replay.matching.matchers import JSON_TEXT
from realtape.replay.matching.matching import Matching
from realtape.schema import (
    Flag,
    Kind,
    RealtimeModel,
    RealtimeModelSendAudio,
    RealtimeModelSendRawMessage,
    RealtimeModelSendToolOutput,
    RealtimeModelSendUserInput,
    RealtimeModelToolCallEvent,
    RealtimeModelTranscriptDeltaEvent,
    RealtimeModelTurnEndedEvent,
)
from realtape.session import Recording
from realtape.session.provenance import Redaction
from realtape.session.redaction import redacted
from support.counting import calls_in
from support.planted import CARDS, EMAILS, PHONES, Session, texts
from support.recorded_drafts import drafts_of
from support.scripted import Listening, Scripted, ScriptedModel
from support.sends import Recorded, matching, output

App = Callable[[RealtimeModel], Awaitable[Any]]
ALL = Redaction({"email": 1, "phone": 1, "card": 1}, "keep")
EMAIL, PHONE, CARD = EMAILS[0], PHONES[0], CARDS[0]
KNOWN = {"email": EMAIL, "phone": PHONE, "card": int(CARD)}


async def calls(model: Scripted) -> None:
    """The model asks twice for the same customer."""
    for number in (1, 2):
        arguments = json.dumps(KNOWN).replace("@", "\\u0040")
        await model.emit(RealtimeModelToolCallEvent("look_up", f"call_{number}", arguments))
        await model.until_sent(number, "ToolOutput")
    await model.emit(RealtimeModelTurnEndedEvent())


def answering(facts: Callable[[Any], Any], audio: bytes = b"\x01\x02" * 240) -> App:
    """An application that answers with what it makes of the arguments."""

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            if event.type == "function_call":
                found = facts(json.loads(event.arguments))
                text = f"{found['email']} is called by {found['phone']}, pays with {found['card']}."
                message = {"type": "x.note", "other_data": {"to": found["email"], "n": [found["card"]]}}
                await model.send_event(RealtimeModelSendRawMessage(message=message))  # type: ignore[typeddict-item]
                await model.send_event(RealtimeModelSendToolOutput(event, text, start_response=True))

        listener = Listening(react)
        model.add_listener(listener)
        await model.connect({"initial_model_settings": {"instructions": f"Help {EMAIL}."}})
        await model.send_event(RealtimeModelSendAudio(audio))
        await listener.over.wait()
        await model.close()

    return app


async def replay(store: Path, app: App, audio: Any = "keep", **options: Any) -> ReplayReport:
    async with Recorder(store) as recorder:
        await answering(lambda given: given)(recorder.wrap(ScriptedModel(calls)))
    drafts = redacted((await Recording.open(store)).drafts(), audio=audio)
    for value in (EMAIL, PHONE, CARD):
        assert not any(value in entry.payload for draft in drafts for entry in draft.entries)
    model = ReplayModel(Recording.of(*drafts), on_divergence="collect", expect="all", **options)
    await app(model)
    return await model.finished()


async def test_an_application_that_is_given_stand_ins_answers_with_them(tmp_path: Path) -> None:
    report = await replay(tmp_path / "log.db", answering(lambda given: given))
    assert report.verdict == "same", report
    assert report.unmatched_audio == 0


async def test_one_that_knows_the_real_values_may_send_these(tmp_path: Path) -> None:
    report = await replay(tmp_path / "log.db", answering(lambda given: KNOWN), strict=True)
    assert report.verdict == "same", report
    assert not report.changes


async def test_and_the_values_of_somebody_else_as_long_as_they_are_the_same(tmp_path: Path) -> None:
    other = {"email": "max.mustermann@beispiel.net", "phone": "+43 660 12345678", "card": 4012888888881881}
    other["email"] = "bob.builders@website.org"
    assert len(str(other["email"])) == len(EMAIL)
    report = await replay(tmp_path / "log.db", answering(lambda given: other))
    assert report.verdict == "same", report


@pytest.mark.parametrize(
    "changed",
    [
        {"email": "ada@example.org"},
        {"phone": "+49 30 1234567"},
        {"phone": PHONE + " (work)"},
        {"card": 411111111111111},
        {"card": "none"},
    ],
)
async def test_another_form_is_another_content(tmp_path: Path, changed: dict[str, Any]) -> None:
    report = await replay(tmp_path / "log.db", answering(lambda given: {**KNOWN, **changed}))
    assert report.verdict == "diverged"


async def test_one_stand_in_stands_for_one_value_only(tmp_path: Path) -> None:
    """The second call is answered with another customer."""
    customers = iter([KNOWN, {**KNOWN, "email": "bob.builders@website.org"}])
    report = await replay(tmp_path / "log.db", answering(lambda given: next(customers)))
    assert report.verdict == "diverged"
    assert "differs" in str(report)


@pytest.mark.parametrize("audio", ["silence", "drop"])
async def test_where_audio_was_silenced_only_its_length_counts(tmp_path: Path, audio: str) -> None:
    for cut, (sound, unmatched) in enumerate(
        [(b"\x01\x02" * 240, 0), (b"\x09" * 480, 0), (b"\x09" * 481, 1)]
    ):
        report = await replay(tmp_path / f"{cut}.db", answering(lambda given: KNOWN, sound), audio)
        assert report.verdict == "same", report
        assert bool(report.unmatched_audio) == bool(unmatched)


def recorded(*sends: Any, types: str = "send_tool_output", **options: Any) -> Recorded:
    """Sends of a redacted recording."""
    session = Session()
    for send in sends:
        session.add(Kind.SENT, send, types)
    (draft,) = redacted([session.draft()], **options)
    redaction = Redaction.told_by(draft.header.source)
    rules = Matching(redaction=redaction)
    codec = rules._recorded
    events = [codec.decode(entry.payload, draft.bytes_at).value for entry in draft.entries]
    return Recorded([(types, event) for event in events], rules, flags=int(Flag.REDACTED))


@settings(max_examples=max(8, settings().max_examples // 6))
@given(st.permutations([*EMAILS, *PHONES, *CARDS]))
def test_whatever_is_sent_and_in_whatever_order_its_own_place_is_found(values: list[str]) -> None:
    sends = [
        output(f"to {value}", json.dumps({"to": value}), f"call_{at}") for at, value in enumerate(values)
    ]
    again = recorded(*sends)
    for send in reversed(sends):
        assert again.send("send_tool_output", send)
    assert again.made == list(reversed(range(len(sends))))


def test_stand_ins_and_matchers_go_together() -> None:
    session = Session()
    session.add(Kind.SENT, output(f'{{"to": "{EMAIL}", "n": 1}}'), "send_tool_output")
    (draft,) = redacted([session.draft()])
    text = json.loads(draft.entries[0].payload)["output"]
    rules = matching({"send_tool_output": {"output": JSON_TEXT}}, redaction=ALL)
    again = Recorded([("send_tool_output", output(text))], rules, flags=int(Flag.REDACTED))
    assert again.send("send_tool_output", output(f'{{"n": 2, "to": "{EMAIL}"}}')) is None
    assert again.send("send_tool_output", output(f'{{"n": 1, "to": "{EMAIL}"}}'))


def test_own_words_are_known_by_their_form() -> None:
    again = recorded(
        RealtimeModelSendUserInput("I am Ada Lovelace."), types="send_user_input", words=["Ada Lovelace"]
    )
    assert again.send("send_user_input", RealtimeModelSendUserInput("I am Bob Lovelace!")) is None
    assert again.send("send_user_input", RealtimeModelSendUserInput("I am Ada Lovelace."))


def test_what_is_no_stand_in_is_compared_as_ever() -> None:
    values = LiveValues(ALL)
    for one, other in (
        ("table 4", "table 5"),
        ("ada@example.org", "bob@example.org"),
        ({"n": 5550000}, {"n": 1234567, "m": 1}),
        (["xxx@xxxaaaa.org"], ["ada@example.org", "x"]),
        (1, True),
        ({"id": 1.5}, {"id": 2.5}),
    ):
        assert not values.agree(one, other)
    assert values.agree("xxx@xxxaaaa.org", "ada@example.org")
    assert values.agree({"n": [55555550000]}, {"n": [41555501321]})
    assert not LiveValues(Redaction({"phone": 1}, "keep")).agree("xxx@xxxaaaa.org", "ada@example.org")


def test_an_ordinary_recording_knows_nothing_of_it() -> None:
    again = Recorded([("send_tool_output", output("xxx@xxxaaaa.org"))], flags=int(Flag.REDACTED))
    assert again.send("send_tool_output", output("ada@example.org")) is None


def test_many_redacted_sends_are_not_compared_each_with_each() -> None:
    def calls_for(count: int) -> int:
        sends = [output(f"number {at:04} of {EMAIL}") for at in range(count)]
        again = recorded(*sends)

        def send_all() -> None:
            for send in sends:
                assert again.send("send_tool_output", send)

        return calls_in(send_all)

    assert calls_for(300) < 1.5 * 3 * calls_for(100)


@settings(max_examples=max(6, settings().max_examples // 10))
@given(st.data())
def test_any_conversation_replays_with_stand_ins_and_with_real_values(data: st.DataObject) -> None:
    session = Session()
    asked = [data.draw(texts(session)) for _ in range(data.draw(st.integers(1, 3)))]

    async def script(model: Scripted) -> None:
        for number, text in enumerate(asked, 1):
            arguments = json.dumps({"note": text}, ensure_ascii=number % 2 == 0)
            await model.emit(RealtimeModelToolCallEvent("look_up", f"call_{number}", arguments))
            await model.until_sent(number)
        await model.emit(RealtimeModelTurnEndedEvent())

    def noting(note_of: Callable[[Any], str]) -> App:
        async def app(model: RealtimeModel) -> None:
            async def react(event: Any) -> None:
                if event.type == "function_call":
                    text = f"{event.call_id}: {note_of(event)}"
                    await model.send_event(RealtimeModelSendToolOutput(event, text, start_response=True))

            listener = Listening(react)
            model.add_listener(listener)
            await model.connect({})
            await listener.over.wait()
            await model.close()

        return app

    def given_note(event: Any) -> str:
        return json.loads(event.arguments)["note"]

    def real_note(event: Any) -> str:
        return asked[int(event.call_id.removeprefix("call_")) - 1]

    async def both() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with Recorder(Path(folder, "log.db")) as recorder:
                await noting(given_note)(recorder.wrap(ScriptedModel(script)))
            drafts = redacted((await Recording.open(Path(folder, "log.db"))).drafts())
        for note_of in (given_note, real_note):
            model = ReplayModel(Recording.of(*drafts))
            await noting(note_of)(model)
            report = await model.finished()
            assert report.verdict == "same", report

    run(both())


def test_who_decides_by_what_was_taken_out_is_told_so(tmp_path: Path) -> None:
    """A guardrail that looks for a card number trips in the store, and not in the export."""

    async def says_a_card(model: Scripted) -> None:
        await model.emit(
            RealtimeModelTranscriptDeltaEvent(item_id="i", delta=f"Your card: {CARD}", response_id="r")
        )
        await asyncio.sleep(0.1)
        await model.emit(RealtimeModelTurnEndedEvent(response_id="r"))

    async def guarded(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            if event.type == "transcript_delta" and CARD in event.delta:
                await model.send_event(RealtimeModelSendUserInput("Stop."))

        listening = Listening(react)
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        await model.close()

    async def main() -> None:
        async with Recorder(tmp_path / "log.db") as recorder:
            await guarded(recorder.wrap(ScriptedModel(says_a_card)))

    run(main())
    drafts = drafts_of(tmp_path / "log.db")
    plain = run(played_into(Recording.of(*drafts), guarded)).report
    played = run(played_into(Recording.of(*redacted(drafts)), guarded, on_divergence="collect")).report
    assert (plain.verdict, plain.redacted) == ("same", "")
    assert played.diverged
    assert "card 1" in played.redacted
    assert "export it anew with --no-redact" in str(played)
    assert "--no-redact" not in str(plain)
    assert not any("record anew" in line for line in section("here", played, "test_it", recordable=True))
