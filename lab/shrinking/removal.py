"""Leaving out a part of a session, so that what is left is a session that could have happened.

What is said of an item as a whole (its text when it is done, the outputs of a response, the item before
it, how much of it was heard) follows from its pieces; without some of them it says something else. So what
is left is made to agree with itself (`mended`).
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...schema.entries import Entry, Kind
from ...session.audio import Part, audio_event
from ...session.drafts import Draft, renumbered, tree_of, with_tree
from ...session.fields import facts_in, mapping, sequence, text_of
from ...session.messages import TRUNCATED, TextOf, server_event
from ...session.sound import SoundFormats
from ..sounding import foreign_sounds, heard_again
from .needs import Needs


@dataclass(frozen=True)
class Rest:
    """What is left of a draft, as a draft: numbered anew, not sealed, and with all of the bytes.

    Attributes:
        numbers: the new number of each entry that is left, by the old one.
    """

    draft: Draft
    numbers: Mapping[int, int]


def without(draft: Draft, seqs: Iterable[int], *, how: str = "cut") -> Draft:
    """A new recording: the draft without these entries, and without all that needs them.

    Args:
        draft: a whole session.
        seqs: of entries to leave out. `connect`, `connected` and gaps stay.
        how: what its header's `source` says was done.
    """
    return draft.derived(how, rest_without(Needs(draft), seqs).draft.entries)


def rest_without(needs: Needs, seqs: Iterable[int]) -> Rest:
    """The same, not yet a recording.

    Args:
        needs: of the draft; who asks several times makes them once.
    """
    return rest(needs.draft, needs.gone_without(seqs))


def rest(draft: Draft, gone: Iterable[int]) -> Rest:
    """Leave out entries of which nobody needs to be asked any more; what they leave is mended."""
    out = frozenset(gone)
    return redone(draft, [entry for entry in draft.entries if entry.seq not in out])


def redone(draft: Draft, left: Sequence[Entry]) -> Rest:
    """A draft of entries that were left, or changed: what tells of the others is made to agree.

    Args:
        left: in order, with the numbers of `draft`.
    """
    if _touches_sound(draft.entries, left):
        left = heard_again(left, foreign_sounds(draft.entries))
    if len(left) != len(draft.entries) or any(map(_differ, left, draft.entries)):
        left = mended(draft.entries, left)
    new = renumbered(left)
    return Rest(
        dataclasses.replace(draft, entries=new),
        {old.seq: number for number, old in enumerate(left)},
    )


def _differ(one: Entry, other: Entry) -> bool:
    return one is not other


def _touches_sound(before: Sequence[Entry], left: Sequence[Entry]) -> bool:
    """Whether audio, or what was played of it, is another than it was."""

    def sounding(entries: Sequence[Entry]) -> list[tuple[int, str]]:
        return [(entry.seq, entry.payload) for entry in entries if _sounds(entry)]

    return sounding(before) != sounding(left)


def _sounds(entry: Entry) -> bool:
    if entry.kind == "playback":
        return True
    fact = server_event(entry)
    return fact is not None and fact.type in ("audio", "session.created", "session.updated")


_TEXTS = ("transcript", "text")


def texts_of(entries: Iterable[Entry]) -> dict[TextOf, str]:
    """What the pieces of each text come to; of arguments, too."""
    raw: dict[TextOf, str] = {}
    plain: dict[TextOf, str] = {}
    for entry in entries:
        fact = server_event(entry)
        if fact is not None and fact.piece is not None and fact.text is not None:
            texts = raw if fact.raw else plain
            texts[fact.text] = texts.get(fact.text, "") + fact.piece
    told = {text.item_id for text in raw}  # the model's own events do not name the part
    return {**{text: all for text, all in plain.items() if text.item_id not in told}, **raw}


def changed_texts(before: Mapping[TextOf, str], after: Mapping[TextOf, str]) -> dict[str, dict[str, str]]:
    """For each item, which of its texts became which; a text of which no piece is left stays as it is."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for text, all in before.items():
        now = after.get(text, all)
        if text.what == "said" and now != all:
            found[text.item_id][all] = now
    return dict(found)


