"""What a type checker makes of the SDK's integration: checked by `make types`, never run."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

if TYPE_CHECKING:
    from agents.realtime import (
        OpenAIRealtimeWebSocketModel,
        RealtimeAgent,
        RealtimeModel,
        RealtimeModelListener,
        RealtimeModelSendInterrupt,
        RealtimeRunner,
        RealtimeSession,
    )
    from realtape.integrations.openai_agents import (
        VOCABULARY,
        Played,
        Recorder,
        Recording,
        RecordingModel,
        ReplayModel,
        drive,
        replay,
        run,
        stub_tools,
    )
    from realtape.schema import Vocabulary

    async def record(
        agent: RealtimeAgent[None], inner: RealtimeModel, listener: RealtimeModelListener
    ) -> None:
        async with Recorder("calls.db", redactors=[str.strip]) as recorder:
            assert_type(recorder, Recorder)
            model = recorder.wrap(inner, labels={"caller": "42"})
            assert_type(model, RecordingModel)
            RealtimeRunner(agent, model=model)
            RealtimeRunner(agent, model=recorder.wrap(OpenAIRealtimeWebSocketModel()))
            RealtimeRunner(agent, model=recorder.wrap(model))
            model.add_listener(listener)
            assert_type(await model.send_event_if(RealtimeModelSendInterrupt(), lambda: True), bool)

    def make(inner: RealtimeModel, recorder: Recorder) -> RealtimeModel:
        return RecordingModel(inner, recorder=recorder, labels=None)

    async def answer(session: RealtimeSession, recorder: Recorder) -> None:
        async for event in session:
            with recorder.caused_by(event):
                await session.send_message("Hello")

    async def play(recording: Recording, agent: RealtimeAgent[None]) -> None:
        async def app(model: RealtimeModel) -> None:
            stubbed = await stub_tools(agent, recording)
            async with await RealtimeRunner(stubbed, model=model).run() as session:
                assert isinstance(model, ReplayModel)
                await drive(session, model)

        assert_type(await replay(recording, app, patience=5.0, expect="all"), Played)
        assert_type(run(replay("calls.db")).verdict == "same", bool)
        await replay("calls.db", app, patience="long")  # pyright: ignore[reportArgumentType]
        await replay("calls.db", app, hurry=True)  # pyright: ignore[reportCallIssue]

    def words() -> Vocabulary:
        return Vocabulary(VOCABULARY)

    def refuse(recorder: Recorder) -> None:
        recorder.wrap("no model")  # pyright: ignore[reportArgumentType]
        Recorder()  # pyright: ignore[reportCallIssue]
