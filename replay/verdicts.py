"""What becomes of a difference between a recording and its replay: a divergence, which raises or is
collected; a change of settings; or a note, where the recording itself is not whole."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, cast

from ..schema.entries import Flag, Kind
from . import explain
from .core.machine import ReplayCore
from .matching.excerpts import told
from .matching.matchers import MatcherError
from .reporting.divergence import Difference, Divergence, DivergenceError
from .reporting.report_builder import ReportBuilder
from .terms.steps import RecordedCall, Step

REMEMBERED = 64
"""So many recorded calls whose place was taken by a live one that differs: they may come after all."""


class Verdicts:
    """Judges for a model, over all its connections.

    Args:
        report: hears of everything.
        raises: the first divergence ends the replay.
        strict: settings that differ from the recorded ones diverge, too, and what was not checked.
        is_heard: whether the application has listeners, or has closed.
        ends: called with the error that ends the replay; once.

    Attributes:
        core: of the connection that is played, or was played last.
        error: which has ended the replay.
        deaf: nobody has ever listened.
    """

    def __init__(
        self,
        report: ReportBuilder,
        *,
        raises: bool,
        strict: bool,
        is_heard: Callable[[], bool],
        ends: Callable[[], None],
    ) -> None:
        self.core: ReplayCore | None = None
        self.error: BaseException | None = None
        self.deaf = True
        self._report = report
        self._raises = raises
        self._strict = strict
        self._is_heard = is_heard
        self._ends = ends
        self._replaced: OrderedDict[tuple[str, str | None, str], Divergence] = OrderedDict()
        self._unheard_from: int | None = None
        self._told_unheard = False

    def diverge(self, divergence: Divergence) -> None:
        """The replay has diverged."""
        if divergence.kind == "missing":
            self.tell_unheard()  # who hears nothing does not answer
        self._report.add(divergence)
        if self._raises:
            self.end(DivergenceError(divergence))

    def end(self, error: BaseException) -> None:
        """This ends the replay, if nothing has: whoever waits must hear of it."""
        if self.error is None:
            self.error = error
            self._ends()

    def raise_again(self) -> None:
        """What has ended the replay, if anything has."""
        if self.error is not None:
            raise self.error

    def exhausted(self) -> BaseException:
        """The application connects once more than it did when this was recorded."""
        exhausted = explain.exhausted(self.core, len(self._report.recordings))
        self.diverge(exhausted)
        return self.error or DivergenceError(exhausted)

    def unmatched(self, kind: Kind, type: str | None, key: str, cause: int | None) -> RecordedCall | None:
        """A call came that no recorded one equals; the one that it is taken for, if any.

        Args:
            cause: the event in whose extent it was made, where that is known.

        Raises:
            DivergenceError, CorruptRecordError: that ends the replay.
        """
        core = self.core
        assert core is not None, "who calls is connected"
        if type == "send_audio":
            self._report.unmatched_audio += 1
            return None
        taken_before = self._replaced.pop((kind, type, key), None)
        if taken_before is not None:  # the call that took its place was one too many, and this is as recorded
            self._report.was_extra(taken_before)
            self._report.matched += 1
            return None
        if core.is_near_gap():
            self._report.note(f"{type or kind} was not recorded: perhaps it was lost, near a gap or the end")
            return None
        if core.hears_of_end:
            self._report.note(
                f"{type or kind} came when the application was told of an end that was not recorded"
            )
            return None
        divergence, taken = explain.unmatched(core, kind, type, key, cause)
        if taken is None and core.unreadable is not None:  # it may be recorded there
            self.end(core.unreadable)
            self.raise_again()
        self.diverge(divergence)
        self.raise_again()
        if taken is None:
            self._report.extra += 1
            return None
        self._replaced[taken.alike] = divergence
        if len(self._replaced) > REMEMBERED:
            self._replaced.popitem(last=False)
        return core.take(taken)

    def after_close(self, type: str | None, event: Any) -> None:
        """A send came after the recording has ended, and the application has closed.

        Raises:
            DivergenceError: that ends the replay.
        """
        core = self.core
        assert core is not None, "what was played has a core"
        self._report.extra += 1
        self.diverge(explain.after_close(core, type, core.matching.live(type, event)))
        self.raise_again()

    def compare(self, path: tuple[str, ...], recorded: Step, live: Any) -> None:
        """Settings, field by field: what differs is a change, and diverges only when strict. Matchers of
        `send_session_update`'s `session_settings` count for settings that are given to `connect`, too.

        Args:
            path: where they are in the recorded payload.
        """
        assert self.core is not None, "who sends settings is connected"
        matching, settings = self.core.matching, recorded.value
        for name in path:
            if isinstance(settings, dict):
                settings = cast("dict[str, Any]", settings).get(name, {})
            else:
                settings = getattr(settings, name, {})
        matching.absent.learn(recorded.entry.payload)
        redacted = bool(recorded.entry.flags & Flag.REDACTED)
        try:
            found = told(matching.changed_settings(settings, live, redacted=redacted))
        except MatcherError as error:
            self.end(error)
            raise
        self._tell_changes(recorded, found)

    def compare_trackers(self, recorded: Step, live: Any) -> None:
        """Whether the application has a playback tracker, in the options of `connect`: without one the model
        assumes what was heard. Who has none any more is told of what it does not report."""
        value = cast("dict[str, Any]", recorded.value) if isinstance(recorded.value, dict) else {}
        options: dict[str, Any] = value.get("options", {})
        if live is not None and "playback_tracker" not in options and not self._report.answers_itself:
            given = type(live).__qualname__
            self._tell_changes(recorded, (Difference("playback_tracker", "none", given),))

    def _tell_changes(self, recorded: Step, found: tuple[Difference, ...]) -> None:
        """Settings differ."""
        assert self.core is not None, "who sends settings is connected"
        self._report.changes += found
        if found and self._strict:
            self.diverge(explain.changed(self.core, recorded.seq, found))

    def unheard(self, step: Step) -> None:
        """An event was delivered, and there is nobody to hear it, where there was when it was recorded."""
        self._report.unheard += 1
        if self._unheard_from is None:
            self._unheard_from = step.seq

    def tell_unchecked(self) -> None:
        """A connection is played: if nothing may be left unchecked, diverge where something was."""
        report = self._report
        unchecked = [one for one in report.unchecked.values() if one.session == report.recordings[-1]]
        if unchecked and self._strict and not report.answers_itself:
            assert self.core is not None, "who has played has a core"
            self.diverge(explain.unchecked(self.core, unchecked))
        if report.unread and self._strict:
            assert self.core is not None, "who has played has a core"
            self.diverge(explain.unread(self.core))

    def tell_playback(self) -> None:
        """The application's player does not do what it did, and that was to diverge."""
        if not self._report.answers_itself:
            assert self.core is not None, "who has played has a core"
            self.diverge(explain.playback(self.core))

    def tell_unheard(self) -> None:
        """Diverge, once, if the application has lost its listeners, and has not closed."""
        seq, core = self._unheard_from, self.core
        if self._told_unheard or seq is None or core is None:
            return
        if self._is_heard() and not self.deaf:
            return
        self._told_unheard = True
        self.diverge(explain.unheard(core, seq))
