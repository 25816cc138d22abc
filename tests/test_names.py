"""One name, one noun: no two classes of ours share a name, and no two modules, but for what is listed."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict

from support.packages import PACKAGES, ROOT

CLASSES = {
    # The SDK's: what wraps or replaces our own keeps its name, and its users never see the other one.
    "Recorder": {"recorder/recorder.py", "integrations/openai_agents/recording_model.py"},
    "RecordingModel": {"recorder/recorder.py", "integrations/openai_agents/recording_model.py"},
    "ReplayModel": {"replay/model.py", "integrations/openai_agents/replay_model.py"},
    # The protocol's words: in the client's interface, and in what the server takes.
    "InputAudio": {"schema/items.py", "provider/requests.py"},
    "InputImage": {"schema/items.py", "provider/requests.py"},
    "InputText": {"schema/items.py", "provider/requests.py"},
    # A message on a socket, and the extent of an entry: the words that sockets and stacks have for them.
    "Frame": {"schema/frames.py", "recorder/causes.py"},
    # A response as a recording tells it, and one that a server is giving.
    "Response": {"session/structure.py", "provider/session.py"},
    # Speech that is read, that a script says, and that a plan has said: each the word of its own language.
    "Speech": {"session/speech.py", "provider/script.py", "lab/strategies/plans.py"},
}
"""The class → the files that may have it."""

MODULES = {
    # What the interface names, and who does something with it in a package of its own.
    "events": {"schema/events.py", "lab/strategies/events.py"},
    "model": {"schema/model.py", "replay/model.py"},
    "playback": {"schema/playback.py", "recorder/playback.py"},
    "settings": {"schema/settings.py", "provider/settings.py"},
    "vocabulary": {"schema/codec/vocabulary.py", "integrations/openai_agents/vocabulary.py"},
    # What is read of a recording, and what writes, changes or checks it.
    "calls": {"replay/core/calls.py", "lab/invariants/calls.py"},
    "messages": {"session/messages.py", "lab/edits/messages.py"},
    "payloads": {"session/payloads.py", "recorder/payloads.py", "lab/edits/payloads.py"},
    "speech": {"session/speech.py", "provider/speech.py"},
}
"""The module → the files that may be called so."""


@functools.cache
def found() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The files of each class, nested ones too, and of each module."""
    classes: defaultdict[str, list[str]] = defaultdict(list)
    modules: defaultdict[str, list[str]] = defaultdict(list)
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        file = str(path.relative_to(ROOT))
        if path.stem not in ("__init__", "__main__"):
            modules[path.stem.lstrip("_")].append(file)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                classes[node.name].append(file)
    return classes, modules


def twice(files: dict[str, list[str]]) -> dict[str, set[str]]:
    several = {name: places for name, places in files.items() if len(places) > 1}
    assert all(len(set(places)) == len(places) for places in several.values()), "one file has a name twice"
    return {name: set(places) for name, places in several.items()}


def test_no_two_classes_have_the_same_name() -> None:
    assert twice(found()[0]) == CLASSES


def test_no_two_modules_have_the_same_name() -> None:
    assert twice(found()[1]) == MODULES
