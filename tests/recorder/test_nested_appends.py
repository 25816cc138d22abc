"""Whatever appends in the middle of another append, its entry comes after that one, whole."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from realtape.recorder import Recorder
from realtape.recorder.session_log import SessionLog
from realtape.schema.entries import Kind
from support.stored import begin, only


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


def interrupted(log: SessionLog, appender: Callable[[], Any]) -> int:
    """Append while signals come, as fast as the machine makes them; how often."""
    signals = 0

    def handler(signal_number: int, frame: object) -> None:
        nonlocal signals
        signals += 1
        appender()

    before = signal.signal(signal.SIGPROF, handler)
    signal.setitimer(signal.ITIMER_PROF, 0.0001, 0.0001)
    try:
        number = 0
        while number < 5_000 or signals < 20:
            log.append(Kind.MARKER, {"number": number, "bytes": number.to_bytes(50)})
            number += 1
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
    return number


async def test_a_signal_handler_may_append_at_any_moment(path: Path):
    async with Recorder(path) as recorder:
        log = begin(recorder)
        count = interrupted(log, lambda: recorder.mark("signal", bytes=b"s" * 50))
    stored = await only(path)
    texts = [payload.get("text") for payload in stored.payloads()]
    assert texts.count("signal") >= 20
    assert [payload["number"] for payload in stored.payloads() if "number" in payload] == list(range(count))


async def test_a_finalizer_may_append_at_any_moment(path: Path):
    class Dying:
        def __init__(self) -> None:
            self.itself = self  # so that only the collector ends it, wherever it is called

        def __del__(self) -> None:
            died.append(True)
            log.append(Kind.MARKER, {"died": b"d" * 50})

    died: list[bool] = []
    thresholds = gc.get_threshold()
    gc.set_threshold(7)
    try:
        async with Recorder(path) as recorder:
            log = begin(recorder)
            for number in range(2_000):
                if number % 5 == 0:
                    Dying()
                log.append(Kind.MARKER, {"number": number, "bytes": number.to_bytes(50)})
            while len(died) < 400:
                gc.collect()  # does nothing while another thread collects
                await asyncio.sleep(0)
    finally:
        gc.set_threshold(*thresholds)
    stored = await only(path)
    assert sum("died" in payload for payload in stored.payloads()) == 400
    assert [payload["number"] for payload in stored.payloads() if "number" in payload] == list(range(2_000))


async def test_a_redactor_may_append(path: Path):
    """It runs on the writer's thread, after the append; what it appends comes behind what is there."""
    recorder: Recorder

    def redactor(text: str) -> str:
        if text != "from within":
            recorder.mark("from within")
        return text

    async with Recorder(path, redactors=[redactor]) as recorder:
        log = begin(recorder)
        log.append(Kind.MARKER, {"text": "from without"})
        await recorder.flush()
    texts = [payload["text"] for payload in (await only(path)).payloads()]
    assert texts[0] == "from without"
    assert "from within" in texts
