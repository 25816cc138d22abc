"""The hooks that every test suite runs: options, and whether any test asks for the fixture."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from typing import Any

import pytest

FIXTURE = "realtape"
ACTIVE = "realtape-active"
"""The plugin that has the other hooks, once it is registered."""

_HOOKS = "realtape.integrations.pytest_plugin.hooks"
_SERVERS = "realtape.integrations.pytest_plugin.servers"

UPDATED = "realtape_updated"
"""A property of a test whose recordings now hold what it did: what is otherwise."""

NOT_CHECKED = "realtape_not_checked"
"""A property of a test that has passed: what its replays have not checked. So it is in a JUnit file, too, and
workers of xdist hand it on."""

PAGE = "realtape_page"
"""A property of a test that has failed: the page that shows how."""

_HEADLINES = {
    UPDATED: "realtape: updated to what the application does now",
    NOT_CHECKED: "realtape: passed, but not everything was checked",
}

MODES = ("none", "once", "new", "all")
AUDIO = ("keep", "silence", "drop")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options and the ini settings; `docs/pytest.md` explains them."""
    group = parser.getgroup("realtape", "recordings of realtime models")
    group.addoption(
        "--realtape-record",
        choices=MODES,
        help="record: none (replay only), once (tests without a recording), new (models without one), all",
    )
    group.addoption(
        "--realtape-keep",
        action="store_true",
        help="keep what a failing test did as a recording under .realtape/kept, to compare it",
    )
    group.addoption(
        "--realtape-unused",
        action="store_true",
        help="list the recordings that belong to no collected test",
    )
    group.addoption(
        "--realtape-update",
        action="store_true",
        help="accept what the application does now: it becomes the recording, and the provider's side stays",
    )
    group.addoption(
        "--realtape-html",
        action="store_true",
        help="of a failing test write a page under .realtape/pages: the recording beside what it did",
    )
    parser.addini("realtape_record", "how to record if --realtape-record is not given: none, once, new, all")
    parser.addini("realtape_recordings", "folder of the recordings, beside the tests", default="recordings")
    parser.addini("realtape_redact", "take personal data out of what is recorded", type="bool", default=True)
    parser.addini(
        "realtape_learn",
        "replay what was just recorded, to learn what the application does by itself",
        type="bool",
        default=True,
    )
    parser.addini("realtape_audio", "of what is recorded: keep, silence or drop", default="keep")
    parser.addini(
        "realtape_allow_loopback", "tests that replay may connect to this machine", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known. Who asks about the recordings gets the other hooks at once."""
    config.addinivalue_line(
        "markers",
        "realtape(name, **options): how the fixture `realtape` records and replays this test's models",
    )
    if config.getoption("realtape_unused"):
        _active(config)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Where a test uses the fixture, the other hooks come in."""
    if any(FIXTURE in getattr(item, "fixturenames", ()) for item in session.items):
        _active(session.config).collected(session)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which recordings were updated, and what the replays of tests that have passed did not check."""
    for property, headline in _HEADLINES.items():
        found = [
            (report.nodeid, told)
            for report in terminalreporter.stats.get("passed", [])
            for name, told in report.user_properties
            if name == property
        ]
        if found:
            terminalreporter.write_sep("=", headline)
            for nodeid, told in found:
                terminalreporter.write_line(f"{nodeid}\n  {told}")


@pytest.fixture
def realtape(request: pytest.FixtureRequest) -> Generator[Any]:
    """The models of this test: recorded, or replayed from what was recorded."""
    yield from _active(request.config).fixture(request)


@pytest.fixture
def realtape_server(request: pytest.FixtureRequest) -> Generator[Any]:
    """Servers that play recordings on websockets while this test runs: `url = realtape_server("call.db")`."""
    servers: Any = importlib.import_module(_SERVERS).Servers(request.node.path.parent)
    yield servers
    servers.close()


def _active(config: pytest.Config) -> Any:
    """The other hooks, which pytest imports when they are first asked for."""
    config.pluginmanager.import_plugin(_HOOKS)
    return config.pluginmanager.get_plugin(ACTIVE)
