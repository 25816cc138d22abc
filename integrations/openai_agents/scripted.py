"""A recording as steps for the SDK's own `ScriptedRealtimeModel`: Python source, to be kept and changed.

The scripted model knows no time: what came after a send comes at once when that is made, and sends must
come in the recorded order. Where that is too little, replay the recording itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agents.realtime.model_events import RealtimeModelEndOfStreamEvent
from agents.realtime.model_inputs import RealtimeModelSendAudio, RealtimeModelSendSessionUpdate
from agents.realtime.testing import RealtimeStep

from ...schema import Kind, UsageError
from ...session import Recording
from ...session.words import in_docstring
from .source import PythonSource, Verbatim
from .vocabulary import VOCABULARY

_BY_TYPE = (RealtimeModelSendAudio, RealtimeModelSendSessionUpdate)
"""Matched by their class only: microphones cut as they like, settings hold tools that nobody can make."""


_IN_BASE64 = '''
def in_base64(data: bytes) -> str:
    """Sound as raw events carry it."""
    return base64.b64encode(data).decode()

'''


@dataclass(frozen=True)
class ScriptedSource:
    """What is to be written.

    Attributes:
        text: a Python module with `CONNECT_EVENTS` and `STEPS`.
        data: the bytes that it reads from the file beside it; empty if it needs none.
    """

    text: str
    data: bytes


@dataclass
class _Step:
    expect: Any
    emit: list[Any] = field(default_factory=list[Any])
    error: BaseException | None = None


async def scripted_source(recording: Recording, data_name: str) -> ScriptedSource:
    """The steps of one recorded session.

    Args:
        recording: of the SDK's events.
        data_name: of the file for the bytes.

    Raises:
        UsageError: the recording holds no session that was connected.
        CorruptRecordError: it cannot be read.
    """
    connect_events, steps = await _steps(recording)
    source = PythonSource()
    events = source.expression(tuple(connect_events), before=len("CONNECT_EVENTS = "))
    told = [_step_source(source, step) for step in steps]
    body = "".join(f"    {step},\n" for step in told)
    source.name(RealtimeStep)
    header = recording.header
    lines = [
        '"""Steps of a recorded session, for the SDK\'s `ScriptedRealtimeModel`.',
        "",
        f"Made of {in_docstring(header.id)},",
        f"recorded with openai-agents {in_docstring(header.versions.get('openai-agents', '(unknown)'))}.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        *(["import base64"] if source.uses_base64 else []),
        *(["from pathlib import Path"] if source.data else []),
        *([""] if source.data or source.uses_base64 else []),
        *source.imports(),
        "",
        *([f'AUDIO = (Path(__file__).parent / "{data_name}").read_bytes()', ""] if source.data else []),
        *([_IN_BASE64] if source.uses_base64 else []),
        f"CONNECT_EVENTS = {events}",
        "",
        f"STEPS = (\n{body})" if told else "STEPS = ()",
    ]
    return ScriptedSource("\n".join(lines) + "\n", bytes(source.data))


def _step_source(source: PythonSource, step: _Step) -> str:
    expect: Any = step.expect
    if isinstance(expect, _BY_TYPE):
        expect = Verbatim(source.name(type(expect)))
    given: list[tuple[str, Any]] = [("expect", expect)]
    if step.error is not None:
        given.append(("error", step.error))
    elif step.emit:
        given.append(("emit", step.emit))
    return source.call("RealtimeStep", given, 1)


async def _steps(recording: Recording) -> tuple[list[Any], list[_Step]]:
    """The events before the first send, and the sends with what came after each."""
    recording.read_as(VOCABULARY)
    before: list[Any] = []
    steps: list[_Step] = []
    by_seq: dict[int, _Step] = {}
    connected = False
    async for entry, value in recording.values():
        if entry.kind == Kind.CONNECTED:
            connected = True
        elif entry.kind == Kind.SENT:
            by_seq[entry.seq] = _Step(value)
            steps.append(by_seq[entry.seq])
        elif entry.kind == Kind.SENT_DONE and entry.of in by_seq:
            outcome = value.get("outcome")
            if outcome == "raised":
                by_seq[entry.of].error = value["raised"]
            elif outcome == "withheld":  # `send_if` said no: nothing was sent
                withheld = by_seq.pop(entry.of)
                place = steps.index(withheld)
                (steps[place - 1].emit if place else before).extend(withheld.emit)
                del steps[place]
        elif entry.kind == Kind.RECEIVED and not isinstance(value, RealtimeModelEndOfStreamEvent):
            (steps[-1].emit if steps else before).append(value)
    if not connected:
        raise UsageError(f"{recording}: it never connected; a scripted model could not emit anything")
    return before, steps
