"""`variations(recording)`: hypothesis strategy of causally valid neighbours of a real recording."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, get_args

from hypothesis import strategies as st

from ...schema.errors import UsageError
from ...session.drafts import Draft
from ...session.interruptions import interruptions
from ...session.recording import Recording
from ...session.session_settings import tool_schemas
from ...session.structure import Structure
from ..edits import (
    AGAIN,
    FAILED,
    PATIENCE_SECONDS,
    AnswerAfter,
    AskAgain,
    Boundary,
    CallTwice,
    Delay,
    DelayResponse,
    Disconnect,
    Drop,
    Duplicate,
    Edit,
    EndEarly,
    FailTool,
    Heard,
    Interrupt,
    MergeDeltas,
    MoveInterruption,
    OtherArguments,
    Reorder,
    Silence,
    SlowTool,
    SplitDelta,
    answered,
    at_once,
    boundaries,
    cuttable,
    deltas_of,
    derived_by,
    following,
    freedom,
    heard_places,
    may_lack,
    may_repeat,
    quiet,
    repeatable,
    size,
)
from .json_schemas import fitting

Kind = Literal[
    "delay",
    "drop",
    "duplicate",
    "reorder",
    "split",
    "merge",
    "truncate",
    "interrupt",
    "tools",
    "calls",
    "repeat",
    "silence",
    "disconnect",
]
ALL: tuple[Kind, ...] = get_args(Kind)
"""The kinds of edits, the simplest first: that is the order in which they shrink."""

MAX_DELAY_MS = 60_000

MAX_TOOL_MS = PATIENCE_SECONDS * 1000 - 2_000
"""How long a tool may take: it is waited for no longer, and what it answers has to be sent."""

TIMED_OUT = "Tool 'a tool' timed out after 30 seconds."
"""As the SDK says it."""


class Variation(Recording):
    """A recording in memory that was made of another one.

    Attributes:
        edits: what was done, in order; none: it is the original.
        nth: of several sessions, to which, from 1: those before it are as they were, and none follow.
    """

    edits: tuple[Edit, ...] = ()
    nth: int = 1

    def __repr__(self) -> str:
        session = f"session {self.nth}: " if self.nth > 1 and self.edits else ""
        return f"Variation({session}{', '.join(map(repr, self.edits))})"


Arguments = Mapping[str, st.SearchStrategy[Any]]
"""By the name of a tool: what it is called with, as JSON has it."""


def variations(
    recording: Recording | Draft,
    *,
    kinds: Collection[Kind] = ALL,
    max_edits: int = 3,
    arguments: Arguments | None = None,
) -> st.SearchStrategy[Variation]:
    """Neighbours of a recording: sessions that could have happened, too. Blocking: it is read at once, whole.

    They are replayed with `ReplayModel(variation, **variation_settings())`. They shrink towards the original:
    fewer edits, then smaller ones.

    Args:
        recording: open, or a draft. Of sessions that followed one another on a model object one is varied:
            those before it are as they were, those behind it left out, of which nobody knows whether they
            would have come.
        kinds: of edits, see `ALL`.
        max_edits: how many there may be in one variation.
        arguments: by the name of a tool, what else it is called with. Of one that is not named: what fits the
            schema that the session tells of it; where it tells none that `fitting` knows, only what was
            recorded.

    Raises:
        UsageError: no such kind, or less than no edits.
        StoreError, CorruptRecordError: the recording cannot be read.
    """
    unknown = set(kinds) - set(ALL)
    if unknown or not kinds:
        raise UsageError(f"kinds={sorted(unknown)}: name some of {', '.join(ALL)}")
    if max_edits < 0:
        raise UsageError(f"max_edits={max_edits}: from 0 up")
    chain = [recording] if isinstance(recording, Draft) else recording.drafts()
    chosen = [{**(_told(draft) if "calls" in kinds else {}), **(arguments or {})} for draft in chain]
    return _variations(chain, [kind for kind in ALL if kind in kinds], max_edits, chosen)


def _told(draft: Draft) -> dict[str, st.SearchStrategy[Any]]:
    """What fits the schemas of a session's tools, as far as these are known."""
    found: dict[str, st.SearchStrategy[Any]] = {}
    for name, schema in tool_schemas(draft.entries).items():
        with contextlib.suppress(UsageError):
            strategy = fitting(schema)
            strategy.validate()  # what it refers to is known, too
            found[name] = strategy
    return found


@st.composite
def _variations(
    draw: Callable[..., Any],
    chain: Sequence[Draft],
    kinds: Sequence[Kind],
    max_edits: int,
    arguments: Sequence[Arguments],
) -> Variation:
    edits: list[Edit] = []
    at: int = draw(st.integers(0, len(chain) - 1)) if len(chain) > 1 else 0
    draft = changed = chain[at]
    for _ in range(draw(st.integers(0, max_edits))):
        structure = Structure(changed)
        possible = [choice for kind in kinds for choice in _choices(kind, structure, arguments[at])]
        if not possible:
            break
        edit = draw(draw(st.sampled_from(possible)))
        try:
            changed = edit(changed)
        except UsageError:  # it does not fit there: this one is the session without it
            continue
        edits.append(edit)
    drafts = chain
    if changed is not draft:
        previous = chain[at - 1].header.id if at else None
        drafts = [*chain[:at], derived_by(edits, draft, changed, previous_session=previous)]
    variation = Variation.of(*drafts, name="a variation")
    variation.edits, variation.nth = tuple(edits), at + 1
    return variation


Choices = list[st.SearchStrategy[Any]]


def _from(places: Sequence[Any], edit: Callable[..., Any], *more: st.SearchStrategy[Any]) -> Choices:
    """An edit at one of these places, if there are any."""
    return [st.builds(edit, st.sampled_from(places), *more)] if places else []


