"""Models of a test: one that is recorded, and one that is replayed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ...recorder import Recorder
from ...replay import DivergenceError, ReplayReport
from ...replay.model import ReplayBase
from ...schema.addresses import locate
from ...schema.errors import RealtapeError, UsageError
from ...schema.model import RealtimeModel
from ...schema.rows import fetch_sessions
from ...schema.stores import open_blocking
from ...session import Recording
from ...session.drafts import Draft, read_drafts
from ...session.redaction import redacted
from ..classes import recorder_class, replay_class
from . import places
from .settings import Settings


class Take:
    """A model that is recorded, into a store of its own until the test has passed.

    Attributes:
        path: where the recording is to lie.
        store: where it is meanwhile.
        model: for the application.
    """

    def __init__(
        self, inner: Any, path: Path, store: Path, options: Mapping[str, Any], labels: Mapping[str, str]
    ) -> None:
        self.path = path
        self.store = store
        self.recorder = recorder_class(cast("type[Any]", type(inner)))(
            store, redactors=options.get("redactors", ())
        )
        if not self.recorder.enabled:
            raise UsageError("REALTAPE_DISABLED=1: nothing can be recorded; unset it")
        self.model: Any = self.recorder.wrap(inner, labels=labels)

    def put(self, settings: Settings) -> None:
        """Move the recording into place.

        Raises:
            UsageError: there is nothing to be kept.
            StoreError, OSError: it could not be written.
        """
        self.recorder.close_blocking()
        if not self.store.exists():
            raise UsageError("the model was never connected: nothing was recorded")
        drafts = _read_store(self.store)
        if settings.redact is not None:
            drafts = redacted(drafts, audio=settings.record_audio, **settings.redact)
        places.put(drafts, self.path, audio_files=settings.record_audio != "drop")


class Replay:
    """A model that is replayed.

    Attributes:
        path: where its recording lies.
        store: where what it does is recorded, if that is to be kept.
        model: for the application.
    """

    def __init__(self, path: Path, store: Path | None, options: Mapping[str, Any]) -> None:
        self.path = path
        self.store = store
        drafts = places.read(path)
        self._recording = Recording.of(*drafts, name=str(path))
        replays = replay_class(self._recording.header.versions)
        self._replay: ReplayBase = replays(self._recording, **options)
        self._ended = False
        self._recorder: Recorder | None = None
        self.model: Any = self._replay
        if store is not None:
            self._recorder = recorder_class(type(self._replay))(store, redactors=options.get("redactors", ()))
            # It has the interface of one of the two: the class of the recorder says which.
            self.model = self._recorder.wrap(cast("RealtimeModel", self._replay))

    @property
    def report(self) -> ReplayReport:
        """What was found up to now."""
        return self._replay.report

    @property
    def connected(self) -> bool:
        """Whether the application has connected it."""
        return bool(self.report.recordings) or self.report.diverged

    async def finish(self) -> None:
        """Wait until it is played. What diverged is in the report.

        Raises:
            RealtapeError: a matcher failed, or the recording cannot be read any further.
        """
        if self._ended or not self.connected:
            return
        self._ended = True
        try:
            await self._replay.finished()
        except DivergenceError:
            pass  # in the report, by which the test is judged

    async def abandon(self) -> None:
        """Play nothing more: the test has failed."""
        if not self._ended:
            self._ended = True
            await self._replay.abandon()

    def kept(self) -> bool:
        """Close what records it. Returns whether anything was recorded."""
        if self._recorder is None or self.store is None:
            return False
        self._recorder.close_blocking()
        return self.store.exists()

    def close(self) -> None:
        """Let go of the recording, however the replay ended: its loop may be gone."""
        self.kept()
        self._recording.close_blocking()
        self._replay.recording.close_blocking()


def _read_store(store: Path) -> list[Draft]:
    address = locate(store)
    with open_blocking(address) as connection:
        first = fetch_sessions(connection)[0]
    drafts = read_drafts(address, first.header.id)
    if not drafts:
        raise RealtapeError(f"{store}: no session of the model that was recorded")
    return drafts
