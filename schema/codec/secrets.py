"""Texts that must not reach the log: secrets that are known, in all encodings, and what looks like one.

`Secrets.spans` is the one place that says what of a text is a credential.
"""

from __future__ import annotations

import html
import itertools
import json
import re
import weakref
from bisect import bisect_right
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

import pybase64

from .credentials import MIN_CREDENTIAL_LENGTH, REDACTED, UNSHAPED_ID, find_credentials, is_id
from .environment import secrets_of_environment
from .json_text import quickly_quoted
from .text_places import TextPlace, changed, is_telling, place_of
from .urls import find_in_url, url_secrets

MIN_SECRET_LENGTH = 6
"""Shorter texts are no secrets, and scrubbing them would take ordinary words out of the log."""

MIN_BEGINNING = 6
"""Characters of a secret's beginning; fewer may be the beginning of anything."""

MAX_CLEAN = 256
MAX_CLEAN_LENGTH = 128
"""So many texts of so many characters are remembered to hold nothing: ids and names of types come again
with every delta."""

MAX_CLEAN_MESSAGE = 1024
"""And so many pieces of messages, of so many characters."""

MAX_TEXT_BYTES = 1 << 20
"""Bytes that are UTF-8 are sought through as a text, if they are so few."""

_OF_TOOL = re.compile(r"function_?(?:call|response)|mcp_call|tool_?(?:call|response)", re.IGNORECASE)
"""In frames of which a tool gets arguments, or that hold its output."""

MAX_TOKEN_BYTES = 384
"""What is longer, and passes for base64, is sound: no token has more than 512 characters without a dot."""

_IDS, _AN_ID = re.compile(f'"{UNSHAPED_ID}"'), f'"item_{"0" * 32}"'
"""A name before it makes a credential of the one where it makes one of any."""

_LIKE_BASE64 = re.compile(r"[A-Za-z0-9+/]+")
_SILENCE = b"\0\0\0\0"
_changes = itertools.count(1)


class _Latest:
    """The last change of anybody's secrets, in this process."""

    change = 0


class KnownTexts:
    """What is sought, in all its forms; made anew for every secret that is added.

    Attributes:
        stamp: the state of those who know them.
        forms: the shortest first.
        in_base64: those that a text may hold which passes for base64.
        quoted: texts that hold nothing of it, as JSON.
        clean_messages: pieces of messages that hold nothing of it, with one id in the place of each.
    """

    def __init__(self, texts: Iterable[str] = (), stamp: tuple[int, ...] = ()) -> None:
        known = dict.fromkeys(texts)
        self.stamp = stamp
        self.forms = sorted({form for text in known for form in forms_of(text)}, key=len)
        self._beginnings = {form[:MIN_BEGINNING] for form in self.forms}
        self._shorter: dict[int, list[str]] = {}
        self._longest = len(self.forms[-1]) if self.forms else 0
        self.shortest = min([MIN_CREDENTIAL_LENGTH, *map(len, self.forms[:1])])
        self.bytes = [form for text in known for form in _in_bytes(text)]
        self.in_base64 = [form for form in self.forms if _LIKE_BASE64.fullmatch(form)]
        self.clean_bytes = b""
        self.clean: set[str] = set()
        self.clean_keys: set[str] = set()
        self.quoted: dict[str, str] = {}
        self.clean_messages: set[str] = set()

    def within(self, text: str) -> list[str]:
        """The forms that stand in a text, the shortest first."""
        return [form for form in self._possible(text) if form in text]

    def stands_in(self, text: str) -> bool:
        """Whether one of the forms stands in a text."""
        return any(map(text.__contains__, self._possible(text)))

    def may_begin_in(self, text: str) -> bool:
        """Whether the end of a text may be the beginning of one of the forms, of MIN_BEGINNING characters or
        more; False is certain."""
        return self._has_beginning(text[1 - self._longest :])

    def _possible(self, text: str) -> list[str]:
        """The forms that may stand in a text."""
        forms = self._no_longer_than(len(text))
        return forms if len(forms) < len(text) or self._has_beginning(text) else []

    def _has_beginning(self, text: str) -> bool:
        """Whether the beginning of one of the forms stands in a text. They are sought in it; or, where they
        are many, for each has a dozen forms and all sessions' are sought, what stands in it among them."""
        if len(self._beginnings) < len(text):
            return any(map(text.__contains__, self._beginnings))
        places = range(len(text) - MIN_BEGINNING + 1)
        return not self._beginnings.isdisjoint([text[at : at + MIN_BEGINNING] for at in places])

    def _no_longer_than(self, length: int) -> list[str]:
        """The forms that a text of this length can hold."""
        if length >= self._longest:
            return self.forms
        found = self._shorter.get(length)
        if found is None:
            found = self._shorter[length] = self.forms[: bisect_right(self.forms, length, key=len)]
        return found


