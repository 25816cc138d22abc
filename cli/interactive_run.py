"""Runs what `realtape replay --interactive` replays, again from the start as often as that is asked for."""

from __future__ import annotations

from dataclasses import replace

from ..replay import Played
from .interactive import Console, pausing
from .playing import Wish, play


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
            rate = wish.pace if console.play is None else console.play.transport.rate
            played = play(replace(wish, pace=rate), console.attach)
            if console.interrupted:
                raise KeyboardInterrupt
            if console.again is None:
                unreadable = None if console.play is None else console.play.unreadable
                if unreadable is not None:
                    raise unreadable
                return played
    finally:
        give_back()
