"""The hooks of a suite that uses the fixture."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from .fixture import Realtape
from .learning_runs import Reports, learn
from .plugin import ACTIVE, FIXTURE, NOT_CHECKED, PAGE, UPDATED
from .plugin_options import settings_of
from .recording_plan import RecordingPlan
from .recordings import Claims, UnreadableRecordingError, recording_path
from .unused_recordings import Unused
from .virtual_loops import VirtualLoops

_PLAN = pytest.StashKey[RecordingPlan]()
_RUN = pytest.StashKey[Realtape]()
_MADE = pytest.StashKey[list[Path]]()
"""The recordings that a test has just made."""
_LEARNING = pytest.StashKey[RecordingPlan]()
_FOUND = pytest.StashKey[Reports]()


def pytest_configure(config: pytest.Config) -> None:
    """This module was asked for: from now on its hooks are called."""
    config.pluginmanager.register(Active(config), ACTIVE)
    config.pluginmanager.register(AsyncTests(), f"{ACTIVE}-async")


def uses(item: pytest.Item) -> bool:
    """Whether a test asks for the fixture, itself or by another."""
    return FIXTURE in getattr(item, "fixturenames", ())


class Active:
    """Plans each test, runs it on the right loop, judges it."""

    def __init__(self, config: pytest.Config) -> None:
        self._claims = Claims()
        self._shared: dict[str, str] = {}
        self._loops = VirtualLoops()
        self._unused = Unused(config)
        self._not_learned: list[str] = []

    def collected(self, session: pytest.Session) -> None:
        """Find tests that would have one recording together, and recordings that no test has."""
        for item in filter(uses, session.items):
            try:
                path = recording_path(item, settings_of(item))
            except pytest.UsageError:
                continue  # the test's own set-up says so
            self._unused.use(path)
            owner = self._claims.claim(path, item.nodeid)
            if owner is not None:
                self._shared.setdefault(owner, item.nodeid)
                self._shared[item.nodeid] = owner
        self._unused.collected(session)

    def fixture(self, request: pytest.FixtureRequest) -> Generator[Realtape]:
        """The fixture `realtape`."""
        item: Any = request.node
        if os.environ.get("PYTEST_CURRENT_TEST", "").endswith("(call)"):
            pytest.fail(
                "the fixture `realtape` was asked for in the midst of the test, which can no longer be "
                "judged: name it in the test's signature, or in a fixture's",
                pytrace=False,
            )
        plan = item.stash.get(_PLAN, None) or self._plan(item)
        run = item.stash[_RUN] = Realtape(plan, request.config)
        try:
            with run.opened(item):
                yield run
        finally:
            del item.stash[_RUN]

    def _plan(self, item: pytest.Item) -> RecordingPlan:
        other = self._shared.get(item.nodeid)
        if other is not None:
            pytest.fail(
                f"{item.nodeid} and {other} would have the same recording: "
                'give one of them a name, @pytest.mark.realtape("…")',
                pytrace=False,
            )
        try:
            return RecordingPlan.of(item)
        except (pytest.UsageError, UnreadableRecordingError) as error:
            pytest.fail(str(error), pytrace=False)

    # --- hooks ----------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """While a test of ours runs, asyncio asks us for loops. What it has recorded is learned from."""
        if not uses(item):
            return (yield)
        with self._loops.installed():
            result = yield
            made = item.stash.get(_MADE, list[Path]())
            if made:
                problem = learn(item, nextitem, made, lambda plan: self._learning(item, plan))
                if problem:
                    self._not_learned.append(f"{item.nodeid}\n  {problem}")
            return result

    def _learning(self, item: pytest.Item, plan: RecordingPlan | None) -> Reports | None:
        """The plan of the next run of a test, and what the last one has found."""
        if plan is None:
            del item.stash[_LEARNING]
            return item.stash.get(_FOUND, None)
        item.stash[_LEARNING] = plan
        if _FOUND in item.stash:
            del item.stash[_FOUND]
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Plan, before any fixture makes a loop."""
        if uses(item):
            item.stash[_PLAN] = item.stash.get(_LEARNING, None) or self._plan(item)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        """A loop that is made for this test alone is virtual; one that is shared is not."""
        plan = None
        if fixturedef.scope == "function":
            item: Any = request.node
            plan = item.stash.get(_PLAN, None)
        with self._loops.set(plan is not None and plan.virtual):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Run the test, and judge it."""
        run = pyfuncitem.stash.get(_RUN, None)
        if run is None:
            return (yield)
        plan = pyfuncitem.stash.get(_PLAN, None)
        with self._loops.set(plan is not None and plan.virtual):
            try:
                result = yield
            except (pytest.skip.Exception, pytest.exit.Exception, KeyboardInterrupt):
                raise
            except BaseException as error:
                run.judge(error)
                raise
        run.judge(None)
        if _LEARNING in pyfuncitem.stash:
            pyfuncitem.stash[_FOUND] = run.found
            return result
        if plan is not None and plan.settings.learn:
            pyfuncitem.stash[_MADE] = run.made
        pyfuncitem.user_properties += [(UPDATED, told) for told in run.updated]
        pyfuncitem.user_properties += [(NOT_CHECKED, told) for told in run.unchecked]
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A failing test says what its replays found."""
        report = yield
        run = item.stash.get(_RUN, None)
        if run is not None and call.when == "call" and report.failed:
            told = run.section()
            if told:
                report.sections.append(("realtape", told))
            # A JUnit file has those of the tear-down, which are the test's by then.
            item.user_properties += [(PAGE, page.portable) for page in run.pages]
        return report

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The recordings that no test has, and those of which nothing was learned."""
        self._unused.summary(terminalreporter)
        if self._not_learned:
            terminalreporter.write_sep("=", "realtape: recorded, and nothing learned of it")
            for told in self._not_learned:
                terminalreporter.write_line(told)


class AsyncTests:
    """Runs an `async def` test that no other plugin runs."""

    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> object | None:
        """Called after the plugins that are there for this: they have made a plain function of it."""
        if _RUN not in pyfuncitem.stash or not inspect.iscoroutinefunction(pyfuncitem.obj):
            return None
        names = inspect.signature(pyfuncitem.obj).parameters.keys() & pyfuncitem.funcargs.keys()
        asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
        return True
