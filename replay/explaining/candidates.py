"""The recorded calls that one which nobody recorded may have been meant as."""

from __future__ import annotations

from heapq import nsmallest
from typing import Any, cast

from ...schema.entries import Kind
from ..core.machine import ReplayCore
from ..matching.contents import tree_of
from ..terms.acts import RecordedCall

LOOKED_AT = 16
"""Recorded calls whose content is held against it."""


def nearest(
    core: ReplayCore, kind: str, type: str | None, key: str, cause: int | None
) -> RecordedCall | None:
    """Of the recorded calls of its type that nobody has made: the one most like it.

    One of the same occasion comes first (made because of the same event, or the answer to the same
    call of a tool), then one that is due; then the one in which fewest fields differ.
    """
    alike = [call for call in core.expected if call.step.kind == kind and call.step.entry.type == type]

    def remoteness(call: RecordedCall) -> tuple[bool, bool, bool, int]:
        return (not _same_occasion(call, key, cause), call.skipped, not _due(core, call), call.seq)

    def distance(call: RecordedCall) -> tuple[bool, bool, bool, int, int]:
        other_occasion, skipped, not_due, seq = remoteness(call)
        fields = len(core.matching.differences(call.step.key, key))
        return (other_occasion, skipped, not_due, fields, seq)

    return min(nsmallest(LOOKED_AT, alike, key=remoteness), key=distance, default=None)


def takes_its_place(core: ReplayCore, call: RecordedCall, key: str, cause: int | None) -> bool:
    """Whether a live send is taken for this recorded one, though they differ: it must come, its turn has
    come, and nothing says that they belong to different occasions."""
    if call.step.kind != Kind.SENT or not call.required or call.skipped or not _due(core, call):
        return False
    return cause is None or _same_occasion(call, key, cause)


def _due(core: ReplayCore, call: RecordedCall) -> bool:
    return call.required and core.is_given(call.step.entry.cause)


def _same_occasion(call: RecordedCall, key: str, cause: int | None) -> bool:
    recorded = call.step.entry.cause
    if cause is not None and recorded == cause:
        return True
    answered = _answered(call.step.key)
    return answered is not None and answered == _answered(key)


def _answered(key: str) -> Any:
    """The id of the tool call that a send answers, if it answers one."""
    tree = tree_of(getattr(key, "payload", key))
    call = cast("dict[str, Any]", tree).get("tool_call") if isinstance(tree, dict) else None
    return cast("dict[str, Any]", call).get("call_id") if isinstance(call, dict) else None
