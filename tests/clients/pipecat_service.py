"""pipecat: its realtime service in a pipeline, with its context aggregators."""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import asyncio

from clients.conversation import PARAMETERS, QUESTION, SILENCE, TEXTS, TOOL, Told, answered, main, pieces
from pipecat.adapters.llm.schemas.function_schema import FunctionSchema
from pipecat.adapters.llm.schemas.tools_schema import ToolsSchema
from pipecat.frames.frames import (
    EndFrame,
    InputAudioRawFrame,
    LLMFullResponseEndFrame,
    LLMMessagesAppendFrame,
    LLMRunFrame,
    TTSAudioRawFrame,
    TTSTextFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.openai.realtime import events
from pipecat.services.openai.realtime.llm import OpenAIRealtimeLLMService
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 24_000


class Listener(FrameProcessor):
    """Behind the service: what it says."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told
        self._words: list[str] = []
        self.answers: asyncio.Queue[str] = asyncio.Queue()

    async def process_frame(self, frame, direction) -> None:
        """Look at a frame, and pass it on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            self._told.audio += frame.audio
        elif isinstance(frame, TTSTextFrame):
            self._words.append(frame.text)
        elif isinstance(frame, LLMFullResponseEndFrame) and self._words:
            self._told.said.append("".join(self._words))
            self._words.clear()
            self.answers.put_nowait(self._told.said[-1])
        await self.push_frame(frame, direction)


async def converse(url: str) -> Told:
    """Lead the conversation."""
    told = Told()
    turns = events.TurnDetection(type="server_vad")
    service = OpenAIRealtimeLLMService(
        api_key="any",
        base_url=url.partition("?")[0],
        settings=OpenAIRealtimeLLMService.Settings(
            session_properties=events.SessionProperties(
                audio=events.AudioConfiguration(input=events.AudioInput(turn_detection=turns))
            )
        ),
    )

    async def weather(params) -> None:
        told.calls.append([params.function_name, dict(params.arguments)])
        await params.result_callback(answered())

    service.register_function("weather", weather)
    schema = FunctionSchema("weather", TOOL["description"], PARAMETERS["properties"], PARAMETERS["required"])
    context = LLMContext([{"role": "user", "content": TEXTS[0]}], ToolsSchema(standard_tools=[schema]))
    aggregators = LLMContextAggregatorPair(context)
    listener = Listener(told)
    worker = PipelineWorker(
        Pipeline([aggregators.user(), service, listener, aggregators.assistant()]), idle_timeout_secs=None
    )
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    while not service._api_session_ready:  # or the tools come before it, or after it, as chance will have it
        await asyncio.sleep(0.01)
    await worker.queue_frame(LLMRunFrame())
    await listener.answers.get()
    message = {"role": "user", "content": TEXTS[1]}
    await service.queue_frame(LLMMessagesAppendFrame([message], run_llm=True))
    await listener.answers.get()
    for piece in pieces(QUESTION + SILENCE):
        await worker.queue_frame(InputAudioRawFrame(piece, RATE_HZ, 1))
        await asyncio.sleep(0.02)  # what a user interrupts is dropped from the pipeline, and takes its time
    await listener.answers.get()
    await worker.queue_frame(EndFrame())
    await running
    return told


if __name__ == "__main__":
    asyncio.run(main(converse))
