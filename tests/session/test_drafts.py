"""A draft is a session in memory: read, cut, and written as a recording of its own."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from realtape import schema
from realtape.schema.codec import references
from realtape.schema.entries import Entry
from realtape.schema.log import Address, MemoryDatabase, locate, open_blocking
from realtape.session import Recording
from realtape.session.drafts import Draft, in_memory, mapped, renumbered, tree_of, with_tree, write_drafts
from support.golden import FIXTURES
from support.stores import entry, sql

GOLDEN = sorted(FIXTURES.glob("*.db"))


def drafts_of(store: Path) -> list[Draft]:
    return asyncio.run(Recording.open(store)).drafts()


def verify(recording: Recording) -> None:
    async def verified() -> None:
        async with recording:
            await recording.verify()

    asyncio.run(verified())


@pytest.mark.parametrize("store", GOLDEN, ids=lambda path: path.stem)
def test_a_copy_has_the_same_digests_in_a_file_and_in_memory(store: Path, tmp_path: Path) -> None:
    drafts = drafts_of(store)
    assert drafts[0].sealed() == drafts[0]
    write_drafts(locate(tmp_path / "copy.db"), drafts)
    for copy in (asyncio.run(Recording.open(tmp_path / "copy.db")), Recording.of(*drafts)):
        assert copy.drafts() == drafts
        verify(copy)


def test_a_store_refuses_a_session_that_it_holds_and_stays_as_it_was(tmp_path: Path) -> None:
    drafts = drafts_of(GOLDEN[0])
    write_drafts(locate(tmp_path / "copy.db"), drafts)
    with pytest.raises(schema.UsageError, match=f"holds session {drafts[0].header.id} already"):
        write_drafts(locate(tmp_path / "copy.db"), drafts)
    assert drafts_of(tmp_path / "copy.db") == drafts
    assert [path.name for path in tmp_path.iterdir()] == ["copy.db"]
    assert sql(tmp_path / "copy.db", "PRAGMA journal_mode") == [("delete",)]


def test_a_store_in_memory_lives_as_long_as_somebody_holds_its_address() -> None:
    address = in_memory(drafts_of(GOLDEN[0]), "a name")
    assert str(address) == "a name"
    uri = address.sqlite_uri("ro")
    recording = Recording.of(*drafts_of(GOLDEN[0]), name="another")
    assert "another" in str(recording)
    gc.collect()
    assert recording.drafts()
    del address
    gc.collect()
    gone = MemoryDatabase("gone")
    gone.uri = uri
    with pytest.raises(schema.NotAStoreError), open_blocking(Address(None, None, gone)):
        raise AssertionError


def test_a_derived_recording_says_where_it_comes_from_and_is_the_same_every_time() -> None:
    draft = drafts_of(GOLDEN[0])[0]
    one = draft.derived("cut to 10", draft.entries[:10])
    assert one == draft.derived("cut to 10", draft.entries[:10])
    assert (
        one.header.source
        == f"cut to 10, of {draft.header.id}, whose last digest is {draft.last_digest.hex()}"
    )
    assert one.header.id != draft.header.id
    assert one.header.id[:8] == draft.header.id[:8]  # the time of the start
    assert one.header.id[14] == "7"
    assert one.sealed() == one
    verify(Recording.of(one))


def test_only_the_bytes_that_are_referred_to_are_kept() -> None:
    """A reference may be cut: half of the bytes are left."""
    draft = next(draft for path in GOLDEN for draft in drafts_of(path) if draft.segments)
    referring = [entry for entry in draft.entries if '"at":[' in entry.payload]

    def halved(place: tuple[int, int, int]) -> tuple[int, int, int]:
        return place[0], place[1], place[2] // 2

    one = draft.derived("halved", [with_tree(referring[0], mapped(tree_of(referring[0]), halved))])
    kept = b"".join(one.segments.values())
    whole = [draft.bytes_at(*place) for place in references(referring[0].payload)]
    assert len(kept) <= sum(map(len, whole))
    assert any(data.startswith(kept[: len(data) // 2]) for data in whole)


def test_a_session_of_no_entries_is_one() -> None:
    empty = drafts_of(GOLDEN[0])[0].derived("cut to nothing", [])
    assert Recording.of(empty).drafts() == [empty]
    verify(Recording.of(empty))


@given(st.data())
def test_renumbered_entries_refer_to_what_they_referred_to(data: st.DataObject) -> None:
    """Whatever is left out or moved: numbers have no holes, and what ended something that is gone is gone."""
    entries: list[Entry] = []
    for seq in range(data.draw(st.integers(0, 12))):
        earlier = st.none() if seq == 0 else st.none() | st.integers(0, seq - 1)
        entries.append(entry(seq, f'{{"n":{seq}}}')._replace(cause=data.draw(earlier), of=data.draw(earlier)))
    kept = data.draw(st.lists(st.sampled_from(entries), unique=True)) if entries else []
    kept.sort(key=lambda one: one.seq)
    found = renumbered(kept)
    assert [one.seq for one in found] == list(range(len(found)))
    was = {one.seq: int(tree_of(one)["n"]) for one in found}
    for one in found:
        before = entries[was[one.seq]]
        assert (None if one.of is None else was[one.of]) == before.of
        assert one.cause is None or was[one.cause] == before.cause
        assert one.cause is not None or before.cause is None or before.cause not in was.values()
    gone = {one.seq for one in kept} - set(was.values())
    assert all(entries[seq].of is not None and entries[seq].of not in was.values() for seq in gone)


def test_a_session_whose_bytes_are_gone_cannot_be_read_whole(tmp_path: Path) -> None:
    store = tmp_path / "log.db"
    source = next(path for path in GOLDEN if drafts_of(path)[0].segments)
    store.write_bytes(source.read_bytes())
    sql(store, "DROP TRIGGER segments_no_delete", "DELETE FROM segments")
    with pytest.raises(schema.CorruptRecordError, match="bytes of segment"):
        drafts_of(store)


def test_a_draft_names_itself_in_a_line() -> None:
    """Whose error names it, or a strategy over it, must not print all of it."""
    draft = drafts_of(GOLDEN[0])[0]
    assert repr(draft) == f"<Draft of session {draft.header.id}, {len(draft.entries)} entries>"
