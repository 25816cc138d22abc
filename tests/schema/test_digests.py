"""The chain breaks at exactly the entry that was changed, and its definition never changes."""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from realtape.schema import Codec, Entry, Header, Kind
from realtape.schema.codec import references
from realtape.schema.log import (
    Address,
    Appended,
    MemoryDatabase,
    append_entries,
    entry_digest,
    fetch_entries,
    header_digest,
    insert_session,
    open_for_writing,
)
from support.examples import VOCABULARY, Shelf
from support.strategies import octets, texts

CODEC = Codec(VOCABULARY)
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
maybe_int = st.none() | INT64
maybe_text = st.none() | st.text(max_size=8)

headers = st.builds(
    Header,
    id=st.uuids().map(str),
    previous_session=maybe_text,
    started_ns=INT64,
    host=texts,
    pid=st.integers(0, 1 << 31),
    source=texts,
    versions=st.dictionaries(texts, texts, max_size=3),
    labels=st.dictionaries(texts, texts, max_size=3),
)
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "seq": INT64,
    "at_ns": INT64,
    "tick": maybe_int,
    "task": maybe_int,
    "kind": st.sampled_from(Kind),
    "type": maybe_text,
    "method": maybe_text,
    "cause": maybe_int,
    "of": maybe_int,
    "connection": maybe_int,
    "item_id": maybe_text,
    "content_index": maybe_int,
    "elapsed_ms": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "flags": st.integers(0, 255),
}


contents = st.lists(octets | texts | st.integers(), max_size=3)


@st.composite
def sessions(draw: Callable[[Any], Any]) -> tuple[Header, list[Entry], Shelf]:
    """A header, some entries, and the bytes that they refer to."""
    shelf = Shelf()
    entries: list[Entry] = []
    for seq in range(draw(st.integers(1, 5))):
        columns: dict[str, Any] = {name: draw(column) for name, column in COLUMNS.items()}
        columns |= {"seq": seq, "payload": CODEC.encode(draw(contents), shelf.put).payload}
        entries.append(Entry(**columns))
    return draw(headers), entries, shelf


def chain(header: Header, entries: list[Entry], get: Callable[[int, int, int], bytes]) -> list[bytes]:
    """The digests of the header and of every entry."""
    digests = [header_digest(header)]
    for entry in entries:
        digests.append(entry_digest(digests[-1], entry, get))
    return digests


def broken_at(before: list[bytes], after: list[bytes]) -> int:
    """The first place at which two chains differ; from there on they must differ for good."""
    first = next(at for at, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    assert all(a != b for a, b in zip(before[first:], after[first:], strict=False))
    return first


bare: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries({"type": maybe_text, "task": maybe_int})
played: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={name: COLUMNS[name] for name in ("item_id", "content_index", "elapsed_ms", "flags")}
)
whole: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {name: column for name, column in COLUMNS.items() if name != "seq"}
)


@given(st.lists(st.tuples(bare | played | whole, contents), min_size=1, max_size=6))
def test_what_is_appended_is_read_as_it_was_with_the_digest_of_its_definition(
    told: list[tuple[dict[str, Any], Any]],
):
    """However few columns an entry has: each statement writes what it leaves out."""
    shelf = Shelf()
    entries: list[Entry] = []
    for seq, (columns, content) in enumerate(told):
        payload = CODEC.encode(content, shelf.put).payload
        entry = Entry(seq, seq, None, None, Kind.RECEIVED, payload=payload)
        entries.append(entry._replace(**columns))
    header = Header("appended", None, 0, "host", 1, "recorder", {}, {})
    address = Address(None, None, MemoryDatabase("appended"))
    with open_for_writing(address).connect() as connection:
        key, first = insert_session(connection, header)
        last = append_entries(connection, key, first, [appended(entry, shelf) for entry in entries])
        stored = fetch_entries(connection, key, 0)
    assert [entry._replace(digest=b"") for entry in stored] == entries
    assert [entry.digest for entry in stored] == chain(header, entries, shelf.get)[1:]
    assert stored[-1].digest == last


