"""A known secret that comes in pieces: what may be the beginning of one waits for what follows, for a moment.

A model's text comes in deltas of a few characters, and a key in it is in none of them whole. As long as they
are not committed they can be looked at together. And of a key that was found by its look in one delta, what
follows it at once in the next one is the rest.
"""

from __future__ import annotations

import json
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from itertools import accumulate
from typing import Any, cast

from ..schema.codec import MIN_BEGINNING, REDACTED, KnownTexts, Secrets, from_json, merged_spans, to_json
from ..schema.entries import KIND, Entry, Flag, Kind
from ..schema.log import Appended
from .payloads import Pending
from .turns import give_way

HOLD_SECONDS = 0.1
"""So long an entry is held back, at most, since its text went on: a model may say a secret slowly."""

MIN_LOOKS = 2
"""And so often it was looked for what follows: where the whole process stood still, nothing could follow."""

MAX_STREAMS = 64
"""Texts whose ends are remembered."""

_REDACTED = int(Flag.REDACTED)
_PAYLOAD, _FLAGS = Entry._fields.index("payload"), Entry._fields.index("flags")
_HAS_DELTA = '"delta":"'
_DELTA = re.compile(r'"delta":"([^"\\]*(?:\\.[^"\\]*)*)"')
_VARYING = re.compile(r'"(delta|event_id|obfuscation)":"([^"\\]*(?:\\.[^"\\]*)*)",?')

_FRAMES = frozenset({Kind.FRAME_IN, Kind.FRAME_OUT})
_CUT = '{"$":"base64'
# Of a message on a socket, whoever wrote it; Gemini's transcriptions have a `text`.
_HAS_DELTA_WITHIN = re.compile(r'\\"(?:delta|text)\\":\s?\\"')
_DELTA_WITHIN = re.compile(r'"(?:delta|text)":\s?"([^"\\]*(?:\\.[^"\\]*)*)"')
_VARYING_WITHIN = re.compile(r'"(delta|text|event_id|obfuscation)":\s?"([^"\\]*(?:\\.[^"\\]*)*)",?')

_REST = re.compile(r"(?:[.:]?[A-Za-z0-9_+/=~%-]+)*")
"""What a credential goes on with, behind the part of it that was found."""


class HeldBack:
    """What of one session is encoded, and waits. The writer's, on one thread at a time.

    Args:
        secrets: what is sought.
        clock: monotonic seconds.

    Attributes:
        entries: those that wait, in order.
    """

    def __init__(self, secrets: Secrets, clock: Callable[[], float] = time.monotonic) -> None:
        self.entries: list[Pending] = []
        self._since: list[float] = []  # when each of them came
        self._secrets = secrets
        self._clock = clock
        self._waits: dict[str, tuple[float, int]] = {}  # of texts: since when, and how many looks in vain
        self._names: dict[Hashable, str] = {}
        self._ends: OrderedDict[str, str] = OrderedDict()  # of texts that were passed on

    @property
    def seconds(self) -> float:
        """How long the oldest of those that wait has waited. From any thread."""
        since = self._since[:1]
        return max(self._clock() - since[0], 0.0) if since else 0.0

    def pass_on(self, encoded: list[Pending], *, hold: bool) -> list[Pending]:
        """What may be committed now, of what waited and of what was encoded just now.

        Args:
            hold: whether more may follow.
        """
        known = self._secrets.known
        if not known.forms and not self._ends and not any(kept[_FLAGS] & _REDACTED for kept, _ in encoded):
            return encoded
        waiting = self.entries
        try:
            return self._passed(encoded, known, hold=hold)
        except BaseException:  # they will be given again
            self.entries = waiting
            raise

    def _passed(self, encoded: list[Pending], known: KnownTexts, *, hold: bool) -> list[Pending]:
        waited = len(self.entries)
        entries, self.entries = [*self.entries, *encoded], []
        first, now = len(entries), self._clock()
        streams: dict[str, _Stream] = {}
        for index, (kept, piece_of) in enumerate(entries):
            give_way()
            if piece_of is None:
                piece = _piece_of(kept[KIND], kept[_PAYLOAD])
            else:
                piece = self._name(kept, piece_of[0]), piece_of[1]
            if piece is not None:
                name, text = piece
                found = streams.get(name)
                if found is None:
                    found = streams[name] = ([], [])
                found[0].append(index)
                found[1].append(text)
        waits, self._waits = self._waits, {}
        for name, stream in streams.items():
            begun = self._scrub(name, entries, stream, known)
            if not hold or begun == len(entries):
                continue
            since, looks = waits.get(name, (now, 0))
            went_on = any(text for index, text in zip(*stream, strict=True) if index >= waited)
            self._waits[name] = since, looks = (now, 0) if went_on else (since, looks + 1)
            if now - since < HOLD_SECONDS or looks < MIN_LOOKS:
                first = min(first, begun)
        longest = max(map(len, (*known.forms[-1:], REDACTED)))
        for name, (indexes, texts) in streams.items():
            told = "".join(text for index, text in zip(indexes, texts, strict=True) if index < first)
            end = (self._ends.pop(name, "") + told)[-longest:]
            if known.forms or end.endswith(REDACTED):
                self._ends[name] = end
            if len(self._ends) > MAX_STREAMS:
                self._ends.popitem(last=False)
        self.entries = entries[first:]
        if self.entries or waited:
            self._since = [*self._since, *[now] * len(encoded)][first:]
        return entries[:first]

    def _name(self, kept: Appended, key: Hashable) -> str:
        """As `_piece_of` says, of an entry of which the piece is known already."""
        kind = kept[KIND]
        name = self._names.get((kind, key))
        if name is None:
            if len(self._names) >= MAX_STREAMS:
                self._names.clear()
            piece = _piece_of(kind, kept[_PAYLOAD])
            name = self._names[kind, key] = f"{kind}" if piece is None else piece[0]
        return name

    def _scrub(self, name: str, entries: list[Pending], stream: _Stream, known: KnownTexts) -> int:
        """Take out what is whole by now; returns from which entry on must wait."""
        before = self._ends.get(name, "")
        indexes, texts = stream
        changed = _without_rests(before, texts)
        joined = before + "".join(texts)
        spans = _known_in(joined, known.forms) if known.stands_in(joined) else []
        for start, end in reversed(spans):
            ends = [*accumulate(map(len, texts), initial=len(before))]
            told = False
            for number, text in enumerate(texts):
                from_, to = max(start - ends[number], 0), min(end - ends[number], len(text))
                if from_ < to:
                    texts[number] = text[:from_] + ("" if told else REDACTED) + text[to:]
                    told = True
        for index, text in zip(indexes, texts, strict=True) if spans or changed else ():
            _change(entries, index, text)
        if spans or changed:
            joined = before + "".join(texts)
        begun = _beginning_in(joined, known.forms) if known.may_begin_in(joined) else None
        if begun is None:
            return len(entries)
        ends = [*accumulate(map(len, texts), initial=len(before))]
        return next(index for index, end in zip(indexes, ends[1:], strict=True) if end > begun)


