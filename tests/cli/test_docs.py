"""`docs/cli.md` names every command and option that exists, and none that does not; nor does any
other page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from realtape.cli.commands import all_commands
from realtape.cli.exit_codes import Exit
from realtape.cli.filter_options import OPTIONS as FILTERS
from realtape.schema import Kind

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text()
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
COMMANDS = all_commands()
HEADING = re.compile(r"^## `realtape (\S+) ?([^`]*)`$", re.MULTILINE)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")


def section(command: str) -> str:
    """What the page says of a command."""
    found = re.search(rf"^## `realtape {command}\b.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/cli.md has no section on `realtape {command}`"
    return found[0]


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert {name for name, _ in HEADING.findall(PAGE)} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_named_and_every_named_option_exists(command: str) -> None:
    options = {
        name for parameter in COMMANDS[command].params for name in parameter.opts if name.startswith("--")
    }
    text = section(command)
    shared = FILTERS if "(#which-sessions)" in text else set[str]()
    assert shared <= options
    assert set(OPTION.findall(text)) - shared == options - shared - {"--help"}


def test_every_filter_is_named_once_for_all_commands() -> None:
    found = re.search(r"^## Which sessions$.*?(?=^```)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    assert sorted(OPTION.findall(found[0])) == sorted(FILTERS)
    commands = re.findall(r"`(\w+)`", found[0].split("take these options")[0])
    assert sorted(commands) == sorted(name for name in COMMANDS if "(#which-sessions)" in section(name))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_choice_is_named(command: str) -> None:
    text = section(command)
    if command == "replay":
        for choice in ("reactions", "all", "none"):
            assert f"`--expect {choice}`" in text
    if command == "show":
        named = re.search(r"this kind: (.*?) …", text, re.DOTALL)
        assert named is not None
        assert {*re.findall(r"`(\w+)`", named[1])} <= set(Kind)


def test_the_options_of_all_commands_are_named() -> None:
    beginning = PAGE[: PAGE.index("\n## ")]
    assert set(OPTION.findall(beginning)) == {"--help", "--version", "--app"}


def test_every_argument_is_named_as_the_help_names_it() -> None:
    for name, words in HEADING.findall(PAGE):
        arguments = [one for one in COMMANDS[name].params if not one.opts[0].startswith("--")]
        assert words.split() == [one.metavar for one in arguments]


def test_the_exit_codes_are_those_that_there_are() -> None:
    rows = re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)
    assert [int(row) for row in rows] == sorted(Exit)


def examples(page: Path) -> list[tuple[str, str]]:
    """What a page has one type, in blocks and in sentences: the command, and what follows it."""
    text = page.read_text()
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    typed = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    typed += re.findall(r"`(realtape [^`\n]+)`", text)
    found = (re.match(r" *(?:\$ )?(?:.*[;&] )?realtape (\S+)(.*)", line) for line in typed)
    return [(one[1], re.split(r" [|>#;&] | -- ", one[2])[0]) for one in found if one is not None]


NO_COMMANDS = {("format.md", "seal")}
"""What only looks like one: the name under which a key is derived."""


def test_every_command_of_an_example_exists_with_its_options() -> None:
    count = 0
    for page in PAGES:
        for command, rest in examples(page):
            if command.startswith("--") or (page.name, command) in NO_COMMANDS:
                continue
            assert command in COMMANDS, f"{page.name}: realtape {command}{rest}"
            known = {name for one in COMMANDS[command].params for name in one.opts} | {"--help"}
            assert {*OPTION.findall(rest)} <= known, f"{page.name}: realtape {command}{rest}"
            count += 1
    assert count > 100
