"""A session as a page: what it says, gathered in blocks; the page's script; one file, or a server of a store.

May import `realtape.schema`, `realtape.session` and `realtape.lab`; only `integrations` and `cli` know it. It
computes nothing of a session that another reader computes: the page shows what `session/` says.
`docs/viewer.md` has the words, the blocks and the policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..schema.lazy_doors import open_lazily

if TYPE_CHECKING:
    from .comparison_page import write_comparison
    from .lane_text import lane_text
    from .page_file import Noted, page_of, write_page
    from .page_links import entry_link, links_of
    from .session_sound import AudioKept
    from .view_server import new_token, view_application

__all__ = [
    "AudioKept",
    "Noted",
    "entry_link",
    "lane_text",
    "links_of",
    "new_token",
    "page_of",
    "view_application",
    "write_comparison",
    "write_page",
]

open_lazily(__name__)