def items_before(entries: Iterable[Entry]) -> dict[str, str | None]:
    """For each item of the conversation, the one that stands before it."""
    found: dict[str, str | None] = {}
    for entry in entries:
        fact = server_event(entry)
        if fact is not None and fact.raw and fact.item_id and "previous_item_id" in fact.fields:
            found.setdefault(fact.item_id, text_of(fact.fields["previous_item_id"]) or None)
    return found


def items_of(entries: Iterable[Entry]) -> set[str]:
    """The items that are spoken of."""
    facts = [fact for entry in entries if (fact := server_event(entry)) is not None]
    return {fact.item_id for fact in facts} - {""}


def mended(before: Sequence[Entry], left: Sequence[Entry]) -> list[Entry]:
    """What is left of a session, made to agree with itself.

    Args:
        before: the whole session.
        left: entries of it, some left out, some with less audio or shorter texts.
    """
    texts = changed_texts(texts_of(before), texts_of(left))
    gone = items_of(before) - items_of(left)
    order = items_before(before) if gone else {}
    mending = _Mending(texts, gone, order)
    cut = _CutsWithinSound()
    return [cut.entry(mending.entry(entry)) for entry in left]


class _Mending:
    def __init__(
        self,
        texts: Mapping[str, Mapping[str, str]],
        gone: set[str],
        order: Mapping[str, str | None],
    ) -> None:
        self._texts = texts
        self._gone = gone
        self._order = order

    def entry(self, entry: Entry) -> Entry:
        if entry.kind != Kind.RECEIVED or not self._concerns(entry.payload):
            return entry
        tree = tree_of(entry)
        mended = self._mended(tree, None)
        return entry if mended == tree else with_tree(entry, mended)

    def _concerns(self, payload: str) -> bool:
        """Cheaper than reading it: does it name an item that changed?"""
        return any(item in payload for item in self._texts) or any(item in payload for item in self._gone)

    def _mended(self, tree: Any, item: str | None) -> Any:
        if isinstance(tree, list):
            return [self._mended(one, item) for one in sequence(tree)]
        if not isinstance(tree, dict):
            return tree
        facts = mapping(tree)
        named = facts.get("item_id", facts.get("id"))
        item = named if isinstance(named, str) and named in self._texts else item
        return {name: self._field(name, value, item) for name, value in facts.items()}

    def _field(self, name: str, value: Any, item: str | None) -> Any:
        if name == "previous_item_id" and isinstance(value, str):
            return self._still_before(value)
        if name == "output" and isinstance(value, list):
            value = [one for one in sequence(value) if mapping(one).get("id") not in self._gone]
        if name in _TEXTS and isinstance(value, str) and item is not None:
            return self._texts[item].get(value, value)
        return self._mended(value, item)

    def _still_before(self, item: str) -> str | None:
        """The item, or the nearest one before it that is left."""
        found: str | None = item
        for _ in range(len(self._order) + 1):
            if found not in self._gone:
                return found
            found = self._order.get(found)
        return None


class _CutsWithinSound:
    """No item was cut behind its end."""

    def __init__(self) -> None:
        self._formats = SoundFormats()
        self._bytes: dict[Part, int] = defaultdict(int)

    def entry(self, entry: Entry) -> Entry:
        self._formats.read(entry)
        fact = server_event(entry)
        if fact is None:
            return entry
        sound = (fact.item_id, fact.content_index)
        given = audio_event(entry)
        if given is not None:
            self._bytes[given[0]] += given[1]
        end_ms = fact.fields.get("audio_end_ms")
        if fact.type != TRUNCATED or not isinstance(end_ms, int):
            return entry
        came_ms = int(self._formats.model.ms(self._bytes.get(sound, 0)))
        if end_ms <= came_ms or sound not in self._bytes:
            return entry
        tree = tree_of(entry)
        facts_in(entry, tree)["audio_end_ms"] = came_ms
        return with_tree(entry, tree)
