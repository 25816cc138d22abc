"""Sessions to be kept as fixtures: any that a log may hold, whether a recorder would write it or not."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from realtape.schema import Header, Kind, Status
from realtape.schema.codec import to_json
from realtape.schema.entries import Entry, new_session_id
from realtape.schema.log import fetch_sessions, locate, open_blocking
from realtape.session.drafts import Draft, fetch_draft

Strategy = st.SearchStrategy[Any]

INT32 = (1 << 31) - 1
INT64 = (1 << 63) - 1

_column_texts: Strategy = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
)
_small: Strategy = st.integers(0, 5)
_integers: Strategy = st.none() | _small | st.sampled_from([-INT32, INT32])
_ids: Strategy = st.uuids().map(str)

ODD_PAYLOADS = (
    '{"a": 1}',
    '{"a":1,"a":2}',
    "[1e5,NaN]",
    "-0.0",
    "null",
    '"\\u0041\\ud83d"',
    '{"$":"py:bytes","at":["audio/01-user.wav",0,1]}',
    '{"at":["bytes/x.bin",0,1],"$":"base64"}',
    '{"at":[0,0,1],"$":"base64"}',
    '{"$":"py:bytes","at":[0,-1,1]}',
    '{"x":{"$":"py:bytes","at":["", 0,0]}}',
    '{"$":"py:bytes","at":[0,0,1],"more":1}',
    '"{\\"$\\":\\"py:bytes\\",\\"at\\":[0,0,1]}"',
)
"""Payloads that no tree gives back, or that look like references."""


def bytes_tree(reference: tuple[int, int, int], name: str = "py:bytes") -> dict[str, Any]:
    """A reference, as a payload has it."""
    return {"$": name, "at": list(reference)}


def audio(reference: tuple[int, int, int], item: str = "item_1", index: int = 0) -> Entry:
    """An audio event of the model's."""
    tree = {"$": "audio", "data": bytes_tree(reference), "item_id": item, "content_index": index}
    return Entry(0, 0, 0, 0, Kind.RECEIVED, "audio", payload=to_json(tree))


def raw_audio(reference: tuple[int, int, int], item: str = "item_1", index: int = 0) -> Entry:
    """The raw event that brings audio."""
    data = {"type": "response.output_audio.delta", "item_id": item, "content_index": index}
    tree = {"$": "raw_server_event", "data": {**data, "delta": bytes_tree(reference, "base64")}}
    return Entry(0, 0, 0, 0, Kind.RECEIVED, "raw_server_event", payload=to_json(tree))


def received(type: str, **fields: Any) -> Entry:
    """An event of the model's."""
    return Entry(0, 0, 0, 0, Kind.RECEIVED, type, payload=to_json({"$": type, **fields}))


def sent(type: str, **fields: Any) -> Entry:
    """A call of the application's."""
    return Entry(0, 0, 0, 0, Kind.SENT, type, "send_event", payload=to_json({"$": type, **fields}))


def raw(data: Any) -> Entry:
    """Any other raw event."""
    tree = {"$": "raw_server_event", "data": data}
    return Entry(0, 0, 0, 0, Kind.RECEIVED, "raw_server_event", payload=to_json(tree))


def spoken(reference: tuple[int, int, int], *, commit: bool = False) -> Entry:
    """Audio of the user's."""
    tree = {"$": "send_audio", "audio": bytes_tree(reference), "commit": commit}
    return Entry(0, 0, 0, 0, Kind.SENT, "send_audio", "send_event", payload=to_json(tree))


def sent_raw(message: Any) -> Entry:
    """A raw message to the provider."""
    tree = {"$": "send_raw_message", "message": message}
    return Entry(0, 0, 0, 0, Kind.SENT, "send_raw_message", "send_event", payload=to_json(tree))


def frame(kind: Kind, message: dict[str, Any]) -> Entry:
    """A message on the first socket."""
    tree = {"$": "frame", "opcode": "text", "pieces": [to_json(message)]}
    return Entry(0, 0, 0, 0, kind, connection=1, payload=to_json(tree))


def marker(tree: Any) -> Entry:
    """Any payload."""
    return Entry(0, 0, 0, 0, Kind.MARKER, payload=to_json(tree))


def numbered(*entries: Entry, step_ns: int = 1000) -> tuple[Entry, ...]:
    """The entries in this order, so far apart."""
    return tuple(entry._replace(seq=seq, at_ns=seq * step_ns) for seq, entry in enumerate(entries))


def header(id: str | None = None, previous: str | None = None, **labels: str) -> Header:
    """A header of a session."""
    return Header(
        id or new_session_id(), previous, 1_732_000_000_000_000_000, "there", 7, "recorder", {}, labels
    )


def draft(*entries: Entry, segments: dict[int, bytes] | None = None, step_ns: int = 1000) -> Draft:
    """A sealed session of these entries."""
    return Draft(header(), Status.CLOSED, numbered(*entries, step_ns=step_ns), segments or {}).sealed()


