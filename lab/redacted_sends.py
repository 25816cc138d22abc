"""What an application sends in the replay of a redacted recording, as that recording holds it: with stand-ins
where the application says what they stand for.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from typing import Any

from ..replay import LiveValues, differing_fields
from ..schema.codec import references
from ..schema.entries import Entry, Flag, Kind
from ..session.drafts import Draft, tree_of
from ..session.messages import answers_call
from ..session.provenance import Redaction

_MAX_ESCAPES = 3
"""JSON in JSON in JSON: so deep a value may stand in a payload."""


def as_redacted(recorded: Draft, replayed: Draft) -> Draft:
    """The replay of a recording, in which what the application sends has its stand-ins; the very same where
    nothing was taken out of the recording.

    A send that differs from the recorded one in nothing else is the recorded one. In any other, values that
    are known by then are replaced, wherever they stand.
    """
    redaction = Redaction.told_by(recorded.header.source)
    if redaction is None:
        return replayed
    values = LiveValues(redaction)
    same: dict[int, Entry] = {}
    others: list[tuple[Entry, Entry]] = []
    for before, now in _pairs(recorded, replayed, values):
        if values.agree(tree_of(before), tree_of(now)):
            values.learn(tree_of(before), tree_of(now))
            if not references(before.payload):
                same[now.seq] = before
        else:
            others.append((before, now))
    for before, now in others:
        for _, one, other in differing_fields(tree_of(before), tree_of(now)):
            values.learn(one, other)
    entries = [_replaced(one, same.get(one.seq), values) for one in replayed.entries]
    return dataclasses.replace(replayed, entries=tuple(entries))


def _pairs(recorded: Draft, replayed: Draft, values: LiveValues) -> Iterator[tuple[Entry, Entry]]:
    """A recorded send, and the one that it is now: of outputs of the same call; of others, those that agree
    before those of the same type."""
    before, now = _sends(recorded), _sends(replayed)
    answers = {call: one for one in now if (call := answers_call(one))}
    left: list[Entry] = []
    free = [one for one in now if not answers_call(one)]
    for one in before:
        call = answers_call(one)
        if call:
            if call in answers:
                yield one, answers[call]
            continue
        like = _first(free, one, values)
        if like is None:
            left.append(one)
        else:
            free.remove(like)
            yield one, like
    for one in left:
        other = next((other for other in free if _kind(other) == _kind(one)), None)
        if other is not None:
            free.remove(other)
            yield one, other


def _first(among: Sequence[Entry], recorded: Entry, values: LiveValues) -> Entry | None:
    tree = tree_of(recorded)
    alike = (one for one in among if _kind(one) == _kind(recorded))
    return next((one for one in alike if values.agree(tree, tree_of(one))), None)


def _kind(entry: Entry) -> tuple[str, str | None]:
    return entry.kind, entry.type


def _sends(draft: Draft) -> list[Entry]:
    """What an application says; not what its microphone does."""
    return [
        one for one in draft.entries if one.kind in (Kind.SENT, Kind.CONNECT) and one.type != "send_audio"
    ]


def _replaced(entry: Entry, recorded: Entry | None, values: LiveValues) -> Entry:
    if recorded is not None:
        return entry._replace(payload=recorded.payload, flags=entry.flags | recorded.flags & Flag.REDACTED)
    if entry.kind == Kind.RECEIVED:
        return entry
    payload = entry.payload
    for value, stand_in in values.spelled():
        for one, other in zip(_spellings(value), _spellings(stand_in), strict=True):
            payload = payload.replace(one, other)
    if payload == entry.payload:
        return entry
    return entry._replace(payload=payload, flags=entry.flags | Flag.REDACTED)


def _spellings(text: Any) -> list[str]:
    """How it stands in JSON, in JSON in JSON, and so on; with other than ASCII as it is, and escaped."""
    found = [text]
    for ascii_only in (False, True):
        one = text
        for _ in range(_MAX_ESCAPES):
            one = json.dumps(one, ensure_ascii=ascii_only)[1:-1]
            found.append(one)
    return found
