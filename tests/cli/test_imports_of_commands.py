"""What a command does not need is not imported: `--help`, `ls`, `show`, `verify` load what they name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from realtape.cli.commands import COMMANDS, command_of
from support.command_line import environment

FIXTURES = Path(__file__).parents[2] / "fixtures"

_TELL = """
import sys
from realtape.cli import main
assert main(sys.argv[1:]) == 0
print("LOADED", *sorted(sys.modules))
"""

OF_HELP = {
    *("commands", "defaults", "exit_codes", "output"),
}
"""Modules of `realtape.cli`."""

OF_LS = OF_HELP | {"filter_options", "ls_command"}

OF_SHOW = OF_LS | {"bounds", "play_options", "show_command", "timeline_views"}

NEVER = {
    *("agents", "hypothesis", "openai", "pytest", "websockets", "sqlalchemy.dialects.postgresql"),
    *("realtape.lab", "realtape.provider", "realtape.recorder", "realtape.replay", "realtape.wire"),
}
"""What none of them needs."""

OF_DECODING = {"realtape.schema.codec.codec", "realtape.schema.events", "realtape.schema.items"}
"""What brings models: only who decodes needs them."""

OF_EVENT_LOOPS = {"aiosqlite", "sqlalchemy.ext.asyncio", "sqlalchemy.orm"}
"""What reads a store without blocking."""

OF_RECORDINGS = {"realtape.session.drafts", "realtape.session.fixture.reading", "realtape.session.recording"}


def loaded(*arguments: object) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _TELL, *map(str, arguments)],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


def of_cli(modules: set[str]) -> set[str]:
    names = (name.removeprefix("realtape.cli.") for name in modules if name.startswith("realtape.cli."))
    return set(names)


def test_what_the_help_and_ls_import() -> None:
    asked = loaded("--help")
    assert of_cli(asked) == OF_HELP
    assert not asked & (
        NEVER
        | OF_DECODING
        | OF_EVENT_LOOPS
        | OF_RECORDINGS
        | {"asyncio", "pydantic", "sqlalchemy", "realtape.schema.log"}
    )
    listed = loaded("ls", FIXTURES / "demo-format-1.db")
    assert of_cli(listed) == OF_LS
    assert not listed & (NEVER | OF_DECODING | OF_EVENT_LOOPS | OF_RECORDINGS)


def test_what_show_and_verify_import() -> None:
    shown = loaded("show", FIXTURES / "demo-format-1.db")
    assert of_cli(shown) == OF_SHOW
    assert not shown & (NEVER | OF_DECODING | OF_EVENT_LOOPS)
    assert not loaded("verify", FIXTURES / "demo-format-1.db") & NEVER


def test_every_command_is_where_it_is_declared() -> None:
    for name, one in COMMANDS.items():
        assert command_of(name).help
        assert len(one.help) < 66, "it is one line of the help, on 80 columns"
