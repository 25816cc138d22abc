"""What recordings are called, and that no two tests have one together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape.integrations.pytest_plugin.recordings import LONGEST_NAME, Claims, model_path, safe_name
from support.voice_suite import TEST, VoiceSuite

HEAD, BODY = TEST.split("@pytest.mark.realtape\n")


@given(st.text(min_size=1) | st.from_regex(r"\Atest_\w+\[[^\[\]]+\]\Z"))
def test_a_safe_name_is_a_files_name_anywhere(name: str) -> None:
    safe = safe_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", safe)
    assert len(safe) <= LONGEST_NAME + 9


@given(st.lists(st.text("ab/\\._-[]é ", min_size=1, max_size=6), unique=True, min_size=2, max_size=2))
def test_what_is_made_safe_is_told_apart(names: list[str]) -> None:
    plain = [name for name in names if safe_name(name) == name]
    if len(plain) == 2 or not any("[" in name for name in names):
        assert safe_name(names[0]) != safe_name(names[1])


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("test_booking", "test_booking"),
        ("test_booking[two-evening]", "test_booking-two-evening"),
        ("TestTable-test_booking", "TestTable-test_booking"),
        ("test_booking[a/b]", "test_booking-a_b-1a7aa275"),
        ("the long call", "the_long_call-5bf214c6"),
    ],
)
def test_names_that_people_know(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_a_further_model_has_a_name_that_no_test_has() -> None:
    assert model_path(Path("recordings/m/test_a"), "../x").parent == Path("recordings/m")
    assert model_path(Path("recordings/m/test_a"), "waiter").name == "test_a.waiter"
    assert "." not in safe_name("test_a.waiter")


def test_capitals_alone_tell_no_two_recordings_apart() -> None:
    claims = Claims()
    assert claims.claim(Path("a/test_x"), "one") is None
    assert claims.claim(Path("a/test_x"), "one") is None
    assert claims.claim(Path("a/test_X"), "two") == "one"


def test_every_test_of_a_suite_has_its_own(suite: VoiceSuite) -> None:
    suite.write(
        "test_voice.py",
        f"""
{HEAD}
@pytest.mark.realtape
@pytest.mark.parametrize("when", ["noon", "a/b"])
{BODY.replace("(realtape)", "(realtape, when)")}

@pytest.mark.realtape("named")
@pytest.mark.parametrize("when", [1, 2])
{BODY.replace("test_booking(realtape)", "test_named(realtape, when)")}

class TestTable:
    @pytest.mark.realtape
    {BODY.replace("(realtape)", "(self, realtape)").replace(chr(10), chr(10) + "    ")}
""",
    )
    suite.passes("--realtape-record=once", passed=5)
    assert sorted(path.name for path in (suite.path / "recordings/test_voice").iterdir()) == [
        "TestTable-test_booking",
        "named-1",
        "named-2",
        "test_booking-a_b-1a7aa275",
        "test_booking-noon",
    ]
    suite.passes(passed=5)


def test_two_tests_of_one_name_are_refused(suite: VoiceSuite) -> None:
    other = BODY.replace("test_booking", "test_other")
    suite.write(
        "test_voice.py",
        f'{HEAD}\n@pytest.mark.realtape("call")\n{BODY}\n@pytest.mark.realtape("call")\n{other}\n',
    )
    suite.fails(
        "--realtape-record=once",
        lines=["test_voice.py::test_booking and test_voice.py::test_other would have the same recording: *"],
        errors=2,
    )
    assert not (suite.path / "recordings").exists()
    suite.passes("--realtape-record=once", "-k", "other", passed=1, deselected=1)


def test_the_folder_can_be_another(suite: VoiceSuite) -> None:
    for folder in ("calls", str(suite.path / "elsewhere")):
        suite.write("pytest.ini", "")
        suite.write(
            "pytest.ini",
            f"[pytest]\nasyncio_default_fixture_loop_scope = function\nrealtape_recordings = {folder}\n",
        )
        suite.write("unit/test_voice.py", TEST)
        suite.passes("unit", "--realtape-record=once")
    assert (suite.path / "unit/calls/test_voice/test_booking").is_dir()
    assert (suite.path / "elsewhere/unit/test_voice/test_booking").is_dir()


def test_a_fixture_between_the_test_and_ours_is_seen_through(suite: VoiceSuite) -> None:
    suite.recorded().write(
        "test_voice.py",
        """
import pytest
from agents.realtime import OpenAIRealtimeWebSocketModel
from my_app import book_a_table

@pytest.fixture
def model(realtape):
    return realtape.model(lambda: OpenAIRealtimeWebSocketModel())

async def test_booking(model):
    assert await book_a_table(model) == "Table four is yours."
""",
    )
    suite.passes()


def test_a_fixture_that_asks_for_ours_by_name_gets_it(suite: VoiceSuite) -> None:
    suite.recorded().write(
        "test_voice.py",
        """
import pytest
from my_app import book_a_table

@pytest.fixture
def model(request):
    return request.getfixturevalue("realtape").model()

async def test_booking(model):
    assert await book_a_table(model) == "Table four is yours."
""",
    )
    suite.passes()
    suite.change("TABLE = 4", "TABLE = 5")
    suite.fails(lines=["the replay diverged: *"])


def test_in_the_midst_of_a_test_it_is_too_late_to_ask(suite: VoiceSuite) -> None:
    suite.recorded().write(
        "test_voice.py", 'def test_booking(request):\n    request.getfixturevalue("realtape")\n'
    )
    suite.fails(lines=["the fixture `realtape` was asked for in the midst of the test*"])
