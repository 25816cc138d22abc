"""`ReplayModel` on a plain event loop: outcomes, endings, divergences, gaps, chains."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.replay import DivergenceError, Recording, ReplayModel, ReplayReport, run
from realtape.schema import (
    CorruptRecordError,
    RealtimeModel,
    RealtimeModelAudioEvent,
    RealtimeModelConnectionStatusEvent,
    RealtimeModelEndOfStreamEvent,
    RealtimeModelItemDeletedEvent,
    RealtimeModelSendAudio,
    RealtimeModelSendSessionUpdate,
    RealtimeModelSendUserInput,
    RealtimeModelTranscriptDeltaEvent,
    RealtimeModelTurnEndedEvent,
    RealtimeModelTurnStartedEvent,
    RealtimePlaybackTracker,
    UsageError,
    same,
)
from support.scripted import Listening, Scripted, ScriptedModel, tool_call, tool_output

GUARD_SECONDS = 10.0
App = Callable[[RealtimeModel], Awaitable[Any]]
AUDIO = RealtimeModelAudioEvent(data=b"\1\2" * 240, response_id="r", item_id="item_1", content_index=0)


async def record(store: Path, script: Callable[[Scripted], Awaitable[None]], app: App, **inner: Any) -> Any:
    async with asyncio.timeout(GUARD_SECONDS), Recorder(store) as recorder:
        return await app(recorder.wrap(ScriptedModel(script, **inner)))


async def replay(
    store: Path, app: App, session: str | None = None, **options: Any
) -> tuple[Any, ReplayReport]:
    async with asyncio.timeout(GUARD_SECONDS), await Recording.open(store, session) as recording:
        model = ReplayModel(recording, stuck_after=0.2, **options)
        result = await app(model)
        await model.finished()
        return result, model.report


async def greeting(model: Scripted) -> None:
    """A turn, with an event that was emitted by the way, and a tool call."""
    await model.emit(RealtimeModelTurnStartedEvent(response_id="r"), AUDIO)
    await model.emit(tool_call(1))
    await model.until_sent(1, "ToolOutput")
    await model.emit(RealtimeModelTranscriptDeltaEvent(item_id="item_1", delta="Hi", response_id="r"))
    await model.emit(RealtimeModelTurnEndedEvent(response_id="r"))


def answers(output: str | None = None, *, closes: bool = True, sends: tuple[Any, ...] = ()) -> App:
    """An application that answers a tool call, and sends some more."""

    async def app(model: RealtimeModel) -> Listening:
        async def react(event: Any) -> None:
            if event.type == "function_call":
                await model.send_event(tool_output(event, output))
                for send in sends:
                    await model.send_event(send)

        listening = Listening(react)
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        if closes:
            await model.close()
        return listening

    return app


async def test_events_come_again_value_by_value(tmp_path: Path) -> None:
    recorded = await record(tmp_path / "log.db", greeting, answers())
    replayed, report = await replay(tmp_path / "log.db", answers())
    assert same(replayed.heard, recorded.heard)
    assert report.delivered == len(recorded.heard) == 5
    assert report.matched == 3  # connect, the tool output, close
    assert report.finished
    assert not report.diverged
    assert report.unplayed == 0


def deletes_an_item(event: Any) -> list[Any]:
    """What the model emits inside a send."""
    return [RealtimeModelItemDeletedEvent("item_9")]


async def test_what_happened_inside_a_send_happens_inside_it(tmp_path: Path) -> None:
    order: list[str] = []

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            order.append(event.type)

        listening = Listening(react)
        model.add_listener(listening)
        await model.connect({})
        order.append("before")
        await model.send_event(RealtimeModelSendUserInput(user_input="Hello"))
        order.append("after")
        await listening.over.wait()
        await model.close()

    async def script(model: Scripted) -> None:
        await model.until_sent(1)
        await model.emit(RealtimeModelTurnEndedEvent())

    await record(tmp_path / "log.db", script, app, inside=deletes_an_item)
    assert order == ["before", "item_deleted", "after", "turn_ended"]
    order.clear()
    await replay(tmp_path / "log.db", app)
    assert order == ["before", "item_deleted", "after", "turn_ended"]


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
    async with asyncio.timeout(GUARD_SECONDS), await Recording.open(tmp_path / "log.db") as recording:
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


async def test_outcomes_come_again(tmp_path: Path) -> None:
    """Values, exceptions, and a condition that was false."""

    class Refusing(ScriptedModel):
        async def connect(self, options: Any) -> None:
            await super().connect(options)

        async def send_event(self, event: Any) -> None:
            raise ConnectionResetError("gone")

        async def send_event_if(self, event: Any, send_if: Callable[[], bool]) -> bool:
            return send_if()

    async def nothing(model: Scripted) -> None:
        await asyncio.sleep(0)

    async def app(model: RealtimeModel) -> list[Any]:
        await model.connect({})
        found: list[Any] = []
        try:
            await model.send_event(RealtimeModelSendUserInput(user_input="Hello"))
        except ConnectionError as error:
            found.append(repr(error))
        asked: list[int] = []
        said = RealtimeModelSendUserInput(user_input="perhaps")
        found.append(await model.send_event_if(said, lambda: bool(asked.append(1))))
        found.append(await model.send_event_if(said, lambda: asked.append(1) is None))
        found.append(len(asked))
        await model.close()
        return found

    async with Recorder(tmp_path / "log.db") as recorder:
        recorded = await app(recorder.wrap(Refusing(nothing)))
    assert recorded == ["ConnectionResetError('gone')", False, True, 2]
    replayed, report = await replay(tmp_path / "log.db", app)
    assert replayed == recorded
    assert not report.diverged


async def test_a_failed_connect_fails_again_and_the_next_plays_the_next(tmp_path: Path) -> None:
    class Flaky(ScriptedModel):
        tries = 0

        async def connect(self, options: Any) -> None:
            self.tries += 1
            if self.tries == 1:
                raise OSError(111, "refused")
            await super().connect(options)

    async def script(model: Scripted) -> None:
        await model.emit(RealtimeModelTurnEndedEvent())

    async def app(model: RealtimeModel) -> list[str]:
        listening = Listening()
        model.add_listener(listening)
        try:
            await model.connect({})
        except ConnectionRefusedError as error:
            listening.heard.append(RealtimeModelItemDeletedEvent(str(error)))
        await model.connect({})
        await listening.over.wait()
        await model.close()
        return [*listening.types, listening.heard[0].item_id]

    async with Recorder(tmp_path / "log.db") as recorder:
        recorded = await app(recorder.wrap(Flaky(script)))
    async with await Recording.open(tmp_path / "log.db") as newest:
        first = newest.header.previous_session
    replayed, report = await replay(tmp_path / "log.db", app, first)
    assert replayed == recorded == ["item_deleted", "turn_ended", "[Errno 111] refused"]
    assert len(report.recordings) == 2


async def test_a_connect_too_many(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    async with asyncio.timeout(GUARD_SECONDS), await Recording.open(tmp_path / "log.db") as recording:
        model = ReplayModel(recording)
        await answers()(model)
        with pytest.raises(DivergenceError, match="no further connection"):
            await model.connect({})


@pytest.mark.parametrize("at_end", ["end_of_stream", "hold", "cancel"])
async def test_where_the_recording_holds_no_end(tmp_path: Path, at_end: Any) -> None:
    """The recorder was closed before the application was."""
    async with asyncio.timeout(GUARD_SECONDS):
        recorder = Recorder(tmp_path / "log.db")
        inner = ScriptedModel(greeting)
        await answers(closes=False)(recorder.wrap(inner))
        await recorder.close()
        await inner.close()
    heard: list[str] = []

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            heard.append(event.type)
            if event.type == "function_call":
                await model.send_event(tool_output(event))

        listening = Listening(react, until="end_of_stream")
        model.add_listener(listening)
        await model.connect({})
        async with asyncio.timeout(0.3):
            await listening.over.wait()

    if at_end == "end_of_stream":
        _, report = await replay(tmp_path / "log.db", app, at_end=at_end)
        assert heard[-1] == "end_of_stream"
        assert report.finished
    elif at_end == "hold":
        with pytest.raises(TimeoutError):
            await replay(tmp_path / "log.db", app, at_end=at_end)
        assert heard[-1] == "turn_ended"
    else:
        with pytest.raises(asyncio.CancelledError):
            await replay(tmp_path / "log.db", app, at_end=at_end)


async def test_a_hang_up_that_nobody_makes(tmp_path: Path) -> None:
    """The recorded user hung up; the replayed one waits for events, and gets the end of the stream."""

    async def script(model: Scripted) -> None:
        await model.emit(RealtimeModelTurnEndedEvent())

    async def hangs_up(model: RealtimeModel) -> None:
        await model.connect({})
        await asyncio.sleep(0.02)
        await model.close()

    async def waits(model: RealtimeModel) -> list[str]:
        listening = Listening(until="end_of_stream")
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        await model.close()
        return listening.types

    await record(tmp_path / "log.db", script, hangs_up)
    types, report = await replay(tmp_path / "log.db", waits)
    assert types == ["end_of_stream"]  # nobody listened when it was recorded
    assert not report.diverged


async def test_a_stream_that_ended_ends_as_recorded(tmp_path: Path) -> None:
    async def script(model: Scripted) -> None:
        await model.emit(RealtimeModelConnectionStatusEvent(status="disconnected"))
        await model.emit(RealtimeModelEndOfStreamEvent())

    async def app(model: RealtimeModel) -> list[str]:
        listening = Listening(until="end_of_stream")
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        await asyncio.sleep(0.02)
        return listening.types

    await record(tmp_path / "log.db", script, app)
    types, _ = await replay(tmp_path / "log.db", app)
    assert types == ["connection_status", "end_of_stream"]


async def test_what_the_user_had_heard_is_again_what_it_was(tmp_path: Path) -> None:
    """The tracker's states, read by a listener, whether or not a player plays offline."""

    def app(plays: bool) -> App:
        async def run(model: RealtimeModel) -> list[Any]:
            tracker = RealtimePlaybackTracker()
            states: list[Any] = []

            async def react(event: Any) -> None:
                states.append(tracker.get_state())
                if event.type == "audio" and plays:
                    tracker.on_play_bytes("item_1", 0, event.data)
                    tracker.on_play_ms("item_1", 0, 2.5)

            listening = Listening(react)
            model.add_listener(listening)
            await model.connect({"playback_tracker": tracker})
            await listening.over.wait()
            await model.close()
            return states

        return run

    async def script(model: Scripted) -> None:
        await model.emit(AUDIO, AUDIO, RealtimeModelTurnEndedEvent())

    recorded = await record(tmp_path / "log.db", script, app(plays=True))
    assert recorded[-1]["elapsed_ms"] == 25.0
    for plays in (True, False):
        states, report = await replay(tmp_path / "log.db", app(plays=plays))
        assert states == recorded
        assert not report.notes


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


