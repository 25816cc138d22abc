"""Every page's code runs: each block of Python, in its order, in a folder with recorded calls.

Pages whose code needs a setting of its own have a test of their own; it is named, and so is what runs a block
that is not run here.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import importlib
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import agents.realtime as sdk
import pytest
from realtape import lab, session, wire
from realtape.integrations import openai_agents, testing
from realtape.lab import invariants, strategies
from realtape.recorder import Recorder
from realtape.replay import ReplayModel, replay, run
from realtape.session.fixture import read_fixture
from support.telephone import app, record

ROOT = Path(__file__).parent.parent
PAGES = {path.name: path for path in (*(ROOT / "docs").glob("*.md"), ROOT / "README.md")}
BY_ITS_OWN_TEST = {
    "clients.md": "wire/test_clients_page.py",
    "derived.md": "session/derived/test_page.py",
    "pytest.md": "integrations/pytest_plugin/test_docs.py",
    "tutorial.md": "test_tutorial.py",
}
"""The page → the test, below `tests/`, that runs its code."""

ELSEWHERE = {
    ("recorder.md", 1): "integrations/test_opentelemetry.py",
    ("replay.md", 2): "replay/transport",
}
"""The page and the place of a block → the tests that run the same: it takes more than the page has."""

OUTPUT = "9:15, platform 4"


class Silent(sdk.RealtimeModel):
    """In the place of the SDK's own: nobody answers."""

    async def connect(self, options: Any) -> None: ...

    def add_listener(self, listener: Any) -> None: ...

    def remove_listener(self, listener: Any) -> None: ...

    async def send_event(self, event: Any) -> None: ...

    async def close(self) -> None: ...


def blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", PAGES[page].read_text(), re.MULTILINE | re.DOTALL)


def names(page: str) -> dict[str, Any]:
    """What a page's reader has at hand: its imports of before, a recording, an application."""
    (kiosk,) = read_fixture(ROOT / "fixtures" / "kiosk")
    found: dict[str, Any] = {
        **{"agent": sdk.RealtimeAgent(name="desk"), "RealtimeRunner": sdk.RealtimeRunner},
        **{"app": functools.partial(app, platform=OUTPUT), "booking": app, "alert": print, "draft": kiosk},
        **{"recording": kiosk, "replay": replay, "run": run, "Path": Path},
    }
    plans = importlib.import_module("realtape.lab.strategies.plans")  # there is a strategy of this name, too
    modules: dict[str, Any] = {
        "strategies.md": (plans, strategies, lab, invariants, testing),
        "wire.md": (wire,),
    }
    for module in modules.get(page, ()):
        public = getattr(module, "__all__", [name for name in dir(module) if name[0] != "_"])
        found |= {name: getattr(module, name) for name in public}
    if page == "replay.md":
        call = asyncio.run(session.Recording.open("calls.db"))
        found |= {"ReplayModel": ReplayModel, "recording": call, "draft": call.drafts()[0]}
    if page == "recorder.md":
        found["Recorder"] = Recorder
    if page == "wire.md":
        found["recorder"] = openai_agents.Recorder("wire.db")
        found["OpenAIRealtimeWebSocketModel"] = sdk.OpenAIRealtimeWebSocketModel
    return found


def perform(code: str, known: dict[str, Any], loop: Callable[..., Any]) -> None:
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = compile(code, "a page", "exec", flags, dont_inherit=True)
    result = eval(compiled, known)
    if inspect.iscoroutine(result):
        loop(result)


def test_every_page_with_code_is_run_by_a_test() -> None:
    pages = {name for name in PAGES if blocks(name)}
    assert pages == BY_ITS_OWN_TEST.keys() | {"README.md", *RUN_HERE}
    for name, test in BY_ITS_OWN_TEST.items():
        assert name in (ROOT / "tests" / test).read_text() or name.split(".")[0] in test
    for (page, place), test in ELSEWHERE.items():
        assert blocks(page)[place]
        assert (ROOT / "tests" / test).exists()


RUN_HERE = ("cli.md", "interface.md", "provider.md", "recorder.md", "replay.md", "strategies.md", "wire.md")
ON_SOCKETS = ("provider.md", "wire.md")


@pytest.mark.parametrize("page", RUN_HERE)
def test_the_code_of_a_page(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    record(Path("calls.db"), platform=OUTPUT)
    known = names(page)
    for place, code in enumerate(blocks(page)):
        if (page, place) not in ELSEWHERE:
            perform(code, known, asyncio.run if page in ON_SOCKETS else run)
    recorder = known.get("recorder")
    if recorder is not None:
        recorder.close_blocking()


def test_the_code_of_the_first_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session is recorded, and replayed in both ways."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sdk, "OpenAIRealtimeWebSocketModel", Silent)
    known = names("README.md")
    for code in blocks("README.md"):
        perform(code, known, run)
    assert known["played"].verdict == "same"
