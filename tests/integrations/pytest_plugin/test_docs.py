"""`docs/pytest.md`: its examples run, and it names every option that there is, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

from realtape.integrations.pytest_plugin import Realtape
from realtape.integrations.pytest_plugin.plugin import AUDIO, MODES
from realtape.integrations.pytest_plugin.plugin_options import REPLAY_OPTIONS
from support.voice_suite import VoiceSuite

PAGE = (Path(__file__).parents[3] / "docs" / "pytest.md").read_text()
OWN_OPTIONS = ("loop", "check", "allow_hosts", "allow_loopback", "redact", "record_audio")


def table_after(heading: str) -> list[str]:
    """The first cells of the table's rows."""
    section = PAGE.partition(f"## {heading}")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*?) \|", section, re.MULTILINE)
    return [row for row in rows[1:] if row.strip("-|")]


def test_the_examples_are_recorded_and_replayed(suite: VoiceSuite) -> None:
    (suite.path / "test_voice.py").unlink()
    examples = re.findall(r"^```python\n# (test_\w+\.py)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for name, text in examples:
        suite.write(name, text)
    commands = re.findall(r"^\$ pytest ?(\S*)", PAGE, re.MULTILINE)
    assert [name for name, _ in examples] == ["test_booking.py", "test_details.py", "test_client.py"]
    (suite.path / "test_client.py").unlink()  # it wants a recording that there is: see test_servers.py
    assert commands == ["--realtape-record=once", ""]
    suite.passes("--realtape-record=once", passed=3)
    assert sorted(str(path.relative_to(suite.path)) for path in suite.path.glob("recordings/*/*")) == [
        "recordings/test_booking/test_booking",
        "recordings/test_details/evening",
        "recordings/test_details/test_two_callers.ada",
        "recordings/test_details/test_two_callers.grace",
    ]
    suite.passes(passed=3)


def test_every_mode_has_its_row() -> None:
    assert [row.split("`")[1] for row in table_after("When it records")] == list(MODES)


def test_every_option_of_the_marker_has_its_row_and_every_row_an_option() -> None:
    rows = " ".join(table_after("What a test can say"))
    named = re.findall(r"`(\w+)(?:=[^`]*)?`", rows)
    assert sorted(named) == sorted([*OWN_OPTIONS, *REPLAY_OPTIONS])


def test_every_option_and_setting_is_in_the_last_table(suite: VoiceSuite) -> None:
    help_text = suite.run("--help").stdout.str()
    options = set(re.findall(r"^  (--realtape-\w+)", help_text, re.MULTILINE))
    settings = set(re.findall(r"^  (realtape_\w+) ", help_text, re.MULTILINE))
    table = PAGE.partition("## Options")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(--realtape-\w+)`", table)) == options
    assert set(re.findall(r"`(realtape_\w+)`", table)) == settings
    assert set(re.findall(r"--realtape-\w+", PAGE)) == options
    for choice in AUDIO:
        assert f"`{choice}`" in table


def test_every_member_of_the_fixture_is_named() -> None:
    """But for those that the plugin's own hooks ask."""
    public = {name for name in vars(Realtape) if not name.startswith("_")} - {
        "found",
        "judge",
        "made",
        "opened",
        "section",
        "unchecked",
    }
    assert set(re.findall(r"`realtape\.(\w+)", PAGE)) == public
