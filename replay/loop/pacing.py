"""What a replay asks of its event loop: where in time it is, and to be called back at a place.

Two kinds of loop answer: one on virtual time (`virtual_pacer.py`), exactly; an ordinary one
(`plain_pacer.py`), as well as can be.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any, Protocol

from ...session.places import Place
from ..terms.acts import Approach


class Pacer(Protocol):
    """The loop's side of a replay. One thing at a time is waited for.

    Attributes:
        reached: called where the time and the rounds of an `Approach` have passed.
        quiet: called when the application is at rest, with `gives_up`: whether it has been for so long that
            nothing will come.
        paced: time passes between what happens, as it did.
        wake: called with a callable and its arguments, calls it: who is woken by that runs next, where the
            loop can do that.
        soon: called with a callable and its arguments, calls it after who was woken has run as far as he
            comes.
    """

    reached: Callable[[Approach], object]
    quiet: Callable[..., object]
    paced: bool
    wake: Callable[..., None]
    soon: Callable[..., asyncio.Handle]

    @property
    def rate(self) -> float | None:
        """How many times faster than recorded time passes; None: as fast as can be."""
        ...

    @property
    def weaker(self) -> list[str]:
        """What could not be guaranteed, in words."""
        ...

    @property
    def overdue(self) -> float | None:
        """Seconds for which what is given up now was awaited; None: nothing is left that could happen."""
        ...

    def now(self) -> Place:
        """Where in time the replay is."""
        ...

    def still(self) -> bool:
        """Whether the loop's thread does nothing but wait for other threads."""
        ...

    def owed(self) -> bool:
        """Whether a thread owes an answer, for which time stands still."""
        ...

    def stands_for(self, thread: int) -> bool:
        """Whether time stands still while this thread does something; called by it."""
        ...

    def early(self) -> bool:
        """Whether the round is still to come to which what was reached belongs: whoever was woken for it runs
        in that one, but who runs already must wait for it."""
        ...

    def approach(self, act: Approach) -> None:
        """Call `reached` there. The same again is waited for once."""
        ...

    def begin(self, act: Approach) -> None:
        """This will be approached; whoever does it has begun to wait for its round just now."""
        ...

    def pass_rounds(self, rounds: int, to: int, task: asyncio.Task[Any], acted: asyncio.Handle | None) -> int:
        """Let rounds pass at once in which nothing would run but the task that asks and what is called
        soon after it, so many at most; returns how many are left.

        Args:
            to: the entry to which the way leads.
            acted: what is called soon after the task.
        """
        ...

    def wait(self) -> None:
        """Call `quiet` when the application is at rest."""
        ...

    def finish(self, *, busy: bool) -> None:
        """All was played: call `quiet` when the application has come to rest.

        Args:
            busy: listeners are still handling an event.
        """
        ...

    def clear(self) -> None:
        """Nothing is waited for."""
        ...

    def happens(self) -> None:
        """The model's side does something: nothing is waited for any more."""
        ...

    def progress(self) -> None:
        """The application has done something."""
        ...

    def hold(self, stand: Callable[[], object]) -> None:
        """Let no time pass, where the loop can do that.

        Args:
            stand: called when nothing is left to run meanwhile, where the loop can tell.
        """
        ...

    def release(self) -> None:
        """Time passes again."""
        ...

    def set_rate(self, rate: float | None) -> None:
        """From now on time passes so many times faster than recorded; None: as fast as can be.

        Raises:
            UsageError: this pacer keeps no time.
        """
        ...

    def stop(self) -> None:
        """Call back no more."""
        ...


class NextRound(asyncio.Future[None]):
    """Who awaits this goes on in the next round of an ordinary loop.

    Args:
        queued: called once he is in the loop's queue: what it calls soon comes right after him.
    """

    def __init__(self, queued: Callable[[], object]) -> None:
        super().__init__()
        self._queued = queued

    def add_done_callback(
        self, fn: Callable[[asyncio.Future[None]], object], /, *, context: contextvars.Context | None = None
    ) -> None:
        """His task does that, at the end of its step."""
        super().add_done_callback(fn, context=context)
        self.set_result(None)
        self._queued()


def not_driven(*_: object, **__: object) -> None:
    """What a pacer calls that drives nothing yet."""
    raise AssertionError("whoever has a pacer says what it calls")
