"""The page as a file: its policy, its blocks, and that nothing of a recording is markup. What a browser makes
of it is asked in `tests/viewer/test_browser.py`."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sys
from array import array
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from realtape.schema import UsageError
from realtape.schema.codec import standard_json
from realtape.session import Draft, Recording, entry_columns
from realtape.session.derived import derive_draft
from realtape.session.fixture import read_fixture
from realtape.session.redaction import redacted
from realtape.viewer import AudioKept, write_page
from realtape.viewer.sound_codecs import codec_for
from realtape.viewer.waveforms import lowered, samples_of
from support.calls_to_see import odd_call
from support.pages import blocks_of

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"


def drafts_of(name: str) -> list[Draft]:
    return read_fixture(FIXTURES / name)


def told(blocks: dict[str, bytes], name: str) -> Any:
    return json.loads(blocks[name])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_page(redacted(drafts_of("demo")), path, store="calls.db")
    return path.read_bytes().decode()


def test_only_its_own_script_and_style_may_run(page: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert "\r" not in page
    for tag in ("script", "style"):
        text = page.rpartition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src &#x27;sha256-{digest}&#x27;" in policy[1]
    assert policy[1].startswith("default-src &#x27;none&#x27;;")
    assert "connect-src" not in policy[1]
    assert not re.search(
        r"\bstyle=|\bon\w+=\"|https?://(?!www\.w3\.org/2000/svg)", page.partition("<main")[0]
    )


def test_the_index_the_rows_and_the_lines_are_those_of_the_session(page: str) -> None:
    blocks, (draft,) = blocks_of(page), redacted(drafts_of("demo"))
    index, rows = told(blocks, "0/index/0"), told(blocks, "0/rows/0")
    assert index["at"] == [entry.at_ns for entry in draft.entries]
    assert index["cause"] == [-1 if entry.cause is None else entry.cause for entry in draft.entries]
    assert [index["names"][one] for one in index["kind"]] == [entry.kind for entry in draft.entries]
    assert json.loads(rows[7][-1])["payload"] == json.loads(draft.entries[7].payload)
    session = told(blocks, "0/session")
    assert session["lines"] == len(told(blocks, "0/lines/0"))
    assert session["id"] == draft.header.id


def test_an_entry_stands_there_with_the_digits_of_the_log(tmp_path: Path) -> None:
    """Every column, whatever is odd in it; a payload that is JSON by its very text."""
    draft = odd_call()
    write_page([draft], tmp_path / "page.html", store="calls.db")
    rows = told(blocks_of((tmp_path / "page.html").read_text()), "0/rows/0")
    for entry, row in zip(draft.entries, rows, strict=True):
        columns = json.loads(row[-1])
        assert columns == json.loads(standard_json(entry_columns(draft.header.id, entry)))
        assert f'"payload":{entry.payload},' in row[-1] or columns["payload"] == entry.payload
    assert "[1e-400,-0,12345678901234567890]" in rows[-3][-1]


@given(st.lists(st.integers(-(1 << 15), (1 << 15) - 1), max_size=40))
@example([32767] * 9)
@example([-32768] * 9)
@example([0] * 5)
def test_two_of_three_samples_are_means_of_those_that_they_are_of(samples: list[int]) -> None:
    made = samples_of(lowered(array("h", samples).tobytes(), 24_000))
    whole = [*samples, *samples[-1:] * (-len(samples) % 3)]
    threes = [whole[place : place + 3] for place in range(0, len(whole), 3)]
    means = [mean for a, b, c in threes for mean in ((2 * a + b) / 3, (b + 2 * c) / 3)]
    del means[len(samples) * 2 // 3 :]
    assert len(made) == len(means)
    assert all(abs(one - mean) <= 3 for one, mean in zip(made, means, strict=True))
    assert not any(one for one, mean in zip(made, means, strict=True) if mean == 0)


def test_what_the_session_comes_to_is_what_session_says(page: str) -> None:
    (draft,) = redacted(drafts_of("demo"))
    derived = derive_draft(draft)
    story = told(blocks_of(page), "0/session")["story"]
    for name in ("connections", "turns", "responses", "tools", "heard", "interruptions", "latency"):
        of_page = [{key: value for key, value in one.items() if key != "at_ns"} for one in story[name]]
        assert of_page == json.loads(json.dumps([asdict(one) for one in getattr(derived, name)]))
    assert len(derived.tools) == 1
    assert len(derived.interruptions) == 2


def test_the_states_are_those_that_the_session_is_in(page: str) -> None:
    """Put back together as the page does it."""
    from realtape.session import Fold
    from realtape.viewer.state_patches import state_facts

    (draft,) = redacted(drafts_of("demo"))
    fold = Fold()
    for entry in draft.entries:
        fold.add(entry)
    block = told(blocks_of(page), "0/states/0")
    state = block["first"]
    for _, patch in block["patches"]:
        for key in ("turn", "played", "open", "settings"):
            state[key] = patch.get(key, state[key])
        if "length" in patch:
            for place, *item in patch["items"]:
                state["history"][place : place + 1] = [item]
            del state["history"][patch["length"] :]
    assert state == json.loads(json.dumps(state_facts(fold.state())))
    asked, created, updated = told(blocks_of(page), "0/session")["settings"]
    assert (asked["told_by"], asked["seq"], created["seq"]) == ("application", 0, 4)
    assert state["settings"] == updated["seq"] == 6
    assert (updated["told_by"], json.loads(updated["json"])["instructions"]) == ("server", "Answer briefly.")


def test_the_sound_is_what_was_recorded_to_the_byte(page: str) -> None:
    blocks, (draft,) = blocks_of(page), redacted(drafts_of("demo"))
    sound = told(blocks, "0/session")["sound"]
    for lane in ("user", "model"):
        kept = b"".join(blocks[name] for name in blocks if name.startswith(f"0/sound/{lane}/"))
        recorded = b"".join(
            draft.bytes_at(*re_at)
            for entry in draft.entries
            if entry.type == {"user": "send_audio", "model": "audio"}[lane]
            for re_at in [json.loads(entry.payload)[{"user": "audio", "model": "data"}[lane]]["at"]]
        )
        assert kept == recorded
        peaks = sum(-(-one["length"] // 2 // 240) for one in sound["lanes"][lane])
        assert len(blocks[f"0/peaks/{lane}"]) == 2 * peaks


def test_the_same_recording_gives_the_same_page(page: str, tmp_path: Path) -> None:
    write_page(redacted(drafts_of("demo")), tmp_path / "again.html", store="calls.db")
    assert (tmp_path / "again.html").read_bytes().decode() == page


def test_what_is_kept_of_the_sound_is_chosen(tmp_path: Path) -> None:
    for kept, rate in ((AudioKept.LOW, 16_000), (AudioKept.SILENCE, 24_000), (AudioKept.NONE, 24_000)):
        path = tmp_path / f"{kept}.html"
        write_page(drafts_of("demo"), path, store="calls.db", audio=kept)
        blocks = blocks_of(path.read_text())
        (first, *_) = told(blocks, "0/session")["sound"]["lanes"]["model"]
        assert first["rate_hz"] == rate
        sounds = b"".join(data for name, data in blocks.items() if "/sound/" in name)
        assert bool(sounds) == (kept is not AudioKept.NONE)
        assert bool(sounds.strip(b"\0")) == (kept is AudioKept.LOW)


def test_without_an_encoder_nothing_is_encoded_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(UsageError, match=r"pip install 'realtape\[audio\]'"):
        write_page(drafts_of("demo"), tmp_path / "page.html", store="calls.db", audio=AudioKept.FLAC)
    assert not list(tmp_path.iterdir())


def test_what_no_browser_need_decode_is_not_encoded() -> None:
    assert codec_for("flac", 44_100) == codec_for("opus", 44_100) == "flac"
    assert codec_for("opus", 16_000) == "opus"
    assert codec_for("flac", 4_000) is codec_for("opus", 192_000) is None


def test_what_exists_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        write_page(drafts_of("kiosk"), path, store="calls.db")
    with pytest.raises(UsageError, match=r"name it ….html"):
        write_page(drafts_of("kiosk"), tmp_path / "page.txt", store="calls.db")
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    "fixture", ["demo-format-1.db", "values-format-1.db", "kiosk-interrupted", "switchboard"]
)
@pytest.mark.real_time
async def test_recordings_of_every_format_open(fixture: str, tmp_path: Path) -> None:
    async with await Recording.open(FIXTURES / fixture) as recording:
        drafts = recording.drafts()
    write_page(drafts, tmp_path / "page.html", store=fixture)
    blocks = blocks_of((tmp_path / "page.html").read_text())
    (notice,) = told(blocks, "head")["notices"]
    assert (notice["level"] == "strong") == ("Nothing was redacted" in notice["text"]) == (".db" in fixture)
    for number, draft in enumerate(drafts):
        assert told(blocks, f"{number}/session")["read"] >= len(draft.entries)
