"""A recording as a pytest file, as a person would have written it: one test, for the plugin."""

from __future__ import annotations

import datetime
import keyword
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from ..schema import Kind, UsageError
from ..session import SPOKEN_DELTAS, Draft, answers_call, output_of
from ..session.fields import facts_of, mapping, text_of
from ..session.words import in_docstring

WIDTH = 100
MAX_LINES = 30
"""Of the conversation, in the test's docstring."""

MAX_NAME_WORDS = 6
MAX_NAME_CHARS = 60
_SDK = "openai-agents"


@dataclass(frozen=True)
class PytestFile:
    """What is to be written.

    Attributes:
        test: the name of the test, and of its recording.
        text: the source.
    """

    test: str
    text: str


def pytest_file(drafts: Sequence[Draft], app: str) -> PytestFile:
    """The file for a session and those that followed it.

    Args:
        app: `module:callable`.

    Raises:
        UsageError: that is no name which a file could import.
    """
    module, _, path = app.partition(":")
    if not all(_is_name(part) for part in (*module.split("."), *path.split("."))):
        raise UsageError(f"--app {app}: name it as module:callable, such as my_agent:app")
    imported, *attributes = path.split(".")
    told = [line for draft in drafts for line in conversation(draft)]
    header = drafts[0].header
    day = datetime.datetime.fromtimestamp(header.started_ns / 1e9, datetime.UTC).date()
    test = f"test_{_slug(told)}"
    sdk = _SDK in header.versions
    taken = (test, "realtape", "Realtape", "OpenAIRealtimeWebSocketModel")
    application = f"{imported} as application" if imported in taken else imported
    called = ".".join(("application" if imported in taken else imported, *attributes))
    imports = [
        f"from {module} import {application}",
        "from realtape.integrations.pytest_plugin import Realtape",
    ]
    if sdk:
        imports.append("from agents.realtime import OpenAIRealtimeWebSocketModel")
    lines = [
        f'"""A conversation of {day}, replayed: the application does again what it did then."""',
        "",
        "from __future__ import annotations",
        "",
        *sorted(imports),
        "",
        "",
        f"async def {test}(realtape: Realtape) -> None:",
        *_docstring(told),
        f"    await {called}(realtape.model({'OpenAIRealtimeWebSocketModel' if sdk else ''}))",
    ]
    return PytestFile(test, "\n".join(lines) + "\n")


def conversation(draft: Draft) -> list[str]:
    """What was said and done, a line each, in the order in which it began."""
    lines: dict[object, str] = {}
    calls: dict[str, str] = {}
    for entry in draft.entries:
        if entry.kind not in (Kind.RECEIVED, Kind.SENT):
            continue
        facts = facts_of(entry)
        if entry.type in SPOKEN_DELTAS:
            item = text_of(facts.get("item_id"))
            lines[item] = lines.get(item, "assistant: ") + text_of(facts.get("delta"))
        elif entry.type == "input_audio_transcription_completed":
            lines[text_of(facts.get("item_id"))] = f"user: {text_of(facts.get('transcript'))}"
        elif entry.type == "send_user_input" and isinstance(facts.get("user_input"), str):
            lines[entry.seq] = f"user: {facts['user_input']}"
        elif entry.type == "function_call":
            called = f"{text_of(facts.get('name'))}({text_of(facts.get('arguments'))})"
            calls[text_of(facts.get("call_id"))] = called
        elif (call_id := answers_call(entry)) is not None:
            called = calls.get(call_id, text_of(mapping(facts.get("tool_call")).get("name")))
            lines[entry.seq] = f"the application: {called} → {output_of(entry)}"
        elif entry.type == "audio_interrupted":
            lines[entry.seq] = "(the user breaks in)"
    return list(lines.values())


def _docstring(told: Sequence[str]) -> list[str]:
    """The conversation as a docstring, and nothing that would end it."""
    shown = [in_docstring(line, WIDTH - 5) for line in told[:MAX_LINES]]
    if len(told) > MAX_LINES:
        shown.append(f"… and {len(told) - MAX_LINES} more")
    if not shown:
        return []
    return [textwrap.indent(line, "    ") for line in ('"""', *shown, '"""')]


def _slug(told: Sequence[str]) -> str:
    """A name out of the first words of the user."""
    for line in told:
        if line.startswith("user: "):
            words = re.findall("[a-z0-9]+", line.removeprefix("user: ").lower())
            if words:
                return "_".join(words[:MAX_NAME_WORDS])[:MAX_NAME_CHARS].strip("_")
    return "the_conversation"


def _is_name(part: str) -> bool:
    return part.isidentifier() and not keyword.iskeyword(part)
