"""Recordings that belong to no test: of tests that were renamed or taken away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from .failure_text import shown


class Unused:
    """Holds the recordings that lie there against the tests that were collected.

    By name: the recording of a test's second model belongs to the test, whether or not it still has two.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._wanted = bool(config.getoption("realtape_unused"))
        self._used: defaultdict[Path, set[str]] = defaultdict(set)
        self._lines = ["cannot tell which recordings are unused: no test of this process uses the fixture"]

    def use(self, path: Path) -> None:
        """A collected test has this recording."""
        self._used[path.parent].add(path.name)

    def collected(self, session: pytest.Session) -> None:
        """All tests are known."""
        if not self._wanted:
            return
        partly = self._partly(session)
        if partly is not None:
            self._lines = [f"cannot tell which recordings are unused: {partly}"]
            return
        found = sorted(set(self._orphans(session)))
        here = Path(self._config.invocation_params.dir)
        self._lines = [shown(path, here) for path in found] or ["every recording has its test"]

    def summary(self, reporter: pytest.TerminalReporter) -> None:
        """Print what was found."""
        if self._wanted:
            if self._config.pluginmanager.has_plugin("dsession"):
                self._lines = ["the workers of xdist collect the tests, each for itself: run this without -n"]
            reporter.write_sep("=", "recordings without a test")
            for line in self._lines:
                reporter.write_line(line)

    def _partly(self, session: pytest.Session) -> str | None:
        """Why not all tests of the files are known, if they are not."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        deselected = reporter is not None and reporter.stats.get("deselected")
        if (
            deselected
            or self._config.getoption("lf", False)
            or any("::" in arg for arg in session.config.args)
        ):
            return "only some of the tests were collected; name whole files or folders"
        return None

    def _orphans(self, session: pytest.Session) -> Iterator[Path]:
        for folder, names in self._used.items():
            for path in _visible(folder):
                if path.name.partition(".")[0] not in names:
                    yield path
        whole = [Path(self._config.invocation_params.dir, arg).resolve() for arg in session.config.args]
        folder = Path(str(self._config.getini("realtape_recordings")))
        for tests in {item.path.parent for item in session.items}:
            if any(tests.is_relative_to(path) for path in whole) and not folder.is_absolute():
                yield from (path for path in _visible(tests / folder) if path not in self._used)


def _visible(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