class Secrets:
    """A growing set of secrets, each sought by value in every common encoding; and what looks like one.

    Safe from any thread, and without a lock: a signal handler or a finalizer may record at any
    moment, and a process that forks leaves its other threads' locks held.

    Args:
        others: their own are sought, too, also those that are added there later.
        among: those of all that are among the same are sought, as long as they are held by somebody and
            have not left.

    Attributes:
        strict: names mean in the arguments and outputs of tools what they mean elsewhere.
    """

    def __init__(self, *others: Secrets, among: SecretsInUse | None = None, strict: bool = False) -> None:
        self.strict = strict
        self._texts: dict[str, None] = {}
        self._others = others
        self._among = among
        self._stamp = self._seen = 0
        self._made = KnownTexts()
        if among is not None:
            among.join(self)

    def add(self, texts: Iterable[str]) -> None:
        """Remember texts; what is shorter than MIN_SECRET_LENGTH is not taken for a secret."""
        if isinstance(texts, str):
            texts = (texts,)
        for text in texts:
            if len(text) >= MIN_SECRET_LENGTH and text not in self._texts:
                self._texts[text] = None
                self._stamp = next(_changes)
                if self._among is not None:
                    self._among.stamp = next(_changes)
                _Latest.change = next(_changes)  # at last: who sees it sees the others

    @classmethod
    def of_environment(cls) -> Secrets:
        """Those that this process's environment holds, and no others."""
        secrets = cls()
        secrets.add(secrets_of_environment())
        return secrets

    @property
    def own(self) -> tuple[str, ...]:
        """Those that were added here."""
        return tuple(self._texts)

    @property
    def forms(self) -> list[str]:
        """All that is sought by value, in every encoding, the shortest first."""
        return self.known.forms

    def leave(self) -> None:
        """The others need not seek what was added here any longer."""
        if self._among is not None:
            self._among.part(self)

    @property
    def known(self) -> KnownTexts:
        """What is sought, as it is now."""
        latest = _Latest.change
        if self._seen != latest:  # somebody's secrets are other ones: perhaps not ours
            self._know_again()
            self._seen = latest
        return self._made

    def _know_again(self) -> None:
        among, others = self._among, self._others
        among_stamp, others_stamps = 0 if among is None else among.stamp, [one._stamp for one in others]
        if among is not None and among.has(self):  # then all that are among these know the same
            stamp = (0, among_stamp, *map(id, others), *others_stamps)
            if among.made.stamp != stamp:
                among.made = KnownTexts(_own_of(*others, *among.members()), stamp)
            self._made = among.made
            return
        stamp = (self._stamp, among_stamp, *others_stamps)
        if self._made.stamp != stamp:
            members = [] if among is None else among.members()
            self._made = KnownTexts(_own_of(self, *others, *members), stamp)

    def spans(self, text: str, place: TextPlace = TextPlace.FREE) -> list[tuple[int, int]]:
        """Where secrets stand in a text: (start, end) in order, none within another.

        Args:
            place: what stands in a secret's place is one whatever it is; in a tool's arguments and outputs
                only what is known, or has a prefix that nothing else has.
        """
        if place is TextPlace.SECRET:
            return [(0, len(text))] if is_telling(text) else []
        known = self.known
        found: list[tuple[int, int]] = []
        if len(text) >= known.shortest:
            forms = known.within(text)
            if forms:  # the longest first: a token that begins with another must not be left in half
                pattern = "|".join(map(re.escape, reversed(forms)))
                found += [match.span() for match in re.finditer(pattern, text)]
            if len(text) >= MIN_CREDENTIAL_LENGTH:
                tool = place is TextPlace.TOOL or (
                    place is TextPlace.FRAME and _OF_TOOL.search(text) is not None
                )
                found += find_credentials(text, named=self.strict or not tool)
        if place is TextPlace.URL:
            found += find_in_url(text)
        return merged_spans(found) if len(found) > 1 else found

    def scrub(self, text: str, place: TextPlace = TextPlace.FREE) -> str:
        """The text without them."""
        parts: list[str] = []
        done = 0
        for start, end in self.spans(text, place):
            parts += text[done:start], REDACTED
            done = end
        return text if not done else "".join(parts) + text[done:]

    def scrub_tree(self, tree: Any) -> Any:
        """A payload's tree without them; keys that were different stay so."""
        return changed(tree, self.scrub, strict=self.strict)

    def within(self, tree: Any) -> bool:
        """Whether a payload's tree may hold any of them; False is certain."""
        known = self.known
        clean, shortest = known.clean, known.shortest
        trees: list[Any] = [tree]
        for each in trees:
            cls: Any = each.__class__
            if cls is dict:
                if not self.clean_keys(each):
                    return True
                items: Iterable[Any] = each.values()
            else:
                items = each if cls is list else (each,)
            for item in items:
                cls = item.__class__
                if cls is str:
                    if len(item) >= shortest and item not in clean:
                        if not self._is_clean(item, known):
                            return True
                        _remember(clean, item)
                elif cls is dict or cls is list:
                    trees.append(item)
        return False

    def clean_keys(self, keys: Collection[str]) -> bool:
        """Whether none of a dictionary's keys is one, or says that its value is."""
        clean = self.known.clean_keys
        if clean.issuperset(keys):
            return True
        for key in keys:
            if key not in clean:
                if place_of(key) is not None or self.spans(key):
                    return False
                _remember(clean, key)
        return True

    def quoted(self, text: str) -> str | None:
        """A text as JSON; None where it may hold any of them, or where `to_json` escapes it."""
        known = self.known
        if len(text) >= known.shortest:
            if known.stands_in(text):
                return None
            if is_id(text) is not None:  # another one each time, and without a character that is escaped
                return f'"{text}"'
            if place_of(text) is not None or self.spans(text):
                return None
        try:
            written = quickly_quoted(text)
        except ValueError:  # a lone surrogate
            return None
        if len(text) <= MAX_CLEAN_LENGTH:
            if len(known.quoted) >= MAX_CLEAN:
                known.quoted.clear()
            known.quoted[text] = written
        return written

    def quoted_message(self, text: str) -> str | None:
        """As `quoted`, of a piece of a message on a socket: such a one comes again with other ids in it."""
        known = self.known
        if len(text) >= known.shortest:
            if known.stands_in(text):
                return None
            alike = _IDS.sub(_AN_ID, text)
            if alike not in known.clean_messages:
                if place_of(text) is not None or self.spans(alike):
                    return None
                _remember(known.clean_messages, alike, MAX_CLEAN_MESSAGE)
        try:
            return quickly_quoted(text)
        except ValueError:  # a lone surrogate
            return None

    def _is_clean(self, text: str, known: KnownTexts) -> bool:
        if len(text) < known.shortest:
            return True
        if known.stands_in(text):
            return False
        return is_id(text) is not None or (place_of(text) is None and not self.spans(text))

    def scrub_bytes(self, data: bytes) -> bytes:
        """The bytes without them, of the same length: audio arithmetic must survive.

        What is no text is sought through for the known ones alone, as UTF-8 and UTF-16.
        """
        known, given = self.known, data
        if data == known.clean_bytes:  # an audio event has the bytes of the raw one before it
            return data
        text = None if data.startswith(_SILENCE) or len(data) > MAX_TEXT_BYTES else _decoded(data)
        if text is not None:
            parts: list[bytes] = []
            done = 0
            for start, end in self.spans(text):
                parts += text[done:start].encode(), b"*" * len(text[start:end].encode())
                done = end
            data = b"".join((*parts, text[done:].encode())) if done else data
        for secret in known.bytes:
            if secret in data:
                data = data.replace(secret, b"*" * len(secret))
        if len(data) <= MAX_TOKEN_BYTES and known.in_base64:
            token = pybase64.b64encode_as_string(data)  # a text that was taken for base64
            if any(form in token for form in known.in_base64):
                data = b"*" * len(data)
        if data is given:
            known.clean_bytes = data
        return data


