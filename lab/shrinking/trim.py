"""Cutting a stretch out of a session, with what it needs to have happened before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...schema.entries import Entry, Kind
from ...schema.errors import UsageError
from ...session.audio import Part, heard_part
from ...session.drafts import Draft
from ...session.messages import SESSION_TOLD, begins_turn, server_event
from .checks import new_problems, problems
from .needs import Needs
from .removal import rest

"""Messages of the server that stay: what the application asks for rests on them."""


@dataclass(frozen=True)
class Trimmed:
    """A stretch of a session, as a recording.

    Attributes:
        draft: sealed.
        asked: how many entries the stretch has.
        added: how many more are there, because it needs them.
    """

    draft: Draft
    asked: int
    added: int


def trimmed(draft: Draft, wanted: Callable[[Entry], bool], *, how: str) -> Trimmed:
    """The stretch that is wanted, and what it needs: the session's beginning, responses that are under
    way from their beginning, what is spoken of, what is still being heard.

    What came after the stretch is cut off, but for the ends of what is open by then. Times stay as
    they were.

    Args:
        draft: a whole session.
        wanted: whether an entry belongs to the stretch.
        how: what the header's `source` says was done: `trimmed to 120-260`.

    Raises:
        UsageError: nothing is wanted, or what is left could not have happened.
    """
    stretch = [entry.seq for entry in draft.entries if wanted(entry)]
    if not stretch:
        seconds = draft.entries[-1].at_ns / 1e9 if draft.entries else 0
        length = f"{len(draft.entries)} entries in {seconds:.3f} s"
        raise UsageError(f"nothing lies there: the session has {length}; ask for another stretch")
    needs = Needs(draft)
    left = rest(draft, set(range(len(draft.entries))) - _kept(needs, stretch)).draft
    found = new_problems(left, problems(draft))
    if found:
        raise UsageError(f"this stretch cannot stand alone ({found[0]}); ask for a longer one")
    result = draft.derived(how, left.entries)
    return Trimmed(result, len(stretch), max(0, len(result.entries) - len(stretch)))


def carrying(
    draft: Draft, found: Trimmed, wanted: Callable[[Entry], bool], holds: Callable[[Draft], bool], *, how: str
) -> Trimmed | None:
    """The stretch, with as much before it as is needed for something to hold of it: for an application, say,
    that carries over what it was told before. It begins with a turn, the nearest; None if nothing is enough.

    Args:
        found: the stretch without more.
        wanted, how: as of `trimmed`.
        holds: asked of each candidate, the shortest first.

    Raises:
        UsageError: as `trimmed`.
    """
    if holds(found.draft):
        return found
    stretch = [entry.seq for entry in draft.entries if wanted(entry)]
    turns = [entry.seq for entry in draft.entries[: stretch[0]] if _begins(entry)]
    for first in [*reversed(turns), 0]:
        longer = trimmed(draft, lambda entry, first=first: first <= entry.seq <= stretch[-1], how=how)
        if holds(longer.draft):
            return longer
    return None


def _begins(entry: Entry) -> bool:
    return begins_turn(entry) or (entry.kind == Kind.SENT and entry.type == "send_user_input")


def _kept(needs: Needs, stretch: list[int]) -> set[int]:
    """What stays for a stretch to stand alone."""
    earlier = needs.draft.entries[: stretch[0]]
    kept = needs.needed_by({*stretch, *needs.staying, *_beginning(earlier)})
    while True:
        more = _under_way(needs, kept, stretch[0]) | _still_heard(needs, kept, stretch)
        if more <= kept:
            return kept
        kept = needs.needed_by(kept | more)


def _beginning(earlier: tuple[Entry, ...]) -> set[int]:
    """Who listens, and how the session is set up."""
    found: set[int] = set()
    for entry in earlier:
        fact = server_event(entry)
        listens = entry.kind in (Kind.LISTENER_ADDED, Kind.LISTENER_REMOVED) and entry.cause is None
        if listens or (fact is not None and fact.type in SESSION_TOLD):
            found.add(entry.seq)
    return found


def _under_way(needs: Needs, kept: set[int], first: int) -> set[int]:
    """All that had come of responses of which anything comes in the stretch."""
    messages = needs.structure.messages
    found: set[int] = set()
    for response in needs.structure.responses:
        seqs = {seq for place in response.messages for seq in messages[place].seqs}
        if any(seq >= first for seq in seqs & kept):
            found |= {seq for seq in seqs if seq < first}
    return found


def _still_heard(needs: Needs, kept: set[int], stretch: list[int]) -> set[int]:
    """The sounds that are heard in the stretch, what was played of them, and when that was stopped."""
    entries = needs.draft.entries
    heard: set[Part] = {sound for seq in stretch if (sound := heard_part(entries[seq])) is not None}
    found: set[int] = set()
    begins = stretch[0]
    for sound in needs.structure.sounds:
        seqs = [chunk.seq for chunk in sound.chunks]
        key = (sound.item_id, sound.content_index)
        if key in heard or any(seq in kept for seq in seqs):
            heard.add(key)
            begins = min(begins, seqs[0])
            found |= {seq for seq in seqs if seq < stretch[0]}
    for entry in entries[begins : stretch[0]]:
        if entry.kind == Kind.PLAYBACK and (heard_part(entry) in heard or entry.item_id is None):
            found.add(entry.seq)
    return found