_Stream = tuple[list[int], list[str]]
"""The entries of one text, by their places, and the pieces of the text in them."""


def _piece_of(kind: str, payload: str) -> tuple[str, str] | None:
    """Which text an entry is a piece of, by all that does not vary from one to the next; and the piece."""
    if kind not in _FRAMES:
        if _HAS_DELTA not in payload:
            return None
        message, varying = payload, _VARYING
    else:
        found = _message_of(payload)
        if found is None:
            return None
        message, varying = found, _VARYING_WITHIN
    parts = varying.split(message)  # what stands between, a name, its text, and so on
    texts = (text for name, text in zip(parts[1::3], parts[2::3], strict=True) if name in ("delta", "text"))
    text = next(texts, "")
    return f"{kind} {''.join(parts[::3])}", _unescaped(text)


def _message_of(payload: str) -> str | None:
    """A frame's text, if it may hold a piece of one and is kept in one."""
    if _CUT in payload or _HAS_DELTA_WITHIN.search(payload) is None:
        return None
    pieces = cast("list[Any]", from_json(payload).get("pieces") or [])
    return pieces[0] if len(pieces) == 1 and type(pieces[0]) is str else None


def _unescaped(text: str) -> str:
    try:
        return text if "\\" not in text else json.loads(f'"{text}"', strict=False)
    except ValueError:  # a frame may hold anything: an escape that there is not
        return text


def _without_rests(before: str, texts: list[str]) -> bool:
    """Take out what a credential goes on with, of which one piece held so much that it was found; returns
    whether there was any."""
    changed = False
    within = before.endswith(REDACTED)
    for number, text in enumerate(texts):
        if within and (rest := _REST.match(text)) is not None and rest.end():
            texts[number], changed = text[rest.end() :], True
        within = text.endswith(REDACTED) or (within and not texts[number])
    return changed


def _change(entries: list[Pending], index: int, text: str) -> None:
    entry = entries[index].entry
    payload = entry.payload
    if entry.kind in _FRAMES:
        message = _message_of(payload)
        written = None if message is None else _rewritten(message, _DELTA_WITHIN, text)
        if message is not None and written is not None:
            payload = payload.replace(to_json(message), to_json(written), 1)
    else:
        payload = _rewritten(payload, _DELTA, text) or payload
    if payload != entry.payload:
        changed = entry._replace(payload=payload, flags=entry.flags | _REDACTED)
        entries[index] = entries[index].with_entry(changed)._replace(piece=None)


def _rewritten(message: str, delta: re.Pattern[str], text: str) -> str | None:
    """The message with another piece of text in it; None where it is the same."""
    found = delta.search(message)
    if found is None or _unescaped(found[1]) == text:
        return None
    return message[: found.start(1)] + to_json(text)[1:-1] + message[found.end(1) :]


def _known_in(text: str, forms: list[str]) -> list[tuple[int, int]]:
    """Where they stand, in order, none within another."""
    spans: list[tuple[int, int]] = []
    for form in forms:
        start = text.find(form)
        while start >= 0:
            spans.append((start, start + len(form)))
            start = text.find(form, start + 1)
    return merged_spans(spans)


def _beginning_in(text: str, forms: list[str]) -> int | None:
    """Where a text's end begins that is the beginning of one of them."""
    found: list[int] = []
    for form in forms:
        head = form[:MIN_BEGINNING]
        start = text.find(head, max(len(text) - len(form) + 1, 0))
        while start >= 0:
            if len(form) > MIN_BEGINNING and form.startswith(text[start:]):
                found.append(start)
                break
            start = text.find(head, start + 1)
    return min(found, default=None)
