"""Upkeep: a retention policy that the writer applies to its store, a step whenever nobody waits."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from sqlalchemy import Engine

from ..schema.errors import StoreBusyError, StoreError
from ..schema.log import Address, overwrite_removed, shorten, store_errors
from ..session import Going, Retention, may_be_due, removals

logger = logging.getLogger("realtape.recorder")


class Upkeep:
    """Applies a policy again and again. One thread at a time.

    Args:
        address: of the store, for messages.
        retention: the policy; None where nothing is ever removed.
        pause_s: seconds between the end of one application and the next.

    Attributes:
        removed: number of sessions so far.
    """

    def __init__(self, address: Address, retention: Retention | None, pause_s: float) -> None:
        self.removed = 0
        self._address = address
        self._retention = retention
        self._pause_s = pause_s
        self._due_at: float | None = None  # as soon as somebody asks
        self._going: Iterator[Going] | None = None
        self._shortening = False
        self._said: str | None = None

    def is_due(self, now: float, *, idle: bool) -> bool:
        """Whether there is a step to make.

        Args:
            now: monotonic seconds.
            idle: whether nobody waits; where somebody always does, it is put off for as long as the pause.
        """
        if self._retention is None:
            return False
        if self._due_at is None:
            self._due_at = now
        return now >= self._due_at + (0 if idle or self.under_way else self._pause_s)

    def step(self, engine: Engine, now: float) -> None:
        """Remove the next sessions, or give back some of the room. Raises nothing: what fails is tried again
        after the pause, and said once."""
        retention = self._retention
        assert retention is not None
        try:
            with store_errors(self._address):
                if self._shortening:
                    self._shortening = shorten(engine)
                elif self._going is None:
                    with engine.connect() as connection:
                        overwrite_removed(connection)
                        if may_be_due(connection, retention):
                            self._going = removals(engine, retention)
                elif (going := next(self._going, None)) is not None:
                    self._tell(going)
                else:
                    self._going, self._shortening = None, True
        except StoreBusyError:
            self.stop()
        except Exception as error:  # noqa: BLE001 - the sessions are recorded, whatever happens here
            self.stop()
            problem = error.problem if isinstance(error, StoreError) else type(error).__name__
            if problem != self._said:
                self._said = problem
                logger.error("%s: its retention cannot be applied: %s", self._address, problem)
        if not self.under_way:
            self._due_at = now + self._pause_s

    def stop(self) -> None:
        """The connection is closed: what is left to do is found out anew."""
        self._going, self._shortening = None, False

    @property
    def under_way(self) -> bool:
        """Whether an application was begun, and has not ended."""
        return self._going is not None or self._shortening

    def _tell(self, going: Going) -> None:
        self.removed += len(going.sessions)
        for session in going.sessions:
            logger.info("%s: session %s removed (%s)", self._address, session.header.id, going.reason)
