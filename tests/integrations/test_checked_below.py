"""What a replay below the interface says it has checked: who asks for a response, where the user and the
application do so in the same words; and what becomes of who returns early, or talks on."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from agents.realtime import (
    OpenAIRealtimeWebSocketModel,
    RealtimeModelListener,
    RealtimeModelSendRawMessage,
    RealtimeModelSendUserInput,
)
from realtape.integrations.openai_agents import Recorder, replay
from realtape.provider import Reply, Script
from realtape.replay import Played, run
from support.memory_socket import in_memory

CREATE = RealtimeModelSendRawMessage(message={"type": "response.create"})
SCRIPT = Script(replies=[Reply.speech(one) for one in ("One.", "Two.", "Three.", "Four.")])


class Asks(RealtimeModelListener):
    """Asks for one more answer after the second; hangs up after the fourth."""

    def __init__(self, *, asks: bool = True) -> None:
        self._asks = asks
        self._answers = 0
        self._over = asyncio.Event()

    async def __call__(self, model: Any) -> None:
        """The application."""
        await self.connect(model)
        await self._over.wait()
        await model.close()

    async def connect(self, model: Any) -> None:
        self._model = model
        model.add_listener(self)
        settings = {"turn_detection": None}
        await model.connect({"url": "ws://nowhere", "api_key": "x", "initial_model_settings": settings})

    async def on_event(self, event: Any) -> None:
        if event.type == "audio_done":
            self._answers += 1
            if self._answers == 2 and self._asks:
                await self._model.send_event(CREATE)
        if self._answers == 4 or event.type in ("end_of_stream", "exception"):
            self._over.set()


async def _presses(model: Any) -> None:
    """The user asks thrice."""
    for _ in range(3):
        await asyncio.sleep(0.6)
        await model.send_event(CREATE)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("below") / "calls.db"

    async def main() -> None:
        async with Recorder(store) as recorder:
            model = recorder.wrap(in_memory(OpenAIRealtimeWebSocketModel(), SCRIPT), depth="wire")
            pressing = asyncio.create_task(_presses(model))
            await Asks()(model)
            await pressing

    run(main())
    return store


def played(recorded: Path, app: Any, **options: Any) -> Played:
    found = run(replay(recorded, app, on_divergence="collect", **options))
    assert found.depth == "wire"
    return found


def test_what_the_application_asks_for_is_not_what_the_user_did(recorded: Path) -> None:
    one = played(recorded, Asks())
    assert (one.verdict, one.report.remark) == ("same", "3 sends of unknown origin were not checked"), one
    assert [left.line.split(" ", 1)[1] for left in one.report.unchecked] == [
        "▶ sent send_raw_message response.create"
    ] * 3
    assert played(recorded, Asks(asks=False)).verdict == "diverged"


def test_strict_makes_what_was_not_checked_a_failure_unless_it_is_the_users(recorded: Path) -> None:
    (divergence,) = played(recorded, Asks(), strict=True).report.divergences
    assert (divergence.kind, divergence.session != "") == ("unchecked", True)
    assert divergence.headline.startswith("not checked: #")
    assert divergence.headline.endswith("response.create, and 2 more")
    users: Any = {one.seq: "user" for one in played(recorded, Asks()).report.unchecked}
    one = played(recorded, Asks(), strict=True, expect=users)
    assert (one.verdict, one.report.remark, one.report.unsent) == ("same", "", 3)


def test_what_who_returns_early_has_left_is_played(recorded: Path) -> None:
    asks = Asks()
    one = played(recorded, asks.connect)
    assert (one.verdict, one.report.unplayed) == ("same", 0), one
    assert one.report.matched == played(recorded, Asks()).report.matched


def test_what_is_sent_after_the_close_is_a_finding(recorded: Path) -> None:
    async def talks_on(model: Any) -> None:
        await Asks()(model)
        with contextlib.suppress(AssertionError):
            await model.send_event(RealtimeModelSendUserInput(user_input="one more thing"))

    one = played(recorded, talks_on)
    assert (one.verdict, one.problem) == ("diverged", "extra: send_user_input, after the close")
