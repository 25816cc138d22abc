"""Recorded calls whose place was taken by a live one that differs, in case they come after all."""

from __future__ import annotations

from collections import OrderedDict

from ..core.report_builder import ReportBuilder
from ..reporting.divergence import Divergence
from ..terms.acts import RecordedCall

REMEMBERED = 64
"""So many of them."""

_Key = tuple[str, str | None, str]


class Replaced:
    """Remembers them for a while."""

    def __init__(self) -> None:
        self._taken: OrderedDict[_Key, Divergence] = OrderedDict()

    def add(self, call: RecordedCall, divergence: Divergence) -> None:
        """The place of this call was taken; that was told as this divergence."""
        step = call.step
        self._taken[step.kind, step.entry.type, step.key] = divergence
        if len(self._taken) > REMEMBERED:
            self._taken.popitem(last=False)

    def restore(self, kind: str, type: str | None, key: str, report: ReportBuilder) -> bool:
        """A call came that no recorded one equals; returns whether its place was taken before it came.

        Then the call that took it was one too many, and this one is as recorded.
        """
        divergence = self._taken.pop((kind, type, key), None)
        if divergence is None:
            return False
        report.was_extra(divergence)
        report.matched += 1
        return True
