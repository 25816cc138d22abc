"""What is to be done for one test, decided before its fixtures are set up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from .failure_text import shown
from .plugin_options import Mode, PluginOptions, settings_of
from .recordings import exists, exists_any, model_path, recording_path


@dataclass(frozen=True)
class RecordingPlan:
    """What is to be done for one test.

    Attributes:
        test: the test's node id, as one types it here.
        path: where the recording of its first model lies, or is to lie.
        begins_recording: the first model will be recorded.
    """

    test: str
    settings: PluginOptions
    path: Path
    begins_recording: bool

    @classmethod
    def of(cls, item: pytest.Item) -> RecordingPlan:
        """Decide.

        Raises:
            pytest.UsageError: a marker, an option or the ini file says what there is not.
            UnreadableRecordingError: a process died while it replaced the recording.
        """
        settings = settings_of(item)
        path = recording_path(item, settings)
        there = exists(path)
        match settings.mode:
            case Mode.NONE:
                begins = False
            case Mode.ONCE:
                begins = not there and not exists_any(path)
            case Mode.NEW:
                begins = not there
            case Mode.ALL:
                begins = True
        here = Path(item.config.invocation_params.dir)
        test = f"{shown(item.path, here)}::{item.nodeid.partition('::')[2]}"
        return cls(test, settings, path, begins)

    def replayed(self) -> RecordingPlan:
        """The same test, on what it has recorded: to learn of it, and not to be judged."""
        replay = {**self.settings.replay, "on_divergence": "collect", "learned": False}
        settings = replace(
            self.settings, mode=Mode.NONE, check=False, keep=False, update=False, replay=replay
        )
        return replace(self, settings=settings, begins_recording=False)

    @property
    def virtual(self) -> bool:
        """Whether the test runs on virtual time. Where a model may yet be recorded, it does not: a
        provider that is silent for a while would find the clock gone on."""
        may_record = self.begins_recording or self.settings.mode is Mode.NEW
        return self.settings.loop == "virtual" and not may_record

    def path_of(self, number: int, name: str | None) -> Path:
        """Where the recording of a model lies: the test's first without a name has the test's."""
        if name is None:
            return self.path if number == 1 else model_path(self.path, str(number))
        return model_path(self.path, name)

    def records(self, path: Path) -> bool:
        """Whether the model of this recording is recorded now.

        Raises:
            UnreadableRecordingError: a process died while it replaced the recording.
        """
        if self.settings.mode is Mode.NEW:
            return not exists(path)
        return self.begins_recording
