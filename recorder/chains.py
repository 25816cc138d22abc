"""Where a session's entries stand in the file that is open: it may be another one than that which holds its
beginning."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from ..schema.entries import Entry, Flag, Status
from .gaps import Loss

REMOVED = "the store was removed, emptied or replaced"
OLDER = "the store was replaced by an older copy of it"

MOVES_REMEMBERED = 8
"""How many files back a session knows its place, if that file is put back."""

_CAUSE_LOST = int(Flag.CAUSE_LOST)


class Piece(NamedTuple):
    """Entries that follow each other, in the session and in the file.

    Attributes:
        number: of the first of them, in the session.
        row: its `seq` in the file.
        size: how many; None while more follow.
    """

    number: int
    row: int
    size: int | None = None

    def within(self, rows: int) -> Self:
        """What a file of so many rows has of it."""
        left = rows - self.row
        return self._replace(size=left if self.size is None else min(self.size, left))


@dataclass(frozen=True)
class Chain:
    """One session's part of one file.

    Its entries are numbered when they are appended. In the file they have the same numbers, unless the
    session began in another one: then a gap stands there for what that one held, and what follows it
    is numbered on from the gap.

    Attributes:
        key: of the session, in this file.
        digest: of its last row; None where it has none yet, of its header.
        opening: which opening of the store found it so.
        rows: how many the file has of it.
        count: how many of its entries were committed, in whatever file.
        kinds: how many of each kind of these.
        kept: how many of each kind are in this file.
        latest_ns: when the last of them was appended.
        pieces: of its entries that are in this file, in order.
        lost: how many of its entries are not in this file.
        status: the session's, as it was committed last.
        left: its parts of the files before.
    """

    key: int
    digest: bytes
    opening: int
    rows: int = 0
    count: int = 0
    kinds: Counter[str] = field(default_factory=Counter[str])
    kept: Counter[str] = field(default_factory=Counter[str])
    latest_ns: int = 0
    pieces: tuple[Piece, ...] = (Piece(0, 0),)
    lost: int = 0
    status: Status = Status.RECORDING
    left: tuple[Chain, ...] = ()

    @property
    def moved(self) -> bool:
        """Whether its entries have other numbers in this file."""
        return any(piece.number != piece.row for piece in self.pieces)

    def into(
        self, key: int, digest: bytes, opening: int, part: Chain | None, reason: str
    ) -> tuple[Chain, Loss | None]:
        """As it goes on in another file, which holds this earlier part of it, if any; and what that lacks."""
        if part is None:
            part = Chain(key, digest, opening, pieces=())
        lost = Loss(reason)
        lost.count, lost.from_ns, lost.to_ns = self.count - part.kept.total(), part.latest_ns, self.latest_ns
        lost.kinds = dict(self.kinds - part.kept)
        gap = 1 if lost.count else 0
        pieces = (*(piece.within(part.rows) for piece in part.pieces), Piece(self.count, part.rows + gap))
        after = replace(
            self,
            **{"key": key, "digest": digest, "opening": opening, "rows": part.rows, "kept": part.kept},
            pieces=pieces,
            lost=lost.count,
            left=(*self.left, replace(self, left=()))[-MOVES_REMEMBERED:],
        )
        return after, lost if lost.count else None

    def found(self, digest: bytes) -> Chain | None:
        """The part that ends so, if we have written one."""
        return next((part for part in (self, *reversed(self.left)) if part.digest == digest), None)

    def cut(self, rows: int, kinds: Counter[str], latest_ns: int) -> Self | None:
        """An older copy of this part, of so many rows; None where it is none.

        Args:
            kinds: how many rows of each kind it has.
            latest_ns: when its last entry was appended.
        """
        pieces = tuple(piece for piece in self.pieces if piece.row < rows)
        ours = sum(1 for piece in self.pieces if 0 < piece.row <= rows)  # gaps that tell of moves
        kept = kinds - Counter(gap=ours)
        if rows >= self.rows or not kept <= self.kept:
            return None
        return replace(self, rows=rows, kept=kept, latest_ns=latest_ns, pieces=pieces)

    def grown(self, digest: bytes, kinds: Counter[str], latest_ns: int, gaps: int, status: Status) -> Self:
        """With more entries, and rows that say what was lost by a move."""
        all_kinds = _sum(self.kinds, kinds)
        return replace(
            self,
            digest=digest,
            rows=self.rows + gaps + kinds.total(),
            count=self.count + kinds.total(),
            kinds=all_kinds,
            kept=all_kinds if not self.left else _sum(self.kept, kinds),
            latest_ns=max(self.latest_ns, latest_ns),
            status=status,
        )

    def row_of(self, number: int) -> int | None:
        """The `seq` in this file of an entry; None where it is in another one."""
        for first, row, size in reversed(self.pieces):
            if number >= first:
                return row + number - first if size is None or number < first + size else None
        return None

    def placed(self, entry: Entry) -> Entry:
        """An entry as it stands in this file."""
        seq, cause, of, flags = self.row_of(entry.seq), entry.cause, entry.of, entry.flags
        assert seq is not None
        if cause is not None:
            cause = self.row_of(cause)
            flags |= _CAUSE_LOST if cause is None else 0
        return entry._replace(seq=seq, cause=cause, of=None if of is None else self.row_of(of), flags=flags)


def _sum(some: Counter[str], more: Counter[str]) -> Counter[str]:
    """As `+`, several times as fast: each session's commit counts what it holds."""
    total = Counter(some)
    for kind, count in more.items():
        total[kind] += count
    return total
