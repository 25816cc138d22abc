"""`realtape import --frames`, and HAR files in and out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from support.command_line import Ran
from support.wire_talk import TURN

Realtape = Callable[..., Ran]


def test_frames_in_shown_and_out_as_har_and_in_again(realtape: Realtape, tmp_path: Path) -> None:
    lines = [{"from": "server" if way == "<" else "client", "event": what} for way, what in TURN]
    (tmp_path / "a.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    store = tmp_path / "calls.db"
    done = realtape("import", "--frames", "--direction-field", "from", tmp_path / "a.jsonl", store)
    assert (done.code, done.lines[-1]) == (0, f"{len(TURN) + 2} entries written to {store}")
    assert "frame_out" in realtape("show", store).out
    for options in ((), ("--conversation",), ("--from", "3")):
        shown = realtape("show", store, *options)
        assert realtape("show", store, "--follow", *options) == shown, "with the events of frames, too"
    har = tmp_path / "calls.har"
    assert realtape("export", store, har, "--har", "--no-redact").code == 0
    assert realtape("export", store, har, "--har").code == 2, "what exists is left as it is"
    again = realtape("import", har, tmp_path / "again.db")
    assert again.code == 0, again.err
    assert len(json.loads(har.read_text())["log"]["entries"][0]["_webSocketMessages"]) == len(TURN)


def test_what_holds_no_frames_has_no_har(realtape: Realtape, tmp_path: Path) -> None:
    kiosk = Path(__file__).parents[2] / "fixtures" / "kiosk"
    done = realtape("export", kiosk, tmp_path / "a.har", "--har")
    assert (done.code, "it holds no frames" in done.err) == (2, True)
