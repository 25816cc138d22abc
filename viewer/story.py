"""`StoryReader`: what a session comes to, as the page is told it: what `session.derived` says, and where it
lies on the clock."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..schema import Entry, Header, Kind, Status
from ..session import Lanes, Part, row_of
from ..session.derived import Derivation, Derived
from .entry_sources import EntrySource, bytes_or_nothing

_MARKS = frozenset({Kind.GAP, Kind.FAULT, Kind.MARKER, Kind.CONNECT_FAILED, Kind.SOCKET_FAILED})


class StoryReader:
    """Is told every entry in order.

    Args:
        source: gives the bytes in which loudness is looked for.
    """

    def __init__(self, source: EntrySource) -> None:

        def bytes_at(segment: int, offset: int, length: int) -> bytes:
            return bytes_or_nothing(source, (segment, offset, length)) or bytes(length)

        self._derivation = Derivation(bytes_at)
        self._marks: list[dict[str, Any]] = []

    def read(self, entry: Entry) -> None:
        """The next entry."""
        self._derivation.read(entry)
        if entry.kind in _MARKS or (entry.kind == Kind.RECEIVED and entry.type in ("error", "exception")):
            row = row_of(entry)
            text = f"{row.title} {row.content}".strip()
            self._marks.append(
                {"seq": entry.seq, "at_ns": entry.at_ns, "text": text, "bad": row.alarming, "until_ns": None}
            )

    def facts(self, header: Header, status: Status, lanes: Lanes) -> dict[str, Any]:
        """By now.

        Args:
            lanes: what the model says lies where it sounds there.
        """
        derived = self._derivation.derived(header, status)
        records = ("connections", "turns", "responses", "tools", "heard", "interruptions", "latency")
        facts: dict[str, Any] = {name: list(map(asdict, getattr(derived, name))) for name in records}
        facts["tokens"] = None if derived.tokens is None else asdict(derived.tokens)
        facts["marks"] = self._marks
        facts["playback"] = list(map(asdict, lanes.playback))
        facts["said"] = _said(derived, lanes)
        at_ns = {(one["seq"], one["role"]): one["beginNs"] for one in facts["said"]}
        for one in facts["heard"]:
            one["at_ns"] = at_ns.get((one["seq"], "model"))
        return facts


def _said(derived: Derived, lanes: Lanes) -> list[dict[str, Any]]:
    """Who said what, and where that lies on the clock: what the user said, and what sounded of the model."""
    real_time = lanes.pace == 1
    said: list[dict[str, Any]] = []
    places: dict[Part, tuple[int, int]] = {}
    going: Part | None = None
    for one in lanes.of("model"):
        if one.part is not None and (one.part == going or one.part not in places):
            begin_ns, _ = places.get(one.part, (one.begin_ns, 0))
            places[one.part] = begin_ns, one.until_ns  # up to another sound, from which it may come back
        going = one.part
    stood: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for span in lanes.playback:
        if span.doing != "playing":
            stood.setdefault((span.item_id, span.content_index), []).append(asdict(span))
    began = {one.response_id: one for one in derived.responses}
    for turn in derived.turns:
        # Milliseconds of sound are no milliseconds of the clock, where that is not the speed of speech.
        begin_ns = (turn.began_ns if real_time else turn.told_began_ns or turn.began_ns) or 0
        end_ns = (turn.ended_ns if real_time else turn.told_ended_ns or turn.ended_ns) or begin_ns
        said.append(_utterance("user", turn.text, begin_ns, end_ns, turn.seq, turn=turn.number))
    for response, text in derived.written:
        begin_ns = response.began_ns
        said.append(_utterance("model", text, begin_ns, response.ended_ns or begin_ns, response.seq))
    for one in derived.heard:
        place = places.get((one.item_id, one.content_index))
        response = began.get(one.response_id)
        begin_ns = response.began_ns if response else 0
        begin_ns, end_ns = place or (begin_ns, begin_ns)
        heard = {name: getattr(one, name) for name in ("generated_ms", "heard_ms", "assumed", "interrupted")}
        heard["discrepancies"] = one.discrepancies
        heard["stood"] = stood.get((one.item_id, one.content_index), [])
        unheard = one.unheard_text if one.text.endswith(one.unheard_text) else ""
        said.append(_utterance("model", one.text, begin_ns, end_ns, one.seq, heard=heard, unheard=unheard))
    return sorted(said, key=lambda one: one["beginNs"])


def _utterance(role: str, text: str, begin_ns: int, end_ns: int, seq: int, **more: Any) -> dict[str, Any]:
    return {"role": role, "text": text, "beginNs": begin_ns, "endNs": end_ns, "seq": seq, **more}
