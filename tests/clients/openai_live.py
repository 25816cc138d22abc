"""The `openai` package's client of the Live API: a spoken conversation in which the model calls a tool."""

from __future__ import annotations

import asyncio
import base64
import json
from itertools import cycle
from typing import Any

from clients.conversation import ANSWERS, QUESTION, SILENCE, Told, answered, main, pieces
from openai import AsyncOpenAI

SAID_BYTES = 2_880
"""Of audio for each character that the local provider says."""


async def converse(url: str) -> Told:
    """Lead the conversation: append audio for as long as the model has something to say."""
    told, closed = Told(), asyncio.Event()
    base = url.partition("?")[0].removesuffix("/live/sessions")
    client = AsyncOpenAI(api_key="any", websocket_base_url=base)
    async with client.live.connect() as live:
        started = asyncio.Event()
        hearing = asyncio.create_task(_hear(live, told, started, closed))
        await live.session.start(
            session={"model": "gpt-live-1", "instructions": "Be brief."}, event_id="mine-1"
        )
        await started.wait()
        await live.session.input_audio.mute()
        await live.session.input_audio.unmute()
        speech = cycle(pieces(QUESTION + SILENCE))
        while told.said != list(ANSWERS[1:]) or len(told.audio) < SAID_BYTES * sum(map(len, told.said)):
            await live.session.input_audio.append(audio=base64.b64encode(next(speech)).decode())
            await asyncio.sleep(0.001)  # a microphone gives way, too
        await live.session.close(event_id="mine-2")
        await closed.wait()
        await hearing
    return told


async def _hear(live: Any, told: Told, started: asyncio.Event, closed: asyncio.Event) -> None:
    async for event in live:
        match event.type:
            case "session.started":
                assert event.client_event_id == "mine-1"
                started.set()
            case "session.output_audio.delta":
                told.audio += base64.b64decode(event.delta)
            case "session.output_transcript.delta":
                told.said.append(event.delta)
            case "response.event" if event.event["type"] == "response.output_item.done":
                call = event.event["item"]
                told.calls.append([call["name"], json.loads(call["arguments"])])
                output = {"type": "function_call_output", "call_id": call["call_id"], "output": answered()}
                await live.response.item.create(item=output)
                await live.response.create()
            case "session.closed":
                assert event.client_event_id == "mine-2"
                closed.set()
            case "error":
                raise RuntimeError(event.error)
            case _:
                pass


if __name__ == "__main__":
    asyncio.run(main(converse))
