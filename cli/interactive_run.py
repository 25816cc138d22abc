"""Runs what `realtape replay --interactive` replays, again from the start as often as that is asked for."""

from __future__ import annotations

from dataclasses import replace

from ..replay.control.transport import Transport
from .interactive import Console, pausing
from .playing import Played, Stage, Wish, play


def interact(wish: Wish) -> Played:
    """Replay under virtual time, at the prompt.

    Raises:
        KeyboardInterrupt: Ctrl-C at the prompt.
        StoreError, CorruptRecordError: the user left where the recording cannot be read any further.
    """
    console = Console()
    give_back = pausing(console)
    try:
        while True:
            rate = wish.pace if console.transport is None else console.transport.rate
            stage = Stage()
            played = _play(replace(wish, pace=rate), console, stage)
            if console.interrupted:
                raise KeyboardInterrupt
            if console.again is None:
                unreadable = stage.unreadable()
                if unreadable is not None:
                    raise unreadable
                return played
    finally:
        give_back()


def _play(wish: Wish, console: Console, stage: Stage) -> Played:
    def attach(transport: Transport) -> None:
        console.attach(transport, stage.leave, stage.unreadable)

    stage.on_transport = attach
    return play(wish, stage)
