"""What the plugin costs a suite that does not use it; and processes of their own: xdist."""

from __future__ import annotations

import pytest
from support.voice_suite import VoiceSuite

HEAVY = ("agents", "openai", "hypothesis", "sqlalchemy", "pydantic", "realtape.schema", "realtape.replay")


def test_a_suite_that_does_not_use_it_imports_nothing_of_ours(suite: VoiceSuite) -> None:
    for name in ("conftest.py", "my_app.py"):
        (suite.path / name).unlink()
    suite.write(
        "test_voice.py",
        f"""
import sys

def test_other(request):
    assert not set({HEAVY!r}) & set(sys.modules)
    ours = sorted(name for name in sys.modules if name.startswith("realtape.integrations.pytest_plugin"))
    assert ours == ["realtape.integrations.pytest_plugin", "realtape.integrations.pytest_plugin.plugin"]
    manager = request.config.pluginmanager
    assert manager.has_plugin("realtape") and not manager.has_plugin("realtape-active")
""",
    )
    # The other plugins of this environment import what they like.
    result = suite.pytester.runpytest_subprocess("-p", "no:hypothesispytest", "-p", "no:anyio")
    result.assert_outcomes(passed=1)


def test_it_can_be_switched_off(suite: VoiceSuite) -> None:
    suite.change("realtape_learn = false\n", "", "pytest.ini")  # it is unknown then
    unknown = "ignore:Unknown pytest.mark.realtape"  # unless an earlier run of this process has made it known
    suite.run("-p", "no:realtape", "-W", unknown).stdout.fnmatch_lines(["*fixture 'realtape' not found*"])


def test_the_marker_is_known_and_the_options_are_in_the_help(suite: VoiceSuite) -> None:
    suite.run("--markers").stdout.fnmatch_lines(["@pytest.mark.realtape(name, [*][*]options): *"])
    suite.run("--help").stdout.fnmatch_lines(["  --realtape-record=*", "  --realtape-keep*"])


def test_last_failed_finds_the_test_that_diverged(suite: VoiceSuite) -> None:
    suite.recorded().change("TABLE = 4", "TABLE = 5")
    suite.pytester.runpytest_inprocess().assert_outcomes(failed=1)
    suite.change("TABLE = 5", "TABLE = 4")
    suite.pytester.runpytest_inprocess("--lf").assert_outcomes(passed=1)


ECHO = """
import pytest
from realtape.schema import RealtimeModel, RealtimeModelAudioEvent, RealtimeModelSendInterrupt

DATA = b"echo"

class Echo(RealtimeModel):
    def __init__(self):
        self.listeners = []

    async def connect(self, options): ...
    async def close(self): ...
    def add_listener(self, listener): self.listeners.append(listener)
    def remove_listener(self, listener): self.listeners.remove(listener)

    async def send_event(self, event):
        event = RealtimeModelAudioEvent(data=DATA, response_id="r", item_id="i", content_index=0)
        for listener in self.listeners:
            await listener.on_event(event)

class Ear:
    def __init__(self): self.heard = []
    async def on_event(self, event): self.heard.append(event.data)

@pytest.mark.parametrize("number", range(4))
async def test_echo(realtape, number):
    model, ear = realtape.model(Echo), Ear()
    model.add_listener(ear)
    await model.connect({})
    await model.send_event(RealtimeModelSendInterrupt())
    await model.close()
    assert ear.heard == [DATA], "not what it was"
"""


def test_workers_of_xdist_record_and_replay_models_of_realtapes_own(suite: VoiceSuite) -> None:
    pytest.importorskip("xdist")
    for name in ("conftest.py", "pytest.ini"):
        suite.write(name, "")
    suite.write("test_voice.py", ECHO)
    others = ("asyncio", "anyio", "hypothesispytest", "timeout", "cacheprovider")  # they cost seconds
    arguments = [f"-pno:{name}" for name in others]
    result = suite.pytester.runpytest_subprocess("-n2", *arguments, "--realtape-record=once")
    result.assert_outcomes(passed=4)
    folder = suite.path / "recordings/test_voice"
    assert sorted(path.name for path in folder.iterdir()) == [f"test_echo-{number}" for number in range(4)]
    suite.change('DATA = b"echo"', 'DATA = b"another"', "test_voice.py")
    result = suite.pytester.runpytest_subprocess("-n1", *arguments, "--realtape-keep")
    result.assert_outcomes(failed=4)
    result.stdout.fnmatch_lines(
        ["*- realtape -*", "replay of recordings/test_voice/test_echo-*", "", "same: *"]
    )
    assert len(list((suite.path / ".realtape").rglob("replayed-1.db"))) == 4
