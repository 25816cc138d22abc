"""`write_page`: sessions as one HTML file, which opens by a double click, and asks nobody for anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..schema import Header, UsageError
from ..session import Draft, words
from ..session.fixture import written_aside
from ..session.provenance import redacted_from
from ..session.redaction import Redaction
from .entry_sources import DraftSource
from .gathering import Gathering
from .packed_blocks import packed
from .session_sound import AudioKept, SessionSound
from .skeleton import skeleton

NOT_REDACTED = "Nothing was redacted: this page holds everything that was said, as it was recorded."


@dataclass(frozen=True)
class Noted:
    """A sentence at the head of a page.

    Attributes:
        strong: it must not be overlooked.
    """

    text: str
    strong: bool = False

    def facts(self) -> dict[str, str]:
        """For the page."""
        return {"text": self.text, "level": "strong" if self.strong else ""}


def write_page(
    drafts: Sequence[Draft],
    path: Path,
    *,
    store: str | Sequence[str | None],
    ids: Sequence[str] | None = None,
    audio: AudioKept | None = None,
    notes: Sequence[Noted] = (),
    comparison: dict[str, Any] | None = None,
) -> None:
    """Write a new page.

    Args:
        drafts: the sessions to be shown, as they are to be shown: redacted, if they are to be.
        store: what commands on the page call the store; of each session, where they lie in several; None: it
            lies in none.
        ids: under which ids they lie there, where these here are redacted copies; None: they are no copies.
        audio: what is kept of the sound; None: all, of sessions over ten minutes at 16 kHz.
        notes: what its head says, in words.
        comparison: which of them are held against each other.

    Raises:
        UsageError: it does not end in `.html`, or something is there already.
        StoreWriteError: it cannot be written.
    """
    if path.suffix not in (".html", ".htm"):
        raise UsageError(f"{path}: it will be an HTML page; name it ….html")
    with written_aside(path) as aside, aside.open("wb") as file:
        for piece in page_of(drafts, store=store, ids=ids, audio=audio, notes=notes, comparison=comparison):
            file.write(piece)


def page_of(
    drafts: Sequence[Draft],
    *,
    store: str | Sequence[str | None],
    ids: Sequence[str] | None = None,
    audio: AudioKept | None = None,
    notes: Sequence[Noted] = (),
    comparison: dict[str, Any] | None = None,
) -> Iterator[bytes]:
    """The same piece by piece: no more than a block of it is in memory."""
    called = [draft.header.id for draft in drafts] if ids is None else ids
    gathered = [
        Gathering(str(number), DraftSource(draft), SessionSound(audio), id)
        for number, (draft, id) in enumerate(zip(drafts, called, strict=True))
    ]
    told: list[dict[str, Any]] = []
    stores = [store] * len(drafts) if isinstance(store, str) else store
    for one in gathered:
        one.advance()
        told.append(one.session())
    head = {
        "served": False,
        "controls": words.CONTROLS,
        "sessions": [
            {
                "key": one.key,
                "id": one.called,
                # By these links may call it, too.
                "also": [one.source.header.id, redacted_from(one.source.header.source) or one.called],
                "problems": len(session["problems"]),
                "store": name,
            }
            for one, session, name in zip(gathered, told, stores, strict=True)
        ],
        "notices": [one.facts() for one in (*redaction_notes([draft.header for draft in drafts]), *notes)],
        "comparison": comparison,
        "front": comparison is not None,
    }
    page = skeleton(f"{called[0][:8]} · realtape", served=False)
    yield page.before
    yield packed("head", head)
    # First what is asked for first: the page is drawn while the browser still reads the rest.
    for one, session in zip(gathered, told, strict=True):
        for name, content in one.first_blocks(session):
            yield packed(f"{one.key}/{name}", content)
    for one in gathered:
        for name, content in one.later_blocks():
            yield packed(f"{one.key}/{name}", content)
    yield page.after


def redaction_notes(headers: Sequence[Header]) -> list[Noted]:
    """What a page says of how its sessions were redacted."""
    told = [Redaction.told_by(header.source) for header in headers]
    if not all(told):
        return [Noted(NOT_REDACTED, strong=True)]
    counts = {kind: count for one in told if one is not None for kind, count in one.counts.items()}
    found = ", ".join(f"{kind} {count}" for kind, count in counts.items() if count)
    return [Noted(f"Redacted: {found}." if found else "Redacted: nothing was found that had to be replaced.")]
