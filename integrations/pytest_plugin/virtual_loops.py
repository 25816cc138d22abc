"""The virtual loop under a test, whichever plugin runs it.

pytest-asyncio and anyio make the loop of a test in the set-up of a fixture of the test's own, or in
the call, and ask asyncio for one. There, and in the test's thread, asyncio gives them a `VirtualLoop`.
Loops of modules, classes and sessions are shared with tests that know nothing of us, and stay as they
are; so does a loop for which a suite names a factory of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any

from ...replay import VirtualLoop

_NEW_LOOP = "new_event_loop"


class VirtualLoops:
    """Gives virtual loops out, while it is on.

    Attributes:
        on: whether a loop that is asked for now is a virtual one.
    """

    def __init__(self) -> None:
        self.on = False
        self._thread = threading.get_ident()

    @contextlib.contextmanager
    def set(self, on: bool) -> Generator[None]:
        """Switch it, for the length of a `with` block."""
        before, self.on = self.on, on
        try:
            yield
        finally:
            self.on = before

    @contextlib.contextmanager
    def installed(self) -> Generator[None]:
        """Let asyncio ask us, for the length of a `with` block.

        `asyncio.Runner` asks `asyncio.events`; pytest-asyncio before 1.0 asks the policy, which Python
        3.14 deprecates, and that release does not support it.
        """
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._instead(asyncio.events))
            stack.enter_context(self._instead(asyncio))
            if sys.version_info < (3, 14):
                policy: object = asyncio.get_event_loop_policy()  # pyright: ignore[reportDeprecated]
                stack.enter_context(self._instead(policy))
            yield

    @contextlib.contextmanager
    def _instead(self, owner: Any) -> Generator[None]:
        original: Callable[[], asyncio.AbstractEventLoop] = getattr(owner, _NEW_LOOP)
        own = _NEW_LOOP in vars(owner)

        def new_event_loop() -> asyncio.AbstractEventLoop:
            if self.on and threading.get_ident() == self._thread:
                return VirtualLoop()
            return original()

        setattr(owner, _NEW_LOOP, new_event_loop)
        try:
            yield
        finally:
            if own:
                setattr(owner, _NEW_LOOP, original)
            else:  # the class's
                delattr(owner, _NEW_LOOP)
