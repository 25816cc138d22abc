"""When a live send is a recorded one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, cast

from ...schema.codec import (
    REDACTED,
    STANDARD,
    Codec,
    Reference,
    Secrets,
    TextFilter,
    to_json,
    unrecordable,
)
from ...schema.entries import Entry, Flag
from ...schema.errors import EncodingError
from ...session.provenance import Redaction
from .absent import AbsentFields
from .audio_tape import AudioMatching, SentAudio
from .client_ids import ClientIds, Minted
from .field_paths import unwrapped
from .live_values import LiveValues
from .matchers import Apart, Matchers

SETTINGS_TYPES = frozenset({"send_session_update"})
"""Matched by type; their fields are compared one by one, and a difference is a change, no divergence."""

AUDIO_TYPE = "send_audio"

SOUNDING_TYPES = frozenset({AUDIO_TYPE, "send_raw_message"})


class Content(str):
    """The content of a send: a text that equals that of every send which matches it exactly; and what
    cannot be told from a text.

    Attributes:
        payload: as the codec writes it, before matchers and ids make another text of it.
        apart: fields that a matcher judges, given both sides.
        minted: ids that the client minted.
        audio: of a `send_audio` that is matched by its bytes.
    """

    __slots__ = ("apart", "audio", "minted", "payload")

    payload: str
    apart: tuple[Apart, ...]
    minted: Minted
    audio: SentAudio | None

    def __new__(
        cls,
        text: str,
        payload: str | None = None,
        *,
        apart: tuple[Apart, ...] = (),
        minted: Minted = (),
        audio: SentAudio | None = None,
    ) -> Content:
        """See the attributes."""
        content = super().__new__(cls, text)
        content.payload = text if payload is None else payload
        content.apart, content.minted, content.audio = apart, minted, audio
        return content


class Matching:
    """How the sends of one connection are compared.

    Recorded and live events are both encoded with the replaying side's vocabulary: a field that
    one release of the SDK has and another lacks is then the same on both sides.

    Args:
        vocabulary_of: the recording's codec.
        matchers: fields that need not be exactly as recorded.
        redactors: those of the recorder. Live sends pass them before they are compared; recorded
            ones passed them when they were recorded.
        client_ids: type → further fields in which the client mints ids.
        audio: how what the microphone sends is compared.
        redaction: what was taken out of the recording when it was exported.

    Attributes:
        ids: recorded and live ids.
        absent: fields that the recording's classes lacked.
    """

    def __init__(
        self,
        vocabulary_of: Codec | None = None,
        *,
        matchers: Matchers | None = None,
        redactors: Sequence[TextFilter] = (),
        client_ids: Mapping[str, Iterable[str]] | None = None,
        audio: AudioMatching = "bytes",
        redaction: Redaction | None = None,
    ) -> None:
        vocabulary = STANDARD if vocabulary_of is None else vocabulary_of.vocabulary
        self.ids = ClientIds(client_ids)
        self.absent = AbsentFields(vocabulary)
        self.audio: AudioMatching = audio
        self._values = None if redaction is None else LiveValues(redaction)
        self._silent = redaction is not None and redaction.audio != "keep"  # of audio only the length is left
        self._heard = False  # how this recording's release wrote audio
        self._matchers = matchers or Matchers()
        self._matchers_of: dict[str | None, bool] = {}  # whether there are any for a type
        self._minting = self.ids.minting_types
        # On both sides: a log of an earlier release may hold what a recorder takes out today. Where stand-ins
        # are, what they stand for must be seen.
        self._secrets = Secrets.of_environment() if redaction is None else None
        self._recorded = Codec(vocabulary)
        self._live = Codec(vocabulary, redactors)

    # --- contents ---------------------------------------------------------------------------------------

    def recorded(self, type: str | None, event: Any, payload: str | None = None) -> Content:
        """The content of a recorded send.

        Args:
            payload: as it lies in the log: fields that its classes lacked match anything.

        Raises:
            MatcherError: a function of a matcher raised.
        """
        if payload is not None and not (type == AUDIO_TYPE and self._heard):
            self.absent.learn(payload)
            self._heard = self._heard or type == AUDIO_TYPE
        return self._content(self._recorded, type, event)

    def live(self, type: str | None, event: Any) -> Content:
        """The content of a live send, without what the redactors take out, in the recorded ids.

        Raises:
            MatcherError: a function of a matcher raised.
        """
        return self._content(self._live, type, event)

    def received(self, payload: str) -> None:
        """A recorded event comes in."""
        self.ids.received(payload)

    def _content(self, codec: Codec, type: str | None, event: Any) -> Content:
        if type in SETTINGS_TYPES:
            return Content(str(type))
        mints = type in self._minting
        matchers = self._matchers_of.get(type)
        if matchers is None:
            matchers = self._matchers_of[type] = bool(self._matchers.of(type))
        changed = mints or matchers
        digests: list[str] = []
        silent = self._silent and type in SOUNDING_TYPES
        payload = _encoded(codec, event, digests, self._secrets, numbered=changed, lengths_only=silent)
        audio = self._audio(event) if type == AUDIO_TYPE else None
        renames = codec is self._live and self.ids.renames
        if not changed and not renames and not self.absent.any:
            return Content(f"{payload} {' '.join(digests)}", payload, audio=audio)
        tree = json.loads(payload)
        if changed:
            _put_digests(tree, digests)
            digests = []
        self.absent.take_out(tree)
        apart = self._matchers.normalise(type, tree) if matchers else ()
        minted = self.ids.take_out(type, tree, recorded=codec is self._recorded) if mints else ()
        if renames:
            tree = self.ids.as_recorded(tree)
        return Content(
            f"{to_json(tree)} {' '.join(digests)}", payload, apart=apart, minted=minted, audio=audio
        )

    def _audio(self, event: Any) -> SentAudio | None:
        data: Any = getattr(event, "audio", None)
        if self.audio == "exact" or not isinstance(data, bytes | bytearray | memoryview):
            return None
        commit = bool(getattr(event, "commit", False))
        sound = bytes(cast("bytes", data))
        return SentAudio(bytes(len(sound)) if self._silent else sound, commit)

    # --- comparing --------------------------------------------------------------------------------------

    def agree(self, recorded: str, live: str) -> bool:
        """Whether two sends whose texts are equal agree in what stands apart from them, too.

        Raises:
            MatcherError: a function of a matcher raised.
        """
        if not isinstance(recorded, Content) or not isinstance(live, Content):
            return True
        if (recorded.minted or live.minted) and not self.ids.agree(recorded.minted, live.minted):
            return False
        pairs = zip(recorded.apart, live.apart, strict=True)
        return not recorded.apart or all(self._apart_agree(one, other) for one, other in pairs)

    def redacted_agree(self, recorded: str, live: str) -> bool:
        """Whether a live send is one from which something was taken out when it was recorded: what
        stood there may have been anything; where a stand-in stands, what it stands for."""
        if self._values_agree(recorded, live):
            return True
        if REDACTED not in recorded and not (isinstance(recorded, Content) and REDACTED in recorded.payload):
            return False
        pattern = _pattern(recorded)
        if not isinstance(recorded, Content) or not isinstance(live, Content):
            return pattern.fullmatch(live) is not None
        if pattern.fullmatch(live):
            alike = [one.path for one in recorded.apart] == [one.path for one in live.apart]
            return self.agree(recorded, live) if alike else True
        return bool(_pattern(recorded.payload).fullmatch(live.payload))  # it may be no JSON any more

    def _values_agree(self, recorded: str, live: str) -> bool:
        """Whether they differ in nothing but real values where the recording has stand-ins."""
        if self._values is None or len(recorded) != len(live):
            return False
        if not isinstance(recorded, Content) or not isinstance(live, Content):
            return False
        if [one.path for one in recorded.apart] != [one.path for one in live.apart]:
            return False
        return self._values.agree(_parts_of(recorded), _parts_of(live)) and self.agree(recorded, live)

    def _apart_agree(self, recorded: Apart, live: Apart) -> bool:
        return self.stands_for(recorded.value, live.value) or _agrees(recorded, live)

    def stands_for(self, recorded: Any, live: Any) -> bool:
        """Whether they differ in nothing but real values where the recorded one has stand-ins."""
        return self._values is not None and recorded != live and self._values.agree(recorded, live)

    def may_hold_stand_ins(self, entry: Entry) -> bool:
        """Whether something was taken out of a send when the recording was exported."""
        flagged = self._values is not None and bool(entry.flags & Flag.REDACTED)
        return flagged and entry.type != AUDIO_TYPE

    def matched(self, recorded: str, live: str) -> None:
        """A live send is this recorded one: learn its ids, and what its stand-ins stand for."""
        if self._values is not None and recorded != live:
            self._values.learn(_parts_of(recorded), _parts_of(live))
        if isinstance(recorded, Content) and isinstance(live, Content) and live.minted:
            self.ids.learn(recorded.minted, live.minted)

    def differences(self, recorded: str, live: str) -> list[tuple[str, Any, Any]]:
        """The fields in which two sends differ: (path, recorded, live); not those that match.

        Raises:
            MatcherError: a function of a matcher raised.
        """
        found = [
            (path, one, other)
            for path, one, other in differences(unwrapped(tree_of(recorded)), unwrapped(tree_of(live)))
            if not self.stands_for(one, other)
        ]
        if isinstance(recorded, Content) and isinstance(live, Content):
            others = {one.path: one for one in live.apart}
            for one in recorded.apart:
                other = others.get(one.path)
                if other is not None and not self._apart_agree(one, other):
                    found.append((one.path, unwrapped(one.value), unwrapped(other.value)))
            if not self.ids.agree(recorded.minted, live.minted):
                ids = dict(live.minted)
                found += [(path, name, ids[path]) for path, name in recorded.minted if path in ids]
        return found

    # --- settings ---------------------------------------------------------------------------------------

    def changed_settings(self, recorded: Any, live: Any, *, redacted: bool) -> list[tuple[str, Any, Any]]:
        """Where the settings of a connection, or of an update of it, differ: (path, recorded, live).

        Args:
            redacted: something was taken out of the recorded ones: it may have been anything.

        Raises:
            MatcherError: a function of a matcher raised.
        """
        trees: list[Any] = []
        aparts: list[tuple[Apart, ...]] = []
        (type,) = SETTINGS_TYPES
        for codec, settings in ((self._recorded, recorded), (self._live, live)):
            digests: list[str] = []
            tree = json.loads(_encoded(codec, settings, digests, self._secrets, numbered=True))
            _put_digests(tree, digests)
            self.absent.take_out(tree)
            holder = {"session_settings": tree}
            aparts.append(self._matchers.normalise(type, holder))
            trees.append(unwrapped(holder).get("session_settings", {}))
        found = [
            (path, one, other)
            for path, one, other in differences(trees[0], trees[1], "settings")
            if not (redacted and self._may_be(one, other))
        ]
        others = {one.path: one for one in aparts[1]}
        for one in aparts[0]:
            other = others.get(one.path)
            if other is not None and not self._apart_agree(one, other):
                path = one.path.removeprefix("session_")
                found.append((path, unwrapped(one.value), unwrapped(other.value)))
        return found

    def _may_be(self, recorded: Any, live: Any) -> bool:
        if isinstance(recorded, str) and isinstance(live, str) and _fits(recorded, live):
            return True
        return self.stands_for(recorded, live)


def is_redacted(entry: Entry, key: str) -> bool:
    """Whether something was taken out of a send when it was recorded."""
    if not entry.flags & Flag.REDACTED:
        return False
    if isinstance(key, Content):
        return REDACTED in key or REDACTED in key.payload
    return REDACTED in key


def _agrees(recorded: Apart, live: Apart) -> bool:
    text = recorded.value
    if isinstance(text, str) and REDACTED in text and isinstance(live.value, str) and _fits(text, live.value):
        return True
    return recorded.matcher.agrees(recorded.value, live.value)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split(REDACTED))), re.DOTALL)


def _fits(recorded: str, live: str) -> bool:
    return REDACTED in recorded and _pattern(recorded).fullmatch(live) is not None


def tree_of(key: str) -> Any:
    """The payload's tree in a content; a text that is none as it is."""
    try:
        return json.JSONDecoder().raw_decode(key)[0]
    except ValueError:
        return key


