"""Sessions that several connections of a proxy are in, because they have something in common."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args
from urllib.parse import parse_qs, urlsplit

from websockets.datastructures import Headers

from ..recorder import Recorder
from ..schema import Status, UsageError
from .socket_tap import SocketTap

JOIN_S = 60.0
"""A session ends when it had no connection for so long; who comes later begins the next."""

MAX_REMEMBERED = 10_000
"""So many values' last sessions are remembered, for those that follow them."""

Place = Literal["query", "header", "label"]


@dataclass(frozen=True, slots=True)
class JoinRule:
    """What connections of one session have in common.

    Attributes:
        place, name: `header` and `X-Call-Id`, say. `label` and `run`: the run; another label is the proxy's
            own, and so of all its connections.
    """

    place: Place
    name: str

    @classmethod
    def of(cls, text: str) -> JoinRule:
        """As the command line has it: `header:X-Call-Id`.

        Raises:
            UsageError: it is none.
        """
        place, colon, name = text.partition(":")
        if place not in get_args(Place) or not colon or not name:
            raise UsageError(f"join={text!r}: write query:NAME, header:NAME or label:NAME")
        return cls(cast("Place", place), name)

    def value(self, path: str, headers: Headers, labels: Mapping[str, str]) -> str | None:
        """Of a connection; None: it lacks it."""
        if self.place == "label":
            return labels.get(self.name)
        if self.place == "header":
            return next(iter(headers.get_all(self.name)), None)
        return next(iter(parse_qs(urlsplit(path).query).get(self.name, ())), None)


class _JoinedSession:
    """One session, and how many of its connections are open."""

    def __init__(
        self, recorder: Recorder, labels: Mapping[str, str], previous: _JoinedSession | None
    ) -> None:
        self._recorder = recorder
        self._first = SocketTap.beginning(
            recorder, dict(labels), None if previous is None else previous._first.log
        )
        self._count = 0
        self._open = 0
        self._status = Status.FAILED  # until one of them was open
        self._ending: asyncio.TimerHandle | None = None

    @property
    def is_over(self) -> bool:
        """Whether no connection can join any more."""
        log = self._first.log
        return log is not None and log.status is not Status.RECORDING

    def tap(self) -> SocketTap:
        """Of a connection that joins."""
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        self._count += 1
        self._open += 1
        return SocketTap(self._recorder, self._first.log, self._count, finish=self._left)

    def end(self) -> None:
        """It is over."""
        if self._ending is not None:
            self._ending.cancel()
        if self._first.log is not None and not self.is_over:
            self._first.log.finish(self._status)

    def _left(self, status: Status) -> None:
        self._open -= 1
        if status is Status.CLOSED:
            self._status = status
        if self._open == 0:
            self._ending = asyncio.get_running_loop().call_later(JOIN_S, self.end)


class JoinedSessions:
    """All sessions of a proxy that connections join.

    Args:
        recorder: where they are recorded.
        rule: what connections of one have in common.
    """

    def __init__(self, recorder: Recorder, rule: JoinRule) -> None:
        self._recorder = recorder
        self._rule = rule
        self._sessions: dict[str, _JoinedSession] = {}

    def tap(self, path: str, headers: Headers, labels: Mapping[str, str]) -> SocketTap | None:
        """Of a connection that joins a session, or begins one; None: it has nothing to join by."""
        value = self._rule.value(path, headers, labels)
        if value is None:
            return None
        last = self._sessions.pop(value, None)
        if last is None or last.is_over:
            last = _JoinedSession(self._recorder, labels, last)
        self._sessions[value] = last
        if len(self._sessions) > MAX_REMEMBERED:
            eldest = next((name for name, one in self._sessions.items() if one.is_over), None)
            if eldest is not None:
                del self._sessions[eldest]
        return last.tap()

    def end(self) -> None:
        """End them all."""
        for one in self._sessions.values():
            one.end()
        self._sessions.clear()