async def test_an_event_of_an_unknown_type_comes_as_other(tmp_path: Path) -> None:
    @dataclass
    class Brainwave:
        hertz: int
        type: str = "brainwave"

    async def script(model: Scripted) -> None:
        await model.emit(Brainwave(40), RealtimeModelTurnEndedEvent())

    await record(tmp_path / "log.db", script, answers())
    replayed, report = await replay(tmp_path / "log.db", answers())
    assert replayed.types == ["other", "turn_ended"]
    assert replayed.heard[0].data.value == {"hertz": 40, "type": "brainwave"}
    assert not report.diverged


def damage(store: Path, where: str) -> None:
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("DROP TRIGGER entries_no_update")
        database.execute(f"UPDATE entries SET payload = '{{' WHERE {where}")


async def test_a_damaged_recording_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    damage(tmp_path / "log.db", "type = 'transcript_delta'")
    listening = Listening(until="exception")

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            if event.type == "function_call":
                await model.send_event(tool_output(event, None))

        listening.react = react
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        with pytest.raises(CorruptRecordError, match="payload cannot be read"):
            await model.send_event(RealtimeModelSendUserInput("still there?"))

    with pytest.raises(CorruptRecordError, match="payload cannot be read"):
        await replay(tmp_path / "log.db", app)
    assert listening.types == ["turn_started", "audio", "function_call", "exception"]


