"""`--fault` of a replay below the interface: what the command line injects, and tells of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.asked_below import record
from support.command_line import Ran

Realtape = Callable[..., Ran]
APP = ("--app", "support.asked_below:app", "--depth", "wire")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("asked") / "calls.db"
    record(store)
    return store


@pytest.fixture(autouse=True)
def _untraced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_AGENTS_DISABLE_TRACING", "1")


def test_without_one_it_is_the_same(realtape: Realtape, asked: Path) -> None:
    ran = realtape("replay", asked, *APP)
    assert ran.code == 0, ran.out
    assert "injected" not in ran.out


def test_a_fault_is_injected_and_told(realtape: Realtape, asked: Path) -> None:
    ran = realtape("replay", asked, *APP, "--fault", "close,code=1011,message=response.output_item.added")
    assert (ran.code, ran.err) == (0, ""), "the model sends what it sent"
    assert "13 not played" in ran.out
    assert "injected: close, downstream message 7 (response.output_item.added): code=1011" in ran.out


def test_late_messages_are_no_divergence(realtape: Realtape, asked: Path) -> None:
    ran = realtape("replay", asked, *APP, "--fault", "latency,latency=250", "--json")
    report = json.loads(ran.out)
    assert (ran.code, report["verdict"]) == (0, "same")
    assert {fault["toxic"] for fault in report["injected"]} == {"latency"}
    assert len(report["injected"]) == report["delivered"]


def test_a_seed_is_the_same_faults_each_time(realtape: Realtape, asked: Path) -> None:
    def injected(seed: int) -> list[int]:
        lost = ("--fault", "lose,chance=0.5,message=response.output_text.delta", "--fault-seed", seed)
        return [
            fault["number"]
            for fault in json.loads(realtape("replay", asked, *APP, *lost, "--json").out)["injected"]
        ]

    assert injected(1) == injected(1)
    assert len({tuple(injected(seed)) for seed in range(4)}) > 1


def test_a_file_of_toxiproxys(realtape: Realtape, asked: Path, tmp_path: Path) -> None:
    toxic = {"name": "slow", "type": "latency", "stream": "downstream", "toxicity": 1.0}
    (tmp_path / "toxics.json").write_text(
        json.dumps([{**toxic, "attributes": {"latency": 100, "jitter": 0}}])
    )
    ran = realtape("replay", asked, *APP, "--fault", f"@{tmp_path / 'toxics.json'}")
    assert ran.code == 0, ran.out
    assert "injected: latency" in ran.out


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--depth", "wire", "--fault", "thunder"), "thunder"),
        (("--depth", "wire", "--fault", "@nowhere.json"), "cannot be read as JSON"),
        (("--depth", "interface", "--fault", "eof"), "below the interface"),
    ],
)
def test_what_is_no_fault_is_refused(
    realtape: Realtape, asked: Path, options: tuple[str, ...], told: str
) -> None:
    ran = realtape("replay", asked, "--app", "support.asked_below:app", *options)
    assert ran.code == 2
    assert told in ran.err
