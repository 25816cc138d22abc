"""Models of a test: one that is recorded, and one that is replayed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from ...recorder import Recorder
from ...replay import Play, ReplayOptions, ReplayReport
from ...schema import RealtapeError, UsageError
from ...schema.log import fetch_sessions, locate, open_blocking
from ...session import Draft, Recording, read_drafts
from ...session.redaction import Redaction, redacted
from ..accepting import RecordedReplay, accepted_replay, redacted_again
from ..classes import class_at, recorder_class, replay_class
from .plugin_options import PluginOptions
from .recordings import put, read

LABEL = "test"
"""Of a recording that a test has made: which test."""


class RecordedModel:
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
        depth = options.get("depth")
        wrap: Any = self.recorder.wrap
        self.model: Any = wrap(inner, labels=labels, **({"depth": depth} if depth else {}))

    def put(self, settings: PluginOptions) -> None:
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
        put(drafts, self.path, audio_files=settings.record_audio != "drop")


class ReplayedModel:
    """A model that is replayed.

    Attributes:
        path: where its recording lies.
        store: where what it does is recorded, if that is wanted.
        model: for the application.
        recordable: whether a test has recorded it, so that it can be recorded anew.
    """

    def __init__(
        self,
        path: Path,
        store: Path | None,
        options: Mapping[str, Any],
        *,
        update: bool = False,
        origins: Path | None = None,
    ) -> None:
        self.path = path
        self.store = store
        self._drafts = read(path, origins)
        self._recording = Recording.of(*self._drafts, name=str(path))
        self.recordable = LABEL in self._recording.header.labels
        replays = replay_class(self._recording.header.versions)
        told = {**options, "on_divergence": "collect"} if update else dict(options)
        depth: Any = told.pop("depth", None)
        played_by = class_at("interface" if update else depth, self._recording, replays)
        self._play = Play(self._recording, model=played_by, **cast("ReplayOptions", told))
        self._ended = False
        self._recorder: Recorder | None = None
        self._recorded: RecordedReplay | None = None
        self.model: Any = self._play.model
        if store is None:
            return
        redactors = options.get("redactors", ())
        if update:
            self._recorded = RecordedReplay(self._play, store, redactors, closes=False)
            self._recorder, self.model = self._recorded.recorder, self._recorded.model
        else:
            self._recorder = recorder_class(replays)(store, redactors=redactors)
            self.model = self._recorder.wrap(self.model)

    def update(self, settings: PluginOptions) -> str:
        """Let the recording hold what the application did; returns what is otherwise, in words, or nothing.

        Raises:
            UsageError: the recording is not whole, or what was done cannot be one.
            StoreError, OSError: it could not be written; it is as it was.
        """
        assert self._recorded is not None, "it was to be updated"
        change = accepted_replay(self._drafts, self._recorded, self._play.played(), "pytest")
        if not change.differs:
            return ""
        drafts: list[Draft] = [*change.acceptance.drafts]
        was_redacted = any(Redaction.told_by(one.header.source) for one in self._drafts)
        if settings.redact is not None or was_redacted:
            drafts = redacted_again(drafts, audio=settings.record_audio, **(settings.redact or {}))
        put(drafts, self.path, audio_files=None if settings.record_audio == "keep" else True)
        divergences = self.report.divergences
        told = [str(one).splitlines()[0] for one in divergences] or ["settings, or what was heard"]
        return "; ".join([*told, *change.acceptance.stays])

    @property
    def report(self) -> ReplayReport:
        """What was found up to now."""
        return self._play.report

    @property
    def connected(self) -> bool:
        """Whether the application has connected it."""
        return bool(self.report.recordings) or self.report.diverged

    async def finish(self) -> None:
        """Wait until it is played. What diverged is in the report.

        Raises:
            RealtapeError: a matcher failed, or the recording cannot be read any further.
        """
        if not self._ended and self.connected:
            self._ended = True
            await self._play.finish()
            await self._end_user()

    async def abandon(self) -> None:
        """Play nothing more: the test has failed."""
        if not self._ended:
            self._ended = True
            await self._play.abandon()
            await self._end_user()

    async def _end_user(self) -> None:
        if self._recorded is not None:
            await self._recorded.user.end()

    def write_page(self, path: Path, redact: Mapping[str, Any] | None) -> list[str] | None:
        """Write a page: the recording beside what the application did. Returns links to where it diverged;
        None where it did nothing, and there is no page."""
        if not self.kept() or self.store is None:
            return None
        from ...viewer import links_of, write_comparison  # only a failing test needs what draws it

        did = _read_store(self.store)
        if not did:
            return None
        told = self.report.places
        write_comparison(
            self._drafts,
            did,
            path,
            store=self.path.name,
            other_store=None,
            redact=redact,
            divergences=told,
        )
        return links_of(path, self._drafts, told)

    def kept(self) -> bool:
        """Close what records it. Returns whether anything was recorded."""
        if self._recorder is None or self.store is None:
            return False
        self._recorder.close_blocking()
        return self.store.exists()

    def close(self) -> None:
        """Let go of the recording, however the replay ended: its loop may be gone."""
        self.kept()
        self._play.close_blocking()
        self._recording.close_blocking()


def _read_store(store: Path) -> list[Draft]:
    address = locate(store)
    with open_blocking(address) as connection:
        first = fetch_sessions(connection)[0]
    drafts = read_drafts(address, first.header.id)
    if not drafts:
        raise RealtapeError(f"{store}: no session of the model that was recorded")
    return drafts