def appended(entry: Entry, shelf: Shelf) -> Appended:
    blobs = dict.fromkeys(references(entry.payload))
    return (*entry, *(part for place in blobs for part in (*place, shelf.get(*place))))


# --- what breaks it -------------------------------------------------------------------------------


@given(sessions(), st.data())
def test_a_changed_column_breaks_the_chain_there(
    session: tuple[Header, list[Entry], Shelf], data: st.DataObject
):
    header, entries, shelf = session
    index = data.draw(st.integers(0, len(entries) - 1))
    name = data.draw(st.sampled_from([*COLUMNS, "payload"]))
    value = data.draw(COLUMNS.get(name, st.just(entries[index].payload + " ")))
    before = getattr(entries[index], name)
    assume(value != before or type(value) is not type(before))
    changed = [*entries]
    changed[index] = entries[index]._replace(**{name: value})
    assert broken_at(chain(header, entries, shelf.get), chain(header, changed, shelf.get)) == index + 1


@given(sessions(), st.data())
def test_a_changed_header_breaks_it_from_the_beginning(
    session: tuple[Header, list[Entry], Shelf], data: st.DataObject
):
    header, entries, shelf = session
    field = data.draw(st.sampled_from(dataclasses.fields(Header)))
    other = data.draw(headers.map(lambda drawn: dataclasses.replace(drawn, format=2)))
    assume(getattr(other, field.name) != getattr(header, field.name))
    changed = dataclasses.replace(header, **{field.name: getattr(other, field.name)})
    assert broken_at(chain(header, entries, shelf.get), chain(changed, entries, shelf.get)) == 0


@given(sessions(), st.data())
def test_a_changed_byte_breaks_it_where_it_is_first_referred_to(
    session: tuple[Header, list[Entry], Shelf], data: st.DataObject
):
    header, entries, shelf = session
    assume(shelf.data)
    at = data.draw(st.integers(0, len(shelf.data) - 1))
    before = chain(header, entries, shelf.get)
    shelf.data[at] ^= data.draw(st.integers(1, 255))
    after = chain(header, entries, shelf.get)
    covered = [
        number
        for number, entry in enumerate(entries, 1)
        if any(offset <= at < offset + length for _, offset, length in references(entry.payload))
    ]
    assert broken_at(before, after) == covered[0]


@given(sessions(), st.data())
def test_a_removed_swapped_or_doubled_entry_breaks_it_there(
    session: tuple[Header, list[Entry], Shelf], data: st.DataObject
):
    header, entries, shelf = session
    assume(len(entries) > 1)
    first = data.draw(st.integers(0, len(entries) - 2))
    second = data.draw(st.integers(first + 1, len(entries) - 1))
    before = chain(header, entries, shelf.get)

    removed = entries[:first] + entries[first + 1 :]
    assert broken_at(before, chain(header, removed, shelf.get)) == first + 1
    swapped = [*entries]
    swapped[first], swapped[second] = swapped[second], swapped[first]
    assert broken_at(before, chain(header, swapped, shelf.get)) == first + 1
    doubled = entries[: first + 1] + entries[first:]
    assert broken_at(before, chain(header, doubled, shelf.get)) == first + 2


def test_the_order_of_labels_and_the_digest_itself_do_not_count():
    header = golden_header()
    again = dataclasses.replace(header, labels=dict(reversed(header.labels.items())))
    assert header_digest(again) == header_digest(header)
    entry = golden_entries()[0]
    assert entry_digest(b"", entry._replace(digest=b"x"), no_bytes) == entry_digest(b"", entry, no_bytes)


