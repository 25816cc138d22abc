"""`write_comparison`: a recording beside another, or beside its replay, aligned as `realtape diff` aligns
them, with the differences as marks on the lanes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..lab import OVER, Comparison, EntryDifference, compare
from ..schema import Entry, Kind
from ..session import Draft, Recording
from ..session.redaction import redacted
from .page_file import Noted, write_page
from .problems import problem
from .session_sound import AudioKept

_WORDS = {"only_a": "only in A", "only_b": "only in B"}

MARKS = 500
"""Differences that are marked; all are counted."""


def write_comparison(
    a: Draft,
    b: Draft,
    path: Path,
    *,
    store: str,
    redact: Mapping[str, Any] | None,
    audio: AudioKept | None = None,
    divergences: Sequence[tuple[int | None, str]] = (),
    notes: Sequence[Noted] = (),
) -> Comparison:
    """Write a page of two sessions; blocking.

    Args:
        a: the recording.
        b: the other one, or what its replay did.
        redact: arguments of `redacted`; None: nothing is.
        divergences: where a replay parted from the recording: the recorded entry, if there is one, and what
            it was, in words. The first of them is opened in front.

    Raises:
        UsageError, StoreWriteError: it cannot be written there.
    """
    drafts = [a, _before_over(b)]
    entries = drafts[0].entries, drafts[1].entries
    if redact is not None:
        drafts = redacted(drafts, **redact)
    with ThreadPoolExecutor(1) as aside:  # whoever writes a page may be on an event loop, such as a test's
        comparison = aside.submit(lambda: asyncio.run(_compared(drafts))).result()
    # In a replay nobody speaks, unless somebody does it in the user's place.
    spoke = any(entry.type == "send_audio" for entry in entries[1])
    differences = [one for one in comparison.differences if spoke or one.what != "send_audio"]
    told = [_mark(one, *entries) for one in differences]
    parted = [_parted(seq, text, comparison, *entries) for seq, text in divergences]
    facts = {
        "same": comparison.same and not divergences,
        "text": _headline(comparison, bool(divergences)),
        "marks": told,
        "problems": [*parted, *(_difference(one) for one in told)],
        "anchors": _anchors(comparison, *entries),
    }
    write_page(drafts, path, store=store, audio=audio, notes=notes, comparison=facts)
    return comparison


def _before_over(replayed: Draft) -> Draft:
    """What was done before the recording was over, where its replay was recorded."""
    over = next(
        (one.seq for one in replayed.entries if one.kind == Kind.MARKER and OVER in one.payload), None
    )
    return replayed if over is None else replace(replayed, entries=replayed.entries[:over]).sealed()


async def _compared(drafts: Sequence[Draft]) -> Comparison:
    async with Recording.of(drafts[0], name="A") as one, Recording.of(drafts[1], name="B") as other:
        return await compare(one, other, content_only=True, limit=MARKS)


def _headline(comparison: Comparison, diverged: bool) -> str:
    """One sentence."""
    if not comparison.total:
        return "A and B hold the same, as far as what was said and done goes."
    first = "The replay (B) parts from the recording (A)" if diverged else "A and B differ"
    return f"{first}: {comparison.total:,} entries of what was said and done."


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


def _difference(mark: dict[str, Any]) -> dict[str, Any]:
    return {**problem(str(mark["kind"]), str(mark["summary"]), None, None), **mark}


def _parted(
    seq: int | None, text: str, comparison: Comparison, a: Sequence[Entry], b: Sequence[Entry]
) -> dict[str, Any]:
    """A divergence; in B it lies where the last partner before it does."""
    before = [pair for pair in comparison.anchors if seq is not None and pair[0] <= seq]
    seq_b = before[-1][1] if before else None
    places = {"seq_a": seq, "seq_b": seq_b, "at_a": _at_ns(a, seq), "at_b": _at_ns(b, seq_b)}
    return {**problem("diverged", text, None, None), **places}


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
