"""When a live send is a recorded one, and which recorded ones must come again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, cast

from ...schema.codec import Codec, TextFilter
from ...schema.entries import Entry, Flag, Kind
from ...schema.json_text import to_json
from ...schema.secrets import REDACTED
from ...schema.standard import STANDARD
from ...session.provenance import Redaction
from ...session.stimuli import is_reaction
from .absent import AbsentFields
from .audio_tape import Audio, AudioMatching
from .client_ids import ClientIds
from .contents import Content, differences, encoded, parts_of, put_digests, tree_of
from .field_paths import unwrapped
from .matchers import Apart, Matchers
from .stand_ins import LiveValues

Expectation = Literal["reactions", "all", "none"] | Callable[[Entry], bool]
"""Which recorded calls must come again. `reactions`: those that answer something."""

SETTINGS_TYPES = frozenset({"send_session_update"})
"""Matched by type; their fields are compared one by one, and a difference is a change, no divergence."""

AUDIO_TYPE = "send_audio"

SOUNDING_TYPES = frozenset({AUDIO_TYPE, "send_raw_message"})


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
        mints, matchers = self.ids.mints(type), self._matchers.of(type)
        changed = bool(mints or matchers)
        digests: list[str] = []
        silent = self._silent and type in SOUNDING_TYPES
        payload = encoded(codec, event, digests, numbered=changed, lengths_only=silent)
        audio = self._audio(event) if type == AUDIO_TYPE else None
        renames = codec is self._live and self.ids.renames
        if not changed and not renames and not self.absent:
            return Content(f"{payload} {' '.join(digests)}", payload, audio=audio)
        tree = json.loads(payload)
        if changed:
            put_digests(tree, digests)
            digests = []
        self.absent.take_out(tree)
        apart = self._matchers.normalise(type, tree) if matchers else ()
        minted = self.ids.take_out(type, tree, recorded=codec is self._recorded) if mints else ()
        if renames:
            tree = self.ids.as_recorded(tree)
        return Content(
            f"{to_json(tree)} {' '.join(digests)}", payload, apart=apart, minted=minted, audio=audio
        )

    def _audio(self, event: Any) -> Audio | None:
        data: Any = getattr(event, "audio", None)
        if self.audio == "exact" or not isinstance(data, bytes | bytearray | memoryview):
            return None
        commit = bool(getattr(event, "commit", False))
        sound = bytes(cast("bytes", data))
        return Audio(bytes(len(sound)) if self._silent else sound, commit)

    # --- comparing --------------------------------------------------------------------------------------

    def agree(self, recorded: str, live: str) -> bool:
        """Whether two sends whose texts are equal agree in what stands apart from them, too.

        Raises:
            MatcherError: a function of a matcher raised.
        """
        if not isinstance(recorded, Content) or not isinstance(live, Content):
            return True
        return self.ids.agree(recorded.minted, live.minted) and all(
            self._apart_agree(one, other) for one, other in zip(recorded.apart, live.apart, strict=True)
        )

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
        return self._values.agree(parts_of(recorded), parts_of(live)) and self.agree(recorded, live)

    def _apart_agree(self, recorded: Apart, live: Apart) -> bool:
        return self._stands_for(recorded.value, live.value) or _agrees(recorded, live)

    def _stands_for(self, recorded: Any, live: Any) -> bool:
        """Whether they differ in nothing but real values where the recorded one has stand-ins."""
        return self._values is not None and recorded != live and self._values.agree(recorded, live)

    def may_hold_stand_ins(self, entry: Entry) -> bool:
        """Whether something was taken out of a send when the recording was exported."""
        flagged = self._values is not None and bool(entry.flags & Flag.REDACTED)
        return flagged and entry.type != AUDIO_TYPE

    def matched(self, recorded: str, live: str) -> None:
        """A live send is this recorded one: learn its ids, and what its stand-ins stand for."""
        if self._values is not None and recorded != live:
            self._values.learn(parts_of(recorded), parts_of(live))
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
            if not self._stands_for(one, other)
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
            tree = json.loads(encoded(codec, settings, digests, numbered=True))
            put_digests(tree, digests)
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
        return self._stands_for(recorded, live)


def is_redacted(entry: Entry, key: str) -> bool:
    """Whether something was taken out of a send when it was recorded."""
    if not entry.flags & Flag.REDACTED:
        return False
    if isinstance(key, Content):
        return REDACTED in key or REDACTED in key.payload
    return REDACTED in key


def must_come(entry: Entry, expect: Expectation) -> bool:
    """Whether the replay waits for this recorded call of the application.

    Connecting always must come, and audio never; a reaction must, if these are expected.
    """
    if entry.kind == Kind.CONNECT:
        return True
    if callable(expect):
        return expect(entry)
    if expect == "none" or entry.type == AUDIO_TYPE:
        return False
    return expect == "all" or is_reaction(entry)


def _agrees(recorded: Apart, live: Apart) -> bool:
    text = recorded.value
    if isinstance(text, str) and REDACTED in text and isinstance(live.value, str) and _fits(text, live.value):
        return True
    return recorded.matcher.agrees(recorded.value, live.value)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split(REDACTED))), re.DOTALL)


def _fits(recorded: str, live: str) -> bool:
    return REDACTED in recorded and _pattern(recorded).fullmatch(live) is not None
