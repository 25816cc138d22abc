"""Entries that refer to bytes of many commits, read in either way."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest
from realtape.schema import CorruptRecordError, Kind
from realtape.schema.entries import Entry
from realtape.session import Recording
from realtape.session.drafts import Draft
from realtape.session.payloads import SEGMENTS_IN_MEMORY
from support.golden import DEMO

MANY = 3 * SEGMENTS_IN_MEMORY


def referring(number: int, segments: list[int]) -> Entry:
    """A marker whose bytes are the first of each of these segments."""
    data = [{"$": "py:bytes", "at": [segment, 0, 1]} for segment in segments]
    return Entry(number, number, number, 1, Kind.MARKER, payload=json.dumps(data, separators=(",", ":")))


@pytest.fixture(scope="module")
def draft() -> Draft:
    """Each entry refers to more commits than are kept, the odd ones in another order than the even."""
    orders = [[(first + step) % MANY for first in range(MANY)] for step in (0, 5)]
    entries = [referring(number, orders[number % 2]) for number in range(40)]
    model = asyncio.run(Recording.open(DEMO)).drafts()[0]
    segments = {segment: bytes([segment]) for segment in range(MANY)}
    return dataclasses.replace(model, entries=tuple(entries), segments=segments).sealed()


def expected(draft: Draft) -> list[list[bytes]]:
    return [
        [draft.bytes_at(*reference["at"]) for reference in json.loads(entry.payload)]
        for entry in draft.entries
    ]


def test_blocking(draft: Draft) -> None:
    recording = Recording.of(draft)
    assert [value for _, value in recording.stream()] == expected(draft)


async def test_without_blocking(draft: Draft) -> None:
    async with Recording.of(draft) as recording:
        assert [value async for _, value in recording.values()] == expected(draft)
        await recording.verify()


async def test_two_at_a_time(draft: Draft) -> None:
    """Neither puts out what the other has brought."""
    async with Recording.of(draft) as recording:
        decoded = await asyncio.gather(*(recording.decode(entry) for entry in draft.entries[:8]))
        assert decoded == expected(draft)[:8]


def test_what_can_be_read_comes_before_what_cannot(draft: Draft) -> None:
    torn = dataclasses.replace(draft, segments={0: b"\x00"})
    whole = referring(0, [0])
    torn = dataclasses.replace(torn, entries=(whole, whole._replace(seq=1), *draft.entries[2:]))
    stream = Recording.of(torn).stream()
    assert [next(stream)[1], next(stream)[1]] == [[b"\x00"]] * 2
    with pytest.raises(CorruptRecordError, match=r"entry 2\b.*segment"):
        next(stream)
