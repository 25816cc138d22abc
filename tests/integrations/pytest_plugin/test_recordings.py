"""Moving a recording into place: whole or not at all, and the one before stays until then."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from realtape.integrations.pytest_plugin import recordings
from realtape.schema.entries import Entry, Header, Kind, Status
from realtape.session.drafts import Draft
from support.voice_suite import files_in

HEADER = Header("01a20000-0000-7000-8000-000000000001", None, 0, "here", 1, "recorder", {}, {})


def draft(text: str) -> Draft:
    payload = f'{{"text": "{text}", "data": {{}}}}'
    marker = Entry(0, 0, 0, 0, Kind.MARKER, payload=payload)
    return Draft(HEADER, Status.CLOSED, (marker,)).sealed()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a recording that is there."""
    path = tmp_path / "recordings/test_module/test_it"
    recordings.put([draft("before")], path)
    return path


def text_of(path: Path) -> str:
    return recordings.read(path)[0].entries[0].payload


def test_a_new_recording_takes_the_place_of_the_one_before(path: Path) -> None:
    recordings.put([draft("after")], path)
    assert "after" in text_of(path)
    assert [one.name for one in path.parent.iterdir()] == ["test_it"]


def test_what_is_left_of_a_process_that_died_at_the_very_end_is_taken_away(path: Path) -> None:
    path.with_name(".test_it.old").mkdir()
    recordings.put([draft("after")], path)
    assert [one.name for one in path.parent.iterdir()] == ["test_it"]


def test_what_cannot_be_written_leaves_the_one_before(path: Path) -> None:
    before = files_in(path.parent)
    entry = dataclasses.replace(draft("after")).entries[0]
    broken = Draft(HEADER, Status.CLOSED, (entry._replace(digest=b"\0" * 32),))
    with pytest.raises(Exception, match=r"digest|changed|not what"):
        recordings.put([broken], path)
    assert files_in(path.parent) == before


@pytest.mark.parametrize("failing", [1, 2])
def test_a_renaming_that_fails_leaves_the_one_before(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    before, rename, calls = files_in(path.parent), Path.rename, list[Path]()

    def unreliable(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == failing:
            raise PermissionError("not today")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", unreliable)
    with pytest.raises(PermissionError):
        recordings.put([draft("after")], path)
    monkeypatch.undo()
    assert files_in(path.parent) == before


def test_who_dies_between_the_two_renames_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def dying(self: Path, target: Path) -> Path:
        if self == path:
            rename(self, target)
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", dying)
    with pytest.raises(KeyboardInterrupt):
        recordings.put([draft("after")], path)
    monkeypatch.undo()
    with pytest.raises(recordings.UnreadableRecordingError, match=r"back from \.test_it\.old"):
        recordings.exists(path)
    assert "before" in text_of(path.with_name(".test_it.old"))


@pytest.mark.parametrize("what", ["a file", "a folder", "a link"])
def test_what_is_no_recording_is_not_replaced(tmp_path: Path, what: str) -> None:
    path = tmp_path / "test_it"
    if what == "a file":
        path.write_text("mine")
    elif what == "a folder":
        path.mkdir()
        (path / "thesis.txt").write_text("mine")
    else:
        recordings.put([draft("elsewhere")], tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    before = files_in(tmp_path)
    with pytest.raises(recordings.UnreadableRecordingError, match="is no recording"):
        recordings.put([draft("after")], path)
    assert files_in(tmp_path) == before