@pytest.mark.parametrize("pair", [(-0.0, 0.0), (20, 20.0), (0, -0.0)])
def test_what_a_database_reads_back_for_a_number_has_its_digest(pair: tuple[float, float]):
    """A column of floating-point numbers holds no integers, and SQLite's no negative zero."""
    one, other = (golden_entries()[0]._replace(elapsed_ms=elapsed_ms) for elapsed_ms in pair)
    assert entry_digest(b"", one, no_bytes) == entry_digest(b"", other, no_bytes)


# --- golden values: format 1, for ever ---------------------------------------------------------------

GOLDEN_BYTES = b"\x00\x01audio"
GOLDEN_CHAIN = [
    "9be499ce3a280250aed1596cbb2802a77a185549e3255388bda309127827b587",
    "69161b1fa8fd6399e84bdefc24e7d03018b5a8f4d5a8714462ee3d8a352e279b",
    "44fd4f4fc969ed011f608fa078741d572c812c5260c47ba0588e67010f83f634",
    "e7e1bdf6c5ac7baf03ecdf6829f9487dc9b4f0b0d266e265995d05e93d494a24",
]


def golden_header() -> Header:
    return Header(
        id="01936f5e-5c00-7000-8000-000000000001",
        previous_session=None,
        started_ns=1_732_000_000_000_000_000,
        host="höst",
        pid=4711,
        source="recorder",
        versions={"realtape": "0.1.0", "python": "3.11.7"},
        labels={"env": "test", "a": "\ud800"},
    )


def golden_entries() -> list[Entry]:
    url = '{"url":"wss://é"}'
    audio = '{"$":"audio","data":{"$":"py:bytes","at":[0,2,5]},"again":{"$":"base64","at":[0,2,5]}}'
    return [
        Entry(0, 0, 0, 0, "connect", None, "connect", None, None, None, None, None, None, url, 0),
        Entry(
            1, 1_500_000, 3, None, Kind.RECEIVED, "audio", None, 0, None, None, "item_1", 0, 12.5, audio, 1
        ),
        Entry(
            2, 2_000_000, 3, 1, "handled", None, None, 1, 1, 2, "item_1", 0, 0.1, "null", 0, b"not counted"
        ),
    ]


def no_bytes(segment: int, offset: int, length: int) -> bytes:
    pytest.fail("no bytes are referred to")


def golden_bytes(segment: int, offset: int, length: int) -> bytes:
    assert segment == 0
    return GOLDEN_BYTES[offset : offset + length]


def test_the_golden_chain():
    found = chain(golden_header(), golden_entries(), golden_bytes)
    assert [digest.hex() for digest in found] == GOLDEN_CHAIN


def test_the_golden_chain_by_hand():
    """What the format says, spelled out: whoever writes another reader has this to go by."""
    header = (
        '[1,"01936f5e-5c00-7000-8000-000000000001",null,1732000000000000000,"h\\u00f6st",4711,"recorder",'
        '{"python":"3.11.7","realtape":"0.1.0"},{"a":"\\ud800","env":"test"}]'
    )
    digest = hashlib.sha256(header.encode()).digest()
    assert digest.hex() == GOLDEN_CHAIN[0]
    columns = '[0,0,0,0,"connect",null,"connect",null,null,null,null,null,null,0]'
    digest = hashlib.sha256(digest + columns.encode() + b"\n" + '{"url":"wss://é"}'.encode()).digest()
    assert digest.hex() == GOLDEN_CHAIN[1]
    columns = '[1,1500000,3,null,"received","audio",null,0,null,null,"item_1",0,12.5,1]'
    payload = golden_entries()[1].payload
    digest = hashlib.sha256(digest + columns.encode() + b"\n" + payload.encode() + b"audio").digest()
    assert digest.hex() == GOLDEN_CHAIN[2]
    columns = '[2,2000000,3,1,"handled",null,null,1,1,2,"item_1",0,0.1,0]'
    assert hashlib.sha256(digest + columns.encode() + b"\nnull").hexdigest() == GOLDEN_CHAIN[3]
