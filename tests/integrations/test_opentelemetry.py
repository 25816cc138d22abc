"""A recorder's status as metrics: what a meter asks for, and that it keeps no recorder."""

from __future__ import annotations

import dataclasses
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from realtape.integrations.opentelemetry import observe
from realtape.recorder import Recorder, RecorderStatus
from support.stored import begin, mark

pytestmark = pytest.mark.real_time


class Observation(NamedTuple):
    """As `opentelemetry.metrics.Observation`."""

    value: float
    attributes: dict[str, str]


class Meter:
    """Keeps what it is given to ask."""

    def __init__(self) -> None:
        self.asked: dict[str, Callable[[Any], list[Observation]]] = {}
        self.units: dict[str, str] = {}

    def named(self, name: str) -> Meter:
        """As `opentelemetry.metrics.get_meter`."""
        assert name == "realtape"
        return self

    def create_observable_counter(
        self, name: str, callbacks: list[Callable[[Any], list[Observation]]], unit: str, description: str
    ) -> None:
        (self.asked[name],) = callbacks
        self.units[name] = unit
        assert description

    create_observable_gauge = create_observable_counter


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> Meter:
    meter = Meter()
    module = SimpleNamespace(Observation=Observation, get_meter=meter.named)
    monkeypatch.setitem(sys.modules, "opentelemetry", SimpleNamespace(metrics=module))
    monkeypatch.setitem(sys.modules, "opentelemetry.metrics", module)
    return meter


async def test_a_meter_is_told_the_status(tmp_path: Path, meter: Meter):
    async with Recorder(tmp_path / "log.db") as recorder:
        observe(recorder)
        mark(begin(recorder), 1, 2, 3)
        await recorder.flush()
        told = {name.removeprefix("realtape.recorder."): ask(None) for name, ask in meter.asked.items()}
        numbers = {field.name for field in dataclasses.fields(RecorderStatus)}
        assert set(told) == numbers - {"store", "durability", "error", "closed"}
        store = {"store": str(tmp_path / "log.db")}
        assert told["entries"] == [Observation(3, store)]
        assert told["sessions"] == [Observation(1, store)]
        assert told["lost_entries"] == [Observation(0, store)]
        assert all(meter.units.values())


async def test_the_meter_keeps_no_recorder(tmp_path: Path, meter: Meter):
    observe(Recorder(tmp_path / "log.db"))
    gc.collect()
    assert [ask(None) for ask in meter.asked.values()] == [[]] * len(meter.asked)
