"""`write_comparison`: a recording beside another, or beside its replay, aligned as `realtape diff` aligns
them, with the differences as marks on the lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from ..lab import OVER, ChainComparison, Comparison, EntryDifference, compare_chains, pairs_of
from ..schema import Entry, Kind
from ..session import Draft, Recording
from ..session.redaction import replaced
from .page_file import Noted, write_page
from .problems import problem
from .session_sound import AudioKept

_DIVERGED = "diverged"
_WORDS = {"only_a": "only in A", "only_b": "only in B"}

MARKS = 500
"""Differences of two sessions that are marked; all are counted."""

Place: TypeAlias = tuple[str, int | None, str]
"""Where a replay parted from the recording: the recorded session, its entry, if there is one, and a line."""


def write_comparison(
    a: Sequence[Draft],
    b: Sequence[Draft],
    path: Path,
    *,
    store: str,
    other_store: str | None,
    redact: Mapping[str, Any] | None,
    audio: AudioKept | None = None,
    divergences: Sequence[Place] = (),
    notes: Sequence[Noted] = (),
) -> ChainComparison:
    """Write a page of two recordings; blocking.

    Args:
        a: the recording: the sessions of one model object, in order. Each is shown beside its like.
        b: the other one, or what its replay did.
        store, other_store: what commands on the page call the store of each; None: it lies in none, as what a
            replay did.
        redact: arguments of `replaced`; None: nothing is.
        divergences: where a replay parted from the recording. The first of them is opened in front.

    Raises:
        UsageError, StoreWriteError: it cannot be written there.
    """
    recorded = [*a, *map(_before_over, b)]
    drafts = recorded
    if redact is not None:  # a report quotes what was recorded
        taken = replaced(recorded, **redact)
        drafts = taken.drafts
        divergences = [(id, seq, taken.quotations.redacted(text)) for id, seq, text in divergences]
    with ThreadPoolExecutor(1) as aside:  # whoever writes a page may be on an event loop, such as a test's
        comparison = aside.submit(lambda: asyncio.run(_compared(drafts, len(a)))).result()
    # In a replay nobody speaks, unless somebody does it in the user's place.
    spoke = any(entry.type == "send_audio" for draft in recorded[len(a) :] for entry in draft.entries)
    ids = [draft.header.id for draft in a]
    compared = iter(comparison.compared)
    pairs: list[dict[str, Any]] = []
    for one, other in pairs_of(range(len(a)), range(len(a), len(recorded))):
        if one is None or other is None:
            pairs.append(_alone(one, other))
            continue
        # What is of none that was played stands before all else.
        parted = [place for place in divergences if place[0] == ids[one] or not (one or place[0] in ids)]
        entries = recorded[one].entries, recorded[other].entries
        pairs.append({"a": str(one), "b": str(other), **_pair(next(compared), *entries, parted, spoke=spoke)})
    facts = {
        "same": comparison.same and not divergences,
        "text": _headline(comparison, bool(divergences)),
        "pairs": pairs,
        "first": _first(pairs),
    }
    stores = [store] * len(a) + [other_store] * len(b)
    called = [draft.header.id for draft in (*a, *b)]
    write_page(drafts, path, store=stores, ids=called, audio=audio, notes=notes, comparison=facts)
    return comparison


def _before_over(replayed: Draft) -> Draft:
    """What was done before the recording was over, where its replay was recorded."""
    over = next(
        (one.seq for one in replayed.entries if one.kind == Kind.MARKER and OVER in one.payload), None
    )
    return replayed if over is None else replace(replayed, entries=replayed.entries[:over]).sealed()


async def _compared(drafts: Sequence[Draft], length_a: int) -> ChainComparison:
    sides = [
        [Recording.of(draft, name=name) for draft in some]
        for name, some in (("A", drafts[:length_a]), ("B", drafts[length_a:]))
    ]
    # They were sealed just now.
    return await compare_chains(*sides, verify=False, content_only=True, limit=MARKS)


def _headline(comparison: ChainComparison, diverged: bool) -> str:
    """One sentence."""
    entries = "entry" if comparison.total == 1 else "entries"
    parts = [f"{comparison.total:,} {entries} of what was said and done"] if comparison.total else []
    for side, ids in (("A", comparison.only_a), ("B", comparison.only_b)):
        if ids:
            parts.append(f"{len(ids)} {'session' if len(ids) == 1 else 'sessions'} in {side} only")
    if not parts and diverged:
        return "The replay (B) parts from the recording (A), though what was said and done is the same."
    if not parts:
        return "A and B hold the same, as far as what was said and done goes."
    first = "The replay (B) parts from the recording (A)" if diverged else "A and B differ"
    return f"{first}: {', '.join(parts)}."


def _first(pairs: Sequence[Mapping[str, Any]]) -> int:
    """The pair that is opened in front: where it diverges, else where it differs."""
    diverging = (place for place, one in enumerate(pairs) if _diverges(one["problems"]))
    differing = (place for place, one in enumerate(pairs) if not one["same"])
    return next(diverging, next(differing, 0))


def _diverges(problems: Sequence[Mapping[str, Any]]) -> bool:
    return any(one["what"] == _DIVERGED for one in problems)


def _alone(one: int | None, other: int | None) -> dict[str, Any]:
    """A session without its like."""
    side, them = ("A", "B") if other is None else ("B", "A")
    lack = _placed(f"only in {side}", f"{them} did not connect again", {})
    keys = {"a": None if one is None else str(one), "b": None if other is None else str(other)}
    return {**keys, "same": False, "marks": [], "problems": [lack], "anchors": []}


def _pair(
    comparison: Comparison,
    a: Sequence[Entry],
    b: Sequence[Entry],
    divergences: Sequence[Place],
    *,
    spoke: bool,
) -> dict[str, Any]:
    """What two sessions come to that are held against each other."""
    told = [_mark(one, a, b) for one in comparison.differences if spoke or one.what != "send_audio"]
    parted = [_parted(seq, text, comparison, a, b) for _, seq, text in divergences]
    return {
        "same": comparison.same and not divergences,
        "marks": told,
        "problems": [*parted, *(_placed(one["kind"], one["summary"], one) for one in told)],
        "anchors": _anchors(comparison, a, b),
    }


def _mark(one: EntryDifference, a: Sequence[Entry], b: Sequence[Entry]) -> dict[str, Any]:
    fields = "; ".join(f"{found.field}: {found.recorded} → {found.live}" for found in one.differences)
    return {
        "kind": _WORDS.get(one.kind, one.kind),
        "summary": f"{one.a or one.b}: {fields}" if fields else one.a or one.b or one.summary,
        "seq_a": one.seq_a,
        "seq_b": one.seq_b,
        "at_a": _at_ns(a, one.seq_a),
        "at_b": _at_ns(b, one.seq_b),
    }


def _placed(what: str, text: str, places: Mapping[str, Any]) -> dict[str, Any]:
    """A problem, which lies somewhere on each side."""
    where = {name: places.get(name) for name in ("seq_a", "seq_b", "at_a", "at_b")}
    return {**problem(what, text, None, None), **where}


def _parted(
    seq: int | None, text: str, comparison: Comparison, a: Sequence[Entry], b: Sequence[Entry]
) -> dict[str, Any]:
    """A divergence; in B it lies where the last partner before it does."""
    before = [pair for pair in comparison.anchors if seq is not None and pair[0] <= seq]
    seq_b = before[-1][1] if before else None
    places = {"seq_a": seq, "seq_b": seq_b, "at_a": _at_ns(a, seq), "at_b": _at_ns(b, seq_b)}
    return _placed(_DIVERGED, text, places)


def _anchors(comparison: Comparison, a: Sequence[Entry], b: Sequence[Entry]) -> list[list[int]]:
    """Instants of B, and those of A at which they are drawn; ascending."""
    anchors: list[list[int]] = []
    for seq_a, seq_b in comparison.anchors:
        at_a, at_b = a[seq_a].at_ns, b[seq_b].at_ns
        if not anchors or (at_b > anchors[-1][0] and at_a > anchors[-1][1]):
            anchors.append([at_b, at_a])
    return anchors


def _at_ns(entries: Sequence[Entry], seq: int | None) -> int | None:
    return entries[seq].at_ns if seq is not None and seq < len(entries) else None
