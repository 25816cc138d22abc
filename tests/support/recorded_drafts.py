"""Recordings as drafts: of a store, of generated programs, of a list of entries."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from realtape.recorder import Recorder
from realtape.replay import ReplayReport, replay, run
from realtape.schema.entries import Entry
from realtape.session import Recording
from realtape.session.drafts import Draft, tree_of, with_tree

from .generated import GeneratedModel, Program, Provider, Running


def drafts_of(store: Path, session: str | None = None) -> list[Draft]:
    """A session, the newest if none is named, and those that followed it."""
    return asyncio.run(Recording.open(store, session)).drafts()


def generated_draft(provider: Provider, program: Program) -> Draft:
    """The session of a generated provider and application, recorded on virtual time."""

    async def record(store: Path) -> None:
        async with Recorder(store) as recorder:
            await Running(program, recorder.wrap(GeneratedModel(provider))).run()

    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder, "generated.db")
        run(record(store))
        return drafts_of(store)[0]


def with_entries(draft: Draft, entries: Iterable[Entry]) -> Draft:
    """The draft with other entries, as they are: not numbered, not sealed."""
    return dataclasses.replace(draft, entries=tuple(entries))


def with_fields(draft: Draft, seq: int, **fields: Any) -> Draft:
    """The draft with other fields in what was received with one entry; of a raw event, the message's."""
    entry = draft.entries[seq]
    tree = tree_of(entry)
    (tree["data"] if entry.type == "raw_server_event" else tree).update(fields)
    entries = list(draft.entries)
    entries[seq] = with_tree(entry, tree)
    return with_entries(draft, entries)


def with_columns(draft: Draft, seq: int, **columns: Any) -> Draft:
    """The draft with other columns in one entry."""
    entries = list(draft.entries)
    entries[seq] = entries[seq]._replace(**columns)
    return with_entries(draft, entries)


def rehearse(draft: Draft) -> ReplayReport:
    """Replay it with the answers that it holds itself: does it agree with itself?"""
    return run(replay(Recording.of(draft, name="a draft"), on_divergence="collect")).report
