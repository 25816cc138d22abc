"""`realtape proxy`: between a command and its provider, or until it is stopped or killed."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

from realtape.provider import LocalProvider, Reply, Script
from support.command_line import Ran, run, start
from support.in_thread import provider_in_thread

CLIENT = """
import os, sys
from websockets.sync.client import connect
with connect(os.environ["REALTAPE_URL"] + "/v1/realtime?model=local") as client:
    print(client.recv()[:24])
"""
SCRIPT = Script([Reply.text("Hello.")])
Realtape = Callable[..., Ran]


def test_what_a_command_says_is_recorded_and_can_be_served(tmp_path: Path) -> None:
    store = tmp_path / "calls.db"
    with provider_in_thread(LocalProvider(SCRIPT)) as url:
        upstream = url.partition("/v1")[0]
        options = ("--upstream", upstream, "--store", store, "--listen", "127.0.0.1:0")
        done = run("proxy", *options, "--", sys.executable, "-c", CLIENT)
    assert done.code == 0, done.err
    assert done.lines[0] == f"recording at {done.lines[0].split()[2]} what goes to {upstream}, into {store}"
    assert "frame_in" in run("show", store, "--all").out
    served = run(
        "serve", store, "--", sys.executable, "-c", CLIENT.replace(' + "/v1/realtime?model=local"', "")
    )
    assert (served.code, served.lines[-1].split(":")[0]) == (0, "run 1, connection 1")


def test_it_is_stopped_by_a_signal(tmp_path: Path) -> None:
    process = start("proxy", "--listen", "127.0.0.1:0", "--store", tmp_path / "calls.db")
    assert process.stdout is not None
    assert process.stdout.readline().endswith(f"wss://api.openai.com, into {tmp_path / 'calls.db'}\n")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")


def test_what_cannot_be_done_is_told(realtape: Realtape) -> None:
    assert "write HOST:PORT" in realtape("proxy", "--listen", "here").err
    assert "give a token" in realtape("proxy", "--listen", "0.0.0.0:0").err
