"""What the user had heard, worked out again for a session that sounds otherwise than it did.

The state of playback stands in every entry, in the tracker's own calls, and in what was read of it.
Where audio is left out or cut, no more can have been played than came, and all of these follow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

from ..schema.entries import Entry, Flag, Kind
from ..session.audio import Part, audio_event, heard_part
from ..session.drafts import tree_of, with_tree
from ..session.fields import mapping, sequence
from ..session.sound import SoundFormats

State = tuple[str | None, int | None, float | None]

TOLERANCE_MS = 1.0
"""What a player's sum of rounded milliseconds may be beyond the bytes that came."""

NOTHING: State = (None, None, None)


def columns(entry: Entry) -> State:
    """What was heard when an entry was made."""
    return entry.item_id, entry.content_index, entry.elapsed_ms


def with_columns(entry: Entry, state: State) -> Entry:
    """An entry that was made when something else was heard."""
    item_id, index, elapsed_ms = state
    return entry._replace(item_id=item_id, content_index=index, elapsed_ms=elapsed_ms)


def heard_again(entries: Iterable[Entry], foreign: Collection[Part] = ()) -> list[Entry]:
    """The entries with the playback that they allow; calls of a player that played what has not come are
    cut, or left out.

    Args:
        entries: of a session of which audio, or calls of the player, were taken out.
        foreign: sounds of which any length may have been heard: see `foreign_sounds`.
    """
    follows = _Following(foreign)
    return [one for entry in entries if (one := follows.entry(entry)) is not None]


def foreign_sounds(entries: Iterable[Entry]) -> frozenset[Part]:
    """What was heard beyond what came in this session: a tracker may have been in use before."""
    formats = SoundFormats()
    came: dict[Part, int] = defaultdict(int)
    found: set[Part] = set()
    for entry in entries:
        given = audio_event(entry)
        if given is not None:
            came[given[0]] += given[1]
        formats.read(entry)
        part = heard_part(entry)
        if part is not None and (entry.elapsed_ms or 0.0) > formats.model.ms(came[part]) + TOLERANCE_MS:
            found.add(part)
    return frozenset(found)


class _Following:
    """Follows the tracker through a session."""

    def __init__(self, foreign: Collection[Part]) -> None:
        self._foreign = foreign
        self._formats = SoundFormats()
        self._bytes: dict[Part, int] = defaultdict(int)
        self._state = NOTHING
        self._called = False

    def entry(self, entry: Entry) -> Entry | None:
        if not self._called and heard_part(entry) in self._foreign:
            self._state = columns(entry)  # before it connected
        given = audio_event(entry)
        if given is not None:
            self._bytes[given[0]] += given[1]
        kept: Entry | None = entry
        if entry.kind == Kind.PLAYBACK:
            self._called = True
            kept = self._playback(entry)
        self._formats.read(entry)
        if kept is None:
            return None
        if entry.flags & Flag.ASSUMED:
            return with_columns(kept, self._assumed(entry))
        return with_columns(kept, self._state)

    def _came_ms(self, sound: Part) -> float:
        if sound in self._foreign:
            return float("inf")
        return self._formats.model.ms(self._bytes.get(sound, 0))

    def _assumed(self, entry: Entry) -> State:
        sound = heard_part(entry)
        if sound is None or not self._came_ms(sound):
            return NOTHING
        return (*sound, min(entry.elapsed_ms or 0.0, self._came_ms(sound)))

    def _playback(self, entry: Entry) -> Entry | None:
        tree = mapping(tree_of(entry))
        method = entry.method
        if method == "on_interrupted":
            self._state = NOTHING
        elif method == "observed":
            self._observed(entry)
        elif method in ("on_play_bytes", "on_play_ms") and not self._played(entry, tree):
            return None
        if "state" in tree:
            tree["state"] = list(self._state)
        return with_tree(entry, tree)

    def _observed(self, entry: Entry) -> None:
        sound = heard_part(entry)
        came_ms = 0.0 if sound is None else self._came_ms(sound)
        if sound is None or not came_ms:
            self._state = NOTHING
        else:
            self._state = (*sound, min(entry.elapsed_ms or 0.0, came_ms))

    def _played(self, entry: Entry, tree: dict[str, Any]) -> bool:
        """The player says that it played more; whether that is left, with the tree cut to it."""
        given = [*sequence(tree.get("args")), *mapping(tree.get("kwargs")).values()]
        if len(given) != 3 or not isinstance(given[0], str) or not isinstance(given[1], int):
            return True
        sound, amount = (given[0], given[1]), given[2]
        if sound in self._foreign:
            self._state = (*sound, entry.elapsed_ms)
            return True
        played_ms = self._state[2] or 0.0 if self._state[:2] == sound else 0.0
        left_ms = self._came_ms(sound) - played_ms
        if entry.method == "on_play_bytes":
            count = mapping(amount).get("bytes")
            more_ms = self._formats.model.ms(count) if isinstance(count, int) else 0.0
            if more_ms > left_ms:
                rate = self._formats.model.ms(self._formats.model.sample_bytes)
                samples = int(left_ms / rate + 1e-6)
                more_ms = samples * rate
                _set_last(tree, {"bytes": samples * self._formats.model.sample_bytes})
        else:
            more_ms = float(amount) if isinstance(amount, int | float) else 0.0
            if more_ms > left_ms:
                more_ms = left_ms
                _set_last(tree, more_ms)
        if more_ms <= 0:
            return False
        self._state = (*sound, played_ms + more_ms)
        return True


def _set_last(tree: dict[str, Any], value: Any) -> None:
    """Set the last argument of a call."""
    named = mapping(tree.get("kwargs"))
    if named:
        named[list(named)[-1]] = value
    else:
        sequence(tree.get("args"))[-1] = value
