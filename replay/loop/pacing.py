"""What a replay asks of its event loop: where in time it is, and to be called back at a place.

Two kinds of loop answer: one on virtual time (`virtual_pacer.py`), exactly; an ordinary one
(`plain_pacer.py`), as well as can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ...session.places import Place
from ..terms.acts import Approach


class Driver(Protocol):
    """Is called back."""

    def reached(self, act: Approach) -> None:
        """The time and the rounds of this have passed."""
        ...

    def quiet(self, *, gives_up: bool) -> None:
        """The application is at rest; `gives_up`: has been for so long that nothing will come."""
        ...


class Pacer(Protocol):
    """The loop's side of a replay. One thing at a time is waited for.

    Attributes:
        driver: is called back.
        paced: time passes between what happens, as it did.
    """

    @property
    def rate(self) -> float | None:
        """How many times faster than recorded time passes; None: as fast as can be."""
        ...

    driver: Driver
    paced: bool

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

    def waking(self) -> AbstractContextManager[None]:
        """Who is woken in this block runs next, where the loop can do that."""
        ...

    def soon(self, callback: Callable[..., Any], *args: Any) -> asyncio.Handle:
        """Call this after who was woken has run as far as it comes."""
        ...

    @property
    def skip_round(self) -> Callable[[asyncio.Task[Any]], bool]:
        """Lets a round pass at once in which nothing would run but the task that asks; whether it did."""
        ...

    def approach(self, act: Approach) -> None:
        """Call `reached` there. The same again is waited for once."""
        ...

    def begin(self, act: Approach) -> None:
        """This will be approached; whoever does it has begun to wait for its round just now."""
        ...

    def follow(self, act: Approach) -> bool:
        """As `begin` and `approach`, for the task that has just given an event and gives the next one.

        Returns:
            Whether that lets the rounds pass itself, and asks after each of them whether it has
            `followed`: it then comes where a callback of ours would have been, and costs none.
        """
        ...

    def pass_rounds(
        self, rounds: int, to: int, task: asyncio.Task[Any] | None, acted: asyncio.Handle | None
    ) -> bool:
        """Let so many rounds pass at once, if nothing would run in them but the task that asks and what
        is called soon after it; whether they have. Where not, some of them may have.

        Args:
            to: the entry to which the way leads.
        """
        ...

    def followed(self, act: Approach) -> bool:
        """Whether its round has come; then `reached` was called."""
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

    def progress(self) -> None:
        """Something happened."""
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
