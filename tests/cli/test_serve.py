"""`realtape serve`: a server for a command, or until it is stopped."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from support.command_line import Ran, run, start

Realtape = Callable[..., Ran]

KIOSK = Path(__file__).parents[2] / "fixtures" / "kiosk"

CLIENT = """
import os, sys
from websockets.sync.client import connect
with connect(os.environ["REALTAPE_URL"]) as client:
    print(client.recv()[:24])
    for text in sys.argv[1:]:
        client.send(text)
        print(client.recv()[:24])
"""
UPDATE = '{"type":"session.update","session":{}}'


def test_a_command_is_run_against_it() -> None:
    done = run("serve", KIOSK, "--pace", "0", "--", sys.executable, "-c", CLIENT, UPDATE)
    assert done.code == 0, done.err
    assert "serving at ws://127.0.0.1:" in done.out
    assert "same: " in done.out
    assert "above the socket" in done.out


def test_what_the_recording_does_not_hold_is_an_exit_code() -> None:
    done = run("serve", KIOSK, "--pace", "0", "--json", "--", sys.executable, "-c", CLIENT, UPDATE, "{}")
    assert done.code == 1
    told = json.loads(done.out[done.out.index("{\n") :])
    assert told["verdict"] == "diverged"
    assert told["runs"][0]["connections"][0]["findings"][0]["kind"] == "unexpected"


def test_it_is_stopped_by_a_signal_and_says_that_nobody_came() -> None:
    process = start("serve", KIOSK, "--port", "0")
    assert process.stdout is not None
    assert "serving at ws://" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (3, "")
    assert out.startswith("unplayed: ")


def test_what_cannot_be_done_is_told() -> None:
    assert (
        run("serve", KIOSK, "--", "no-such-command")
        .err.strip()
        .endswith("no-such-command: cannot be run (No such file or directory)")
    )


SECURE = """
import os, ssl, sys
from websockets.sync.client import connect
assert os.environ["NODE_EXTRA_CA_CERTS"] == os.environ["REALTAPE_CA"]
url = os.environ["REALTAPE_URL"].replace("/v1/", "/recording/kiosk/v1/")
with connect(url, ssl=ssl.create_default_context(cafile=os.environ["REALTAPE_CA"])) as client:
    print(client.recv()[:24])
"""


def test_a_folder_over_tls_with_faults_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "faults.json").write_text('[{"type": "latency", "attributes": {"latency": 1}}]')
    options = ("--tls", "--fault", f"@{tmp_path / 'faults.json'}", "--pace", "0")
    done = run("serve", KIOSK.parent, *options, "--", sys.executable, "-c", SECURE)
    assert done.code == 0, done.err
    assert "serving at wss://127.0.0.1:" in done.out
    assert "run 1 of kiosk, connection 1: " in done.out
    assert "  injected: latency, downstream message 1 (session.created): ms=1" in done.out


def test_options_that_make_no_sense_are_told(realtape: Realtape, tmp_path: Path) -> None:
    assert "give both" in realtape("serve", KIOSK, "--ca", tmp_path / "ca.pem").err
    assert "known are latency" in realtape("serve", KIOSK, "--fault", "late").err
    assert "cannot be read" in realtape("serve", KIOSK, "--fault", f"@{tmp_path / 'none.json'}").err
