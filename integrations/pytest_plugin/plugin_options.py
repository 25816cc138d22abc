"""What a test asks for: by its markers, by options of the command line, by the ini file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from ...replay import ReplayOptions
from ...schema import UsageError
from ..project import project_of
from ..replay_settings import replay_options
from .plugin import AUDIO, MODES

AudioKept = Literal["keep", "silence", "drop"]
LoopKind = Literal["virtual", "plain"]

REPLAY_OPTIONS = (*ReplayOptions.__annotations__, "depth")
"""Arguments of `ReplayModel`, which a marker and `realtape.model` pass on; and where it is recorded and
replayed."""

_NOTHING: Mapping[str, Any] = {}


class Mode(StrEnum):
    """When to record."""

    NONE = "none"
    ONCE = "once"
    NEW = "new"
    ALL = "all"


@dataclass(frozen=True)
class PluginOptions:
    """What counts for one test.

    Attributes:
        mode: when to record.
        folder: of the recordings, relative to the test's file; or absolute.
        name: of the recording, if the marker gives one.
        loop: of a replay.
        redact: how personal data are taken out of what is recorded: arguments of `redacted`; None: they stay.
        record_audio: what becomes of the audio that is recorded.
        allow_loopback: a replay may connect to this machine.
        allow_hosts: hosts to which a replay may connect.
        check: fail the test where the replay has diverged.
        keep: what a failing test did is kept.
        html: of a failing test a page is written: the recording beside what it did.
        update: what a passing test did takes the place of what it did when it was recorded.
        origins: a file that keeps what was learned of recordings, and goes before what they keep.
        learn: what was just recorded is replayed, to learn what the application does by itself.
        replay: arguments of `ReplayModel`.
    """

    mode: Mode = Mode.NONE
    folder: str = "recordings"
    name: str | None = None
    loop: LoopKind = "virtual"
    redact: Mapping[str, Any] | None = field(default_factory=lambda: _NOTHING)
    record_audio: AudioKept = "keep"
    allow_loopback: bool = False
    allow_hosts: tuple[str, ...] = ()
    check: bool = True
    keep: bool = False
    html: bool = False
    update: bool = False
    origins: Path | None = None
    learn: bool = True
    replay: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


def settings_of(item: pytest.Item) -> PluginOptions:
    """What counts for this test: of several markers the closest.

    Raises:
        pytest.UsageError: a marker, an option or the ini file says what there is not.
    """
    config = item.config
    told: dict[str, Any] = {}
    name: str | None = None
    for marker in reversed(list(item.iter_markers("realtape"))):  # the farthest first
        told |= marker.kwargs
        name = _name(marker) or name
    try:
        told_there = project_of(config.rootpath)
        project, redaction = replay_options(told_there), told_there.redaction()
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
    replay = project | {option: told.pop(option) for option in REPLAY_OPTIONS if option in told}
    settings = PluginOptions(
        mode=Mode(_one_of("realtape_record", _mode(config), MODES)),
        folder=str(config.getini("realtape_recordings")),
        name=name,
        loop=_one_of("loop", told.pop("loop", "virtual"), ("virtual", "plain")),
        redact=_redaction(told.pop("redact", config.getini("realtape_redact")), redaction),
        record_audio=_one_of(
            "record_audio", told.pop("record_audio", config.getini("realtape_audio")), AUDIO
        ),
        allow_loopback=bool(told.pop("allow_loopback", config.getini("realtape_allow_loopback"))),
        allow_hosts=_hosts(told.pop("allow_hosts", ())),
        check=bool(told.pop("check", True)),
        keep=bool(config.getoption("realtape_keep")),
        html=bool(config.getoption("realtape_html")),
        learn=bool(config.getini("realtape_learn")),
        update=bool(config.getoption("realtape_update")),
        origins=told_there.origins,
        replay=replay,
    )
    if told:
        known = "loop, redact, record_audio, allow_loopback, allow_hosts, check, "
        raise pytest.UsageError(
            f"@pytest.mark.realtape knows no {', '.join(sorted(told))}: {known}{', '.join(REPLAY_OPTIONS)}"
        )
    if settings.redact is None and settings.record_audio != "keep":
        raise pytest.UsageError(
            f"record_audio={settings.record_audio!r} is part of redaction, which is switched off; "
            "leave redaction on, or keep the audio"
        )
    return settings


def _mode(config: pytest.Config) -> str:
    return str(config.getoption("realtape_record") or config.getini("realtape_record") or "none")


def _name(marker: pytest.Mark) -> str | None:
    if not marker.args:
        return None
    name: object = marker.args[0]
    if len(marker.args) > 1 or not isinstance(name, str) or not name:
        raise pytest.UsageError(
            f"@pytest.mark.realtape{marker.args!r}: one name for the recording, and options by keyword"
        )
    return name


def _one_of(option: str, value: object, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        raise pytest.UsageError(f"{option}={value!r}: one of {', '.join(choices)}")
    return value


def _redaction(value: object, project: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What is to be taken out: what the project says, but where the test says otherwise."""
    if isinstance(value, bool):
        return project if value else None
    if not isinstance(value, Mapping) or "audio" in value:
        raise pytest.UsageError(
            f"redact={value!r}: True, False, or arguments of `redacted`: kinds, extra, words, regions, keep"
        )
    return {**project, **cast("Mapping[str, Any]", value)}


def _hosts(value: object) -> tuple[str, ...]:
    hosts = list(cast("Sequence[object]", value)) if isinstance(value, (list, tuple, set, frozenset)) else []
    if isinstance(value, str) or any(not isinstance(host, str) for host in hosts):
        raise pytest.UsageError(f"allow_hosts={value!r}: a list of names or addresses of hosts")
    return tuple(cast("list[str]", hosts))