@pytest.mark.parametrize("where", ["seq = 0", "type = 'turn_started'", "type = 'send_tool_output'"])
async def test_what_cannot_be_played_any_further_raises(tmp_path: Path, where: str) -> None:
    """Where the application is told to connect, or makes the call that cannot be read, or waits."""
    await record(tmp_path / "log.db", greeting, answers())
    damage(tmp_path / "log.db", where)
    raised: list[Exception] = []

    async def app(model: RealtimeModel) -> None:
        async def react(event: Any) -> None:
            if event.type == "function_call":
                try:
                    await model.send_event(tool_output(event, None))
                except CorruptRecordError as error:
                    raised.append(error)

        listening = Listening(react, until="exception")
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()

    with pytest.raises(CorruptRecordError, match="payload cannot be read"):
        await replay(tmp_path / "log.db", app)
    assert len(raised) == (where == "type = 'send_tool_output'")


async def test_a_model_that_was_never_connected(tmp_path: Path) -> None:
    async def emits(model: RealtimeModel) -> list[str]:
        listening = Listening()
        model.add_listener(listening)
        await inner.emit(RealtimeModelTurnEndedEvent())
        return listening.types

    async def connects(model: RealtimeModel) -> list[str]:
        listening = Listening()
        model.add_listener(listening)
        await model.connect({})
        await listening.over.wait()
        return listening.types

    inner = ScriptedModel(greeting)
    async with Recorder(tmp_path / "log.db") as recorder:
        recorded = await emits(recorder.wrap(inner))
    types, _ = await replay(tmp_path / "log.db", connects)
    assert types[:1] == recorded == ["turn_ended"]


