"""What the command line is asked to replay, and its play on virtual time: for `replay`, its prompt and
`check`."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from ..integrations.accepting import RecordedReplay
from ..integrations.classes import class_at, replay_class
from ..integrations.replay_settings import client_ids_of, expect_of, matchers_of, redactors_of
from ..replay import (
    PATIENCE_SECONDS,
    Application,
    Depth,
    Expectation,
    Play,
    Played,
    ReplayBase,
    ReplayModel,
    ReplayOptions,
    run,
)
from ..schema import UsageError
from ..schema.log import fetch_headers, open_blocking
from ..session import Draft, Recording, Target, choose
from ..session.fixture import located
from . import output
from .bounds import WHOLE, Bounds
from .exit_codes import Exit


@dataclass(frozen=True)
class Wish:
    """What is to be replayed, and how.

    Attributes:
        application: None to answer from the recording itself.
        collect: go on after a divergence.
        patience: virtual seconds after which what has not come, or has not returned, will not.
        pace: how many times faster than it happened; None: as fast as can be.
        strict: what was not checked is a failure, and so are settings that differ.
        learned: what was learned of the recording's calls counts.
        matchers, client_ids: as a setting says them; None: none.
        audio, playback, playback_ms: as of `ReplayModel`.
        redactors: names of those that the recorder had.
        clocks: the clocks of the process follow the recording.
        origins: a file that keeps what was learned, of a store that is only read.
        depth: `interface`, `wire`, or `auto`: the deepest that can be played whole.
        faults, fault_seed: that are injected below the interface.
        stretch: only what is otherwise in it counts.
    """

    target: Target
    application: Application | None = None
    expect: Expectation = "reactions"
    collect: bool = False
    patience: float = PATIENCE_SECONDS
    pace: float | None = None
    strict: bool = False
    learned: bool = True
    matchers: str | None = None
    client_ids: str | None = None
    audio: str = "bytes"
    playback: str = "tolerant"
    playback_ms: float | None = None
    redactors: tuple[str, ...] = ()
    clocks: bool = False
    origins: Path | None = None
    depth: str = "auto"
    faults: tuple[Any, ...] = ()
    fault_seed: int = 0
    stretch: Bounds = WHOLE

    def options(self) -> ReplayOptions:
        """As arguments of a `ReplayModel`.

        Raises:
            UsageError: a setting names what there is not.
        """
        faults: ReplayOptions = {"faults": self.faults, "fault_seed": self.fault_seed} if self.faults else {}
        return {
            **faults,
            "expect": self.expect,
            "on_divergence": "collect" if self.collect else "raise",
            "patience": self.patience,
            "strict": self.strict,
            "learned": self.learned,
            "matchers": () if self.matchers is None else matchers_of(self.matchers),
            "client_ids": None if self.client_ids is None else client_ids_of(self.client_ids),
            "audio": cast("Any", self.audio),
            "playback": cast("Any", self.playback),
            "playback_ms": self.playback_ms,
            "redactors": redactors_of(self.redactors),
        }


def expectation_of(told: Sequence[str]) -> Expectation:
    """What `--expect` says, as often as it is given.

    Raises:
        UsageError: that is no expectation.
    """
    decisions = dict(one.split("=", 1) for one in told if "=" in one)
    words = [one for one in told if "=" not in one]
    if len(words) > 1 or (decisions and words not in ([], ["reactions"])):
        raise UsageError(f"--expect {' '.join(told)}: one word, or decisions on single sends beside it")
    return expect_of(decisions or (words[0] if words else "reactions"))


def play(
    wish: Wish, on_play: Callable[[Play], object] = lambda play: None, kept: list[Draft] | None = None
) -> Played:
    """Replay on an event loop of its own.

    Args:
        on_play: called with the play before the application has its model.
        kept: gets what the application did, as sessions; what the user did is done in his place then.

    Raises:
        StoreError, CorruptRecordError: the recording cannot be read.
        UsageError: it cannot be replayed.
    """
    began_ns = _began_ns(wish.target) if wish.clocks else None
    return run(_play(wish, on_play, kept), pace=wish.pace, clocks_from_ns=began_ns)


def _began_ns(target: Target) -> int:
    """When a recording began: Unix time in nanoseconds."""
    address = located(target.store)
    with open_blocking(address) as connection:
        return choose(address, fetch_headers(connection), target.session).header.started_ns


async def _play(wish: Wish, on_play: Callable[[Play], object], kept: list[Draft] | None) -> Played:
    target = wish.target
    async with await Recording.open(target.store, target.session, origins=wish.origins) as recording:
        if wish.depth not in ("auto", "interface", "wire"):
            raise UsageError(f"--depth {wish.depth}: auto, interface or wire")
        depth: Depth | None = None if wish.depth == "auto" else wish.depth
        if kept is not None:  # what is recorded of a replay is what the application sees
            depth = depth or "interface"
        at_interface = replay_model(recording.header.versions, output.note)
        model = class_at(depth, recording, at_interface, driven=wish.application is not None)
        async with Play(recording, model=model, tell=output.note, **wish.options()) as play:
            on_play(play)
            if kept is None or wish.application is None:
                await play.perform(wish.application)
            else:
                await _recorded(play, wish.application, kept)
        played = play.played()
        if wish.stretch.is_whole:
            return played
        held = _held(wish.stretch, drafts := recording.drafts())
        behind = {
            draft.header.id: len(draft.entries)
            for nth, draft in enumerate(drafts, 1)
            if wish.stretch.is_open(nth)
        }

        def counts(id: str, seq: int) -> bool:
            return (id, seq) in held or seq >= behind.get(id, math.inf)

        report = played.report.within(counts, end=drafts[-1].header.id in behind)
        return replace(played, report=report)


def _held(stretch: Bounds, drafts: Sequence[Draft]) -> set[tuple[str, int]]:
    """The entries that lie in a stretch: the ids of their sessions, and their numbers.

    Raises:
        UsageError: there are none.
    """
    held = {
        (draft.header.id, one.seq)
        for nth, draft in enumerate(drafts, 1)
        for one in draft.entries
        if stretch.holds(one, nth)
    }
    if not held:
        more = f", and {len(drafts) - 1} more that follow it" if len(drafts) > 1 else ""
        raise UsageError(
            f"nothing of session {drafts[0].header.id} lies between --from and --to: it has "
            f"{len(drafts[0].entries)} entries, in {drafts[0].entries[-1].at_ns / 1e9:.3f} s{more}"
        )
    return held


async def _recorded(play: Play, application: Application, kept: list[Draft]) -> None:
    with tempfile.TemporaryDirectory(prefix="realtape-replay-") as folder:
        recorded = RecordedReplay(play, Path(folder) / "log.db", closes=False)
        try:
            await play.perform(lambda _: application(recorded.model))
        finally:
            await recorded.user.end()
            kept += recorded.drafts()


def replay_model(versions: Mapping[str, str], note: Callable[[str], None]) -> type[ReplayBase]:
    """The class whose interface the recorded application was written for.

    Args:
        versions: of the recording's header.
        note: gets a sentence where it is another class, because the right one is not here.
    """
    try:
        return replay_class(versions)
    except UsageError as error:
        note(f"{error}; replaying with Realtape's own event classes")
        return ReplayModel


def exit_of_played(played: Played) -> Exit:
    """The verdict as an exit code."""
    if played.verdict in ("diverged", "failed"):
        return Exit.DIVERGED
    return Exit.INCOMPLETE if played.verdict == "incomplete" else Exit.SAME
