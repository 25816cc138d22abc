"""livekit-plugins-openai: its realtime model and session, as LiveKit's `AgentSession` uses them."""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import asyncio
import json

import aiohttp
from clients.conversation import QUESTION, SILENCE, TEXTS, TOOL, Told, answered, main, pieces
from livekit import rtc
from livekit.agents import llm
from livekit.plugins.openai.realtime import RealtimeModel
from openai.types.realtime.realtime_audio_input_turn_detection import ServerVad

RATE_HZ = 24_000


async def converse(url: str) -> Told:
    """Lead the conversation."""
    told = Told()
    spoken: asyncio.Queue = asyncio.Queue()
    schema = {name: TOOL[name] for name in ("name", "description", "parameters")}

    @llm.function_tool(raw_schema=schema)
    async def weather(raw_arguments: dict) -> str:
        return answered()

    async with aiohttp.ClientSession() as http:
        model = RealtimeModel(
            base_url=url.partition("?")[0],
            api_key="any",
            turn_detection=ServerVad(type="server_vad", create_response=True),
            http_session=http,
        )
        session = model.session()
        session.on("generation_created", lambda one: None if one.user_initiated else spoken.put_nowait(one))
        await session.update_tools([weather])
        for text in TEXTS:
            context = session.chat_ctx.copy()
            context.add_message(role="user", content=text)
            await session.update_chat_ctx(context)
            await _response(session, await session.generate_reply(), told)
        for piece in pieces(QUESTION + SILENCE):
            session.push_audio(rtc.AudioFrame(piece, RATE_HZ, 1, len(piece) // 2))
        await _response(session, await spoken.get(), told)
        await session.aclose()
        await model.aclose()
    return told


async def _response(session, generation, told: Told) -> None:
    """Up to an answer that calls no tool."""
    async for message in generation.message_stream:
        told.said.append("".join([str(text) async for text in message.text_stream]))
        async for frame in message.audio_stream:
            told.audio += bytes(frame.data)
    calls = [call async for call in generation.function_stream]
    for call in calls:
        told.calls.append([call.name, json.loads(call.arguments)])
        context = session.chat_ctx.copy()
        output = llm.FunctionCallOutput(
            call_id=call.call_id, name=call.name, output=answered(), is_error=False
        )
        context.items.append(output)
        await session.update_chat_ctx(context)
    if calls:
        await _response(session, await session.generate_reply(), told)


if __name__ == "__main__":
    asyncio.run(main(converse))