def drafts_in(store: Path) -> list[Draft]:
    """Every session of a store, each by itself."""
    with open_blocking(locate(store)) as connection:
        return [fetch_draft(connection, session) for session in fetch_sessions(connection)]


# --- strategies -----------------------------------------------------------------------------------


_segment_data: Strategy = st.one_of(
    st.binary(max_size=30),
    st.lists(st.sampled_from([b"\0", b"a", b"bc"]), max_size=12).map(b"".join),  # the same bytes again
    st.integers(0, 40).map(bytes),
)


@st.composite
def _references(draw: Callable[[Strategy], Any], segments: dict[int, bytes]) -> list[tuple[int, int, int]]:
    """In order and without holes, as a recorder refers to bytes; or anywhere."""
    found: list[tuple[int, int, int]] = []
    for segment, data in segments.items():
        if draw(st.booleans()):
            cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=3))})
            found += [(segment, begin, end - begin) for begin, end in itertools.pairwise(cuts)]
        for _ in range(draw(st.integers(0, 3))):
            offset = draw(st.integers(0, len(data)))
            found.append((segment, offset, draw(st.integers(0, len(data) - offset))))
    again: list[Any] = draw(st.lists(st.sampled_from(found), max_size=4)) if found else []
    return [*found, *again] if draw(st.booleans()) else draw(st.permutations([*found, *again]))


def _referring(reference: tuple[int, int, int]) -> Strategy:
    items = st.sampled_from(["item_1", "item_2", "../é", ""])

    def pair(item: str) -> list[Entry]:
        return [raw_audio(reference, item), audio(reference, item)]

    return st.one_of(
        st.builds(audio, st.just(reference), items, st.integers(0, 1)).map(lambda one: [one]),
        items.map(pair),
        st.booleans().map(lambda commit: [spoken(reference, commit=commit)]),
        st.just([marker({"x": [bytes_tree(reference, "py:bytearray"), bytes_tree(reference)]})]),
        # In a text that is no tree's, so that it is kept as a text.
        st.just([marker({})._replace(payload='{ "x":' + to_json(bytes_tree(reference)) + "}")]),
    )


def _others() -> Strategy:
    json_values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-INT64, INT64)
        | st.floats(allow_nan=False)
        | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=5,
    )
    return st.one_of(
        json_values.map(lambda tree: [marker({})._replace(payload=json.dumps(tree))]),
        st.sampled_from(ODD_PAYLOADS).map(lambda text: [marker({})._replace(payload=text)]),
        st.sampled_from(["pcm16", "g711_ulaw", "pcma", None]).map(
            lambda format: [raw({"type": "session.updated", "session": {"output_audio_format": format}})]
        ),
        st.just([raw({"type": "input_audio_buffer.committed"})]),
    )


@st.composite
def any_drafts(draw: Callable[[Strategy], Any]) -> Draft:
    """A session that no recorder may have written: with any columns, payloads, segments and references."""
    segments: dict[int, bytes] = draw(
        st.dictionaries(st.integers(0, 4) | st.just(900), _segment_data, max_size=4)
    )
    groups: list[list[Entry]] = [draw(_referring(reference)) for reference in draw(_references(segments))]
    for group in draw(st.lists(_others(), max_size=4)):
        groups.insert(draw(st.integers(0, len(groups))), group)
    entries = [entry for group in groups for entry in group]
    if draw(st.booleans()):
        entries = [_with_columns(draw, entry) for entry in entries]
    labels = draw(st.dictionaries(_column_texts, _column_texts, max_size=2))
    return Draft(
        dataclasses.replace(header(draw(_ids), draw(st.none() | _ids)), labels=labels),
        draw(st.sampled_from(Status)),
        numbered(*entries, step_ns=draw(st.sampled_from([1000, 1_500_000_000]))),
        segments,
    ).sealed()


def _with_columns(draw: Callable[[Strategy], Any], entry: Entry) -> Entry:
    return entry._replace(
        tick=draw(_integers),
        task=draw(_integers),
        method=draw(st.none() | _column_texts),
        cause=draw(_integers),
        of=draw(_integers),
        connection=draw(_integers),
        item_id=draw(st.none() | _column_texts),
        content_index=draw(_integers),
        elapsed_ms=draw(st.none() | st.floats(allow_nan=False, allow_infinity=False)),
        flags=draw(_small),
    )


@st.composite
def chains(draw: Callable[[Strategy], Any]) -> list[Draft]:
    """Sessions of one model object, one after another."""
    found: list[Draft] = []
    for one in draw(st.lists(any_drafts(), min_size=1, max_size=3, unique_by=lambda one: one.header.id)):
        previous = found[-1].header.id if found else None
        linked = dataclasses.replace(one.header, previous_session=previous)
        found.append(dataclasses.replace(one, header=linked).sealed())
    return found
