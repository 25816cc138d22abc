"""How much memory a recorder may hold for entries that are not committed yet."""

from __future__ import annotations

import threading


class Budget:
    """Counts bytes held by all sessions of one recorder. Safe from any thread.

    Args:
        limit_bytes: beyond it the budget is exhausted; the entry that goes beyond is still held.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._held = 0
        self._lock = threading.RLock()  # a signal handler may append while its thread is in here

    @property
    def exhausted(self) -> bool:
        """Whether nothing more may be held."""
        return self._held > self.limit_bytes

    def hold(self, size_bytes: int) -> None:
        """Count bytes that are held from now on."""
        with self._lock:
            self._held += size_bytes

    def release(self, size_bytes: int) -> None:
        """Count bytes that are held no longer."""
        with self._lock:
            self._held -= size_bytes
