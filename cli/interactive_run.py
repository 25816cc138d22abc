"""Runs what `realtape replay --interactive` replays, again from the start as often as that is asked for."""

from __future__ import annotations

import asyncio

from ..replay import DivergenceError, run
from ..replay.model import ReplayBase
from ..replay.responder import Responder
from ..replay.watched import WatchedRecording
from . import output
from .applications import ApplicationError
from .interactive import Console, pausing
from .models import replay_model
from .replaying import GRACE_SECONDS, Played, Wish, call, end_tasks, is_divergence, lacks_of


def interact(wish: Wish) -> Played:
    """Replay under virtual time, at the prompt.

    Raises:
        KeyboardInterrupt: Ctrl-C at the prompt.
    """
    console = Console()
    give_back = pausing(console)
    try:
        while True:
            rate = None if console.transport is None else console.transport.rate
            played = run(_replay(wish, console), pace=rate)
            if console.interrupted:
                raise KeyboardInterrupt
            if console.again is None:
                return played
    finally:
        give_back()


async def _replay(wish: Wish, console: Console) -> Played:
    recording = await WatchedRecording.open(wish.target.store, wish.target.session)
    try:
        model = replay_model(recording.header.versions, output.note)(
            recording,
            expect=wish.expect.value,
            on_divergence="collect" if wish.collect else "raise",
        )
        left, over = asyncio.Event(), asyncio.Event()
        console.attach(model.transport, left.set, over.set)
        failure: ApplicationError | None = None
        try:
            await _until_left(wish, model, recording, left, over)
        except DivergenceError:
            pass  # it is in the report
        except ApplicationError as error:
            failure = None if left.is_set() or is_divergence(error.__cause__) else error
        return Played(model.report, tuple(lacks_of(recording)), failure)
    finally:
        await end_tasks()
        await recording.latest.close()
        await recording.close()


async def _until_left(
    wish: Wish, model: ReplayBase, recording: WatchedRecording, left: asyncio.Event, over: asyncio.Event
) -> None:
    """Until the application has returned, or the user leaves."""
    loop = asyncio.get_running_loop()
    running = loop.create_task(_play(wish, model, recording))
    leaving, ending = loop.create_task(left.wait()), loop.create_task(over.wait())
    try:
        await asyncio.wait({running, leaving, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not left.is_set():
            await asyncio.wait(
                {running}, timeout=GRACE_SECONDS if model.report.diverged else wish.stuck_after
            )
    finally:
        await model.abandon()
        done = running.done()
        for task in (running, leaving, ending):
            task.cancel()
        await asyncio.gather(running, leaving, ending, return_exceptions=True)
    if done and not running.cancelled():
        running.result()


async def _play(wish: Wish, model: ReplayBase, recording: WatchedRecording) -> None:
    if wish.application is None:
        await Responder(model, recording, wish.expect.value).run()
        return
    await recording.while_readable(call(wish.application, model))
    if model.report.recordings and not recording.latest.closed:
        await model.finished()  # what the application has not played when it returns
