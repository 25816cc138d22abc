"""`compare_chains`: all sessions that two model objects had, each held against its like."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal, TypeVar

from ...session.recording import Recording
from .comparing import LIMIT, compare
from .comparison import Aspect, Comparison

_T = TypeVar("_T")


@dataclass(frozen=True)
class ChainComparison:
    """What came of comparing the sessions of two chains, each with its like in order.

    Attributes:
        compared: of each pair.
        only_a, only_b: the ids of sessions with which one side goes on alone.
    """

    compared: Sequence[Comparison]
    only_a: Sequence[str] = ()
    only_b: Sequence[str] = ()

    @property
    def total(self) -> int:
        """How many entries differ, in the sessions that both have."""
        return sum(one.total for one in self.compared)

    @property
    def same(self) -> bool:
        """Whether each entry of either has its like in the other, at the same place."""
        return self.verdict == "same" and all(one.same for one in self.compared)

    @property
    def verdict(self) -> Literal["same", "different", "incomplete"]:
        """The worst of them; `different`, too, where one side goes on alone."""
        verdicts = {one.verdict for one in self.compared}
        if self.only_a or self.only_b or "different" in verdicts:
            return "different"
        return "incomplete" if "incomplete" in verdicts else "same"

    def as_json(self) -> dict[str, Any]:
        """As a dict that `json` writes: of one pair alone what it says, else those of all."""
        facts = [one.as_json() for one in self.compared]
        if len(facts) == 1 and not (self.only_a or self.only_b):
            return facts[0]
        return {
            "verdict": self.verdict,
            "same": self.same,
            "sessions": facts,
            "only_a": list(self.only_a),
            "only_b": list(self.only_b),
        }

    def __str__(self) -> str:
        lines = [str(one) for one in self.compared]
        for side, ids in (("A", self.only_a), ("B", self.only_b)):
            lines += [
                f"different: session {id} is in {side} only: the other did not connect again" for id in ids
            ]
        return "\n\n".join(lines)


def pairs_of(a: Iterable[_T], b: Iterable[_T]) -> Iterator[tuple[_T | None, _T | None]]:
    """The sessions of two chains, each with its like: in their order, for a model that connects again goes on
    with the conversation. None: the other side goes on alone."""
    return zip_longest(a, b)


async def compare_chains(
    a: Sequence[Recording],
    b: Sequence[Recording],
    *,
    verify: bool,
    ignore: Sequence[Aspect | str] = (),
    content_only: bool = False,
    limit: int = LIMIT,
) -> ChainComparison:
    """Hold the sessions of two model objects against each other, as `compare` does; two of them are open at a
    time. Cancelled, it has changed nothing, and none is open.

    Args:
        a, b: the sessions of each, in order.
        verify: each is held against its digests first: there is no verdict on what was changed.
        ignore, content_only, limit: as of `compare`; the limit is each pair's.

    Raises:
        CorruptRecordError, ValueError: as `compare`.
    """
    compared: list[Comparison] = []
    only_a: list[str] = []
    only_b: list[str] = []
    for one, other in pairs_of(a, b):
        if one is None or other is None:
            only_a += [] if one is None else [one.header.id]
            only_b += [] if other is None else [other.header.id]
            continue
        async with AsyncExitStack() as stack:
            for recording in (one, other):
                await stack.enter_async_context(recording)
                if verify:
                    await recording.verify()
            compared.append(await compare(one, other, ignore=ignore, content_only=content_only, limit=limit))
    return ChainComparison(compared, only_a, only_b)
