"""Values as the columns of any database hold them, and give them back: the digest is over them."""

from __future__ import annotations

import functools
import math
from typing import Any

from ..schema.secrets import Secrets

Playback = tuple[str | None, int | None, float | None, bool]
"""(item id, content index, elapsed milliseconds, assumed)."""

NO_PLAYBACK: Playback = (None, None, None, False)
_MAX_INT = (1 << 31) - 1  # of an integer column on PostgreSQL


@functools.lru_cache(maxsize=1024)
def text_column(text: str | None) -> str | None:
    """A text without what some database refuses: NUL, and lone surrogates."""
    if text is None:
        return None
    return str(text).replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


class PlaybackColumns:
    """Makes columns of a playback state. A tracker is the application's, and may say anything."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._item: tuple[Any, str | None] = (None, None)  # most states tell of the same item

    def of(self, state: Playback) -> Playback:
        """The state, as columns. Raises what converting the tracker's own objects raises."""
        item_id, content_index, elapsed_ms, assumed = state
        item = self._item
        if item_id is not item[0]:
            text = None if item_id is None else text_column(self._secrets.scrub(str(item_id)))
            self._item = item = (item_id, text)
        if content_index is not None:
            content_index = int(content_index)
            if abs(content_index) > _MAX_INT:
                content_index = None
        if elapsed_ms is not None:
            elapsed_ms = float(elapsed_ms) + 0.0  # SQLite stores -0.0 as 0.0
            if not math.isfinite(elapsed_ms):
                elapsed_ms = None
        return (item[1], content_index, elapsed_ms, assumed)
