"""Divergences in the words of the conversation: made where the core and the driver see them."""

from __future__ import annotations

import json
from typing import Any, cast

from .acts import HandlerDiffers, RecordedCall, Wait
from .core import ReplayCore
from .divergence import Difference, Divergence
from .matching import Matching, tree_of
from .steps import Outcome
from .words import line, short

MAX_DIFFERENCES = 8


def unexpected(core: ReplayCore, kind: str, type: str | None, key: str) -> Divergence:
    """A call came that the recording does not hold."""
    came = type or kind
    alike = [call for call in core.expected if call.step.kind == kind and call.step.entry.type == type]
    nearest = alike[0] if alike else None
    expected = nearest or next((call for call in core.expected if call.required), None)
    if nearest is None:
        summary = f"{came} came, and the recording holds none from here on"
    else:
        summary = f"{came} came with another content than any that was recorded"
    return Divergence(
        "unexpected",
        summary,
        core.turn,
        expected=None if expected is None else line(expected.step.entry),
        actual=f"{came} {short(_payload_text(key))}".rstrip(),
        seq=None if expected is None else expected.seq,
        differences=() if nearest is None else _between(core.matching, nearest.step.key, key),
        around=_around(core, expected),
    )


def closed_early(core: ReplayCore, call: RecordedCall) -> Divergence:
    """`close` came before the event that caused it."""
    return Divergence(
        "unexpected",
        f"close came before entry {call.step.entry.cause}, because of which it was called",
        core.turn,
        expected=line(call.step.entry),
        actual="close",
        seq=call.seq,
        around=_around(core, call),
    )


def missing(core: ReplayCore, wait: Wait) -> Divergence:
    """Something that was recorded has not happened, and nothing goes on without it."""
    step = wait.step
    if wait.what == "call":
        summary = f"{step.entry.type or step.kind} was recorded, and did not come"
    else:
        summary = "the listeners returned from this event when it was recorded, and have not now"
    kind = "handler" if wait.what == "handler" else "missing"
    return Divergence(
        kind,
        summary,
        core.turn,
        expected=line(step.entry),
        actual="nothing",
        seq=step.seq,
        around=tuple(line(one.entry) for one in core.window.around(step.seq)),
    )


def handler(core: ReplayCore, act: HandlerDiffers) -> Divergence:
    """Listeners raised where they did not, or the reverse."""
    return Divergence(
        "handler",
        "the listeners ended otherwise than when this was recorded",
        core.turn,
        expected=f"{line(act.step.entry)}: {_how(act.recorded)}",
        actual=_how(act.live),
        seq=act.step.seq,
    )


def unheard(core: ReplayCore, count: int, seq: int) -> Divergence:
    """Events found no listener, and the application has not closed either."""
    return Divergence(
        "unheard",
        f"{count} events found no listener, the first at entry {seq}; there was one when recorded",
        core.turn,
        seq=seq,
    )


def exhausted() -> Divergence:
    """A further connect than were recorded."""
    return Divergence("exhausted", "connect came again, and the recording holds no further connection", 0)


def changed(core: ReplayCore, found: list[Difference]) -> Divergence:
    """Settings differ, and that was to diverge."""
    summary = "the settings differ from the recorded ones"
    return Divergence("unexpected", summary, core.turn, differences=tuple(found))


def _between(matching: Matching, recorded: str, live: str) -> tuple[Difference, ...]:
    found = [difference(*one) for one in matching.differences(recorded, live)]
    if not found and recorded != live:
        found = [Difference("bytes", "(recorded)", "(other)")]
    return tuple(found[:MAX_DIFFERENCES])


def difference(path: str, recorded: Any, live: Any) -> Difference:
    """One field, cut short."""
    return Difference(path or "(value)", short(repr(recorded)), short(repr(live)))


def _payload_text(key: str) -> str:
    tree = tree_of(getattr(key, "payload", key))
    if not isinstance(tree, dict):
        return str(tree)
    fields = cast("dict[str, Any]", tree)
    return json.dumps({name: value for name, value in fields.items() if name != "$"}, ensure_ascii=False)


def _how(outcome: Outcome) -> str:
    if outcome.error is None:
        return outcome.how
    return f"raised {type(outcome.error).__name__}: {short(str(outcome.error))}"


def _around(core: ReplayCore, call: RecordedCall | None) -> tuple[str, ...]:
    if call is None:
        return ()
    return tuple(line(step.entry) for step in core.window.around(call.seq))
