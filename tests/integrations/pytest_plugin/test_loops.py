"""Which event loop a test runs on, and which plugin runs it."""

from __future__ import annotations

import pytest
from support.voice_suite import TEST, VoiceSuite

ASYNC = "async def test_booking(realtape):"
CHECKED = """
import asyncio
import pytest
from agents.realtime import OpenAIRealtimeWebSocketModel
from my_app import book_a_table
from realtape.replay import VirtualLoop

def is_virtual():
    return isinstance(asyncio.get_running_loop(), VirtualLoop)

@pytest.mark.realtape
async def test_booking(realtape):
    assert is_virtual() == realtape.replaying
    model = realtape.model(lambda: OpenAIRealtimeWebSocketModel())
    assert await book_a_table(model) == "Table four is yours."
"""


def with_plugin(test: str, *, header: str = "", marker: str = "") -> str:
    return header + test.replace("@pytest.mark.realtape", f"@pytest.mark.realtape\n{marker}")


def test_an_async_test_needs_no_other_plugin(suite: VoiceSuite) -> None:
    suite.write("pytest.ini", "[pytest]\nfilterwarnings = error\n")
    suite.write("test_voice.py", CHECKED)
    for mode in ("once", "none"):
        suite.passes(f"--realtape-record={mode}", "-p", "no:asyncio", "-p", "no:anyio")


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_under_pytest_asyncio(suite: VoiceSuite, mode: str) -> None:
    fixture = """
@pytest_asyncio.fixture
async def loop_before():
    return asyncio.get_running_loop()

"""
    test = CHECKED.replace("def is_virtual", f"import pytest_asyncio\n{fixture}\ndef is_virtual").replace(
        ASYNC, f"{ASYNC.replace('(', '(loop_before, ')}\n    assert loop_before is asyncio.get_running_loop()"
    )
    suite.write("test_voice.py", with_plugin(test, marker="@pytest.mark.asyncio"))
    for record in ("once", "none"):
        suite.passes(f"--asyncio-mode={mode}", f"--realtape-record={record}")


def test_a_loop_that_is_shared_with_other_tests_stays_an_ordinary_one(suite: VoiceSuite) -> None:
    suite.recorded().write(
        "test_voice.py",
        with_plugin(
            CHECKED.replace("== realtape.replaying", "is False"),
            marker='@pytest.mark.asyncio(loop_scope="module")',
        )
        + """
@pytest.mark.asyncio(loop_scope="module")
async def test_other():
    assert not is_virtual()

async def other():
    return is_virtual()

def test_of_no_recording():
    assert not asyncio.run(other())
""",
    )
    suite.passes(passed=3)


def test_tests_of_others_keep_their_loops(suite: VoiceSuite) -> None:
    suite.recorded().write(
        "test_voice.py",
        with_plugin(CHECKED, marker="@pytest.mark.asyncio")
        + """
@pytest.mark.asyncio
async def test_other():
    assert not is_virtual()
""",
    )
    suite.passes("-p", "no:randomly", passed=2)


def test_under_anyio(suite: VoiceSuite) -> None:
    fixture = """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def loop_before():
    return asyncio.get_running_loop()

def is_virtual"""
    test = CHECKED.replace("def is_virtual", fixture).replace(
        ASYNC, f"{ASYNC.replace('(', '(loop_before, ')}\n    assert loop_before is asyncio.get_running_loop()"
    )
    suite.write("test_voice.py", with_plugin(test, marker="@pytest.mark.anyio"))
    for record in ("once", "none"):
        suite.passes(f"--realtape-record={record}")


def test_anyio_with_the_fixture_of_its_own(suite: VoiceSuite) -> None:
    suite.write("test_voice.py", with_plugin(CHECKED, marker="@pytest.mark.anyio"))
    for record in ("once", "none"):
        # Where trio is installed, there is a test for it as well.
        result = suite.run("-k", "asyncio", f"--realtape-record={record}")
        assert result.parseoutcomes()["passed"] == 1
        assert result.ret == 0
    assert (suite.recording.parent / "test_booking-asyncio").is_dir()


def test_the_marker_switches_the_virtual_loop_off(suite: VoiceSuite) -> None:
    suite.recorded().write(
        "test_voice.py",
        CHECKED.replace("== realtape.replaying", "is False").replace(
            "@pytest.mark.realtape", '@pytest.mark.realtape(loop="plain")'
        ),
    )
    suite.passes()


def test_while_a_model_may_yet_be_recorded_the_loop_is_an_ordinary_one(suite: VoiceSuite) -> None:
    suite.recorded().write("test_voice.py", CHECKED.replace("== realtape.replaying", "is False"))
    suite.passes("--realtape-record=new")


def test_a_test_that_is_no_coroutine_runs_its_own(suite: VoiceSuite) -> None:
    main = "async def main(realtape):"
    suite.write(
        "test_voice.py",
        CHECKED.replace("@pytest.mark.realtape\n", "").replace(ASYNC, main)
        + "\ndef test_booking(realtape):\n    realtape.run(main(realtape))\n",
    )
    for record in ("once", "none"):
        suite.passes(f"--realtape-record={record}")


def test_hours_of_the_application_take_no_time_in_a_replay(suite: VoiceSuite) -> None:
    suite.recorded().change("PAUSE = 0.01", "PAUSE = 3600")
    suite.change("realtape\nasync", "realtape(patience=7200)\nasync", "test_voice.py")
    suite.passes()


def test_a_test_that_waits_for_what_never_comes_ends(suite: VoiceSuite) -> None:
    suite.recorded().write(
        "test_voice.py", TEST.replace("assert await", "import asyncio; await asyncio.Event().wait(), await")
    )
    suite.fails(lines=["*StuckLoopError*"])


def test_a_factory_that_the_suite_names_has_its_way(suite: VoiceSuite) -> None:
    asyncio_plugin = pytest.importorskip("pytest_asyncio.plugin")
    if not hasattr(asyncio_plugin, "PytestAsyncioSpecs"):
        pytest.skip("this release of pytest-asyncio takes no factories")
    hook = """
def pytest_asyncio_loop_factories(config, item):
    return {"mine": asyncio.SelectorEventLoop}
"""
    suite.recorded().write("conftest.py", (suite.path / "conftest.py").read_text() + hook)
    suite.write(
        "test_voice.py",
        with_plugin(CHECKED.replace("== realtape.replaying", "is False"), marker="@pytest.mark.asyncio"),
    )
    suite.passes()
