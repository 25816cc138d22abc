"""Tasks, futures and timers that know when they were made: what the SDK keeps in sets, or lets wait
for one instant, comes in the same order in every process."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, cast

_numbers = itertools.count(1)


class NumberedTimer(asyncio.TimerHandle):
    """Of timers that fire at one instant, the one that was made first comes first."""

    def __init__(self, *args: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args)

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        mine, theirs = self.when(), other.when()
        return mine < theirs or (mine == theirs and self._number < cast("NumberedTimer", other)._number)


class NumberedTask(asyncio.Task[Any]):
    """Hashes by its number: a set of tasks is iterated in the order of their hashes, which by address
    would be another in every process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


class NumberedFuture(asyncio.Future[Any]):
    """Hashes by its number."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._number = next(_numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


def numbered_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
    """A task factory."""
    return NumberedTask(coroutine, loop=loop, **options)
