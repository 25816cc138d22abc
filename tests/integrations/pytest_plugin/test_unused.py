"""`--realtape-unused`: recordings that belong to no test."""

from __future__ import annotations

import shutil

import pytest
from support.voice_suite import VoiceSuite


def test_recordings_without_a_test_are_listed(suite: VoiceSuite) -> None:
    suite.recorded()
    folder = suite.recording.parent
    for name in ("test_renamed", "test_booking.waiter", ".test_old.old"):
        shutil.copytree(suite.recording, folder / name)
    shutil.copytree(folder, folder.with_name("test_gone"))
    result = suite.passes("--realtape-unused")
    lines = result.stdout.lines
    first = next(number for number, line in enumerate(lines) if "recordings without a test" in line)
    assert lines[first + 1 : first + 3] == ["recordings/test_gone", "recordings/test_voice/test_renamed"]
    assert "passed" in lines[first + 3]
    # Of files alone, only their own modules can be judged.
    result = suite.passes("--realtape-unused", "test_voice.py")
    result.stdout.no_fnmatch_line("recordings/test_gone")
    result.stdout.fnmatch_lines(["recordings/test_voice/test_renamed"])


def test_where_all_have_a_test_that_is_said(suite: VoiceSuite) -> None:
    suite.recorded().passes("--realtape-unused").stdout.fnmatch_lines(["every recording has its test"])


def test_nothing_is_said_of_a_part_of_the_tests(suite: VoiceSuite) -> None:
    suite.recorded()
    for arguments in (["test_voice.py::test_booking"], ["-k", "booking"]):
        suite.run("--realtape-unused", *arguments).stdout.fnmatch_lines(
            ["cannot tell*name whole files or folders"] if "::" in arguments[0] else ["every recording*"]
        )
    suite.change(
        "async def test_booking", "async def test_other(): ...\n\nasync def test_booking", "test_voice.py"
    )
    suite.run("--realtape-unused", "-k", "booking").stdout.fnmatch_lines(["cannot tell*"])


@pytest.mark.deep
def test_the_controller_of_xdist_does_not_know_the_tests(suite: VoiceSuite) -> None:
    pytest.importorskip("xdist")
    for name in ("conftest.py", "pytest.ini"):
        suite.write(name, "")
    suite.write("test_voice.py", "def test_other():\n    pass\n")
    others = ("asyncio", "anyio", "hypothesispytest", "timeout")  # they cost seconds
    result = suite.pytester.runpytest_subprocess(
        "--realtape-unused", "-n1", *(f"-pno:{name}" for name in others)
    )
    result.stdout.fnmatch_lines(["the workers of xdist collect the tests*run this without -n"])
