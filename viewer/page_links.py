"""`entry_link`: the address of an entry in a page, which the page's own script follows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from ..session import Draft


def entry_link(page: str, session_id: str, seq: int, at_ns: int | None = None) -> str:
    """`…?t=12.300s#SESSION/SEQ`.

    Args:
        page: a file, by its path, or what `realtape view` printed.
        at_ns: where its playhead is to stand; None: where it stands by itself.
    """
    if page.startswith(("http://", "https://")):
        base = page.partition("#")[0].partition("?")[0].rstrip("/") + "/"
        if not base.endswith(f"/{session_id}/"):
            base += f"{quote(session_id, safe='')}/"
    else:
        base = Path(page).absolute().as_uri()
    time = "" if at_ns is None else f"?t={at_ns / 1e9:.3f}s"
    return f"{base}{time}#{quote(session_id, safe='')}/{seq}"


def links_of(
    page: Path, recorded: Iterable[Draft], places: Iterable[tuple[str, int | None, str]]
) -> list[str]:
    """Links to entries of recordings that a page shows, such as those where their replay diverged; to each
    once.

    Args:
        places: of each the session, and its entry, if there is one; what else is said of it is not asked.
    """
    sessions = {draft.header.id: draft.entries for draft in recorded}
    links: dict[str, None] = {}
    for id, seq, _ in places:
        entries = sessions.get(id, ())
        if seq is not None and seq < len(entries):
            links[entry_link(str(page), id, seq, entries[seq].at_ns)] = None
    return list(links)