class SecretsInUse:
    """The secrets of all sessions that are going on: one's key may be spoken in another.

    Attributes:
        stamp: changes with what is known.
        made: what each of these knows; for one with others than the last, made anew.
    """

    def __init__(self) -> None:
        self.stamp = 0
        self.made = KnownTexts()
        self._members: dict[int, weakref.ref[Secrets]] = {}

    def join(self, secrets: Secrets) -> None:
        """They are among these until they leave, or nobody holds them."""
        number = id(secrets)
        self._members[number] = weakref.ref(secrets, lambda gone: self._forget(number))

    def part(self, secrets: Secrets) -> None:
        """They are not among these any longer."""
        self._forget(id(secrets))

    def has(self, secrets: Secrets) -> bool:
        """Whether they are among these."""
        return id(secrets) in self._members

    def members(self) -> list[Secrets]:
        """All that are among these."""
        held = [reference() for reference in list(self._members.values())]
        return [secrets for secrets in held if secrets is not None]

    def _forget(self, number: int) -> None:
        if self._members.pop(number, None) is not None:
            self.stamp = next(_changes)
            _Latest.change = next(_changes)


def credentials_in(tree: Any) -> list[str]:
    """The texts of a payload's tree that look like credentials, or stand where one does."""
    found: list[str] = []
    seeking = Secrets()

    def note(text: str, place: TextPlace) -> str:
        if place is TextPlace.URL:  # name and password of an account each by itself
            found.extend(filter(None, url_secrets(text)))
        found.extend(text[start:end] for start, end in seeking.spans(text, place))
        return text

    changed(tree, note)
    return found


