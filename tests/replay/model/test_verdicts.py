"""What the application does otherwise than when recorded, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from realtape.replay import DivergenceError, ReplayModel
from realtape.schema import (
    RealtimeModel,
    RealtimeModelSendAudio,
    RealtimeModelSendSessionUpdate,
    RealtimeModelSendUserInput,
    RealtimeModelTurnEndedEvent,
    UsageError,
    same,
)
from realtape.session import Recording
from support.answering import AUDIO, App, answers, greeting, record, replay
from support.scripted import Listening, Scripted, tool_output


async def test_another_output_diverges_and_says_where(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    heard: list[Any] = []

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            heard.append(event)
            if event.type == "function_call":
                await model.send_event(tool_output(event, "nothing"))

        listening = Listening(react, until="exception")
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        await model.close()

    with pytest.raises(DivergenceError) as caught:
        await replay(tmp_path / "log.db", app)
    divergence = caught.value.divergence
    assert divergence.kind == "changed"
    assert [(d.field, d.recorded, d.live) for d in divergence.differences] == [
        ("output", "'found call_1'", "'nothing'")
    ]
    assert divergence.turn == 1
    assert heard[-1].type == "exception"
    assert heard[-1].exception is caught.value


async def test_the_send_that_diverges_raises(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    async with await Recording.open(tmp_path / "log.db") as recording:
        model = ReplayModel(recording)
        await model.connect({})
        with pytest.raises(DivergenceError):
            await model.send_event(RealtimeModelSendUserInput(user_input="never said"))
        with pytest.raises(DivergenceError):
            await model.close()


async def test_collected_divergences_do_not_stop_it(tmp_path: Path) -> None:
    recorded = await record(tmp_path / "log.db", greeting, answers())
    extra = RealtimeModelSendUserInput(user_input="never said")
    replayed, report = await replay(
        tmp_path / "log.db", answers("nothing", sends=(extra,)), on_divergence="collect"
    )
    assert same(replayed.heard, recorded.heard)
    assert [divergence.kind for divergence in report.divergences] == ["changed", "unexpected"]
    with pytest.raises(DivergenceError):
        report.raise_for_divergence()


async def test_a_missing_answer_is_missing_after_a_while(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())

    async def silent(model: RealtimeModel) -> None:
        listening = Listening(until="exception")
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()

    with pytest.raises(DivergenceError) as caught:
        await replay(tmp_path / "log.db", silent)
    assert caught.value.divergence.kind == "missing"
    assert "send_tool_output" in str(caught.value.divergence.expected)


async def test_a_listener_that_raises_now_diverges(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            if event.type == "audio":
                raise ValueError("cannot play this")

        listening = Listening(react, until="exception")
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()

    with pytest.raises(DivergenceError) as caught:
        await replay(tmp_path / "log.db", app)
    assert caught.value.divergence.kind == "handler"
    assert "cannot play this" in str(caught.value)


async def test_a_listener_that_raised_must_raise_again(tmp_path: Path) -> None:
    def app(raises: bool) -> App:
        async def run(model: RealtimeModel) -> Listening:
            async def react(event: Any) -> None:
                if event.type == "audio" and raises:
                    raise ValueError("cannot play this")

            listening = Listening(react)
            model.add_listener(listening)
            await model.connect({})
            await listening.over.wait()
            await model.close()
            return listening

        return run

    async def script(model: Scripted) -> None:
        for event in (AUDIO, RealtimeModelTurnEndedEvent()):
            try:
                await model.emit(event)
            except ValueError:  # as the SDK's read loop: it goes on
                continue

    await record(tmp_path / "log.db", script, app(raises=True))
    _, report = await replay(tmp_path / "log.db", app(raises=True))
    assert not report.diverged
    _, report = await replay(tmp_path / "log.db", app(raises=False), on_divergence="collect")
    assert [divergence.kind for divergence in report.divergences] == ["handler"]


async def test_audio_need_not_come_and_never_diverges(tmp_path: Path) -> None:
    def app(audio: bytes | None) -> App:
        sends = () if audio is None else (RealtimeModelSendAudio(audio=audio),)
        return answers(sends=sends)

    await record(tmp_path / "log.db", greeting, app(b"\1\2"))
    _, report = await replay(tmp_path / "log.db", app(None))
    assert (report.diverged, report.unsent) == (False, 1)
    _, report = await replay(tmp_path / "log.db", app(b"\3\4"))
    assert (report.diverged, report.unmatched_audio) == (False, 1)


async def test_changed_settings_are_changes(tmp_path: Path) -> None:
    def app(voice: str, instructions: str) -> App:
        update = RealtimeModelSendSessionUpdate(
            session_settings={"voice": voice, "instructions": instructions}
        )
        return answers(sends=(update,))

    await record(tmp_path / "log.db", greeting, app("ash", "Be brief."))
    _, report = await replay(tmp_path / "log.db", app("ash", "Be polite."))
    assert not report.diverged
    assert [(c.field, c.recorded, c.live) for c in report.changes] == [
        ("settings.instructions", "'Be brief.'", "'Be polite.'")
    ]
    _, report = await replay(
        tmp_path / "log.db", app("ash", "Be polite."), strict=True, on_divergence="collect"
    )
    assert report.diverged


async def test_closing_too_early_diverges(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            if event.type == "function_call":
                await model.send_event(tool_output(event))
            if event.type == "turn_started":
                await model.close()

        listening = Listening(react)
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()

    replayed, report = await replay(tmp_path / "log.db", app, on_divergence="collect")
    assert replayed is None
    assert report.early


async def test_misuse_is_named(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    async with await Recording.open(tmp_path / "log.db") as recording:
        model = ReplayModel(recording)
        with pytest.raises(UsageError, match="connect before you send"):
            await model.send_event(RealtimeModelSendUserInput(user_input="Hello"))
        await model.close()  # nothing is open: nothing to close
