"""`STORE[#SESSION]`: which part of what a user writes is the file, and which the session."""

from __future__ import annotations

from pathlib import Path

import pytest
from realtape.schema import UsageError
from realtape.session import Target, parse_store, parse_target


def test_a_name_without_a_mark_is_a_store() -> None:
    assert parse_target("calls.db") == Target("calls.db", None)


def test_what_follows_the_mark_is_a_session_however_short_and_in_any_case() -> None:
    assert parse_target("calls.db#01a2") == Target("calls.db", "01a2")
    assert parse_target("calls.db#01A2029E-A593") == Target("calls.db", "01a2029e-a593")


def test_a_file_of_the_whole_name_wins(tmp_path: Path) -> None:
    odd = tmp_path / "calls#01a2"
    odd.touch()
    assert parse_target(str(odd)) == Target(str(odd), None)
    assert parse_target(f"{odd}#77") == Target(str(odd), "77")


def test_what_cannot_be_an_id_belongs_to_the_path_unless_the_file_is_there(tmp_path: Path) -> None:
    assert parse_target("my#folder/calls.db") == Target("my#folder/calls.db", None)
    (tmp_path / "calls.db").touch()
    assert parse_target(f"{tmp_path}/calls.db#newest") == Target(f"{tmp_path}/calls.db", "newest")


def test_a_label_names_a_session_as_it_is_written(tmp_path: Path) -> None:
    store = tmp_path / "calls.db"
    assert parse_target(f"{store}#caller=Four").session is None
    store.touch()
    for place in (str(store), "postgresql://me@host/calls"):
        target = parse_target(f"{place}#caller=Four, 9")
        assert (target, target.is_single) == (Target(place, "caller=Four, 9"), False)
    assert Target("calls.db", "01a2").is_single


def test_a_url_has_a_session_too_and_keeps_its_password() -> None:
    url = "postgresql://me:p#ss@host/calls"
    assert parse_target(url) == Target(url, None)
    assert parse_target(f"{url}#01a2") == Target(url, "01a2")


def test_a_mark_without_a_session_is_misuse(tmp_path: Path) -> None:
    (tmp_path / "calls.db").touch()
    with pytest.raises(UsageError, match="no session after the #"):
        parse_target(f"{tmp_path}/calls.db#")


def test_a_whole_store_has_no_session() -> None:
    assert parse_store("calls.db") == "calls.db"
    with pytest.raises(UsageError, match="leave out #01a2"):
        parse_store("calls.db#01a2")


def test_names_that_no_file_can_have_are_stores_that_are_not_there() -> None:
    for name in ("a\0b", "x" * 5000, "~nobody-of-this-name/calls.db"):
        assert parse_target(name) == Target(name, None)
