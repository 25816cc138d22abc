"""A small test suite of a voice application, which pytester runs: recorded once from the local provider by
the SDK's own model, replayed often."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from realtape import provider as local_provider
from realtape.integrations import openai_agents

USED = (local_provider, openai_agents)
"""pytester keeps modules between its runs only if they were here before."""

WITHOUT = tuple(
    f"-pno:{name}"
    for name in ("cacheprovider", "hypothesispytest", "xdist", "xdist.looponfail", "time_machine")
)
"""Plugins that nothing here is about, and that cost time in every run."""

INI = """
[pytest]
asyncio_default_fixture_loop_scope = function
filterwarnings = error
realtape_learn = false
"""

APP = '''
import asyncio, os
from agents import function_tool
from agents.realtime import RealtimeAgent, RealtimeRunner

TABLE = 4
PAUSE = 0.01

@function_tool
async def book_table(guests: int) -> str:
    """Book a table."""
    await asyncio.sleep(PAUSE)
    return f"table {TABLE}"

async def book_a_table(model, *, guests=2):
    agent = RealtimeAgent(name="Luna", instructions="Book tables.", tools=[book_table])
    runner = RealtimeRunner(agent, model=model, config={"tracing_disabled": True})
    said, turns = "", 0
    config = {"url": os.environ["PROVIDER_URL"], "api_key": "any"}
    async with await runner.run(model_config=config) as session:
        await session.send_message(f"A table for {guests}, please.")
        async for event in session:
            if event.type == "raw_model_event" and event.data.type == "transcript_delta":
                said += event.data.delta
            if event.type == "agent_end":
                turns += 1
                if turns == 2:
                    return said
'''

CONFTEST = """
import asyncio, os, queue, threading
import pytest
from realtape.provider import FunctionCall, LocalProvider, Reply, Script, Speech

SCRIPT = Script(
    replies=(
        Reply((FunctionCall("book_table", {"guests": 2}),)),
        Reply((Speech("Table four is yours."),)),
    )
)
CONNECTIONS = []

@pytest.fixture(scope="session", autouse=True)
def provider():
    ready = queue.Queue()

    async def serve():
        stop = asyncio.Event()

        def script(number):
            CONNECTIONS.append(number)
            return SCRIPT

        async with LocalProvider(script, pace=0.01) as provider:
            ready.put((asyncio.get_running_loop(), stop, provider.url))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    loop, stop, os.environ["PROVIDER_URL"] = ready.get()
    yield CONNECTIONS
    loop.call_soon_threadsafe(stop.set)
    thread.join()
"""

TEST = """
import pytest
from agents.realtime import OpenAIRealtimeWebSocketModel
from my_app import book_a_table

@pytest.mark.realtape
async def test_booking(realtape):
    model = realtape.model(lambda: OpenAIRealtimeWebSocketModel())
    assert await book_a_table(model) == "Table four is yours."
"""

RECORDING = Path("recordings/test_voice/test_booking")


class VoiceSuite:
    """The suite in pytester's folder.

    Args:
        cache: where the recording of TEST is, once it was made.
    """

    def __init__(self, pytester: pytest.Pytester, cache: Path) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.recording = self.path / RECORDING
        self._cache = cache
        self.write("pytest.ini", INI)
        self.write("my_app.py", APP)
        self.write("conftest.py", CONFTEST)
        self.write("test_voice.py", TEST)
        pytester.syspathinsert()

    def write(self, name: str, text: str) -> None:
        """A file of the suite."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def change(self, old: str, new: str, name: str = "my_app.py") -> None:
        """Change a line of the application."""
        text = (self.path / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run it in this process."""
        return self.pytester.runpytest_inprocess(*WITHOUT, *arguments)

    def passes(self, *arguments: str, **counts: int) -> pytest.RunResult:
        """Run it, and see it pass."""
        result = self.run(*arguments)
        result.assert_outcomes(**(counts or {"passed": 1}))
        return result

    def fails(self, *arguments: str, lines: list[str], **counts: int) -> pytest.RunResult:
        """Run it, see it fail, and say so."""
        result = self.run(*arguments)
        result.assert_outcomes(**(counts or {"failed": 1}))
        result.stdout.fnmatch_lines(lines)
        return result

    def recorded(self) -> VoiceSuite:
        """With the recording of TEST, made by a real run."""
        if not self._cache.exists():
            changed = (self.path / "test_voice.py").read_text()
            self.write("test_voice.py", TEST)
            self.passes("test_voice.py", "--realtape-record=once")
            shutil.copytree(self.recording, self._cache)
            self.write("test_voice.py", changed)
        elif not self.recording.exists():
            shutil.copytree(self._cache, self.recording)
        return self

    def content(self) -> dict[str, Any]:
        """Every file of the recording."""
        return files_in(self.recording)


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
