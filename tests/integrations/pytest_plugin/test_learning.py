"""A test that records is replayed at once, to learn what its application does by itself."""

from __future__ import annotations

import json

import pytest
from support.voice_suite import VoiceSuite

WORKER = """
import asyncio
from agents.realtime import RealtimeModelListener, RealtimeModelSendUserInput

ASKS = True

class Desk(RealtimeModelListener):
    def __init__(self):
        self.queue = asyncio.Queue()

    async def on_event(self, event):
        if event.type == "turn_ended":
            self.queue.put_nowait(event)

async def answer(desk, model):
    await desk.queue.get()
    if ASKS:
        await model.send_event(RealtimeModelSendUserInput(user_input="And where can I park?"))
    await desk.queue.get()

async def main(model, url):
    desk = Desk()
    model.add_listener(desk)
    await model.connect({"url": url, "api_key": "any"})
    await model.send_event(RealtimeModelSendUserInput(user_input="A table for two, please."))
    await answer(desk, model)
    await model.close()
"""

TEST = """
import os
import pytest
from agents.realtime import OpenAIRealtimeWebSocketModel
from worker import main

@pytest.mark.realtape
async def test_desk(realtape):
    model = realtape.model(lambda: OpenAIRealtimeWebSocketModel())
    await main(model, os.environ["PROVIDER_URL"])
"""

SCRIPT = ('FunctionCall("book_table", {"guests": 2}),', 'Speech("For two."),')


@pytest.fixture
def desk(suite: VoiceSuite) -> VoiceSuite:
    suite.change(*SCRIPT, "conftest.py")
    suite.change("realtape_learn = false\n", "", "pytest.ini")
    suite.write("worker.py", WORKER)
    suite.write("test_voice.py", TEST)
    return suite


def test_what_comes_by_itself_must_come_from_then_on(desk: VoiceSuite) -> None:
    """The worker's queue has lost the cause: unlearned, a missing question would pass with a remark."""
    result = desk.passes("--realtape-record=once")
    result.stdout.no_fnmatch_line("*nothing learned*")
    told = json.loads((desk.path / "recordings/test_voice/test_desk/session.json").read_text())["origins"]
    assert (told["app"], told["runs"]) == ("test_voice.py::test_desk", 5)
    assert len(told["reactions"]) >= 2
    desk.passes().stdout.no_fnmatch_line("*not everything was checked*")
    desk.change("ASKS = True", "ASKS = False", "worker.py")
    desk.fails(lines=["*the application has not sent a text of the user's by now*"])


def test_what_was_learned_may_lie_in_a_file_that_the_settings_name(desk: VoiceSuite) -> None:
    desk.passes("--realtape-record=once")
    place = desk.path / "recordings/test_voice/test_desk/session.json"
    session = json.loads(place.read_text())
    learned = session.pop("origins")
    place.write_text(json.dumps(session))
    desk.change("ASKS = True", "ASKS = False", "worker.py")
    desk.passes().stdout.fnmatch_lines(["*not everything was checked*"])
    desk.write("origins.json", json.dumps({session["id"]: learned}))
    desk.write("pyproject.toml", '[tool.realtape]\norigins = "origins.json"\n')
    desk.fails(lines=["*the application has not sent a text of the user's by now*"])


def test_a_test_that_does_not_do_the_same_again_teaches_nothing(desk: VoiceSuite) -> None:
    desk.change("await main", "assert not realtape.replaying\n    await main", "test_voice.py")
    result = desk.passes("--realtape-record=once")
    result.stdout.fnmatch_lines(
        ["*realtape: recorded, and nothing learned of it*", "*", "  replayed right after it was recorded, *"]
    )
    recording = desk.path / "recordings/test_voice/test_desk/session.json"
    assert "origins" not in json.loads(recording.read_text())
