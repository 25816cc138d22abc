"""What a recording becomes when a change of its application is accepted: the provider's side stays, the
application's side is what the application does now.

Both sides come as sessions: the recording, and the recording of its replay into the application as it is now.
The provider is sent something else than then: where it says that again (a tool's output, a text, an id that
the client has minted), its echo is rewritten with it. What it *answered* stays, and is told.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from ..schema.entries import CALL_ENDS, Entry, Flag, Kind
from ..schema.errors import UsageError
from ..session.drafts import Draft, mapped, reference_in, tree_of, with_tree
from ..session.fields import client_message, event_fields, mapping, sequence, text_of
from ..session.messages import TURN_STARTED, answers_call, output_of
from ..session.words import described, line
from .redacted_sends import as_redacted

OVER = "realtape accept: the recording is over"
"""The note with which the recording of the replay says that."""

_IDS = ("id", "item_id", "previous_item_id")


@dataclass(frozen=True)
class Acceptance:
    """A recording as it is once a change was accepted.

    Attributes:
        drafts: its sessions.
        echoes: entries of the provider that were rewritten.
        stays: what the provider did about what the application does otherwise now, and what stays as it was
            all the same, each in a sentence.
    """

    drafts: tuple[Draft, ...]
    echoes: int
    stays: tuple[str, ...]


def accepted(recorded: Sequence[Draft], replayed: Sequence[Draft], app: str) -> Acceptance:
    """Make the new recording.

    Args:
        recorded: the sessions of one model object, in order.
        replayed: what was recorded of their replay, each up to the note `OVER`, or to its end.
        app: what the application is called.

    Raises:
        UsageError: the application has connected less often, or was given something else than was recorded.
    """
    found: list[Draft] = []
    stays: list[str] = []
    echoes = 0
    if len(replayed) < len(recorded):
        left = recorded[len(replayed)].header.id
        raise UsageError(
            f"the application does not connect again any more: session {left} and what follows would be "
            "lost; trim the recording first"
        )
    for nth, (old, whole) in enumerate(zip(recorded, replayed, strict=False), 1):
        new = as_redacted(old, _closed_as(old, _ended(whole)))
        changes = Changes.between(old, new)
        rewriting = _Rewriting(old, changes)
        entries, segments = rewriting.applied(new)
        echoes += rewriting.count
        of_several = f"in session {nth}: " if len(recorded) > 1 else ""
        stays += [f"{of_several}{one}" for one in changes.told(old)]
        base = dataclasses.replace(
            old, header=dataclasses.replace(old.header, versions=new.header.versions), segments=segments
        )
        previous = found[-1].header.id if found else None
        found.append(base.derived(f"accepted with {app}", entries, previous_session=previous))
    return Acceptance(tuple(found), echoes, tuple(stays))


def _ended(draft: Draft) -> Draft:
    """What was recorded of a replay, without what came after the recording was over: only the ends of what
    had begun before."""
    end = next(
        (one.seq for one in draft.entries if one.kind == Kind.MARKER and text_of(_told(one)) == OVER), None
    )
    if end is None:
        return draft
    kept = tuple(
        one
        for one in draft.entries
        if one.seq < end or (one.of is not None and one.of < end and one.kind in {*CALL_ENDS, Kind.HANDLED})
    )
    return dataclasses.replace(draft, entries=kept)


def _closed_as(old: Draft, new: Draft) -> Draft:
    """Where the user has hung up, and nobody does in the replay, he has hung up."""
    close = next((one for one in old.entries if one.kind == Kind.CLOSE and one.cause is None), None)
    if close is None or any(one.kind == Kind.CLOSE for one in new.entries):
        return new
    last = new.entries[-1]
    at_ns = max(close.at_ns, last.at_ns)
    seq = last.seq + 1
    ends = (
        close._replace(seq=seq, at_ns=at_ns),
        Entry(seq + 1, at_ns, close.tick, close.task, Kind.CLOSED, of=seq),
    )
    return dataclasses.replace(new, entries=(*new.entries, *ends))


def _told(marker: Entry) -> object:
    return mapping(tree_of(marker)).get("text")


@dataclass(frozen=True)
class Changes:
    """What the application sends otherwise.

    Attributes:
        pairs: calls with another content: as recorded, and now.
        missing: recorded calls that are not made any more.
        extra: calls that were not recorded.
    """

    pairs: tuple[tuple[Entry, Entry], ...] = ()
    missing: tuple[Entry, ...] = ()
    extra: tuple[Entry, ...] = ()

    @classmethod
    def between(cls, old: Draft, new: Draft) -> Changes:
        """Of two sessions; audio is left out."""
        pairs: list[tuple[Entry, Entry]] = []
        answers = [
            {call: one for one in draft.entries if (call := answers_call(one))} for draft in (old, new)
        ]
        missing = [one for call, one in answers[0].items() if call not in answers[1]]
        extra = [one for call, one in answers[1].items() if call not in answers[0]]
        for call, one in answers[0].items():
            other = answers[1].get(call)
            if other is not None and output_of(one) != output_of(other):
                pairs.append((one, other))
        sends = [[one for one in draft.entries if _is_compared(one)] for draft in (old, new)]
        keys = [[(one.type, one.payload) for one in side] for side in sends]
        for _, i, j, k, m in SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_opcodes():
            if keys[0][i:j] != keys[1][k:m]:
                before, now = sends[0][i:j], sends[1][k:m]
                for one in list(before):
                    like = next((other for other in now if other.type == one.type), None)
                    if like is not None:
                        pairs.append((one, like))
                        before.remove(one)
                        now.remove(like)
                missing += before
                extra += now
        return cls(
            tuple(sorted(pairs, key=lambda pair: pair[0].seq)),
            tuple(sorted(missing, key=lambda one: one.seq)),
            tuple(sorted(extra, key=lambda one: one.seq)),
        )

    def told(self, old: Draft) -> Iterator[str]:
        """What the provider did about it, and what stays of that."""
        for before, now in self.pairs:
            answer = _answer_to(old, before)
            then = (
                f"what came then (from #{answer.seq} on) was the answer to that one, and stays"
                if answer
                else ""
            )
            told = f"{line(before)}, now {described(now)}"
            yield f"{told}: {then}" if then else told
        for one in self.missing:
            yield f"{line(one)} is not sent any more; what the provider did about it stays"
        for one in self.extra:
            yield f"{described(one)} is new: the recording holds no answer to it, and none will come"


def _is_compared(entry: Entry) -> bool:
    return entry.kind == Kind.SENT and entry.type != "send_audio" and not answers_call(entry)


def _answer_to(draft: Draft, sent: Entry) -> Entry | None:
    """The response that came next, before the application has said anything more."""
    for one in draft.entries[sent.seq + 1 :]:
        if one.kind == Kind.RECEIVED and one.type == TURN_STARTED:
            return one
        if _is_compared(one):
            return None
    return None


@dataclass
class _Rewriting:
    """Puts the provider's entries, with what they echo rewritten, in the place of those that the replay has
    delivered, and the notes of the recording where they were."""

    old: Draft
    changes: Changes
    count: int = 0
    _outputs: dict[str, tuple[str, str]] = field(default_factory=dict[str, "tuple[str, str]"])
    _ids: dict[str, str] = field(default_factory=dict[str, str])
    _texts: dict[str, dict[str, str]] = field(default_factory=dict[str, "dict[str, str]"])

    def __post_init__(self) -> None:
        for before, now in self.changes.pairs:
            call = answers_call(before)
            if call:
                outputs = output_of(before), output_of(now)
                self._outputs[call] = outputs
            else:
                self._note_item(before, now)

    def _note_item(self, before: Entry, now: Entry) -> None:
        """Which item of the conversation it became, and what in it is another text."""
        items = [mapping((client_message(one) or {}).get("item")) for one in (before, now)]
        texts = dict(zip(_texts_of(before), _texts_of(now), strict=False))
        texts = {one: other for one, other in texts.items() if one != other}
        id = text_of(items[0].get("id")) or self._item_with(before, texts)
        new_id = text_of(items[1].get("id"))
        if id and new_id and id != new_id:
            self._ids[id] = new_id
        if id and texts:
            self._texts.setdefault(id, {}).update(texts)

    def _item_with(self, sent: Entry, texts: dict[str, str]) -> str:
        """The item that the provider has made of it: the first with such a text, and of no other send."""
        for one in self.old.entries[sent.seq + 1 :]:
            if one.kind != Kind.RECEIVED:
                continue
            for item in _items_in(tree_of(one)):
                id = text_of(item.get("item_id")) or text_of(item.get("id"))
                told = {text_of(mapping(part).get("text")) for part in sequence(item.get("content"))}
                if (
                    id
                    and id not in self._texts
                    and item.get("role") in ("user", "system")
                    and told & texts.keys()
                ):
                    return id
        return ""

    def applied(self, new: Draft) -> tuple[list[Entry], dict[int, bytes]]:
        """The entries of the new session, and the bytes that they refer to.

        Raises:
            UsageError: the replay has delivered something else than was recorded.
        """
        beyond = max([*new.segments, -1]) + 1
        given: dict[tuple[str | None], list[Entry]] = defaultdict(list)
        for one in self.old.entries:
            if one.kind == Kind.RECEIVED:
                given[(one.type,)].append(one)
        segments = {**new.segments, **{beyond + number: data for number, data in self.old.segments.items()}}
        entries: list[Entry] = []
        for one in new.entries:
            if one.kind != Kind.RECEIVED:
                entries.append(one)
                continue
            told = given[(one.type,)]
            if not told:
                raise UsageError(f"{line(one)} came in the replay, and was never recorded: please report it")
            entries.append(self._given(one, told.pop(0), beyond))
        return self._with_notes(entries), segments

    def _given(self, live: Entry, recorded: Entry, beyond: int) -> Entry:
        """A delivery: where and when it came now; what, as it was recorded, but for the echoes."""
        flags = recorded.flags & ~Flag.ASSUMED | live.flags & (Flag.ASSUMED | Flag.CAUSE_LOST)
        one = live._replace(payload=recorded.payload, flags=flags, type=recorded.type)
        tree = mapped(tree_of(one), lambda at: (at[0] + beyond, *at[1:]))
        rewritten = self._rewritten(tree)
        if rewritten != tree:
            self.count += 1
            one = one._replace(flags=flags | Flag.REWRITTEN)
        return with_tree(one, rewritten)

    def _rewritten(self, tree: Any, item: str = "") -> Any:
        if isinstance(tree, list):
            return [self._rewritten(one, item) for one in sequence(tree)]
        facts = mapping(tree)
        if not facts or reference_in(facts) is not None:
            return tree
        item = (
            text_of(facts.get("item_id")) or (text_of(facts.get("id")) if "content" in facts else "") or item
        )
        texts, made = self._texts.get(item, {}), dict[str, Any]()
        outputs = self._outputs.get(text_of(facts.get("call_id")))
        for name, value in facts.items():
            if name == "output" and outputs is not None and value == outputs[0]:
                made[name] = outputs[1]
            elif name in _IDS and isinstance(value, str):
                made[name] = self._ids.get(value, value)
            elif name == "text" and isinstance(value, str):
                made[name] = texts.get(value, value)
            else:
                made[name] = self._rewritten(value, item)
        return made

    def _with_notes(self, entries: list[Entry]) -> list[Entry]:
        """The recording's notes, each where it stood in time."""
        notes = [one for one in self.old.entries if one.kind == Kind.MARKER]
        for number, note in enumerate(notes):
            place = next((at for at, one in enumerate(entries) if one.at_ns > note.at_ns), len(entries))
            before = entries[place - 1] if place else note
            entries.insert(
                place,
                note._replace(seq=-1 - number, cause=None, of=None, tick=before.tick, at_ns=before.at_ns),
            )
        return entries


def _texts_of(entry: Entry) -> list[str]:
    """The texts of the user's that a send brings, in order."""
    fields = event_fields(entry)
    if entry.type == "send_user_input":
        told = fields.get("user_input")
        return [told] if isinstance(told, str) else [*_texts_in(mapping(told).get("content"))]
    message = client_message(entry)
    return [] if message is None else [*_texts_in(mapping(message.get("item")).get("content"))]


def _texts_in(content: Any) -> Iterator[str]:
    for part in sequence(content):
        yield text_of(mapping(part).get("text"))


def _items_in(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, list):
        for one in sequence(tree):
            yield from _items_in(one)
        return
    facts = mapping(tree)
    if "role" in facts and "content" in facts:
        yield facts
    for value in facts.values():
        yield from _items_in(value)
