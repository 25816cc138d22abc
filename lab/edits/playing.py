"""What was received of each sound, and what was heard of it, followed through the entries of a session as the
SDK's model follows it (`openai_realtime.py`: the audio trackers, `speech_started`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from ...schema.entries import Entry, Flag, Kind
from ...schema.playback import RealtimePlaybackTracker
from ...session.audio import PLAYS, Part, part_of
from ...session.audio_tracker import AudioTracker
from ...session.drafts import Draft, reference_in, tree_of, with_tree
from ...session.fields import RAW, facts_of, mapping, text_of
from ...session.sound import SoundFormats
from ..sounding import NOTHING, State


class Hearing:
    """Is told the entries of a session in order.

    Attributes:
        audio: what the SDK's model knows of the audio by now.
        chunks: seqs of the entries that brought each part, with the bytes received by then.
        tracked: the application told its tracker what it played.
    """

    def __init__(self) -> None:
        self.audio = AudioTracker()
        self.chunks: dict[Part, list[tuple[int, int]]] = {}
        self.tracked = False
        self._tracker = RealtimePlaybackTracker()
        self._formats = SoundFormats()

    def add(self, entry: Entry) -> None:
        """The next entry."""
        self._formats.read(entry)
        if entry.kind == Kind.PLAYBACK:
            self._play(entry)
        elif entry.kind == Kind.RECEIVED:
            self._hear(entry)

    @property
    def state(self) -> State:
        """Of the tracker: item, part of its content, milliseconds."""
        state = self._tracker.get_state()
        return state["current_item_id"], state["current_item_content_index"], state["elapsed_ms"]

    def assumed(self, at_ns: int) -> State:
        """What is heard by then where nobody tells, as the recorder assumes."""
        return self.audio.assumed(at_ns) or NOTHING

    def ms(self, part: Part) -> float:
        """How much was received of a part, in milliseconds."""
        audio = self.audio.parts.get(part)
        return 0.0 if audio is None else audio.ms

    def length(self, part: Part) -> int:
        """How much was received of a part, in bytes."""
        audio = self.audio.parts.get(part)
        return 0 if audio is None else audio.length

    def bytes_of(self, ms: float) -> int:
        """So many milliseconds in bytes: whole samples."""
        return self._formats.model.bytes_in(ms)

    def playable(self, entry: Entry) -> int | float | None:
        """Of what a play call says was played, in its own unit: how much of it had been received."""
        part, amount = played(entry)
        if part is None:
            return None
        item_id, index, elapsed_ms = self.state
        before = elapsed_ms if (item_id, index) == part and elapsed_ms is not None else 0.0
        left_ms = self.ms(part) - before
        if entry.method == "on_play_ms":
            return max(0.0, min(float(amount), left_ms))
        return max(0, min(int(amount), self.bytes_of(left_ms + 1e-6)))

    def _hear(self, entry: Entry) -> None:
        facts = facts_of(entry)
        type = text_of(facts.get("type")) if entry.type == RAW else entry.type
        if type == "audio":
            reference = reference_in(facts.get("data"))
            if reference is not None:
                self._come(entry, part_of(facts), reference[2], text_of(facts.get("response_id")) or None)
        elif type == "audio_interrupted":
            self.audio.interrupted()
        elif type in ("turn_started", "response.created"):
            self.audio.response_created(_response_id(facts))
        elif type in ("turn_ended", "response.done"):
            self.audio.response_done(_response_id(facts))

    def _come(self, entry: Entry, part: Part, length: int, response_id: str | None) -> None:
        ms = self._formats.model.ms(length)
        self.audio.came(part, length, ms, at_ns=entry.at_ns, response_id=response_id)
        self.chunks.setdefault(part, []).append((entry.seq, self.length(part)))

    def _play(self, entry: Entry) -> None:
        state = mapping(tree_of(entry)).get("state")
        if entry.method in PLAYS and not entry.flags & Flag.ASSUMED:
            self.tracked = True
        if entry.method == "set_audio_format":
            self._tracker.set_audio_format(self._formats.model.counted)
        elif entry.method == "on_interrupted":
            self._tracker.on_interrupted()
        elif entry.method in PLAYS:
            part, amount = played(entry)
            if part is not None:
                bytes_played = entry.method == "on_play_bytes"
                ms = self._formats.model.ms(int(amount)) if bytes_played else float(amount)
                self._tracker.on_play_ms(*part, ms)
        elif entry.method == "observed" and isinstance(state, list):
            item_id, index, elapsed_ms = cast("list[Any]", state)
            self._tracker.on_interrupted()
            if isinstance(item_id, str) and isinstance(elapsed_ms, int | float):
                self._tracker.on_play_ms(item_id, index or 0, float(elapsed_ms))


def _response_id(facts: dict[str, Any]) -> str | None:
    return text_of(facts.get("response_id") or mapping(facts.get("response")).get("id")) or None


def played(entry: Entry) -> tuple[Part | None, int | float]:
    """What a play call says: which part, and how much of it, in bytes or milliseconds."""
    tree = mapping(tree_of(entry))
    args, named = tree.get("args"), mapping(tree.get("kwargs"))
    values: list[Any] = [*cast("list[Any]", args)] if isinstance(args, list) else []
    for name in ("item_id", "item_content_index", "bytes" if entry.method == "on_play_bytes" else "ms")[
        len(values) :
    ]:
        values.append(named.get(name))
    item_id, index, amount = values[:3]
    if isinstance(amount, dict):
        amount = cast("dict[str, Any]", amount).get("bytes")
    if not isinstance(item_id, str) or not isinstance(amount, int | float):
        return None, 0
    return (item_id, index if isinstance(index, int) else 0), amount


def with_played(entry: Entry, amount: int | float) -> Entry:
    """A play call that says another amount."""
    part, _ = played(entry)
    said: Any = {"bytes": int(amount)} if entry.method == "on_play_bytes" else amount
    tree = {**tree_of(entry), "args": [*(part or ("", 0)), said]}
    tree.pop("kwargs", None)
    return with_tree(entry, tree)


def sources(draft: Draft) -> dict[int, int]:
    """For each call that says something was played: the entry with which the last of that was received.
    Calls that say more than had come are left out."""
    hearing = Hearing()
    found: dict[int, int] = {}
    for entry in draft.entries:
        hearing.add(entry)
        if entry.kind != Kind.PLAYBACK or entry.method not in PLAYS:
            continue
        part, _ = played(entry)
        elapsed_ms = hearing.state[2]
        if part is None or elapsed_ms is None:
            continue
        chunk = _covering(hearing.chunks.get(part, ()), hearing.bytes_of(elapsed_ms))
        if chunk is not None:
            found[entry.seq] = chunk
    return found


def assumed_states(draft: Draft) -> dict[int, State]:
    """For each entry of a session without a tracker, what is assumed to be heard; empty where it has one."""
    if not any(entry.flags & Flag.ASSUMED for entry in draft.entries):
        return {}
    hearing = Hearing()
    found: dict[int, State] = {}
    for entry in draft.entries:
        hearing.add(entry)
        found[entry.seq] = hearing.assumed(entry.at_ns)
    return found


def _covering(chunks: Iterable[tuple[int, int]], length: int) -> int | None:
    return next((seq for seq, received in chunks if received >= length), None)
