"""What the user says once more, and what he does not say for a while."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...schema.codec import from_json
from ...schema.entries import Entry, Kind
from ...schema.errors import UsageError
from ...session.drafts import Draft, with_tree
from ...session.fields import client_message, mapping, sequence
from ...session.messages import SPEECH_STARTED, interrupts
from ...session.structure import Structure
from .interruption import hang_up
from .other_calls import AGAIN
from .sketch import Sketch

_IDS = ("id", "item_id", "response_id", "call_id", "event_id", "previous_item_id")


@dataclass(frozen=True)
class AskAgain:
    """The user asks the same once more, when all that came of his question has come; and it comes again,
    under other ids, in as much time. What came after that comes later.

    Attributes:
        seq: of the entry with which the question begins.
    """

    seq: int

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed.

        Raises:
            UsageError: no question begins there, or what came of it was not over before the next one.
        """
        structure = Structure(draft)
        end = repeatable(structure).get(self.seq)
        if end is None:
            raise UsageError(f"#{self.seq}: no question begins there that was over before the next one")
        own = _own(structure, self.seq, end)
        entries = [draft.entries[seq] for seq in own]
        known = _ids_in(draft.entries[: self.seq])
        ids = _fresh_ids(_ids_in(entries) - known, _ids_in(draft.entries))
        tasks = _fresh_tasks(draft.entries, self.seq, entries)
        sketch = Sketch(draft)
        sketch.repeat(set(own), end, lambda entry: _renamed(entry, ids, tasks))
        return sketch.draft()

    def __str__(self) -> str:
        return f"the question of #{self.seq} asked again"


@dataclass(frozen=True)
class Silence:
    """The user is silent for so long before he says something, or hangs up, and nothing happens meanwhile.

    Attributes:
        seq: of the entry with which he does.
        by_ms: milliseconds.
    """

    seq: int
    by_ms: int

    def __call__(self, draft: Draft) -> Draft:
        """The session with it; not sealed. The very same where it is for no time.

        Raises:
            UsageError: nothing of the kind begins there, or something is going on.
        """
        if self.seq not in quiet(Structure(draft)):
            raise UsageError(f"#{self.seq}: the user does nothing there that could come later")
        if not self.by_ms:
            return draft
        sketch = Sketch(draft)
        sketch.postpone(self.seq, self.by_ms * 1_000_000)
        return sketch.draft()

    def __str__(self) -> str:
        return f"silence of {self.by_ms} ms before #{self.seq}"


def questions(structure: Structure) -> list[int]:
    """Where the user begins to say something, by voice or otherwise."""
    return structure.once(_questions)


def _questions(structure: Structure) -> list[int]:
    speech = {one.seqs[0] for one in structure.messages if one.type == SPEECH_STARTED}
    entries = structure.draft.entries
    return [one.seq for one in entries if one.seq in speech or _is_said(one)]


def _is_said(entry: Entry) -> bool:
    if entry.kind != Kind.SENT or entry.cause is not None:
        return False
    message = client_message(entry)
    return entry.type == "send_user_input" or mapping(message).get("type") == "conversation.item.create"


def repeatable(structure: Structure) -> dict[int, int]:
    """Which questions may be asked again, and before which entry: where the next one begins, or the user
    hangs up. By then all responses were over, and nothing was open."""
    return structure.once(_repeatable)


def _repeatable(structure: Structure) -> dict[int, int]:
    asked, length = questions(structure), len(structure.draft.entries)
    closed = next((one.seq for one in structure.draft.entries if one.kind == Kind.CLOSE), length)
    ends = dict(zip(asked, [*asked[1:], hang_up(structure)][: len(asked)], strict=True))
    ends = {seq: end for seq, end in ends.items() if end < length and end <= closed}
    return {seq: end for seq, end in ends.items() if _is_whole(structure, seq, end)}


