"""What a place of `realtape sweep` costs in processor time: `python benchmarks/sweeping.py`.

A session of the SDK, with its own `RealtimeSession`, history and tools, and a player that reports what it
plays: turns of 2.4 seconds, every third with a call of a tool, one interruption. It is recorded on virtual
time. The places are those of `realtape sweep`, tried as by one of its processes; its processor time is
counted, with that of those that it forks.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimePlaybackTracker, RealtimeRunner, items
from agents.realtime import model_events as ev
from agents.realtime.testing import ScriptedRealtimeModel
from realtape.cli.sweep_job import FIRST, Answer, jobs_of, prepare
from realtape.integrations.branching import Grown
from realtape.integrations.openai_agents import Recorder
from realtape.lab import PATIENCE_SECONDS, TAIL_TURNS, promising, swept
from realtape.replay import run
from realtape.session import Recording

SECONDS = (12, 120)
MOST = 400
"""So many places are tried at most, evenly spread: what they have in common weighs more then."""
TURN_SECONDS = 2.4
CHUNK_MS = 100
CHUNK = bytes(24 * 2 * CHUNK_MS)
CHUNKS = 16


@function_tool
async def look_up(number: int) -> str:
    """Look an order up."""
    await asyncio.sleep(0.05)
    return f"order {number} is on its way"


async def app(model: Any) -> None:
    """The application: the SDK's session, and a player."""
    tracker = RealtimePlaybackTracker()
    tracker.set_audio_format("pcm16")
    runner = RealtimeRunner(RealtimeAgent(name="desk", tools=[look_up]), model=model)
    sound = asyncio.Queue[Any]()
    session = await runner.run(model_config={"playback_tracker": tracker})
    async with session:
        playing = asyncio.create_task(_play(sound, tracker))
        async for event in session:
            if event.type == "audio":
                sound.put_nowait(event.audio)
            elif event.type == "audio_interrupted":
                while not sound.empty():
                    sound.get_nowait()
        playing.cancel()


async def _play(sound: asyncio.Queue[Any], tracker: RealtimePlaybackTracker) -> None:
    while True:
        audio = await sound.get()
        await asyncio.sleep(CHUNK_MS / 1000)
        tracker.on_play_bytes(audio.item_id, audio.content_index, audio.data)


async def record(store: Path, seconds: int) -> None:
    """Record a session of so many seconds."""
    async with Recorder(store) as recorder:
        model = ScriptedRealtimeModel(strict=False)
        speaking = asyncio.create_task(_speak(model, round(seconds / TURN_SECONDS)))
        await app(recorder.wrap(model))
        await speaking


async def _speak(model: ScriptedRealtimeModel, turns: int) -> None:
    await asyncio.sleep(0.1)  # it connects in no time
    for turn in range(turns):
        response, item = f"resp_{turn}", f"item_{turn}"
        await asyncio.sleep(0.4)
        await model.emit(ev.RealtimeModelTurnStartedEvent(response_id=response), _said(item, ""))
        for number in range(CHUNKS):
            await asyncio.sleep(0.02)
            await model.emit(
                ev.RealtimeModelTranscriptDeltaEvent(
                    item_id=item, delta=f"word {number} ", response_id=response
                ),
                ev.RealtimeModelAudioEvent(CHUNK, response, item, 0),
            )
        await model.emit(ev.RealtimeModelAudioDoneEvent(item, 0), _said(item, "all the words"))
        if turn % 3 == 1:
            arguments = json.dumps({"number": turn})
            await model.emit(
                ev.RealtimeModelToolCallEvent("look_up", f"call_{turn}", arguments, f"tool_{turn}")
            )
        await asyncio.sleep(1.0)
        if turn == 2:
            await model.emit(ev.RealtimeModelAudioInterruptedEvent(item, 0))
        await asyncio.sleep(TURN_SECONDS - 1.4 - 0.02 * CHUNKS)
        await model.emit(ev.RealtimeModelTurnEndedEvent(response_id=response))
    await model.emit(ev.RealtimeModelEndOfStreamEvent())


def _said(item: str, words: str) -> ev.RealtimeModelItemUpdatedEvent:
    said = items.AssistantMessageItem(item_id=item, content=[items.AssistantAudio(transcript=words)])
    return ev.RealtimeModelItemUpdatedEvent(said)


def swept_in_seconds(store: Path) -> tuple[int, float]:
    """A sweep of it in this process, and those that it forks: how many places there are, and the processor
    time of one in seconds."""
    draft = asyncio.run(Recording.open(store)).drafts()[0]
    places = promising(draft, [one for one in swept(draft) if one.edit is not None])
    step = -(-len(places) // MOST)
    tried = places[::step]
    work = jobs_of(
        [draft],
        tried,
        turns=lambda at: None if at < FIRST // step else TAIL_TURNS,
        patience=PATIENCE_SECONDS,
        timeout=60.0,
        number=1,
    )
    swing = prepare(("sweeping:app", (draft,), ()))
    answers: list[Answer] = []
    began = _processor_time()
    for job in work:
        swing(job, answers.append)
    took = _processor_time() - began
    assert len(answers) == len(tried)
    assert all(isinstance(found, Grown) for _, found in answers), "each was tried where it branches off"
    return len(places), took / len(tried)


def _processor_time() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def table() -> list[str]:
    """Measure; returns the lines of a table."""
    lines = [
        "| a session of | places | processor time of a place, ms | places in a second of it |",
        "|---|---:|---:|---:|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        for seconds in SECONDS:
            store = Path(folder) / f"{seconds}.db"
            run(record(store, seconds))
            places, each = swept_in_seconds(store)
            lines.append(f"| {seconds} s | {places:,} | {each * 1000:.1f} | {1 / each:.0f} |")
    return lines


if __name__ == "__main__":
    sys.stdout.write("\n".join(table()) + "\n")
