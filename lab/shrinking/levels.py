"""What a session is made smaller by: turns, responses, entries, then bytes, letters and silences.

A level knows the units of a draft, and how to do without some of them.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from typing import Any

from ...schema.codec import REFERS, Reference, references
from ...schema.entries import Entry, Kind
from ...session.drafts import Draft, mapped, tree_of, with_tree
from ...session.fields import facts_in
from ...session.messages import RESPONSE_BEGINS, RESPONSE_ENDS, SPEECH_STARTED, answers_call, server_event
from .needs import Needs
from .removal import Rest, redone, rest_without

Unit = frozenset[int]
"""Numbers of entries that go, or are made smaller, together."""

LEAST_BYTES = 24
"""Audio is cut to so many bytes: shorter, it would be written as text when it is recorded again."""

LONG_NS = 250_000_000
SHORT_NS = 20_000_000
"""A silence of 250 ms or more becomes one of 20 ms: as long as a piece of audio."""


@dataclass(frozen=True)
class Level:
    """A way to make a draft smaller.

    Attributes:
        name: as it is told to who waits.
        units: of a draft, in order.
        less: the draft without these, or with these made smaller.
    """

    name: str
    units: Callable[[Needs], list[Unit]]
    less: Callable[[Needs, Set[int]], Rest]


# --- units that are left out ----------------------------------------------------------------------


def turns(needs: Needs) -> list[Unit]:
    """From what the user, or his application, begins, until the responses to it are over."""
    found: list[set[int]] = [set()]
    over = False
    for entry in needs.draft.entries:
        fact = server_event(entry)
        begins = fact is not None and (fact.type in RESPONSE_BEGINS or fact.type == SPEECH_STARTED)
        if over and (begins or (entry.kind == Kind.SENT and answers_call(entry) is None)):
            found.append(set())
            over = False
        over = over or (fact is not None and fact.type in RESPONSE_ENDS)
        found[-1].add(entry.seq)
    return _without_what_stays(needs, found)


def exchanges(needs: Needs) -> list[Unit]:
    """Responses; calls of tools with their answers; all else that was received or sent, one by one."""
    group: dict[int, int] = {}
    messages = needs.structure.messages
    for number, response in enumerate(needs.structure.responses):
        for place in response.messages:
            group.update(dict.fromkeys(messages[place].seqs, number))
    return _grouped(needs, lambda seq: ("response", group[seq]) if seq in group else None)


def entries(needs: Needs) -> list[Unit]:
    """What stands and falls as a whole: messages of the server, calls with their ends, the rest singly."""
    return _grouped(needs, lambda seq: None)


def _grouped(needs: Needs, group_of: Callable[[int], object]) -> list[Unit]:
    found: dict[object, set[int]] = defaultdict(set)
    for entry in needs.draft.entries:
        group = group_of(entry.seq)
        if group is None:
            place = needs.structure.message_of.get(entry.seq)
            group = ("message", place) if place is not None else entry.seq
            if place is None and entry.of is not None:
                group = entry.of
        found[group].add(entry.seq)
    return _without_what_stays(needs, found.values())


def _without_what_stays(needs: Needs, units: Iterable[Set[int]]) -> list[Unit]:
    return [frozenset(left) for unit in units if (left := unit - needs.staying)]


# --- units that are made smaller ------------------------------------------------------------------


def sounding(needs: Needs) -> list[Unit]:
    """What brings audio, of the model or the microphone."""
    return _messages_with(needs, lambda entry: bool(_shortened(entry, {}) is not entry))


def shorter_audio(needs: Needs, seqs: Set[int]) -> Rest:
    """All audio of these is cut to its beginning; in every copy of it."""
    cut: dict[Reference, Reference] = {}
    for seq in seqs:
        _shortened(needs.draft.entries[seq], cut)
    return _changed(needs.draft, lambda entry: _recut(entry, cut) if entry.seq in seqs else entry)


def _shortened(entry: Entry, cut: dict[Reference, Reference]) -> Entry:
    if REFERS not in entry.payload or entry.kind not in (Kind.RECEIVED, Kind.SENT):
        return entry
    for segment, offset, length in references(entry.payload):
        if length > LEAST_BYTES:
            cut[segment, offset, length] = (segment, offset, LEAST_BYTES)
    return _recut(entry, cut)


def _recut(entry: Entry, cut: dict[Reference, Reference]) -> Entry:
    if REFERS not in entry.payload or not any(one in cut for one in references(entry.payload)):
        return entry
    return with_tree(entry, mapped(tree_of(entry), lambda one: cut.get(one, one)))


def telling(needs: Needs) -> list[Unit]:
    """Pieces of what the model says."""
    return _messages_with(needs, lambda entry: _terse(entry) is not entry)


def shorter_texts(needs: Needs, seqs: Set[int]) -> Rest:
    """Each piece is cut to its first letter, and the whole texts follow."""
    return _changed(needs.draft, lambda entry: _terse(entry) if entry.seq in seqs else entry)


def _terse(entry: Entry) -> Entry:
    fact = server_event(entry)
    if fact is None or fact.text is None or fact.text.what != "said" or len(fact.piece or "") < 2:
        return entry
    tree: Any = tree_of(entry)
    fields = facts_in(entry, tree)
    if not isinstance(fields.get("delta"), str):
        return entry
    fields["delta"] = fields["delta"][:1]
    return with_tree(entry, tree)


def silences(needs: Needs) -> list[Unit]:
    """What came after a long silence."""
    found: list[Unit] = []
    before_ns = 0
    for entry in needs.draft.entries:
        if entry.at_ns - before_ns >= LONG_NS:
            found.append(frozenset({entry.seq}))
        before_ns = entry.at_ns
    return found


def shorter_silences(needs: Needs, seqs: Set[int]) -> Rest:
    """These, and all that follows, come sooner."""
    sooner_ns = before_ns = 0
    changed: list[Entry] = []
    for entry in needs.draft.entries:
        silent_ns = entry.at_ns - before_ns
        if entry.seq in seqs and silent_ns >= LONG_NS:
            sooner_ns += silent_ns - SHORT_NS
        before_ns = entry.at_ns
        changed.append(entry._replace(at_ns=entry.at_ns - sooner_ns) if sooner_ns else entry)
    same = {entry.seq: entry.seq for entry in changed}
    return Rest(dataclasses.replace(needs.draft, entries=tuple(changed)), same)


def _messages_with(needs: Needs, has: Callable[[Entry], bool]) -> list[Unit]:
    """The messages of the server, or single entries, in which something can be made smaller."""
    found: dict[object, set[int]] = defaultdict(set)
    for entry in needs.draft.entries:
        if has(entry):
            place = needs.structure.message_of.get(entry.seq)
            found[entry.seq if place is None else ("message", place)].add(entry.seq)
    return [frozenset(unit) for unit in found.values()]


def _changed(draft: Draft, change: Callable[[Entry], Entry]) -> Rest:
    return redone(draft, [change(entry) for entry in draft.entries])


LEVELS = (
    Level("turns", turns, rest_without),
    Level("responses", exchanges, rest_without),
    Level("entries", entries, rest_without),
    Level("audio", sounding, shorter_audio),
    Level("texts", telling, shorter_texts),
    Level("silences", silences, shorter_silences),
)
"""From the coarsest to the finest."""
