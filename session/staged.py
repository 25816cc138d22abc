"""`Staged`: a session whose entries a replay gets one by one, each when nothing can be decided without it. So
what was decided before knows nothing of it, and another could come in its place."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ..schema.entries import Entry, Kind, Status
from .drafts import Draft
from .ended import EndedEntries


class Staged:
    """A session that is given out of a draft.

    Args:
        draft: the session.
        following: the one that the same model object had next, if it had any.

    Attributes:
        draft: the same.
        following: the same.
        status: how the session ended.
        ended: which of its entries were ended by another.
    """

    def __init__(self, draft: Draft, following: Staged | None = None) -> None:
        self.draft = draft
        self.following = following
        self.status: Status = draft.status
        self.ended = EndedEntries()
        for entry in draft.entries:
            if entry.of is not None:
                self.ended.add(entry.of)
        self._comes_last: dict[tuple[str, str | None], int] = {}
        self._position = 0
        self.stage(draft.entries)

    @classmethod
    def chain(cls, drafts: Sequence[Draft], last: Staged | None = None) -> list[Staged]:
        """Sessions of one model object, in order.

        Args:
            last: another one behind them.
        """
        found = [] if last is None else [last]
        for draft in reversed(drafts):
            found.insert(0, cls(draft, found[0] if found else None))
        return found

    def and_following(self) -> Iterator[Staged]:
        """This, and those that come behind it."""
        one: Staged | None = self
        while one is not None:
            yield one
            one = one.following

    def stage(self, entries: Sequence[Entry]) -> None:
        """These are what is given next."""
        self._comes_last = {(entry.kind, entry.type): number for number, entry in enumerate(entries)}
        self._position = 0

    def gave(self) -> None:
        """The next of them was given."""
        self._position += 1

    def comes(self, kind: str, type: str | None) -> bool:
        """Whether an entry of a kind and a type is still to be given. (No edit puts calls in.)"""
        return self._comes_last.get((kind, type), -1) >= self._position

    @property
    def given(self) -> Draft:
        """What was given of it, or will be."""
        return self.draft

    def given_from(self, first: int) -> Sequence[Entry]:
        """Of that, the entries from a number on."""
        return self.draft.entries[first:]

    def entries(self) -> Iterator[Entry]:
        """In order; each is asked for when it must be there."""
        for entry in self.draft.entries:
            self.gave()
            yield entry

    def bytes_at(self, segment: int, offset: int, length: int) -> bytes:
        """The bytes of a reference.

        Raises:
            DecodingError: there are no such bytes.
        """
        return self.draft.bytes_at(segment, offset, length)

    def has(self, kind: Kind, types: Collection[str] | None = None) -> bool:
        """Whether there is an entry of a kind, and of one of these types, if any are named."""
        return any(
            entry.kind == kind and (types is None or entry.type in types) for entry in self.draft.entries
        )
