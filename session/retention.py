"""Retention: which sessions of a store are to go. No I/O: it is told what there is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..schema import SessionRecord, Status, UsageError
from ..schema.log import Reason
from .filters import SessionFilter

_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


class Going(NamedTuple):
    """Sessions that go together, or not at all, and why."""

    sessions: tuple[SessionRecord, ...]
    reason: Reason


@dataclass(frozen=True, kw_only=True)
class Retention:
    """A policy. `about` says which sessions it is about, the rest which of these go: what is
    too old, or too much; without any of these limits all of them. Never one that is pinned, or being
    recorded, or among the `keep_last` newest.

    Attributes:
        older_than_s: seconds since the session's begin, after which it goes.
        keep_last: so many of the newest stay, whatever else is said; without another limit, no others do.
        max_bytes: the oldest go until the rest takes no more.
        about: it is only about sessions that fit.
        chains: the sessions of one model that connected again go all or none.

    Raises:
        UsageError: it would take every session, or none of it makes sense.
    """

    older_than_s: float | None = None
    keep_last: int | None = None
    max_bytes: int | None = None
    about: SessionFilter = field(default_factory=SessionFilter)
    chains: bool = False

    def __post_init__(self) -> None:
        limits = (self.older_than_s, self.keep_last, self.max_bytes)
        if self.is_about_all and limits == (None, None, None):
            raise UsageError("every session would go: say which, by age, number, size, label or status")
        if any(limit is not None and limit < 0 for limit in limits):
            raise UsageError("an age, a number or a size of sessions is not negative")
        if Status.RECORDING in self.about.statuses:
            raise UsageError("a session that is being recorded does not go: name another status")

    @property
    def is_about_all(self) -> bool:
        """Whether every session counts."""
        return self.about == SessionFilter()

    def chosen(
        self,
        sessions: Sequence[SessionRecord],
        *,
        now_ns: int,
        unfit: Collection[int] = (),
        pinned: Collection[int] = (),
        sizes: Mapping[int, int] | None = None,
    ) -> list[Going]:
        """What is to go, the oldest first.

        Args:
            sessions: all of a store, as they are.
            now_ns: Unix time in nanoseconds.
            unfit: keys of those that it is not about, for what happened in them.
            pinned: keys of those that are.
            sizes: key → bytes; asked only where there is a `max_bytes`.
        """
        fitting = [one for one in sessions if self.about.fits(one) and one.key not in unfit]
        ours = sorted(fitting, key=lambda one: (one.header.started_ns, one.key))
        kept = {one.key for one in ours[len(ours) - min(self.keep_last or 0, len(ours)) :]}
        kept.update(pinned)
        kept.update(one.key for one in sessions if one.status is Status.RECORDING)
        wanted: dict[int, Reason] = {
            one.key: reason for one in ours if (reason := self._reason(one, now_ns)) is not None
        }
        groups = chains(sessions) if self.chains else [(one,) for one in sessions]
        free = [group for group in groups if not any(one.key in kept for one in group)]
        free.sort(key=lambda group: (group[-1].header.started_ns, group[-1].key))
        going = [
            Going(group, wanted[group[-1].key]) for group in free if all(one.key in wanted for one in group)
        ]
        if self.max_bytes is None:
            return going
        sizes = sizes or {}
        gone = {one.key for each in going for one in each.sessions}
        about = {one.key for one in ours}
        left = sum(sizes.get(one.key, 0) for one in ours if one.key not in gone)
        for group in free:
            if left <= self.max_bytes:
                break
            if all(one.key in about and one.key not in gone for one in group):
                going.append(Going(group, "size"))
                left -= sum(sizes.get(one.key, 0) for one in group)
        return going

    def _reason(self, session: SessionRecord, now_ns: int) -> Reason | None:
        """Why it goes, size aside."""
        if self.older_than_s is not None:
            too_old = now_ns - session.header.started_ns > self.older_than_s * 1e9
            return "age" if too_old else None
        if self.max_bytes is not None:
            return None
        return "selection" if self.keep_last is None else "number"


def chains(sessions: Sequence[SessionRecord]) -> list[tuple[SessionRecord, ...]]:
    """Sessions by the model that had them, each in the order in which they are given."""
    links = [(one.header.id, one.header.previous_session) for one in sessions]
    return _joined(sessions, ((one, other) for one, other in links if other is not None))


def kin(sessions: Sequence[SessionRecord]) -> list[tuple[SessionRecord, ...]]:
    """As `chains`, each with what was derived of one of them: its `source` says so."""
    links = [(one.header.id, one.header.previous_session) for one in sessions]
    links += [(one.header.id, other) for one in sessions for other in _ID.findall(one.header.source)]
    return _joined(sessions, ((one, other) for one, other in links if other is not None))


def _joined(
    sessions: Sequence[SessionRecord], links: Iterable[tuple[str, str]]
) -> list[tuple[SessionRecord, ...]]:
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while (other := above.get(name, name)) != name:
            above[name] = above.get(other, other)
            name = other
        return name

    for one, other in links:
        above[top(one)] = top(other)
    groups: dict[str, list[SessionRecord]] = {}
    for one in sessions:
        groups.setdefault(top(one.header.id), []).append(one)
    return [tuple(group) for group in groups.values()]