def _is_whole(structure: Structure, seq: int, end: int) -> bool:
    responses = [
        one
        for one in structure.responses
        if any(seq <= structure.messages[place].seqs[0] < end for place in one.messages)
    ]
    own = [one for one in responses if one.began is not None and seq < one.began < end]
    own_is_over = all(one.ended is not None and one.ended < end for one in own)
    others_over = all(one in own or one.ended is None or one.ended < end for one in responses)
    return bool(own) and own_is_over and others_over and not _open(structure, seq, end)


def quiet(structure: Structure) -> list[int]:
    """Before which entries the user may be silent for longer: what he says without interrupting anything, and
    the end; where no response is going on, no call is open, and nothing is at work."""
    return structure.once(_quiet)


def _quiet(structure: Structure) -> list[int]:
    entries = structure.draft.entries
    breaks_in = {
        structure.messages[structure.message_of[one.seq]].seqs[0] for one in entries if interrupts(one)
    }
    places = [*questions(structure), *([over] if (over := hang_up(structure)) < len(entries) else [])]
    return [
        seq
        for seq in places
        if seq not in breaks_in
        and not _open(structure, 0, seq)
        and not any(
            one.began is not None and one.began < seq and (one.ended is None or one.ended >= seq)
            for one in structure.responses
        )
    ]


def _open(structure: Structure, first: int, end: int) -> bool:
    """Whether something that began between two places was not over: a send, a listener, a tool's answer."""
    entries = structure.draft.entries
    ended = {entry.of: entry.seq for entry in entries if entry.of is not None}
    calls = [entry.seq for entry in entries[first:end] if entry.kind in (Kind.SENT, Kind.CONNECT)]
    heard = [one.of for one in entries[end:] if one.kind == Kind.HANDLED and one.of is not None]
    tools = [one for one in structure.calls if first <= one.seq < end]
    return (
        any(first <= seq < end for seq in heard)
        or any(ended.get(seq, end) >= end for seq in calls)
        or any(not one.outputs or max(one.outputs) >= end for one in tools)
    )


def _own(structure: Structure, first: int, end: int) -> list[int]:
    """What is of a question: what happens from there on, but not what ends that which was going on before."""
    going_on = {
        seq
        for response in structure.responses
        if response.began is not None and response.began < first
        for place in response.messages
        for seq in structure.messages[place].seqs
    }
    entries = structure.draft.entries[first:end]
    return [one.seq for one in entries if one.seq not in going_on and (one.of is None or one.of >= first)]


def _ids_in(entries: Sequence[Entry]) -> set[str]:
    found: set[str] = set()

    def look(tree: Any) -> None:
        if isinstance(tree, list):
            for one in sequence(tree):
                look(one)
        for name, value in mapping(tree).items():
            if name in _IDS and isinstance(value, str):
                found.add(value)
            else:
                look(value)

    for entry in entries:
        look(from_json(entry.payload))
    return found


def _fresh_ids(ids: set[str], taken: set[str]) -> dict[str, str]:
    """Another id for each."""
    ending = AGAIN
    while any(one + ending in taken for one in ids):
        ending += AGAIN
    return {one: one + ending for one in ids}


def _fresh_tasks(whole: Sequence[Entry], first: int, again: Sequence[Entry]) -> dict[int | None, int]:
    """Another number for each task that was started by what happens again."""
    known = {one.task for one in whole[:first]}
    free = max((one.task or 0 for one in whole), default=0) + 1
    return {
        task: free + n for n, task in enumerate(dict.fromkeys(one.task for one in again)) if task not in known
    }


def _renamed(entry: Entry, ids: Mapping[str, str], tasks: Mapping[int | None, int]) -> Entry:
    item_id = None if entry.item_id is None else ids.get(entry.item_id, entry.item_id)
    entry = entry._replace(item_id=item_id, task=tasks.get(entry.task, entry.task))
    if not any(one in entry.payload for one in ids):
        return entry

    def changed(tree: Any) -> Any:
        if isinstance(tree, list):
            return [changed(one) for one in sequence(tree)]
        if isinstance(tree, str):
            return ids.get(tree, tree)
        return {name: changed(one) for name, one in mapping(tree).items()} if isinstance(tree, dict) else tree

    return with_tree(entry, changed(from_json(entry.payload)))
