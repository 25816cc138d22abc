"""Ids from counters: the same conversation gives the same ids, every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["sess", "conv", "event", "item", "resp", "call"]


class Ids:
    """The ids of one connection: `item_0001`, and on the provider's second connection `item_c2_0001`."""

    def __init__(self, connection: int, taken: Callable[[str], bool]) -> None:
        """Count from 1, leaving out what is `taken`: clients may name items themselves."""
        self._infix = "" if connection == 1 else f"c{connection}_"
        self._taken = taken
        self._counts: Counter[Kind] = Counter()

    def mint(self, kind: Kind) -> str:
        """The next id of that kind."""
        while True:
            self._counts[kind] += 1
            minted = f"{kind}_{self._infix}{self._counts[kind]:04d}"
            if kind != "item" or not self._taken(minted):
                return minted