@lru_cache(maxsize=1024)
def forms_of(text: str) -> frozenset[str]:
    """A secret as it is, and in every common encoding."""
    data = text.encode("utf-8", "surrogatepass")
    written = {text, *_in_json(text)}
    forms = {*written, *(again for form in written for again in _in_json(form))}
    forms |= {text.upper(), text.lower(), text.replace("/", "\\/")}
    forms |= {html.escape(text), html.escape(text, quote=False), repr(data)[2:-1]}
    for url in {quote(data, safe=""), quote(data), quote_plus(data), *map(_in_url, written)}:
        forms |= {url, re.sub("%..", lambda found: found[0].lower(), url), quote(url, safe="")}
    for form in written:
        forms |= _in_base64(form.encode("utf-8", "surrogatepass"))
    forms |= {data.hex(), data.hex().upper()}
    return frozenset(form for form in forms if len(form) >= MIN_SECRET_LENGTH)


def _in_url(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def _in_base64(data: bytes) -> set[str]:
    forms = set[str]()
    for before in range(3):
        # Whatever stands before it and behind it: the characters that hold bits of nothing else.
        encoded = pybase64.b64encode(bytes(before) + data)
        first, last = (before * 8 + 5) // 6, (before + len(data)) * 8 // 6
        core = encoded[first:last].decode()
        forms |= {
            core,
            core.replace("/", "\\/"),
            quote(core, safe=""),
            core.replace("+", "-").replace("/", "_"),
        }
    return forms


def _in_json(text: str) -> set[str]:
    return {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}


def _in_bytes(text: str) -> set[bytes]:
    # UTF-16 without its last byte: so it stands in the other order of bytes, too.
    plain = {text, *_in_json(text)}
    return {form.encode("utf-8", "surrogatepass") for form in plain} | {
        text.encode("utf-16-le", "surrogatepass")[:-1]
    }


def _decoded(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:  # sound is seen not to be a text by its first samples
        return None


def _own_of(*each: Secrets) -> Iterable[str]:
    return (text for one in each for text in one.own)


def _remember(clean: set[str], text: str, max_length: int = MAX_CLEAN_LENGTH) -> None:
    if len(text) <= max_length:
        if len(clean) >= MAX_CLEAN:
            clean.clear()
        clean.add(text)


def merged_spans(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Without overlaps; what only touches stays apart."""
    apart: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if apart and start < apart[-1][1]:
            apart[-1] = (apart[-1][0], max(end, apart[-1][1]))
        else:
            apart.append((start, end))
    return apart
