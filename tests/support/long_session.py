"""A long telephone session of hundreds of turns, in one of which something goes wrong: a scripted model,
recorded with our own recorder on virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from realtape import schema
from realtape.recorder import Recorder
from realtape.replay import run
from realtape.schema import items

from .scripted import Listening, Scripted, ScriptedModel

ENTRIES_A_TURN = 25
"""About: those with a call of a tool have more."""

WORDS = ("Your ", "order ", "is ", "on ", "its ", "way", ".")


def record_long(store: Path, turns: int, bad_turn: int | None = None) -> None:
    """Record it. In the bad turn the money is paid back twice."""
    run(_record(store, turns, bad_turn))


async def _record(store: Path, turns: int, bad_turn: int | None) -> None:
    async with Recorder(store) as recorder:
        model = recorder.wrap(ScriptedModel(lambda model: _speak(model, turns, bad_turn)))
        over = asyncio.Event()

        async def react(event: Any) -> None:
            if event.type == "function_call":
                output = "paid back" if event.name == "refund" else "found"
                answer = schema.RealtimeModelSendToolOutput(
                    tool_call=event, output=output, start_response=True
                )
                await model.send_event(answer)
            if event.type == "turn_ended":
                over.set()

        model.add_listener(Listening(react))
        await model.connect({})
        for turn in range(turns):
            over.clear()
            await asyncio.sleep(0.5 + turn % 3)
            await model.send_event(schema.RealtimeModelSendUserInput(user_input=f"Question {turn}"))
            await over.wait()
        await model.close()


async def _speak(model: Scripted, turns: int, bad_turn: int | None) -> None:
    for turn in range(turns):
        await model.until_sent(turn + 1, "UserInput")
        await asyncio.sleep(0.2)
        response, item = f"resp_{turn}", f"item_{turn}"
        await model.emit(schema.RealtimeModelTurnStartedEvent(response_id=response))
        if turn == bad_turn:
            await model.emit(_call(turn, 0, "refund"), _call(turn, 1, "refund"))
        elif turn % 4 == 0:
            await model.emit(_call(turn, 0, "look_up"))
        await model.emit(_said(item, ""))
        for number, word in enumerate(WORDS):
            await asyncio.sleep(0.02)
            await model.emit(
                schema.RealtimeModelTranscriptDeltaEvent(item_id=item, delta=word, response_id=response),
                schema.RealtimeModelAudioEvent(
                    data=bytes([turn % 250, number]) * 480,
                    response_id=response,
                    item_id=item,
                    content_index=0,
                ),
            )
        await model.emit(
            schema.RealtimeModelAudioDoneEvent(item_id=item, content_index=0),
            _said(item, "".join(WORDS)),
            schema.RealtimeModelTurnEndedEvent(response_id=response),
        )


def _call(turn: int, number: int, name: str) -> schema.RealtimeModelToolCallEvent:
    return schema.RealtimeModelToolCallEvent(
        name=name, call_id=f"call_{turn}_{number}", arguments="{}", id=f"item_{turn}_{name}_{number}"
    )


def _said(item: str, words: str) -> schema.RealtimeModelItemUpdatedEvent:
    said = items.AssistantMessageItem(item_id=item, content=[items.AssistantAudio(transcript=words)])
    return schema.RealtimeModelItemUpdatedEvent(said)
