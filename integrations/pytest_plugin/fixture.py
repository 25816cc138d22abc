"""What the fixture `realtape` gives a test."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import shlex
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

from ...replay import ReplayReport, run
from ...schema import RealtapeError
from .failure_text import comes_of_replay, missing, section, shown, summary
from .guard import Guard, guarding
from .models import LABEL, RecordedModel, ReplayedModel
from .plugin_options import REPLAY_OPTIONS
from .recording_plan import RecordingPlan
from .recordings import UnreadableRecordingError, exists, exists_any, keep, page_path, require_place

_Result = TypeVar("_Result")

SHOWN = 3
"""Of what was not checked in a replay, so many are named."""


class Page(NamedTuple):
    """A page of a test that has failed.

    Attributes:
        path: as one types it here.
        link: to the first divergence in it; None where there is none.
    """

    path: str
    link: str | None

    @property
    def portable(self) -> str:
        """The path and the place in it, for who has the file elsewhere."""
        return self.path + ("#" + self.link.partition("#")[2] if self.link else "")


class Realtape:
    """The models of one test: `realtape.model(…)` gives the application one."""

    def __init__(self, plan: RecordingPlan, config: pytest.Config) -> None:
        self._plan = plan
        self._config = config
        self._here = Path(config.invocation_params.dir)
        self._recorded: list[RecordedModel] = []
        self._replayed: list[ReplayedModel] = []
        self._paths: set[Path] = set()
        self._unnamed = 0
        self._stack = contextlib.ExitStack()
        self._unguard = contextlib.ExitStack()
        self._temporary: Path | None = None
        self._guard: Guard | None = None
        self._kept: list[str] = []
        self.pages: list[Page] = []
        """Of a test that has failed: pages that show how."""
        self.updated: list[str] = []
        """Of a test that has passed: which recordings hold what it did from now on, and what is otherwise."""

    @property
    def replaying(self) -> bool:
        """Whether the test's models are replays: all that it has made, or else its first."""
        return not self._recorded if self._recorded or self._replayed else not self._plan.begins_recording

    @property
    def reports(self) -> Sequence[ReplayReport]:
        """What the replays of this test found up to now, in the order of their models."""
        return [replay.report for replay in self._replayed]

    def model(self, make: Callable[[], Any] | None = None, *, name: str | None = None, **options: Any) -> Any:
        """A model for the application: a replay of the recording, or the real one, which is recorded.

        Args:
            make: makes the real model; called only where one is recorded.
            name: of this model, where the test has several. The first without a name has the test's
                recording, the second is called `2`, and so on.
            options: arguments of `ReplayModel`, beyond those of the marker and before them.

        Fails the test where the recording is missing or cannot be read.

        Raises:
            pytest.UsageError: an option that there is not, a name twice, or nothing that makes a model.
        """
        unknown = sorted(options.keys() - set(REPLAY_OPTIONS))
        if unknown:
            raise pytest.UsageError(
                f"realtape.model knows no {', '.join(unknown)}: {', '.join(REPLAY_OPTIONS)}"
            )
        if name is None:
            self._unnamed += 1
        path = self._plan.path_of(self._unnamed, name)
        if path in self._paths:
            raise pytest.UsageError(f"this test has a model {name!r} already: give each a name of its own")
        self._paths.add(path)
        told = {**self._plan.settings.replay, **options}
        try:
            return self._record(make, path, told) if self._plan.records(path) else self._replay(path, told)
        except UnreadableRecordingError as error:
            pytest.fail(f"unreadable recording: {error}", pytrace=False)

    def run(self, main: Coroutine[Any, Any, _Result]) -> _Result:
        """`asyncio.run` for a test that is no coroutine: a replay is on virtual time, and is played to its
        end."""
        whole = self._whole(main)
        return run(whole) if self._plan.virtual else asyncio.run(whole)

    # --- for the hooks --------------------------------------------------------------------------------

    @property
    def made(self) -> list[Path]:
        """The recordings that this test has made."""
        return [recorded.path for recorded in self._recorded]

    @property
    def found(self) -> dict[Path, ReplayReport]:
        """The reports of its replays, by the places of their recordings."""
        return {replay.path: replay.report for replay in self._replayed}

    @contextlib.contextmanager
    def opened(self, item: pytest.Item) -> Generator[None]:
        """From the set-up of the fixture to its tear-down."""
        if hasattr(getattr(item, "obj", None), "hypothesis"):
            raise pytest.UsageError(
                "a test of hypothesis has many examples, and one recording: use `ReplayModel` itself"
            )
        if not self._plan.begins_recording:
            settings = self._plan.settings
            self._guard = Guard(self._plan.test, settings.allow_hosts, loopback=settings.allow_loopback)
            self._unguard.enter_context(guarding(self._guard))
        with self._stack, self._unguard:
            if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
                test, item.obj = item.obj, self._finishing(item.obj)
                self._stack.callback(setattr, item, "obj", test)
            yield

    def judge(self, error: BaseException | None) -> None:
        """The test has returned, or raised: fail it where it is to fail, else keep what was recorded.

        Raises:
            pytest.fail.Exception: in the place of `error`, or of success.
        """
        diverged = [replay.report for replay in self._replayed if replay.report.diverged]
        failure: str | None = None
        settings = self._plan.settings
        if diverged and settings.check and not settings.update and self._is_ours(error):
            failure = summary(diverged[0], error, self._here)
        elif error is None:
            failure = self._complaint()
        if failure is None and error is None:
            self._put()
            if settings.update:
                self._update()
            return
        self._keep()
        self._write_pages()
        if failure is not None and (error is None or not self._config.getoption("fulltrace")):
            raise pytest.fail.Exception(failure, pytrace=False) from None

    @property
    def unchecked(self) -> list[str]:
        """What of the replays of a test that has passed was not checked, a line for each."""
        found: list[str] = []
        for replay in self._replayed:
            if replay.report.remark and not replay.report.diverged:
                lines = [one.line for one in replay.report.unchecked]
                told = "; ".join(lines[:SHOWN]) + ("; …" if len(lines) > SHOWN else "")
                found.append(f"{shown(replay.path, self._here)}: {replay.report.remark}: {told}")
        return found

    def section(self) -> str:
        """What the report of a failing test says of its replays."""
        parts: list[str] = []
        for replay in self._replayed:
            path = shown(replay.path, self._here)
            parts.append(
                "\n".join(section(path, replay.report, self._plan.test, recordable=replay.recordable))
            )
        if self._recorded and not self._replayed:
            parts.append("this test was recorded; it failed, so the recording was dropped")
        if self.pages:
            told = [f"  {line}" for page in self.pages for line in (page.path, page.link) if line]
            parts.append("\n".join(["the recording beside what the test did, to see and hear:", *told]))
        if self._kept:
            parts.append("\n".join(self._kept))
        elif parts and not self._plan.settings.keep:
            parts[-1] += "\n\nto keep what the test did now as a recording: --realtape-keep"
        return "\n\n".join(parts)

    async def _whole(self, main: Coroutine[Any, Any, _Result]) -> _Result:
        try:
            result = await main
        except BaseException:
            for replay in self._replayed:
                await replay.abandon()
            raise
        for replay in self._replayed:
            await replay.finish()
        return result

    # --- helpers --------------------------------------------------------------------------------------

    def _finishing(self, test: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
        @functools.wraps(test)
        async def finishing(*args: Any, **kwargs: Any) -> Any:
            return await self._whole(test(*args, **kwargs))

        return finishing

    def _record(self, make: Callable[[], Any] | None, path: Path, options: Mapping[str, Any]) -> Any:
        if make is None:
            raise pytest.UsageError(
                "nothing makes the model that is to be recorded: realtape.model(lambda: …the real one…)"
            )
        require_place(path)
        self._unguard.close()
        recorded = RecordedModel(make(), path, self._store("recorded"), options, {LABEL: self._plan.test})
        self._stack.callback(recorded.recorder.close_blocking)
        self._recorded.append(recorded)
        return recorded.model

    def _replay(self, path: Path, options: Mapping[str, Any]) -> Any:
        if not exists(path):
            told = shown(path, self._here)
            others = exists_any(self._plan.path)
            pytest.fail(missing(told, self._plan.test, test_has_others=others), pytrace=False)
        settings = self._plan.settings
        wanted = settings.keep or settings.update or settings.html
        store = self._store("replayed") if wanted else None
        replay = ReplayedModel(path, store, options, update=settings.update, origins=settings.origins)
        self._stack.callback(replay.close)
        self._replayed.append(replay)
        return replay.model

    def _store(self, what: str) -> Path:
        if self._temporary is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="realtape-"))
            self._stack.callback(shutil.rmtree, self._temporary)
        return self._temporary / f"{what}-{len(self._recorded) + len(self._replayed) + 1}.db"

    def _is_ours(self, error: BaseException | None) -> bool:
        return error is None or comes_of_replay(error)

    def _complaint(self) -> str | None:
        """What is wrong with a test that has returned."""
        if self._guard is not None and self._guard.refused:
            return f"refused: {self._guard.refused[0]}"
        for replay in self._replayed:
            path = shown(replay.path, self._here)
            if not replay.connected:
                return f"the model that replays {path} was never connected"
            if not replay.report.finished and not replay.report.diverged:
                return (
                    f"the replay of {path} is not at its end: await `model.finished()`, or let the "
                    "test be `async def`, or run it by `realtape.run(main())`"
                )
        return None

    def _put(self) -> None:
        for model in self._recorded:
            try:
                model.put(self._plan.settings)
            except (RealtapeError, OSError) as error:
                told = shown(model.path, self._here)
                raise pytest.fail.Exception(f"not recorded to {told}: {error}", pytrace=False) from None

    def _update(self) -> None:
        for replay in self._replayed:
            path = shown(replay.path, self._here)
            try:
                told = replay.update(self._plan.settings)
            except (RealtapeError, OSError) as error:
                raise pytest.fail.Exception(f"not updated: {path}: {error}", pytrace=False) from None
            if told:
                self.updated.append(f"{path}: {told}")

    def _write_pages(self) -> None:
        """The recording beside what the test did, where it has differed."""
        if not self._plan.settings.html:
            return
        settings = self._plan.settings
        redact = None if settings.redact is None else {**settings.redact, "audio": settings.record_audio}
        for replay in self._replayed:
            page = page_path(self._config.rootpath / ".realtape", replay.path)
            links = replay.write_page(page, redact)
            if links is not None:
                self.pages.append(Page(shown(page, self._here), links[0] if links else None))

    def _keep(self) -> None:
        if not self._plan.settings.keep:
            return
        folder = self._config.rootpath / ".realtape"
        for model in self._recorded:
            model.recorder.close_blocking()
            if model.store.exists():
                kept = shown(keep(folder, self._plan.path, model.store, "recorded"), self._here)
                self._kept += ["what this test recorded before it failed:", f"  {kept}"]
        for replay in self._replayed:
            if replay.kept() and replay.store is not None:
                kept = shown(keep(folder, self._plan.path, replay.store, "replayed"), self._here)
                recorded = shown(replay.path, self._here)
                self._kept += [
                    "what this test did now; to compare:",
                    f"  realtape diff --content {shlex.quote(recorded)} {shlex.quote(kept)}",
                ]