def _parts_of(key: str) -> list[Any]:
    """The payload's tree in a content, and what is written behind it."""
    try:
        tree, end = json.JSONDecoder().raw_decode(key)
    except ValueError:
        return [key]
    return [tree, key[end:]]


def differences(recorded: Any, live: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """Where two JSON-like trees differ: (path, recorded, live), leaves only.

    A key that one side lacks is given as MISSING.
    """
    found: list[tuple[str, Any, Any]] = []
    if isinstance(recorded, dict) and isinstance(live, dict):
        left, right = cast("dict[str, Any]", recorded), cast("dict[str, Any]", live)
        for key in dict.fromkeys([*left, *right]):
            inner = f"{path}.{key}" if path else key
            found += differences(left.get(key, MISSING), right.get(key, MISSING), inner)
        return found
    if isinstance(recorded, list) and isinstance(live, list):
        pairs = zip_longest(cast("list[Any]", recorded), cast("list[Any]", live), fillvalue=MISSING)
        for index, (one, other) in enumerate(pairs):
            found += differences(one, other, f"{path}[{index}]")
        return found
    same = type(recorded) is type(live) and bool(recorded == live)  # pyright: ignore[reportUnknownArgumentType]
    return found if same else [(path, recorded, live)]


class _Missing:
    def __repr__(self) -> str:
        return "(absent)"


MISSING = _Missing()
"""Stands in `differences` for a key or an item that one side lacks."""


def _encoded(
    codec: Codec,
    event: Any,
    digests: list[str],
    secrets: Secrets | None,
    *,
    numbered: bool,
    lengths_only: bool = False,
) -> str:
    """A payload without credentials, with its bytes by their digests.

    Args:
        numbered: each reference says which digest is its own.
        lengths_only: nothing but the length of bytes is compared.
    """

    def put(data: bytes) -> Reference:
        text = data if lengths_only or secrets is None else secrets.scrub_bytes(data)
        digests.append(f"{len(data)} bytes" if lengths_only else hashlib.sha256(text).hexdigest())
        return (0, len(digests) - 1 if numbered else 0, len(data))

    try:
        return codec.encode(event, put, secrets).payload
    except EncodingError as error:  # as the recorder does: a send is not refused for it
        digests.clear()
        return (
            Codec(codec.vocabulary).encode(unrecordable(cast("type[Any]", type(event)), error), put).payload
        )


def _put_digests(tree: Any, digests: list[str]) -> None:
    """Put digests in the place of references: what a matcher takes out takes its bytes along."""
    if isinstance(tree, list):
        for item in cast("list[Any]", tree):
            _put_digests(item, digests)
    elif isinstance(tree, dict):
        facts = cast("dict[str, Any]", tree)
        if "$" in facts and "at" in facts and isinstance(facts["at"], list):
            facts["at"] = digests[facts["at"][1]]
        for item in facts.values():
            _put_digests(item, digests)