async def test_misuse_is_named(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    async with await Recording.open(tmp_path / "log.db") as recording:
        model = ReplayModel(recording)
        with pytest.raises(UsageError, match="connect before you send"):
            await model.send_event(RealtimeModelSendUserInput(user_input="Hello"))
        await model.close()  # nothing is open: nothing to close


async def test_no_task_is_left(tmp_path: Path) -> None:
    await record(tmp_path / "log.db", greeting, answers())
    await replay(tmp_path / "log.db", answers())
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_send_behind_a_close_that_does_not_come_returns(tmp_path: Path) -> None:
    """The recorded application closed with a task at work; this one waits for it, after the end."""

    async def app(model: RealtimeModel, *, waits: bool) -> list[str]:
        told: list[str] = []

        async def late() -> None:
            await asyncio.sleep(0.02)
            await model.send_event(RealtimeModelSendUserInput(user_input="late"))
            told.append("sent")

        await model.connect({})
        task = asyncio.create_task(late())
        if waits:
            await asyncio.wait_for(task, 60)
        await model.close()
        await task
        return told

    async def record() -> None:
        async with Recorder(tmp_path / "log.db") as recorder:
            await app(recorder.wrap(ScriptedModel(_silent)), waits=False)

    async def replay() -> tuple[list[str], ReplayReport]:
        async with await Recording.open(tmp_path / "log.db") as recording:
            model = ReplayModel(recording, expect="none")
            return await app(model, waits=True), await model.finished()

    run(record())
    told, report = run(replay())
    assert told == ["sent"]
    assert not report.diverged


async def _silent(model: Scripted) -> None:
    """It says nothing."""