def _delays(structure: Structure) -> Choices:
    late = st.integers(0, MAX_DELAY_MS)
    heads = [message.seqs[0] for message in structure.messages if message.sent is None]
    responses = [response.response_id for response in structure.responses]
    return [*_from(heads, Delay, late), *_from(responses, DelayResponse, late)]


def _drops(structure: Structure) -> Choices:
    return _from([one.seqs[0] for one in structure.messages if may_lack(structure, one)], Drop)


def _duplicates(structure: Structure) -> Choices:
    return _from([one.seqs[0] for one in structure.messages if may_repeat(one)], Duplicate)


def _reorders(structure: Structure) -> Choices:
    free = {one.seqs[0]: freedom(structure, one) for one in structure.messages}
    places = [seq for seq, room in free.items() if room != (0, 0)]

    def one(seq: int) -> st.SearchStrategy[Any]:
        earlier, later = free[seq]
        return st.builds(Reorder, st.just(seq), st.integers(-earlier, later))

    return [st.sampled_from(places).flatmap(one)] if places else []


def _splits(structure: Structure) -> Choices:
    sizes = {one.seqs[0]: size(structure, one) for one in deltas_of(structure)}
    places = [seq for seq, length in sizes.items() if length > 1]

    def one(seq: int) -> st.SearchStrategy[Any]:
        return st.builds(SplitDelta, st.just(seq), st.integers(1, sizes[seq] - 1))

    return [st.sampled_from(places).flatmap(one)] if places else []


def _merges(structure: Structure) -> Choices:
    heads = [one.seqs[0] for one in deltas_of(structure)]
    return _from([seq for seq in heads if following(structure, seq) is not None], MergeDeltas)


def _truncations(structure: Structure) -> Choices:
    how = st.sampled_from(["max_output_tokens", "client_cancelled"])
    return _from([message.seqs[0] for message in cuttable(structure)], EndEarly, how)


def _interruptions(structure: Structure) -> Choices:
    """At any millisecond of what was heard, and between any two messages; put in, or moved."""
    most: dict[tuple[str, int], int] = {}
    for place in heard_places(structure, 1):
        most[place.item_id, place.content_index] = place.ms
    edges = boundaries(structure)
    found: Choices = []

    def heard(part: tuple[str, int], limit_ms: int) -> st.SearchStrategy[Heard]:
        return st.builds(Heard, st.just(part[0]), st.integers(0, limit_ms), st.just(part[1]))

    for part, limit_ms in most.items():
        found.append(st.builds(Interrupt, heard(part, limit_ms)))
    found += _from([Boundary(seq) for seq in edges], Interrupt)
    for moved in interruptions(structure):
        earlier = [Boundary(seq) for seq in edges if seq < moved.seq]
        found += _from(earlier, _mover(moved.seq))
        if moved.elapsed_ms is not None:
            part = (moved.item_id, moved.content_index)
            found.append(st.builds(_mover(moved.seq), heard(part, int(moved.elapsed_ms))))
    return found


def _mover(seq: int) -> Callable[[Any], MoveInterruption]:
    def move(where: Any) -> MoveInterruption:
        return MoveInterruption(seq, where)

    return move


def _tools(structure: Structure) -> Choices:
    calls = [call.call_id for call in answered(structure)]
    pairs = at_once(structure)
    swaps: Choices = [st.sampled_from([AnswerAfter(*pair) for pair in pairs])] if pairs else []
    return [
        *(st.builds(SlowTool, st.just(one), st.integers(0, ms)) for one, ms in _patience(structure).items()),
        *swaps,
        *_from(calls, FailTool, st.sampled_from([FAILED, TIMED_OUT, ""])),
    ]


def _patience(structure: Structure) -> dict[str, int]:
    """By how many milliseconds each tool may be slower: whose takes longer than `PATIENCE_SECONDS` has not
    answered, whatever the application."""
    entries, found = structure.draft.entries, dict[str, int]()
    for call in answered(structure):
        took_ms = (entries[call.outputs[0]].at_ns - entries[call.seq].at_ns) / 1e6
        if took_ms < MAX_TOOL_MS:
            found[call.call_id] = int(MAX_TOOL_MS - took_ms)
    return found


def _calls(structure: Structure, arguments: Arguments) -> Choices:
    others: Choices = [
        st.builds(OtherArguments, st.just(one.call_id), arguments[one.name].map(json.dumps))
        for one in structure.calls
        if one.name in arguments
    ]
    made = {one.call_id for one in structure.calls}
    once = [one.call_id for one in answered(structure) if one.call_id + AGAIN not in made]
    return [*others, *_from(once, CallTwice)]


def _repeats(structure: Structure) -> Choices:
    return _from(list(repeatable(structure)), AskAgain)


def _silences(structure: Structure) -> Choices:
    return _from(quiet(structure), Silence, st.integers(0, MAX_DELAY_MS))


def _disconnections(structure: Structure) -> Choices:
    return _from(boundaries(structure), Disconnect, st.booleans())


def _choices(kind: Kind, structure: Structure, arguments: Arguments) -> Choices:
    return _calls(structure, arguments) if kind == "calls" else _CHOICES[kind](structure)


_CHOICES: dict[Kind, Callable[[Structure], Choices]] = {
    "delay": _delays,
    "drop": _drops,
    "duplicate": _duplicates,
    "reorder": _reorders,
    "split": _splits,
    "merge": _merges,
    "truncate": _truncations,
    "interrupt": _interruptions,
    "tools": _tools,
    "repeat": _repeats,
    "silence": _silences,
    "disconnect": _disconnections,
}
